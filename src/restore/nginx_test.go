package restore

import (
	"os"
	"path/filepath"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// What nginx refuses goes back to what was there. Where that could not be read, nothing is
// written in its place: it would be an empty file.
func TestWhatWasNotReadIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	paths := host.Paths{DokkuRoot: dir, LibRoot: dir}
	h := host.NewLocal(paths)
	path := filepath.Join(dir, "blog/nginx.conf.d/x.conf")
	if err := h.Write(path, 0o644, []byte("put back;")); err != nil {
		t.Fatal(err)
	}
	files := app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{{Path: "root/blog/nginx.conf.d/x.conf", Mode: 0o644, Error: "permission denied"}})
	r := Restoration{Subject: hazard.Subject{Context: hazard.Context{Paths: paths, Files: files}, Now: app.State{Name: "blog"}}}
	if err := r.takeBack(h, &plan.Step{Path: path, Data: []byte("put back;")}); err == nil {
		t.Error("it is called as it was")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "put back;" {
		t.Errorf("%q, %v", b, err)
	}
}
