package app

import (
	"strings"
	"testing"

	"golang.org/x/mod/semver"
)

// file is a captured file.
func file(path, data string) File {
	return File{Path: path, Mode: 0o600, Data: []byte(data), Size: len(data), SHA256: Digest([]byte(data))}
}

// The names are those that the plugin itself gave to directories on a real host.
func TestLetsencryptDirectory(t *testing.T) {
	const server = "https://172.17.0.1:14000/dir"
	for _, test := range []struct {
		plugin, want string
		files        []File
	}{
		{"0.25.0", "44f23dc82dc9796772016c6aee5cdae19571fa59", []File{
			file("lib/config/letsencrypt/--global/server", server),
			file("lib/config/letsencrypt/--global/email", "global@example.org"),
			file("lib/config/letsencrypt/blog/email", "blog@example.org"),
			file("lib/config/letsencrypt/blog/dns-provider", "none"),
		}},
		// What the plugin does not read yet, but will when it has been moved.
		{"0.25.0", "44f23dc82dc9796772016c6aee5cdae19571fa59", []File{
			file("root/ENV", "DOKKU_LETSENCRYPT_SERVER=\""+server+"\"\n"),
			file("root/blog/ENV", "DOKKU_LETSENCRYPT_EMAIL=\"blog@example.org\"\n"),
		}},
		{"0.20.4", "", []File{file("lib/config/letsencrypt/blog/email", "blog@example.org")}},
	} {
		list := append(test.files, file("root/blog/VHOST", "www.blog.example\n"), file(pluginFact, test.plugin))
		d, ok := NewFiles("0.35.5", []string{"blog"}, nil, list).LetsencryptDirectory("blog")
		if d.Name != test.want || ok != (test.want != "") {
			t.Errorf("%s: %v %q, not %q (%s)", test.plugin, ok, d.Name, test.want, d.Files["config"])
		}
	}
}

func TestSameOrder(t *testing.T) {
	const now = "--http --http.webroot /webroot --pem --accept-tos --cert.timeout 30 --path /certs --server S --email a@b   --domains x --domains y"
	for config, want := range map[string]bool{
		"--server S --email a@b  -d x -d y": true,
		"--pem --http --http.port :4711 --accept-tos --cert.timeout 2592000 --path /certs --server S --email a@b   --domains x --domains y": true,
		strings.Replace(now, "--server S", "--server T", 1):                   false,
		strings.Replace(now, "a@b", "c@d", 1):                                 false,
		strings.Replace(now, "x --domains y", "y --domains x", 1):             false,
		strings.Replace(now, "--http --http.webroot /webroot", "--dns cf", 1): false,
		"": false,
	} {
		if SameOrder([]byte(config), []byte(now)) != want {
			t.Errorf("%q", config)
		}
	}
}

// The newest mark that is found decides, so they must stand in order, and their
// ranges must not overlap.
func TestPluginMarks(t *testing.T) {
	for i, m := range pluginMarks[1:] {
		if newer := pluginMarks[i]; semver.Compare("v"+m.to, "v"+newer.from) >= 0 || semver.Compare("v"+m.from, "v"+m.to) > 0 {
			t.Errorf("%+v comes after %+v", m, newer)
		}
	}
}
