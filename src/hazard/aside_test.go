package hazard

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// What a capture has set aside is written whole where a repair puts it elsewhere: the files
// of a certificate into the directory in which the letsencrypt plugin looks for it, and what
// an upgrade is undone by.
func TestWhatWasSetAsideIsWritten(t *testing.T) {
	dir := t.TempDir()
	h := host.NewLocal(host.Paths{DokkuRoot: dir + "/home/dokku", LibRoot: dir + "/var/lib/dokku"})
	bundle := strings.Repeat("the certificate, its key and the issuer\n", 100)
	const from = "letsencrypt/certs/current/certificates/blog.example.org.pem"
	for name, content := range map[string]string{from: bundle, "ENV": ""} {
		if err := h.Write(filepath.Join(h.Paths().App("blog"), name), 0o600, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Mkdir(h.Paths().Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := app.Capture(context.Background(), h, app.What{NoCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	file, there := files.Get("root/blog/" + from)
	if !there || file.Data != nil {
		t.Fatalf("it is not set aside: %v, %d bytes held", there, len(file.Data))
	}
	s := Subject{Context: Context{Files: files, Paths: h.Paths()}, Now: app.State{Name: "blog"}}
	if err := putAll(h, []put{s.put("letsencrypt/certs/0123/certificates/blog.example.org.pem", file, 0o600)}); err != nil {
		t.Fatal(err)
	}
	undone := filepath.Join(h.Paths().App("blog"), "undone.pem")
	if err := putFiles(h, []changed{{undone, file, ""}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(h.Paths().App("blog"), "letsencrypt/certs/0123/certificates/blog.example.org.pem"), undone} {
		if content, err := os.ReadFile(name); err != nil || string(content) != bundle {
			t.Errorf("%s holds %d bytes of %d: %v", name, len(content), len(bundle), err)
		}
	}
}
