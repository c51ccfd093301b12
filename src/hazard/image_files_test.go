package hazard

import (
	"strings"
	"testing"

	"upgrade-guard/src/app"
)

// What is kept of an app's image, and what is said where it cannot be.
func TestImageFiles(t *testing.T) {
	for _, c := range []struct {
		about, from, to string
		image           map[string]string // and copies, by their paths
		scale           string
		want            string // what is written or done afterwards, and what is told
	}{
		{"Procfile", "0.20.4", "0.35.5", map[string]string{"Procfile": "web: /web\n"}, "web=1", "Procfile"},
		{"from 0.22 on it is a copy", "0.22.9", "0.35.5", map[string]string{"Procfile": "web: /web\n"}, "web=1", ""},
		{"the template", "0.28.4", "0.29.4", map[string]string{"nginx.conf.sigil": "server {}\n"}, "web=1", "nginx.conf.sigil"},
		{"CHECKS", "0.29.4", "0.35.5", map[string]string{"CHECKS": "/ ok\n"}, "web=1", "CHECKS"},
		{"not before 0.31", "0.20.4", "0.30.11", map[string]string{"CHECKS": "/ ok\n"}, "web=1", ""},
		{"a template of checks", "0.29.4", "0.35.5", map[string]string{"CHECKS": "/ {{ var \"X\" }}\n"}, "web=1", "told: CHECKS, which is in its image, is a template"},
		{"empty is none", "0.20.4", "0.35.5", map[string]string{"Procfile": ""}, "web=1", ""},
		{"there is a copy", "0.20.4", "0.35.5", map[string]string{"Procfile": "web: /web\n", "lib/data/ps/blog/Procfile": "web: /new\n"}, "web=1", ""},
		{"none, and none is needed", "0.20.4", "0.35.5", map[string]string{app.ImageDirectory: "/app"}, "web=1", ""},
		{"none, and a worker", "0.20.4", "0.35.5", map[string]string{app.ImageDirectory: "/app"}, "web=1\nworker=2", "told: the processes worker, and no Procfile is in its image where 0.20.4 looks for it (/app)"},
		{"a worker at 0", "0.20.4", "0.35.5", map[string]string{app.ImageDirectory: "/app"}, "web=1\nworker=0", ""},
		{"not looked for", "0.20.4", "0.35.5", nil, "web=1\nworker=2", ""},
		{"not known", "0.20.4", "0.35.5", map[string]string{"Procfile": "unreadable"}, "web=1", "told: whether the app's image has Procfile is not known (timeout)"},
	} {
		t.Run(c.about, func(t *testing.T) {
			var list []app.File
			for path, text := range c.image {
				if !strings.HasPrefix(path, "lib/") {
					path = app.ImageFacts + "blog/" + path
				}
				f := app.File{Path: path, Data: []byte(text), SHA256: app.Digest([]byte(text))}
				if text == "unreadable" {
					f = app.File{Path: path, Error: "timeout"}
				}
				list = append(list, f)
			}
			list = append(list, app.File{Path: "root/blog/DOKKU_SCALE", Data: []byte(c.scale + "\n"), SHA256: "1"})
			s := subject(c.to, nil)
			s.From, s.Files = c.from, app.NewFiles(c.from, []string{"blog"}, nil, list)
			s.Now = app.Read(s.Files).Apps["blog"]
			var got []string
			for _, f := range imageFiles.Foresee(s) {
				switch {
				case f.Kind == Notice:
					got = append(got, "told: "+f.What)
				case f.Step != nil:
					got = append(got, strings.SplitN(f.Step.Text, ",", 2)[0])
				default:
					got = append(got, strings.TrimSuffix(f.Afterwards, " of its image"))
				}
			}
			if all := strings.Join(got, "; "); all != c.want && (!strings.HasPrefix(c.want, "told: ") || !strings.HasPrefix(all, "told: ") || !strings.Contains(all, strings.TrimPrefix(c.want, "told: "))) {
				t.Errorf("%q, not %q", all, c.want)
			}
		})
	}
	if got := string(asCopied([]byte("web: /web\r\nworker: /w"))); got != "web: /web\nworker: /w\n" {
		t.Errorf("%q", got)
	}
}
