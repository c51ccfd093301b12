package hazard

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// Drift is the name of what no hazard explains.
const Drift = "drift"

// drift is what nobody has reported yet. Everything the baseline holds of an app, or
// of the host, is compared with what there is: properties, environment, docker
// options, files. What has gone or changed, and none of the other hazards is about,
// is said with both values and not touched: it may be the upgrade's doing, or
// Dokku's, or a person's.
//
// What is new is no loss; core adds properties with every version.
var drift = Hazard{
	Name: Drift,

	Detect: func(s Subject) []Finding {
		if s.Before == nil || s.Old() == nil {
			return nil
		}
		d := differences{Context: s.Context, scope: s.Now.Name}
		d.properties()
		if s.knows(app.PartEnv) {
			d.environment(s.Before.Env, s.Now.Env)
			d.containers(*s.Before, s.Now)
		}
		if s.knows(app.PartDockerOptions) {
			d.dockerOptions(s)
		}
		d.files(d.Old().Under("root/" + s.Now.Name + "/nginx.conf.d/"))
		d.files(d.Old().Kept(s.Now.Name, app.ByOthers))
		if s.Now.Git.Revision != "" && s.Now.Git.Revision == s.Before.Git.Revision { // of the same code
			d.files(d.Old().Kept(s.Now.Name, app.ByBuild))
		}
		d.refs(s.Before.Git.Refs, s.Now.Git.Refs)
		return d.found
	},

	DetectHost: func(s HostSubject) []Finding {
		if s.Before == nil || s.Old() == nil {
			return nil
		}
		d := differences{Context: s.Context, scope: host.GlobalScope}
		d.properties()
		d.putBack("properties")
		if s.knows(app.PartEnv) && !environmentGone(s) {
			d.environment(s.Before.Env, s.Now.Global.Env)
			d.putBack("env")
		}
		if s.knows(app.PartDomains) {
			d.globalDomains(s)
		}
		d.hostFiles()
		return d.found
	},
}

// noSettings are the properties that are Dokku's memory, or that a restore puts back by
// steps of their own; toldElsewhere those of the others that a hazard tells every
// difference of.
const (
	noSettings = `ps/[^/]+/(scale|scale\.old|can-scale|running-state)|ports/[^/]+/.*|common/[^/]+/deployed|` +
		`letsencrypt/.*|docker-options/.*|builder/[^/]+/detected|[^/]+/[^/]+/(.*migrated.*|rev-env-var-value|source-image|last-visited-at|created-at)|scheduler-k3s/[^/]+/tls-cert-imported|config/.*|upgrade-guard/.*`
	toldElsewhere = `network/[^/]+/bind-all-interfaces`
)

var (
	notRestored   = pattern.Of(`^(` + noSettings + `)$`)
	ownProperties = pattern.Of(`^(` + noSettings + `|` + toldElsewhere + `)$`)
)

// Restored tells whether a restore puts a property, namespace/app/name, back as it is in
// the snapshot: it is a setting, and none that is put back by a step of its own.
func Restored(name string) bool { return !notRestored().MatchString(name) }

type differences struct {
	Context
	scope string
	found []Finding
}

// listedOf is how many differences of an app are told one by one.
const listedOf = 50

func (d *differences) add(format string, args ...any) {
	switch f := (Finding{What: fmt.Sprintf(format, args...), Kind: Notice}); {
	case len(d.found) == listedOf:
		f.What = "more has gone or changed than is told"
		fallthrough
	case len(d.found) < listedOf:
		d.found = append(d.found, f)
	}
}

func (d *differences) properties() {
	for _, was := range d.Old().Properties(d.scope) {
		name := strings.TrimPrefix(was.Path, "lib/config/")
		if was.SHA256 == "" || ownProperties().MatchString(name) {
			continue
		}
		if app.IsK3sMap(was.Path) {
			was.Data = app.K3sProperty(was, d.Old().Dokku, d.To)
			was.SHA256 = app.Digest(was.Data)
		}
		now, ok := d.Files.Get(was.Path)
		switch {
		case !ok && d.Files.HasK3sOverride(was):
		case !ok:
			d.add("the property %s was %s, and is gone", name, d.show(name, was.Data))
		case now.SHA256 != "" && now.SHA256 != was.SHA256:
			d.add("the property %s was %s, and is %s", name, d.show(name, was.Data), d.show(name, now.Data))
		}
	}
}

func (d *differences) environment(before, now map[string]string) {
	_, lost, _ := lostValues(d.Context, d.scope, true)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch value, ok := now[name]; {
		case app.OwnVariable(name) || value == before[name] || envTold(lost, name):
		case !ok:
			d.add("the variable %s of its environment is gone", name)
		default:
			d.add("the variable %s of its environment has another value%s", name, d.both(before[name], value))
		}
	}
}

// putBack gives what was found of the host the command that puts it back: its own
// settings are in force for all apps, and few.
func (d *differences) putBack(part string) {
	for i := range d.found {
		if d.found[i].Command == "" {
			d.found[i].Command = say.Command("dokku upgrade-guard:restore", host.GlobalScope, "--only", part)
		}
	}
}

// globalDomains compares the host's domains, and its HOSTNAME where that is read. Where
// none is left globalLost puts them back.
func (d *differences) globalDomains(s HostSubject) {
	was, now := s.Before.Domains, s.Now.Global.Domains
	switch gone := without(was, now); {
	case len(gone) == 0 || globalDomainsGone(s): // globalLost tells it
	case len(gone) == len(was):
		d.add("the global domain was %s, and %s", strings.Join(was, " "), isNow(now))
		d.found[len(d.found)-1].Command = GlobalDomainsCommand(s.Paths, s.To, was)
	default:
		d.add("the global domain %s is gone", strings.Join(gone, " "))
		d.found[len(d.found)-1].Command = say.Command("dokku domains:add-global", gone...)
		if !takesDomains(s.To, gone) {
			d.found[len(d.found)-1].Command = GlobalDomainsCommand(s.Paths, s.To, slices.Concat(now, gone))
		}
	}
	if was, now := s.Before.Hostname, s.Now.Global.Hostname; inherits(s.To) && was != "" && was != now && len(hostnameWritten(s)) == 0 {
		d.add("the file HOSTNAME was %s, and %s", was, isNow(strings.Fields(now)))
		d.putBack("domains")
	}
}

// isNow says what a list is now.
func isNow(list []string) string {
	if len(list) == 0 {
		return "is gone"
	}
	return "is " + strings.Join(list, " ")
}

// envTold tells that envValues tells of a variable.
func envTold(lost map[string]string, name string) bool {
	_, told := lost[name]
	return told
}

// containers compares what the running ones have been given: a build after the
// upgrade may leave out what the one before it had.
func (d *differences) containers(before, now app.State) {
	if now.Running() == 0 || len(now.Variables) == 0 { // not known
		return
	}
	for _, name := range without(before.Variables, now.Variables) {
		if _, set := now.Env[name]; !app.OwnVariable(name) && (set || before.Env[name] == "") {
			d.add("its containers have no variable %s any more", name)
		}
	}
}

func (d *differences) dockerOptions(s Subject) {
	lost := func(missing []string, what string) {
		if n := len(missing); n > 0 {
			d.add("%d of its docker options for %s are gone", n, what)
		}
	}
	for _, phase := range phases {
		was, now := d.Old().DockerOptions(d.scope, phase), d.Files.DockerOptions(d.scope, phase)
		if d.Crosses("0.38.0") {
			was = BecameOf(s, was, phase).Stay // of the others dockerOptionsMoved tells
		}
		lost(Missing(was, now), phase)
	}
	for _, name := range d.Old().ProcessDockerOptions(d.scope) {
		path := "lib/config/docker-options/" + d.scope + "/" + name
		process, phase, _ := strings.Cut(name, ".")
		lost(Missing(d.Old().Lines(path), d.Files.Lines(path)), phase+" of "+process)
	}
}

// files compares those of an app. What stands below a plugin's data may be a cache or a
// lock, so that it has changed is nothing; and what is gone with a directory of that name
// was one.
func (d *differences) files(list []app.File) {
	for _, was := range list {
		rel, inRoot := strings.CutPrefix(was.Path, "root/"+d.scope+"/")
		if was.SHA256 == "" || transient().MatchString(was.Path) {
			continue
		}
		switch now, ok := d.Files.Get(was.Path); {
		case !ok:
			d.add("its file %s is gone", app.Shown(rel))
		case inRoot && now.SHA256 != "" && now.SHA256 != was.SHA256:
			d.add("its file %s has been changed", rel)
		}
	}
}

var transient = pattern.Of(`/(\.?cache|locks?|logs?|ocsp|te?mp)/|\.(lock|log|pid|sock|tmp)$`)

// ownData are the data directories that are Dokku's memory, or told by a hazard.
var ownData = pattern.Of(`^lib/data/(apps|app-json|builder-[a-z-]+|cron|letsencrypt|nginx-vhosts|ps|scheduler-docker-local|storage-registry/migrations)/`)

// hostFiles tells which of the small files below Dokku's data directories are gone that
// belong to no app. Of entries that an app's mount names storageEntries tells.
func (d *differences) hostFiles() {
	if d.Files.Partial {
		return
	}
	mounted, ofApp := map[string]bool{}, map[string]bool{}
	for _, name := range d.Files.Apps {
		mounts, _ := d.Files.Mounts(name)
		for _, m := range mounts {
			mounted[app.EntryPath(m.Entry)] = true
		}
	}
	for _, name := range slices.Concat(d.Old().Apps, d.Files.Apps) {
		ofApp[name] = true
	}
	for _, was := range d.Old().Under("lib/data/") {
		if was.SHA256 == "" || ownData().MatchString(was.Path) || transient().MatchString(was.Path) || mounted[was.Path] || ofApp[app.Scope(was.Path)] {
			continue
		}
		if _, ok := d.Files.Get(was.Path); !ok {
			d.add("its file %s is gone", app.Shown(was.Path))
		}
	}
}

func (d *differences) refs(before, now map[string]string) {
	for _, ref := range slices.Sorted(maps.Keys(before)) {
		_, ok := now[ref]
		_, there := d.Files.Get("root/" + d.scope + "/" + ref)
		packed, _ := d.Files.Get("root/" + d.scope + "/packed-refs")
		if !ok && !there && packed.Error == "" {
			d.add("%s of its repository is gone", ref)
		}
	}
}

// safeProperty are the properties whose values are settings; secretProperty those of
// them that may hold a secret, or somebody's address.
var safeProperty = pattern.Of(`^(apps|builder[a-z-]*|buildpacks|caddy|checks|cron|domains|git|haproxy|logs|network|nginx|openresty|proxy|ps|resource|scheduler[a-z0-9-]*|traefik)/[^/]+/[^/]+$`)
var secretProperty = pattern.Of(`(?i)(pass|secret|token|key|auth|cred|cmd|sink|env|dsn|mail|dns-provider-|chart)`)

// show is a property's value where it is sure to be a setting, and its fingerprint
// elsewhere.
func (d *differences) show(name string, value []byte) string {
	if text, ok := Setting(name, value); ok {
		return fmt.Sprintf("%q", text)
	}
	if shown := d.Shown(app.Fingerprint(string(value))); shown != "" {
		return "a value with the fingerprint " + shown
	}
	return "a value that is not shown"
}

// Setting is the value of a property, namespace/app/name, where it is sure to be a setting
// that may be shown. A buildpack's URL is one, and may have a token in it.
func Setting(name string, value []byte) (text string, ok bool) {
	text = strings.TrimSpace(strings.ReplaceAll(string(value), "\n", " "))
	printable := !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
	return text, safeProperty().MatchString(name) && !app.IsK3sMap("lib/config/"+name) && !secretProperty().MatchString(name[strings.LastIndex(name, "/"):]) &&
		printable && len(text) <= 60 && !strings.Contains(text, "@") && say.Redact(text) == text
}
