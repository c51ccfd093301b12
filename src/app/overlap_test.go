package app

import (
	"strings"
	"testing"
)

func TestNoOverlap(t *testing.T) {
	for options, want := range map[string]string{
		"-v /var/lib/dokku/data/storage/my_app:/storage\n--restart=on-failure:10": "",
		"--label=a -p 9000:9000":    "-p",
		"-p9000:9000":               "-p",
		"--publish=9000:9000":       "--publish",
		"-P":                        "-P",
		"--network host":            "--network host",
		"--net=host":                "--net=host",
		"--network=mine":            "",
		"--network-alias web":       "",
		"--name solo":               "--name",
		"--label=--name-of=x":       "",
		"--ip 10.0.0.1":             "--ip",
		"--env PATH=-p":             "",
		"--health-cmd 'a -q'":       "",
		"--mac-address aa:bb:cc":    "--mac-address",
		"--memory 1g\n--publish 80": "--publish",
	} {
		files := NewFiles("0.35.5", []string{"my_app"}, nil, []File{{Path: "root/my_app/DOCKER_OPTIONS_DEPLOY", Data: []byte(options)}})
		got := strings.Join(files.NoOverlap(Read(files).Apps["my_app"]), "; ")
		if want == "" && got != "" || want != "" && !strings.HasPrefix(got, "its docker-options have "+want+",") {
			t.Errorf("%q: %q", options, got)
		}
	}
	for _, c := range []struct{ dokku, path, data string }{
		{"0.29.4", "root/my_app/ENV", "export DOKKU_CHECKS_DISABLED=\"worker\"\n"},
		{"0.38.27", "lib/config/checks/my_app/disabled", "worker"},
		{"0.38.27", "lib/config/docker-options/my_app/_default_.deploy", "-p 80:80\n"},
		{"0.38.27", "lib/config/proxy/my_app/disabled", "true"},
	} {
		files := NewFiles(c.dokku, []string{"my_app"}, nil, []File{{Path: c.path, Data: []byte(c.data)}})
		if len(files.NoOverlap(Read(files).Apps["my_app"])) != 1 {
			t.Errorf("%s %s may overlap", c.dokku, c.path)
		}
	}
}

// Which names which version takes: docs/dokku-versions.md#names-of-apps.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		dokku, name      string
		creates, reaches bool
	}{
		{"0.20.4", "my_app", true, true},
		{"0.22.2", "my_app", false, false},
		{"0.22.7", "my_app", false, false},
		{"0.22.8", "my_app", false, false},
		{"0.22.9", "my_app", false, true},
		{"0.22.7", "my-app", true, true},
		{"0.38.27", "my_app", false, true},
		{"0.37.10", "my+app", true, true},
		{"0.38.2", "my+app", false, false},
		{"0.38.27", "my.app-2", true, true},
		{"0.38.27", "-app", false, false},
	} {
		if CreatesName(c.dokku, c.name) != c.creates || ReachesName(c.dokku, c.name) != c.reaches {
			t.Errorf("%s %s: %t %t", c.dokku, c.name, CreatesName(c.dokku, c.name), ReachesName(c.dokku, c.name))
		}
	}
	for name, want := range map[string]string{
		"": "it does not begin with a lower-case letter or a digit", "-x": "it does not begin with a lower-case letter or a digit", "_x": "it does not begin with a lower-case letter or a digit",
		"my_App": "Dokku allows no capital letters", "a:b_c": `Dokku allows no ":"`, "../x": `Dokku allows no "/"`,
		"api_server": `Dokku 0.22 and later allow no "_"`, "a+b_c": `Dokku 0.22 and later allow no "_"`,
		"a+b": `Dokku 0.38.2 and later allow no "+"`, "caf\xe9": `Dokku 0.38.2 and later allow no "\xe9"`, "my.app-2": "",
	} {
		if got := WhyNoName(name); got != want {
			t.Errorf("%q: %s", name, got)
		}
		if CreatesName("9999.0.0", name) != (want == "") {
			t.Errorf("%q: the newest Dokku says otherwise", name)
		}
	}
	for name, want := range map[string]string{"my_app": "my-app", "My_App": "my-app", "_x": "x", "a+b": "a-b", "__": "", "ok": "ok", "a_": "a-"} {
		if got := NearestName(name); got != want {
			t.Errorf("%s becomes %q", name, got)
		}
	}
}
