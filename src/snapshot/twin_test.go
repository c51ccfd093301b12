package snapshot

import (
	"os"
	"slices"
	"testing"

	"upgrade-guard/src/app"
)

// What has not changed is not stored anew, but for the second of any two: there are always
// two files. Whatever is another byte in one is noticed.
func TestUnchangedIsNotStoredAnew(t *testing.T) {
	s, content := New(newHost(t)), "value"
	present := func() *app.Files {
		return app.NewFiles("0.35.5", []string{"blog"}, nil, []app.File{
			{Path: "root/blog", Mode: os.ModeDir | 0o755},
			{Path: "root/blog/ENV", Mode: 0o600, Data: []byte(content), Size: len(content), SHA256: app.Digest([]byte(content))},
		})
	}
	save := func(reason string) os.FileInfo {
		t.Helper()
		m, err := s.Save(present(), reason)
		if err != nil {
			t.Fatal(err)
		}
		if read, err := s.Manifest(m.ID); err != nil || read.ID != m.ID || !read.Time.Equal(m.Time) || !slices.Equal(read.Apps, m.Apps) {
			t.Errorf("%s reads as %+v: %v", m.ID, read, err)
		}
		files, err := s.Files(m.ID)
		if text, _ := files.Text("root/blog/ENV"); err != nil || text != content {
			t.Errorf("%s holds %q: %v", m.ID, text, err)
		}
		st, err := os.Stat(s.path(m.ID))
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	var files []os.FileInfo
	for n, want := range []int{0, 1, 0, 1, 0} {
		files = append(files, save([]string{Manual + "-a", PreUpgrade, Manual}[n%3]))
		for i, f := range files[:n] {
			if twin := i%2 == want; os.SameFile(f, files[n]) != twin {
				t.Errorf("snapshot %d and %d are one file: %v", i, n, !twin)
			}
		}
	}
	content = "another"
	if changed := save(Manual); os.SameFile(changed, files[3]) || os.SameFile(changed, files[4]) {
		t.Error("what has changed was not stored")
	}
	save(Manual)
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	// The newest but one is what the next would be a twin of.
	damaged := s.path(list[1].ID)
	whole, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		spoilt := slices.Clone(whole)
		spoilt[at] ^= 1
		for what, bytes := range map[string][]byte{"another": spoilt, "cut off": whole[:at]} {
			if err := os.WriteFile(damaged, bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			_, manifest, _, err := s.manifest(present(), Manual).fit()
			if err != nil {
				t.Fatal(err)
			}
			if s.holds(damaged, manifest.held) {
				t.Fatalf("it is taken for whole where byte %d is %s", at, what)
			}
		}
	}
	for what, bytes := range map[string][]byte{"longer": append(slices.Clone(whole), 0), "twice": append(slices.Clone(whole), whole...)} {
		if err := os.WriteFile(damaged, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		if st := save(Manual); os.SameFile(st, mustStat(t, damaged)) {
			t.Errorf("%s, and taken for whole", what)
		}
	}
}

func mustStat(t *testing.T, name string) os.FileInfo {
	t.Helper()
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return st
}
