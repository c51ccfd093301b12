package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// Parts are what can be restored, in the order in which it is done: nginx's
// configuration is built from all of them, so it comes last.
var Parts = []string{"scale", "env", "docker-options", "domains", "ports", "certs", "letsencrypt", "properties", "nginx"}

// Restore puts an app back as a snapshot has it: a value that is set now is
// replaced, because a person asked for it. A snapshot is taken first, so the next
// restore can undo this one. Without an id it is the newest record from before
// the last upgrade. With dryRun the plan is printed and nothing is changed.
func (g *Guard) Restore(ctx context.Context, name, id string, parts []string, dryRun bool) error {
	for _, p := range parts {
		if !slices.Contains(Parts, p) {
			return say.Hint(fmt.Errorf("there is no part %q that can be restored", p), "There are: %s.", strings.Join(Parts, ","))
		}
	}
	if len(parts) == 0 {
		parts = Parts
	}
	return g.locked(ctx, lockTimeout, func() error {
		if _, _, err := g.versions(); err != nil {
			return err
		}
		known, err := g.readState()
		if err != nil {
			return err
		}
		if to := known.Renamed[name]; to != "" {
			if _, err := g.Host.Stat(g.Host.Paths().App(name)); errors.Is(err, fs.ErrNotExist) {
				g.Out.Detail("%s is called %s now", name, to)
				name = to
			}
		}
		files, err := app.Capture(ctx, g.Host, app.What{Apps: []string{name}})
		if err != nil {
			return err
		}
		if !slices.Contains(files.Apps, name) {
			return say.Hint(fmt.Errorf("there is no app %s on this host", name),
				"restore puts back what belongs to an app, not the app itself. If it was destroyed: %s, deploy it, then restore.", say.Command("dokku apps:create", name))
		}
		names := append([]string{name}, known.Formerly(name)...)
		switch id {
		case "":
			if id, err = g.restorePoint(names, known); err != nil {
				return err
			}
		case "live":
			id = "live/" + name
		}
		old, err := g.Store.Files(id)
		if err != nil {
			return err
		}
		now := app.Read(files)
		r, err := g.restoration(g.subject(files, now, name, "", now.Dokku, known), id, known, old)
		if err != nil {
			return err
		}
		if r.called != name {
			g.Out.Detail("%s was called %s then", name, r.called)
		}
		cut, err := g.State.Restoring(name)
		if err != nil {
			g.Out.Error(err)
		}
		// What was cut off may have everything in place but nginx.
		r.unbuilt = len(cut) > 0 || err != nil
		steps, notes := r.plan(parts)
		g.Out.Title("%s from %s", name, id)
		for _, l := range old.Refused {
			g.Out.Trouble("%s", l)
		}
		if len(cut) > 0 {
			g.Out.Detail("A restore from %s did not come to its end, so nginx's configuration is built in any case", cut[0].Snapshot)
		}
		for _, n := range notes {
			g.Out.Trouble("%s", n)
		}
		if len(steps) == 0 {
			if len(notes) == 0 {
				g.Out.Result("       %s %s as in the snapshot", plan.OK, strings.Join(parts, ", "))
			}
			if len(cut) > 0 && !dryRun {
				return g.State.EndRestore(name, parts)
			}
			return nil
		}
		steps.Print(g.Out)
		if dryRun {
			return nil
		}
		undo, _, err := g.snapshotNow(ctx, snapshot.PreRestore, "")
		if err != nil {
			return err
		}
		if err := g.State.BeginRestore(name, state.Restore{Snapshot: id, Parts: parts}); err != nil {
			return err
		}
		if err := steps.Apply(ctx, g.Host, plan.NewJournal(g.Host, Restored), g.Out); err != nil {
			return err
		}
		if err := g.State.EndRestore(name, parts); err != nil {
			return err
		}
		after, err := app.Capture(ctx, g.Host, app.What{Apps: []string{name}})
		if err != nil {
			return err
		}
		present := app.Read(after).Apps[name]
		if scale := present.EffectiveScale(); present.Deployed() && slices.Contains(parts, "scale") && present.Running() != scale.Total() {
			g.Out.Trouble("%d containers run, and its scale is %s. To run it so now: %s", present.Running(), scale, say.Command("dokku ps:restart", name))
		}
		g.Out.Step("Done. To undo this: %s", say.Command("dokku upgrade-guard:restore", name, "--snapshot", undo.ID))
		return nil
	})
}

// restorePoint is the newest snapshot from before the last upgrade that holds
// the app, by any of its names, or else the newest that does.
func (g *Guard) restorePoint(names []string, known state.State) (string, error) {
	if b, ok := known.Unresolved[names[0]]; ok && b.Snapshot != "" && !strings.HasPrefix(b.Snapshot, "live/") {
		return b.Snapshot, nil
	}
	list, err := g.Store.List()
	if err != nil {
		return "", err
	}
	if n := len(known.Upgrades); n > 0 {
		if i := slices.IndexFunc(list, func(e snapshot.Entry) bool { return e.ID == known.Upgrades[n-1].Baseline }); i >= 0 {
			list = append([]snapshot.Entry{list[i]}, list...)
		}
	}
	for _, e := range list {
		m, err := g.Store.Manifest(e.ID)
		if err != nil {
			g.Out.Error(err)
			continue
		}
		if slices.ContainsFunc(names, func(n string) bool { return slices.Contains(m.Apps, n) }) {
			return e.ID, nil
		}
	}
	return "", say.Hint(fmt.Errorf("no snapshot holds %s: %w", names[0], fs.ErrNotExist), "See dokku upgrade-guard:snapshots for those there are.")
}

// restoration is one app between a snapshot and the present.
type restoration struct {
	hazard.Subject
	was    app.State
	old    *app.Files
	paths  host.Paths
	called string // what the app was called then
	// unbuilt tells that nginx's configuration is to be built whatever else is done.
	unbuilt bool
}

// restoration is an app as it is, beside its files in a snapshot.
func (g *Guard) restoration(s hazard.Subject, id string, known state.State, old *app.Files) (restoration, error) {
	if old == nil {
		return restoration{}, fmt.Errorf("the snapshot %s cannot be read", id)
	}
	name := s.Now.Name
	names := append([]string{name}, known.Formerly(name)...)
	i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(old.Apps, n) })
	if i < 0 {
		return restoration{}, say.Hint(fmt.Errorf("the snapshot %s does not hold %s", id, name), "It holds: %s.", strings.Join(old.Apps, ", "))
	}
	if i > 0 {
		old = old.Renamed(names[i], name)
	}
	return restoration{Subject: s, was: app.Read(old).Apps[name], old: old, paths: g.Host.Paths(), called: names[i]}, nil
}

// plan is what must be written for the parts to be as in the snapshot, and what
// the operator must know of what is not.
func (r restoration) plan(parts []string) (steps plan.Plan, notes []string) {
	add := func(list ...*plan.Step) {
		for _, s := range list {
			if s != nil {
				s.App, s.Hazard = r.Now.Name, Restored
				steps = append(steps, *s)
			}
		}
	}
	known := func(part string) bool {
		note := r.notKnown(app.Part(part))
		if note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
		return note == ""
	}
	has := func(part string) bool { return slices.Contains(parts, part) && known(part) }
	if has("scale") {
		add(hazard.RestoreScale(r.Subject, r.was.EffectiveScale()))
	}
	if has("env") {
		step, err := r.environment()
		if err != nil {
			notes = append(notes, "The environment is not restored: "+err.Error())
		}
		add(step)
	}
	if has("docker-options") {
		options, note := r.dockerOptions()
		add(options...)
		notes = append(notes, note...)
	}
	inNginx := len(steps)
	if has("domains") {
		put, note := r.unlessOpens(parts, "domains", r.list("domains", r.was.Domains.Names, r.Now.Domains.Names, filepath.Join(r.paths.App(r.Now.Name), "VHOST"), 0o644), r.was.Domains.Names, nil)
		notes = append(notes, note...)
		add(put)
		if known("env") { // where it is written whether they are enabled
			enabled := r.vhosts()
			if !r.was.Domains.Disabled && put == nil {
				enabled, note = r.unlessOpens(parts, "domains", enabled, nil, nil)
				notes = append(notes, note...)
			}
			add(enabled)
		}
	}
	if has("ports") {
		put, note := r.unlessOpens(parts, "ports", r.portMap(), nil, hazard.HostPorts(r.was.Ports.Map))
		notes = append(notes, note...)
		add(put)
	}
	certificate := plan.Plan(nil)
	if has("certs") {
		var note []string
		certificate, note = r.certificate()
		for i := range certificate {
			add(&certificate[i])
		}
		notes = append(notes, note...)
	}
	if has("properties") {
		add(r.properties()...)
		notes = append(notes, r.filesNotKnown(app.PartProperties)...)
	}
	if has("nginx") {
		add(r.nginxFiles()...)
		notes = append(notes, r.filesNotKnown(app.PartNginx)...)
	}
	if (len(steps) > inNginx || r.unbuilt) && r.Now.Deployed() {
		step, note := r.built(parts)
		if add(step); note != "" {
			notes = append(notes, note)
		}
	}
	if has("letsencrypt") {
		more, note := r.letsencrypt(len(certificate) > 0)
		for i := range more {
			add(&more[i])
		}
		notes = append(notes, note...)
	}
	return steps, slices.Compact(notes)
}

// list is the step for a file of lines. What the snapshot has nothing for is left
// as it is.
func (r restoration) list(what string, was, now []string, path string, mode fs.FileMode) *plan.Step {
	if len(was) == 0 || slices.Equal(was, now) {
		return nil
	}
	return replacing(&plan.Step{
		Mark: plan.Add, Text: what + " " + strings.Join(was, " "),
		Path: path, Mode: mode, Data: []byte(strings.Join(was, "\n") + "\n"), Was: r.Digest(path),
	}, now)
}

// replacing says in a step what it replaces.
func replacing(s *plan.Step, now []string) *plan.Step {
	if len(now) > 0 {
		s.Mark, s.Text = plan.Change, fmt.Sprintf("%s, now %s", s.Text, strings.Join(now, " "))
	}
	return s
}

// buildConfig is the step that has Dokku write nginx's configuration anew.
func buildConfig(name string) *plan.Step {
	return &plan.Step{
		Mark: plan.Change, Text: hazard.TextBuild, Stage: plan.Build,
		Do: func(ctx context.Context, h host.Host) error {
			if err := host.BuildProxy(ctx, h, name); err != nil {
				return say.Hint(err, "What was restored is in place. To see why: %s", say.Command("dokku --trace proxy:build-config", name))
			}
			return nil
		},
	}
}
