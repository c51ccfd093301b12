package hazard

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// Drift is the name of what no hazard explains.
const Drift = "drift"

// drift is what nobody has reported yet. Everything the record holds of an app, or
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
		d.files("root/"+s.Now.Name+"/", func(rel string) bool { return !ownFiles.MatchString(rel) })
		d.refs(s.Before.Git.Refs, s.Now.Git.Refs)
		return d.found
	},

	DetectHost: func(s HostSubject) []Finding {
		if s.Before == nil || s.Old() == nil {
			return nil
		}
		d := differences{Context: s.Context, scope: host.GlobalScope}
		d.properties()
		if s.knows(app.PartEnv) {
			d.environment(s.Before.Env, s.Now.Global.Env)
		}
		return d.found
	},
}

// ownFiles are the files of an app's directory that Dokku writes anew all the time,
// or that have a reader and a hazard of their own.
var ownFiles = regexp.MustCompile(`^(ENV.*|VHOST|URLS|DOKKU_SCALE.*|DOKKU_PROCFILE|nginx\.conf|HEAD|config|description|packed-refs|refs/.*|FETCH_HEAD|ORIG_HEAD|(CONTAINER|IP|PORT)(\..+)?|DOCKER_OPTIONS_.*|tls/.*|letsencrypt/.*|\..*)$`)

// noSettings are the properties that are Dokku's memory, or that a restore puts back by
// steps of their own; toldElsewhere those of the others that a hazard tells every
// difference of.
const (
	noSettings = `ps/[^/]+/(scale|scale\.old|can-scale|running-state)|ports/[^/]+/.*|common/[^/]+/deployed|` +
		`letsencrypt/.*|docker-options/.*|builder/[^/]+/detected|[^/]+/[^/]+/(.*migrated.*|rev-env-var-value|source-image|last-visited-at)|config/.*|upgrade-guard/.*`
	toldElsewhere = `network/[^/]+/bind-all-interfaces`
)

var (
	notRestored   = regexp.MustCompile(`^(` + noSettings + `)$`)
	ownProperties = regexp.MustCompile(`^(` + noSettings + `|` + toldElsewhere + `)$`)
)

// Restored tells whether a restore puts a property, namespace/app/name, back as it is in
// the snapshot: it is a setting, and none that is put back by a step of its own.
func Restored(name string) bool { return !notRestored.MatchString(name) }

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
		if was.SHA256 == "" || ownProperties.MatchString(name) {
			continue
		}
		now, ok := d.Files.Get(was.Path)
		switch {
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

func (d *differences) files(dir string, counts func(rel string) bool) {
	for _, was := range d.Old().Under(dir) {
		rel := strings.TrimPrefix(was.Path, dir)
		if was.SHA256 == "" || !counts(rel) {
			continue
		}
		switch now, ok := d.Files.Get(was.Path); {
		case !ok:
			d.add("its file %s is gone", rel)
		case now.SHA256 != "" && now.SHA256 != was.SHA256:
			d.add("its file %s has been changed", rel)
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
var safeProperty = regexp.MustCompile(`^(apps|builder[a-z-]*|buildpacks|caddy|checks|cron|domains|git|haproxy|logs|network|nginx|openresty|proxy|ps|resource|scheduler[a-z0-9-]*|traefik)/[^/]+/[^/]+$`)
var secretProperty = regexp.MustCompile(`(?i)(pass|secret|token|key|auth|cred|cmd|sink|env|dsn|mail|dns-provider-)`)

// show is a property's value where it is sure to be a setting, and its fingerprint
// elsewhere. A buildpack's URL is one, and may have a token in it.
func (d *differences) show(name string, value []byte) string {
	text := strings.TrimSpace(strings.ReplaceAll(string(value), "\n", " "))
	printable := !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
	if safeProperty.MatchString(name) && !secretProperty.MatchString(name[strings.LastIndex(name, "/"):]) &&
		printable && len(text) <= 60 && !strings.Contains(text, "@") && say.Redact(text) == text {
		return fmt.Sprintf("%q", text)
	}
	if shown := d.Shown(app.Fingerprint(string(value))); shown != "" {
		return "a value with the fingerprint " + shown
	}
	return "a value that is not shown"
}
