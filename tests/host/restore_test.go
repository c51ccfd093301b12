package host_test

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/snapshot"
)

// A snapshot that somebody had made gave the files that were restored from it whatever
// mode it liked: programs, and files that everybody could write.
func TestRestoredFilesAreNoPrograms(t *testing.T) {
	for _, said := range []fs.FileMode{0o777, fs.ModeSetuid | 0o777, 0o7, 0} {
		r := newRestoring(t)
		p := r.h.Paths()
		want := map[string]fs.FileMode{
			p.Property("nginx", "my_app", "hsts"):                        0o600,
			p.App("my_app") + "/nginx.conf.d/x.conf":                     0o644,
			p.LibRoot + "/data/nginx-vhosts/app-my_app/nginx.conf.sigil": 0o644,
			p.App("my_app") + "/tls/server.key":                          0o640,
			p.Property("ports", "my_app", "map"):                         0o600,
		}
		if err := r.h.Write(p.LibRoot+"/data/nginx-vhosts/app-my_app/nginx.conf.sigil", 0o644, []byte("template")); err != nil {
			t.Fatal(err)
		}
		files, err := app.Capture(context.Background(), r.h, app.What{NoCommands: true})
		if err != nil {
			t.Fatal(err)
		}
		list := slices.Clone(files.All())
		for i := range list {
			if list[i].SHA256 != "" {
				list[i].Mode = said
			}
		}
		m, err := snapshot.New(r.h).Save(app.NewFiles(files.Dokku, files.Apps, files.Strays, list), snapshot.Manual)
		if err != nil {
			t.Fatal(err)
		}
		for name := range want {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		r.id = m.ID
		if err := r.restore(r.h); err != nil {
			t.Fatal(err)
		}
		for name, most := range want {
			st, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if mode := st.Mode(); mode&^most != 0 || mode&0o600 != 0o600 {
				t.Errorf("said to be %v, %s is %v", said, name, mode)
			}
		}
	}
}
