// Package json holds what the program prints as JSON to the schemas in docs/schema:
// the real binary, on hosts in many states. A key that is not documented fails, and so
// does one that is documented and that no host here has.
package json

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"upgrade-guard/src/app"
	"upgrade-guard/src/guard"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/state"
	"upgrade-guard/tests/sandbox"
)

const schemas = "../../docs/schema/"

// The hosts are recordings; what happens to them is shell, in Dokku's environment, with
// the binary as upgrade-guard and the data directory as DATA.
const (
	before = sandbox.Before
	after  = "issue7253-0.35.5-after"

	install = `
		upgrade-guard trigger install`
	upgrade = install + `
		upgrade-guard trigger pre-upgrade 0.20.4 0.35.5
		apt-get install -y dokku=0.35.5`
	through = upgrade + `
		rm -f $DOKKU_LIB_ROOT/config/ps/blog/scale
		upgrade-guard trigger post-upgrade 0.20.4 0.35.5`
)

var hosts = []struct {
	name, recording, script string
	first                   func(sandbox.Host) error
}{
	{name: "nothing there yet", recording: before},
	{name: "no apps", recording: before, script: `rm -r $DOKKU_ROOT/[a-z]*`},
	{name: "healthy", recording: before, script: install},
	{name: "the guard came after the upgrade", recording: after, script: install},
	{name: "an upgrade that is not looked after", recording: before, script: upgrade},
	{name: "an upgrade that is through", recording: before, script: `
		mkdir -p $DOKKU_ROOT/Maildir/cur
		rm $DOKKU_ROOT/VHOST` + through + `
		rm -r $DOKKU_ROOT/jobs_only`},
	{name: "what is put back, and what is not touched", recording: before, script: `
		rm $DOKKU_ROOT/VHOST
		mkdir -p $DOKKU_LIB_ROOT/config/nginx/blog $DOKKU_LIB_ROOT/config/nginx/--global
		echo 127.0.0.1 | tee $DOKKU_LIB_ROOT/config/nginx/blog/bind-address-ipv4 >$DOKKU_LIB_ROOT/config/nginx/--global/bind-address-ipv4` + upgrade + `
		rm $DOKKU_LIB_ROOT/config/nginx/*/bind-address-ipv4
		echo old.example.org >$DOKKU_ROOT/VHOST
		upgrade-guard trigger post-upgrade 0.20.4 0.35.5`},
	{name: "a Dokku that nobody knows yet", recording: before, script: through + `
		echo 0.39.0 >$DOKKU_LIB_ROOT/STABLE_VERSION`},
	{name: "down after an upgrade", recording: before, script: through + `
		dokku ps:stop blog`},
	{name: "no snapshot is left", recording: before, script: through + `
		rm -rf $DATA/snapshots $DATA/live`},
	{name: "told to change nothing", recording: before, script: install + `
		upgrade-guard set --global auto-apply false` + through + `
		rm -r $DOKKU_ROOT/my_app/VHOST $DOKKU_ROOT/my_app/tls
		rm $DOKKU_ROOT/blog/nginx.conf`},
	{name: "guesses", recording: before, script: `
		apt-get install -y dokku=0.35.5
		rm $DOKKU_ROOT/my_app/VHOST $DOKKU_LIB_ROOT/config/ports/api_server/map` + install},
	{name: "scales that stop an import", recording: before, script: install + `
		printf 'web=1 # one\n' >$DOKKU_ROOT/blog/DOKKU_SCALE
		printf 'web=two\n' >$DOKKU_ROOT/my_app/DOKKU_SCALE
		upgrade-guard set --global auto-rename true`},
	{name: "a certificate that is none", recording: before, script: install + `
		echo x >$DOKKU_ROOT/my_app/tls/server.crt`},
	{name: "certificates of letsencrypt", recording: before, first: func(h sandbox.Host) error {
		return errors.Join(h.Letsencrypt("0.20.4"), h.Issue("blog", "0.20.4", 60))
	}, script: `
		mkdir -p $DOKKU_LIB_ROOT/config/letsencrypt/my_app
		echo ops@example.org >$DOKKU_LIB_ROOT/config/letsencrypt/my_app/email
		echo DOKKU_LETSENCRYPT_EMAIL=ops@example.org >>$DOKKU_ROOT/my_app/ENV` + install},
	{name: "queued", recording: before, script: install + `
		upgrade-guard set blog probe false
		upgrade-guard set --global probe true
		upgrade-guard after apt docker.io`},
	{name: "work that has failed", recording: before, script: install + `
		upgrade-guard after apt docker.io
		touch $SANDBOX/docker-is-down
		upgrade-guard queue`},
	{name: "work under way", recording: before, script: install + `
		upgrade-guard after apt docker.io
		echo apt >$DATA/pending
		upgrade-guard queue >/dev/null 2>&1 &
		echo $! >$SANDBOX/worker
		until grep -q '"running"' $DATA/ledger.json; do sleep 0.1; done`},
	{name: "renamed", recording: after, script: install + `
		dokku ps:scale my_app web=2 worker=1
		upgrade-guard rename my_app my-app`},
	{name: "a rename to come", recording: before, script: install + `
		upgrade-guard set --global auto-rename true` + through},
	{name: "a rename that was cut off", recording: after, script: install + `
		mkdir -p $DATA/renames
		echo '{"from":"my_app","to":"my-app","phase":"switch"}' >$DATA/renames/my_app.json`},
	{name: "a rename that is under way", recording: after, script: install + `
		mkdir -p $DATA/renames
		echo '{"from":"my_app","to":"my-app","phase":"switch"}' >$DATA/renames/my_app.json
		exec 9>$DATA/renames/.lock
		flock 9
		sleep 600 >/dev/null 2>&1 &
		echo $! >$SANDBOX/worker`},
	{name: "a Dokku that is not known", recording: before, script: install + `
		upgrade-guard trigger pre-upgrade 0.20.4 0.39.0
		apt-get install -y dokku=0.39.0
		mv $DOKKU_LIB_ROOT/config/ps/my_app/scale $DOKKU_LIB_ROOT/config/ps/my_app/formation
		upgrade-guard trigger post-upgrade 0.20.4 0.39.0`},
	{name: "docker is down", recording: before, script: install + `
		touch $SANDBOX/docker-is-down`},
	{name: "nginx cannot be asked", recording: before, script: install + `
		rm $BIN/sudo
		printf '#!/bin/sh\nexit 1\n' >$BIN/sudo
		chmod 755 $BIN/sudo`},
	{name: "half installed", recording: before, script: install + `
		printf '#!/bin/sh\nprintf half-configured\n' >$BIN/dpkg-query
		chmod 755 $BIN/dpkg-query`},
	{name: "what differs, and what is shown", recording: before, script: `
		mkdir -p $DOKKU_LIB_ROOT/config/nginx/blog $DOKKU_LIB_ROOT/config/registry/blog
		ln -s /nowhere $DOKKU_ROOT/blog/link
		truncate -s 2M $DOKKU_ROOT/blog/large
		printf 2m >$DOKKU_LIB_ROOT/config/nginx/blog/client-max-body-size
		printf secret >$DOKKU_LIB_ROOT/config/registry/blog/password
		printf 'A="b"\n' >>$DOKKU_ROOT/blog/ENV` + install + `
		upgrade-guard snapshot --label mine
		printf other >$DOKKU_LIB_ROOT/config/registry/blog/password
		printf 'A="c"\n' >>$DOKKU_ROOT/blog/ENV
		rm -r $DOKKU_ROOT/api_server`},
	{name: "another version than in the snapshot", recording: before, script: upgrade},
	{name: "a snapshot of another host", recording: before, script: install + `
		rm -rf $DOKKU_ROOT/blog
		git init -q --bare $DOKKU_ROOT/blog
		git --git-dir=$DOKKU_ROOT/blog -c user.name=x -c user.email=x@example.org commit-tree -m one $(git --git-dir=$DOKKU_ROOT/blog hash-object -w -t tree --stdin </dev/null) >$SANDBOX/commit
		git --git-dir=$DOKKU_ROOT/blog update-ref refs/heads/master $(cat $SANDBOX/commit)
		upgrade-guard export --with-git >$SANDBOX/export 2>/dev/null
		upgrade-guard import <$SANDBOX/export
		rm $DATA/snapshots/*-install.tar.gz`},
	{name: "snapshots that are not all good", recording: before, script: install + `
		upgrade-guard snapshot
		upgrade-guard snapshot --label before-docker28
		cd $DATA/snapshots
		cp *-install.tar.gz 20990101T000000Z-0.20.4-pre-upgrade.tar.gz
		head -c 500 *-manual.tar.gz >x
		echo 'Inst docker.io [20.10.24+dfsg1-1] (26.1.5+dfsg1-9 Debian:13.8/stable [amd64])' >$SANDBOX/apt-ahead
		mv x *-manual.tar.gz
		cd $SANDBOX
		mkdir -p root/blog/hooks
		: >root/blog/hooks/update
		empty=$(sha256sum <root/blog/hooks/update | cut -d ' ' -f 1)
		printf '{"format":1,"files":[{"path":"root/blog/hooks/update","mode":493,"sha256":"%s"}]}\n' $empty >manifest.json
		tar czf $DATA/snapshots/20260101T000000Z-0.20.4-manual.tar.gz manifest.json root/blog/hooks/update`},
}

// never are the keys that no host here has.
var never = []string{
	"halts",      // no hazard is as bad as that
	"incomplete", // no disk here is broken
}

func TestMain(m *testing.M) {
	sandbox.Main() // dokku, docker and the others are links to this program
	os.Exit(m.Run())
}

func TestOutputFitsTheSchemas(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "upgrade-guard")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", binary, "./src").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d := read(t)
	for _, host := range hosts {
		t.Run(host.name, func(t *testing.T) {
			run := newHost(t, binary, host.recording, host.first)
			defer run("sh", "-c", "test ! -e $SANDBOX/worker || kill -9 $(cat $SANDBOX/worker)")
			run("sh", "-ec", `mkdir -p $UPGRADE_GUARD_EVENTS
				printf '#!/bin/sh\ncat >>%s/../told\n' $BIN >$UPGRADE_GUARD_EVENTS/told
				chmod 755 $UPGRADE_GUARD_EVENTS/told`+"\n"+host.script+"\n"+`upgrade-guard events --test >/dev/null`) // at its end what waits is delivered
			for schema, commands := range map[string][]string{
				"report.json":      {"report", "report --no-probe", "report --global"},
				"report-app.json":  {"report my_app", "report api_server", "report blog --no-probe"},
				"report-flat.json": {"report my_app", "report --global"},
				"check.json":       {"check", "check --to 0.28.0", "check --to 1.0.0"},
				"snapshots.json":   {"snapshots", "snapshots --verify"},
				"log.json":         {"log", "log my_app"},
				"event.json":       {"told"},
				"diff.json":        {"diff", "diff latest now --app blog"},
				"show.json":        {"show latest", "show latest blog", "show latest lib/config", "show 2", "show 20260101"},
			} {
				for _, command := range commands {
					if schema == "event.json" {
						for line := range bytes.Lines(run("sh", "-c", "cat $BIN/../told 2>/dev/null || true")) {
							d.fits(t, schema, "an event", line)
						}
						continue
					}
					format := map[bool]string{true: "json-flat", false: "json"}[schema == "report-flat.json"]
					out := run("upgrade-guard", append(strings.Fields(command), "--format", format)...)
					gone := strings.Contains(command, "_") || strings.Contains(command, "blog") || schema == "diff.json" || schema == "show.json"
					if !gone || len(out) > 0 { // the app may be gone, or the snapshot
						d.fits(t, schema, command, out)
					}
				}
			}
		})
	}
	for _, key := range d.unseen() {
		t.Errorf("%s is documented, and no host here has it", key)
	}
}

// newHost makes a host, and returns what runs a program on it. An exit code of 2 is
// none of an error, and what a command prints beside its result is of no interest here.
func newHost(t *testing.T, binary, recording string, first func(sandbox.Host) error) func(name string, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	box, err := sandbox.New(filepath.Join(dir, "host"), recording)
	if err != nil {
		t.Fatal(err)
	}
	if first != nil {
		if err := first(box); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	if err := errors.Join(sandbox.InstallCommands(bin, exe), os.Symlink(binary, filepath.Join(bin, "upgrade-guard"))); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(box.Dir, "var/lib/dokku/data/upgrade-guard")
	env := append(os.Environ(), append(box.Env(), "BIN="+bin, "DATA="+data, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))...)
	return func(name string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(name, args...)
		if name == "upgrade-guard" {
			cmd = exec.Command(binary, args...)
		}
		cmd.Env = env
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if name == "sh" && err != nil {
			t.Fatalf("%v\n%s%s", err, out, complaints.String())
		}
		return out
	}
}

// documents are the schemas, read once: as they are, as they are validated against, and
// which of their keys were seen in an output.
type documents struct {
	raw      map[string]any
	compiled map[string]*jsonschema.Schema
	seen     map[string]bool
}

func read(t *testing.T) documents {
	t.Helper()
	d := documents{raw: map[string]any{}, compiled: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, file := range []string{"report.json", "report-app.json", "report-flat.json", "check.json", "snapshots.json", "log.json", "event.json", "diff.json", "show.json"} {
		b, err := os.ReadFile(schemas + file)
		if err != nil {
			t.Fatal(err)
		}
		if d.raw[file], err = jsonschema.UnmarshalJSON(bytes.NewReader(b)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d.compiled[file], err = c.Compile(schemas + file); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// fits holds an output to a schema, and notes the keys that are in it.
func (d documents) fits(t *testing.T, schema, command string, out []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("%s: %v: %q", command, err, out)
	}
	if err := d.compiled[schema].Validate(v); err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
	d.note(schema, d.raw[schema], v)
}

// note walks an output along its schema.
func (d documents) note(file string, schema, v any) {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		target, pointer, _ := strings.Cut(ref, "#/$defs/")
		if target == "" {
			target = file
		}
		defs, _ := d.raw[target].(map[string]any)["$defs"].(map[string]any)
		d.note(target, defs[pointer], v)
		return
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			d.note(file, s["items"], item)
		}
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		for key, value := range v {
			if properties[key] != nil {
				d.seen[place(file, s, key)] = true
				d.note(file, properties[key], value)
			}
		}
	}
}

// place is where a key is documented, for a person: the first words about the object
// are enough to find it.
func place(file string, schema map[string]any, key string) string {
	keys := slices.Sorted(maps.Keys(schema["properties"].(map[string]any)))
	return key + " in " + file + ", of the object with " + strings.Join(keys, ", ")
}

// unseen are the keys that are documented and were in no output.
func (d documents) unseen() []string {
	var found []string
	for file, schema := range d.raw {
		objects(schema, func(s map[string]any) {
			for key := range s["properties"].(map[string]any) {
				if !d.seen[place(file, s, key)] && !slices.Contains(never, key) {
					found = append(found, place(file, s, key))
				}
			}
		})
	}
	slices.Sort(found)
	return found
}

// objects calls each with every object that a schema documents.
func objects(schema any, each func(map[string]any)) {
	s, _ := schema.(map[string]any)
	if s == nil {
		return
	}
	properties, _ := s["properties"].(map[string]any)
	defs, _ := s["$defs"].(map[string]any)
	if properties != nil {
		each(s)
	}
	for _, inner := range slices.Concat(slices.Collect(maps.Values(properties)), slices.Collect(maps.Values(defs)), []any{s["items"]}) {
		objects(inner, each)
	}
}

// A key that no host here has is found by the types: each field is documented.
func TestEveryFieldIsDocumented(t *testing.T) {
	d := read(t)
	def := func(name string) any { return d.raw["report.json"].(map[string]any)["$defs"].(map[string]any)[name] }
	for _, c := range []struct {
		value  any
		schema any
		never  []string // fields that are never printed of it
	}{
		{guard.Report{}, d.raw["report.json"], nil},
		{guard.Check{}, d.raw["check.json"], nil},
		{guard.AppReport{}, def("app"), nil},
		{guard.JobReport{}, def("job"), nil},
		{guard.Renewals{}, def("renewals"), nil},
		{guard.Setting{}, def("guard_setting"), nil},
		{hazard.Finding{}, def("finding"), nil},
		{state.Upgrade{}, def("upgrade"), nil},
		{guard.Log{}, d.raw["log.json"], nil},
		{guard.LogRun{}, items(d.raw["log.json"], "runs"), nil},
		{guard.Event{}, d.raw["event.json"], nil},
		{guard.Diff{}, d.raw["diff.json"], nil},
		{guard.AppDiff{}, items(d.raw["diff.json"], "apps"), nil},
		{guard.DiffLine{}, items(items(d.raw["diff.json"], "apps"), "lines"), nil},
		{guard.Shown{}, d.raw["show.json"], nil},
		{guard.ShownApp{}, items(d.raw["show.json"], "apps"), nil},
		{guard.ShownFile{}, items(d.raw["show.json"], "files"), nil},
		{guard.ShownVariable{}, items(items(d.raw["show.json"], "files"), "variables"), nil},
		{guard.LogLine{}, items(items(d.raw["log.json"], "runs"), "lines"), nil},
		{app.Certificate{}, def("certificate"), nil},
		{app.Letsencrypt{}, def("letsencrypt"), []string{"plugin", "auto_renew", "scheduled"}}, // the host's
		{app.LetsencryptPlugin{}, def("renewals").(map[string]any)["properties"].(map[string]any)["plugin"], nil},
	} {
		want := slices.DeleteFunc(fields(reflect.TypeOf(c.value)), func(f string) bool { return slices.Contains(c.never, f) })
		documented := slices.Sorted(maps.Keys(c.schema.(map[string]any)["properties"].(map[string]any)))
		if diff := cmp.Diff(want, documented); diff != "" {
			t.Errorf("%T, its fields (-) and what is documented (+):\n%s", c.value, diff)
		}
	}
	settings := slices.Sorted(maps.Keys(def("guard_settings").(map[string]any)["properties"].(map[string]any)))
	if diff := cmp.Diff(guard.PropertyNames(), settings); diff != "" {
		t.Errorf("the properties there are (-) and those documented (+):\n%s", diff)
	}
	enum := def("status").(map[string]any)["enum"]
	statuses := make([]any, len(guard.Statuses))
	for i, s := range guard.Statuses {
		statuses[i] = s
	}
	if diff := cmp.Diff(statuses, enum); diff != "" {
		t.Errorf("the statuses there are (-) and those documented (+):\n%s", diff)
	}
}

// items is the schema of what a list holds.
func items(schema any, key string) any {
	return schema.(map[string]any)["properties"].(map[string]any)[key].(map[string]any)["items"]
}

// fields are the keys of a struct in JSON, sorted.
func fields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, fields(f.Type)...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// The page for people has every key, too.
func TestThePageHasEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range guard.FlagNames() {
		if !strings.Contains(string(page), "`"+flag+"`") {
			t.Errorf("the flag %s is not in docs/json.md", flag)
		}
	}
	for file, schema := range read(t).raw {
		name := map[bool]string{true: "events.md"}[file == "event.json"]
		if name == "" {
			name = "json.md"
		}
		page, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		objects(schema, func(s map[string]any) {
			for key := range s["properties"].(map[string]any) {
				if !strings.Contains(string(page), "`"+key+"`") {
					t.Errorf("%s of %s is not in docs/%s", key, file, name)
				}
			}
		})
	}
}
