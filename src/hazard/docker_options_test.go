package hazard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// What becomes of a docker option of Dokku 0.35, dokku/dokku issues 4310 and 1853: a
// mount that was in force was taken for one that storage has, and restore took it
// away. Which lines 0.38 moves is held to what its plugins docker-options, ps and
// storage do from 0.38.0 to 0.38.27.
func TestWhatBecomesOfDockerOptions(t *testing.T) {
	const stays, mount, policy = "stays", "mount", "policy"
	for _, c := range []struct {
		line, phase string
		// The first versions from which on each of these holds.
		becomes map[string]string
	}{
		{"-v /a:/b", "deploy", map[string]string{"0.38.0": mount}},
		{"-v /a:/b", "run", map[string]string{"0.38.0": mount}},
		{"-v /a:/b", "build", map[string]string{"0.38.0": stays}},
		{"-v vol:/b:ro", "deploy", map[string]string{"0.38.0": mount}},
		{"-v  /a:/b", "deploy", map[string]string{"0.38.0": mount}},
		{"-v\t/a:/b", "deploy", map[string]string{"0.38.0": stays, "0.38.26": mount}},
		{"-v /b", "deploy", map[string]string{"0.38.0": stays}},
		{"-v=/a:/b", "deploy", map[string]string{"0.38.0": stays}},
		{"-v/a:/b", "deploy", map[string]string{"0.38.0": stays}},
		{"--volume /a:/b", "deploy", map[string]string{"0.38.0": stays}},
		{"--volume=/a:/b", "deploy", map[string]string{"0.38.0": stays}},
		{`--volume="/a a:/b"`, "deploy", map[string]string{"0.38.0": stays}},
		{"--volumes-from other", "deploy", map[string]string{"0.38.0": stays}},
		{"--mount type=bind,source=/a,target=/b", "deploy", map[string]string{"0.38.0": stays}},
		{`-v "/my a:/b"`, "deploy", map[string]string{"0.38.0": mount}},
		{"-v /a:/b --memory=1g", "deploy", map[string]string{"0.38.0": mount, "0.38.26": mount + " " + stays}},
		{"--memory=1g -v /a:/b", "deploy", map[string]string{"0.38.0": stays, "0.38.26": stays + " " + mount}},
		{"-v /a:/b -v /c:/b2", "deploy", map[string]string{"0.38.0": mount, "0.38.26": mount + " " + mount}},
		{"--restart=always", "deploy", map[string]string{"0.38.0": stays, "0.38.9": policy}},
		{"--restart=always", "run", map[string]string{"0.38.0": stays}},
		{"--restart always", "deploy", map[string]string{"0.38.0": stays}},
		{`--restart="always"`, "deploy", map[string]string{"0.38.0": stays, "0.38.9": policy}},
		{"--restart-after=1", "deploy", map[string]string{"0.38.0": stays}},
		{"-p 127.0.0.1:80:80", "deploy", map[string]string{"0.38.0": stays}},
		{"--env X=-v /a:/b", "deploy", map[string]string{"0.38.0": stays}},
	} {
		want := ""
		for _, to := range []string{"0.38.0", "0.38.6", "0.38.8", "0.38.9", "0.38.25", "0.38.26", "0.38.27"} {
			if w, changed := c.becomes[to]; changed {
				want = w
			}
			t.Run(fmt.Sprintf("%s/%s/%s", to, c.phase, c.line), func(t *testing.T) {
				// Nothing of it is anywhere: what core moves is lost, what it does not is to be put back.
				o := BecameOf(subject(to, nil), []string{c.line}, c.phase)
				got := strings.TrimSpace(strings.Repeat(" "+mount, len(o.Lost)) + strings.Repeat(" "+stays, len(o.Stay)))
				if o.Restart != "" {
					got = strings.TrimSpace(got + " " + policy)
				}
				if o.Moved != 0 || !slices.Equal(slices.Sorted(slices.Values(strings.Fields(got))), slices.Sorted(slices.Values(strings.Fields(want)))) {
					t.Errorf("nowhere: %+v, want %s", o, want)
				}
				// It is in the list still: then it is in force, whatever core would do.
				list := "lib/config/docker-options/blog/_default_." + c.phase
				o = BecameOf(subject(to, map[string]string{list: c.line + "\n"}), []string{c.line}, c.phase)
				if len(o.Lost) > 0 || o.Restart != "" || len(o.Stay) != len(stored([]string{c.line}, to)) {
					t.Errorf("in the list: %+v", o)
				}
				// Core has moved it.
				o = BecameOf(subject(to, map[string]string{
					"lib/config/storage/blog/mounts": `{"entry_name":"legacy-0","container_path":"/b","phases":["deploy","run"]}` + "\n" +
						`{"entry_name":"legacy-1","container_path":"/b2","phases":["deploy"]}` + "\n",
					"lib/config/ps/blog/restart-policy": "always",
				}), []string{c.line}, c.phase)
				if len(o.Lost) > 0 || o.Restart != "" || o.Moved != strings.Count(want, mount)+strings.Count(want, policy) {
					t.Errorf("moved: %+v, want %s", o, want)
				}
			})
		}
	}
}

// A mount that is nowhere any more is put back; one that a person has put in its
// place is not, and neither is what cannot be read of storage's list.
func TestMountsInTheirPlace(t *testing.T) {
	for list, lost := range map[string]bool{
		"":                              true,
		"--volume=/other:/app/media\n":  false,
		"-v=/other:/app/media\n":        false,
		"-v/other:/app/media\n":         false,
		"--volume /other:/app/media/\n": false,
		`--mount "type=volume,dst=/app/media"` + "\n": false,
		"--mount type=bind,target=/app\n":             true,
		"--volume=/other:/app/media/sub\n":            true,
		"--env X=/other:/app/media\n":                 true,
	} {
		o := BecameOf(subject("0.38.27", map[string]string{"lib/config/docker-options/blog/_default_.deploy": list}), []string{"-v /srv/media:/app/media"}, "deploy")
		if (len(o.Lost) > 0) != lost {
			t.Errorf("%q: %+v", list, o)
		}
	}
	for mounts, lost := range map[string]bool{
		`{"container_path":"/app/media","phases":["run"]}`:     true, // only for run
		`{"container_path":"/app/media","phases":["deploy"]}`:  false,
		`{"container_path":"/app/media/","phases":["deploy"]}`: false,
		`{"container_path":"/app/other","phases":["deploy"]}`:  true,
		`not JSON`: false,
	} {
		o := BecameOf(subject("0.38.27", map[string]string{"lib/config/storage/blog/mounts": mounts + "\n"}), []string{"-v /srv/media:/app/media"}, "deploy")
		if (len(o.Lost) > 0) != lost {
			t.Errorf("%s: %+v", mounts, o)
		}
	}
}

// subject is the app blog under a version, with these files.
func subject(dokku string, content map[string]string) Subject {
	var list []app.File
	for path, text := range content {
		list = append(list, app.File{Path: path, Data: []byte(text), Size: len(text), SHA256: app.Digest([]byte(text))})
	}
	files := app.NewFiles(dokku, []string{"blog"}, nil, list)
	return Subject{Context: Context{Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, To: dokku, Files: files}, Now: app.Read(files).Apps["blog"]}
}
