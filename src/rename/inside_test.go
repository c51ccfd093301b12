package rename

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upgrade-guard/src/host"
)

// A path is changed where it is whole, and nowhere else is a byte.
func TestReplacePath(t *testing.T) {
	const old, new = "/home/dokku/my_app", "/home/dokku/my-app"
	for text, want := range map[string]string{
		"auth_basic_user_file /home/dokku/my_app/htpasswd;\n":                 "auth_basic_user_file /home/dokku/my-app/htpasswd;\n",
		"root /home/dokku/my_app;":                                            "root /home/dokku/my-app;",
		"root \"/home/dokku/my_app\"; alias '/home/dokku/my_app/x';":          "root \"/home/dokku/my-app\"; alias '/home/dokku/my-app/x';",
		"/home/dokku/my_app":                                                  "/home/dokku/my-app",
		"/home/dokku/my_app/home/dokku/my_app/x":                              "/home/dokku/my-app/home/dokku/my_app/x",
		"/home/dokku/my_app /home/dokku/my_app\t/home/dokku/my_app\r\n":       "/home/dokku/my-app /home/dokku/my-app\t/home/dokku/my-app\r\n",
		"server unix:/home/dokku/my_app/s.sock;":                              "server unix:/home/dokku/my-app/s.sock;",
		"/home/dokku/my_app2/x /home/dokku/my_app-old /home/dokku/my_app.bak": "/home/dokku/my_app2/x /home/dokku/my_app-old /home/dokku/my_app.bak",
		"/mnt/home/dokku/my_app/x":                                            "/mnt/home/dokku/my_app/x",
		"{{ $.ROOT }}/home/dokku/my_app/x":                                    "{{ $.ROOT }}/home/dokku/my_app/x",
		"/home/dokku/my_app* /home/dokku/my_app$x /home/dokku/my_app\\.":      "/home/dokku/my_app* /home/dokku/my_app$x /home/dokku/my_app\\.",
		"caf\xe9 /home/dokku/my_app/\xff":                                     "caf\xe9 /home/dokku/my-app/\xff",
		"location /my_app/ { proxy_pass http://my_app-5000; }":                "location /my_app/ { proxy_pass http://my_app-5000; }",
	} {
		if got := string(replacePath([]byte(text), old, new)); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Each kind of file in which a path of the old app's may stand. A mount stays where the
// data is, and what is the container's own is not ours.
func TestInside(t *testing.T) {
	root, lib := t.TempDir(), t.TempDir()
	h := host.NewLocal(host.Paths{DokkuRoot: root, LibRoot: lib, Pages: lib + "/www"})
	parts := []Part{
		{New: lib + "/config/nginx/my-app", Known: true},
		{New: lib + "/data/nginx-vhosts/app-my-app", Known: true},
		{New: lib + "/config/docker-options/my-app", Known: true},
		{New: lib + "/config/storage/my-app", Known: true},
		{New: lib + "/data/app-json/my-app", Known: true},
		{New: lib + "/config/http-auth/my-app"},
		{New: lib + "/www/my-app", Known: true},
	}
	i := insideOf(h, "my_app", "my-app", parts)
	is := func(part int, rel, text, want string) {
		t.Helper()
		in := i
		if part >= 0 {
			in = i.of(parts[part])
		}
		if got := string(in.content(rel, []byte(text))); got != want {
			t.Errorf("%s: %q", rel, got)
		}
	}
	oldApp, newApp := root+"/my_app/x", root+"/my-app/x"
	for _, rel := range []string{"nginx.conf.d/http-auth.conf", "nginx.conf.d/deeper/x.inc", "hooks/post-update", "hooks/pre-receive", "config", "info/attributes", "somebodys"} {
		is(-1, rel, oldApp, newApp)
	}
	for _, rel := range []string{"ENV", "DOCKER_OPTIONS_DEPLOY", "DOCKER_OPTIONS_RUN"} {
		is(-1, rel, "-v "+oldApp+":/x", "-v "+oldApp+":/x")
	}
	is(-1, "htpasswd", "a\x00"+oldApp, "a\x00"+oldApp) // no text
	is(-1, "hooks/pre-receive", "dokku git-hook my_app\n", "dokku git-hook my-app\n")
	is(0, "error-log-path", oldApp, newApp)
	is(1, "nginx.conf.sigil", "include "+oldApp+";", "include "+newApp+";")
	is(2, "deploy.1", "-v "+oldApp+":/x", "-v "+oldApp+":/x")
	is(3, "attachments", oldApp, oldApp)
	is(4, "app.json", oldApp, oldApp)
	is(5, "file", oldApp, newApp)
	// What goes with the old app beside its directory; storage does not.
	is(-1, "nginx.conf.d/x.conf", "root "+lib+"/www/my_app;", "root "+lib+"/www/my-app;")
	is(-1, "nginx.conf.d/x.conf", "include "+lib+"/data/nginx-vhosts/app-my_app/x;", "include "+lib+"/data/nginx-vhosts/app-my-app/x;")
	is(-1, "nginx.conf.d/x.conf", "alias "+lib+"/config/http-auth/my_app/x;", "alias "+lib+"/config/http-auth/my-app/x;")
	is(-1, "nginx.conf.d/x.conf", "alias "+lib+"/data/storage/my_app/x;", "alias "+lib+"/data/storage/my_app/x;")
}

// A directory that is mounted is storage, by whatever name: it is not copied, and a
// snippet goes on naming it. Another plugin's directory is copied.
func TestWhatIsMountedStays(t *testing.T) {
	root, lib := t.TempDir(), t.TempDir()
	h := host.NewLocal(host.Paths{DokkuRoot: root, LibRoot: lib})
	for _, dir := range []string{"data/uploads/my_app", "data/one/my_app", "data/stranger/my_app", "config/ps/my_app"} {
		if err := os.MkdirAll(filepath.Join(lib, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	parts, inTheWay, err := partsOf(h, "my_app", "my-app", []string{lib + "/data/uploads/my_app/files", lib + "/data/one", lib})
	var got []string
	for _, p := range parts {
		got = append(got, strings.TrimPrefix(p.Old, lib))
	}
	if err != nil || len(inTheWay) > 0 || strings.Join(got, " ") != "/config/ps/my_app /data/stranger/my_app" {
		t.Errorf("%v, %v, %v", got, inTheWay, err)
	}
	for mount, want := range map[string]bool{
		root + "/my_app/uploads": true, root + "/my_app": true, root: false, root + "/my_app2": false, root + "/my_app/cache/x": false, "/": false,
	} {
		if among([]string{mount}, root+"/my_app") != want {
			t.Errorf("%s: %t", mount, !want)
		}
	}
}

// A template in the image that names the old app's directory by its whole path is not
// ours to change, and is seen in what Dokku makes of it before anything is served by it.
func TestATemplateThatNamesTheOldDirectory(t *testing.T) {
	for conf, want := range map[string]string{
		"include %s/x.conf;":     "its nginx template names the directory of blog, which goes",
		"include %s-two/x.conf;": "",
	} {
		r := newRename(t, func(h host.Host) host.Host {
			return &docker{Host: h, answer: func(string) (string, error) { return "", nil }}
		})
		text := strings.ReplaceAll(conf, "%s", r.Host.Paths().App("blog"))
		if err := r.Host.Write(r.Host.Paths().App("journal")+"/nginx.conf", 0o644, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := r.probe(context.Background()); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q", conf, got)
		}
	}
}
