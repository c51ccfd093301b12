package restore

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// HostParts are what can be restored of the host itself: what belongs to no app.
var HostParts = []string{"env", "domains", "letsencrypt", "properties"}

// HostRestoration is the host itself between a snapshot and the present: the scope
// --global of what an app has too, and what that means for the apps.
type HostRestoration struct {
	Restoration
	wasHost, nowHost app.Host
	formerly         func(name string) []string
}

// NewHost is the host as it is, beside its files in a snapshot. Formerly are the names that
// an app has borne.
func NewHost(s hazard.HostSubject, id string, old *app.Files, formerly func(string) []string) (HostRestoration, error) {
	if old == nil {
		return HostRestoration{}, fmt.Errorf("the snapshot %s cannot be read", id)
	}
	if old.Partial {
		return HostRestoration{}, say.Hint(fmt.Errorf("the snapshot %s is of one app, and does not hold this host's own settings", id), "See dokku upgrade-guard:snapshots for those that do.")
	}
	was := app.Read(old)
	return HostRestoration{
		Restoration: Restoration{
			Subject: hazard.Subject{Context: s.Context, Now: ofHost(s.Now)},
			was:     ofHost(was), old: old, paths: s.Paths, id: id, Called: host.GlobalScope,
		},
		wasHost: was, nowHost: s.Now, formerly: formerly,
	}, nil
}

// ofHost is the host's own as a state of the scope --global.
func ofHost(h app.Host) app.State {
	return app.State{
		Name: host.GlobalScope, Dokku: h.Dokku, Env: h.Global.Env, Letsencrypt: h.Global.Letsencrypt, Unknown: h.Global.Unknown,
		Domains: app.Domains{Names: h.Global.Domains, File: h.Global.DomainsFile},
	}
}

// Plan is what must be written for the parts to be as in the snapshot, and what the
// operator must know of what is not. Nothing is built or restarted of it.
func (r HostRestoration) Plan(parts []string) (steps plan.Plan, notes []string, failed error) {
	add := func(list ...*plan.Step) {
		for _, s := range list {
			if s != nil {
				s.App, s.Hazard = host.GlobalScope, Name
				steps = append(steps, *s)
			}
		}
	}
	has := func(part string) bool {
		if !slices.Contains(parts, part) {
			return false
		}
		note := r.notKnown(app.Part(part))
		if note != "" {
			notes = append(notes, note)
		}
		return note == ""
	}
	put := func(step *plan.Step, name, value string) { // a property, unless it opens an app
		if why := r.propertyOpens(name, value); step != nil && why != "" {
			notes, step = append(notes, r.notOpened("property "+name, why, propertyCommand(name, value))), nil
		}
		add(step)
	}
	if has("env") {
		step, note, err := r.environment()
		if err != nil {
			failed = fmt.Errorf("the environment of this host is not restored: %w", err)
		}
		notes = append(notes, note...)
		add(step)
		for _, c := range r.became() {
			if c.Path == "" {
				notes = append(notes, r.notRead(c))
				continue
			}
			put(r.property(c), strings.TrimPrefix(c.Path, "lib/config/"), c.Value)
		}
	}
	if has("domains") {
		step, note := r.domains()
		add(step...)
		notes = append(notes, note...)
	}
	if has("letsencrypt") {
		if set := r.old.Under("lib/config/letsencrypt/" + host.GlobalScope + "/"); len(set) > 0 && r.Files.LetsencryptPlugin() == (app.LetsencryptPlugin{}) {
			notes = append(notes, "The letsencrypt plugin is not installed here, so its settings are not written. Once it is: "+
				say.Command("dokku upgrade-guard:restore", host.GlobalScope, "--only", "letsencrypt", "--snapshot", r.id))
		}
		list, note := r.letsencryptSettings()
		for i := range list {
			add(&list[i])
		}
		notes = append(notes, note...)
	}
	if has("properties") {
		for _, was := range r.old.Properties(host.GlobalScope) {
			name := strings.TrimPrefix(was.Path, "lib/config/")
			if !hazard.Restored(name) {
				continue
			}
			put(r.copy(was, "property "+name), name, string(was.Data))
		}
		notes = append(notes, r.filesNotKnown(app.PartProperties)...)
	}
	return steps, notes, failed
}

func (r HostRestoration) notOpened(what, why, command string) string {
	return fmt.Sprintf("The %s is not put back, so that nothing becomes reachable that was not in the snapshot: %s. To set it all the same: %s", what, why, command)
}

// domains are the steps for the domains below which apps get their names, and for HOSTNAME
// where Dokku reads it.
func (r HostRestoration) domains() (steps []*plan.Step, notes []string) {
	was, now := r.wasHost.Global, r.nowHost.Global
	names := r.list("global domain", was.Domains, now.Domains, r.paths.DokkuRoot+"/VHOST", 0o644)
	var hostname *plan.Step
	if app.Before(r.To, "0.25.0") && was.Hostname != "" {
		hostname = r.list("HOSTNAME", []string{was.Hostname}, strings.Fields(now.Hostname), r.paths.DokkuRoot+"/HOSTNAME", 0o644)
	}
	put := func(step *plan.Step, after app.Global, what, command string) {
		if step == nil {
			return
		}
		if why := r.namesOpen(after); why != "" {
			notes = append(notes, r.notOpened(what, why, command))
			return
		}
		steps = append(steps, step)
	}
	after := now
	after.Domains, after.DomainsFile = was.Domains, true
	put(names, after, "global domain", hazard.GlobalDomainsCommand(r.paths, r.To, was.Domains))
	after = now
	after.Hostname = was.Hostname
	put(hostname, after, "HOSTNAME", "echo "+say.Word(was.Hostname)+" > "+say.Word(r.paths.DokkuRoot+"/HOSTNAME"))
	if names != nil && slices.Contains(steps, names) && !app.Before(r.To, "0.27.0") {
		for _, name := range r.withoutDomains() {
			if got := app.DefaultDomains(r.To, name, was.Domains); len(got) > 0 {
				notes = append(notes, fmt.Sprintf("%s has no domain of its own: the next plugin:install gives it %s. To have it without: %s",
					name, strings.Join(got, " "), say.Command("dokku domains:disable", name)))
			}
		}
	}
	return steps, notes
}

// namesOpen says which app would answer to names of the host's that it does not answer to
// now, and did not in the snapshot. To 0.24 one without domains of its own answers to the
// host's.
func (r HostRestoration) namesOpen(after app.Global) string {
	names := app.Inherited(r.To, after.DomainsFile, after.Domains, strings.Fields(after.Hostname))
	for _, name := range r.withoutDomains() {
		before, _ := r.before(name)
		known := append(slices.Clone(before.Domains.Effective()), r.nowHost.Apps[name].Domains.Effective()...)
		for _, n := range names {
			if !slices.Contains(known, n) {
				return fmt.Sprintf("%s has no domain of its own, and did not answer to %s", name, n)
			}
		}
	}
	return ""
}

// withoutDomains are the apps that have no domains of their own, and have not disabled
// them.
func (r HostRestoration) withoutDomains() (names []string) {
	for _, name := range r.Files.Apps {
		if s := r.nowHost.Apps[name]; s.Deployed() && !s.Domains.File && !s.Domains.Disabled {
			names = append(names, name)
		}
	}
	return names
}

// before is an app in the snapshot, by any name that it has borne.
func (r HostRestoration) before(name string) (app.State, bool) {
	for _, n := range append([]string{name}, r.formerly(name)...) {
		if s, ok := r.wasHost.Apps[n]; ok {
			return s, true
		}
	}
	return app.State{}, false
}
