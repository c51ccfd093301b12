package hazard

import (
	"testing"

	"upgrade-guard/src/app"
)

// What Dokku has cached, beside what runs. The model for the test of a hazard: see
// docs/adding-a-hazard.md.
func TestDeployedFalse(t *testing.T) {
	for _, c := range []struct {
		name    string
		cached  string // "" for no file
		running bool
		found   bool
	}{
		{"wrong", "false", true, true},
		{"right: it does not run", "false", false, false},
		{"right: it runs", "true", true, false},
		{"not asked yet", "", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{}
			if c.cached != "" {
				files["lib/config/common/blog/deployed"] = c.cached
			}
			s := subject("0.35.5", files)
			s.Now.Containers = []app.Container{{Type: "web", Running: c.running}}
			found := deployedFalse.Detect(s)
			if (len(found) == 1) != c.found {
				t.Errorf("%+v", found)
			}
		})
	}

	// What cannot be read is not known to be false.
	s := subject("0.35.5", nil)
	s.Files = app.NewFiles("0.35.5", []string{"blog"}, nil, []app.File{{Path: "lib/config/common/blog/deployed", Error: "permission denied"}})
	s.Now.Containers = []app.Container{{Type: "web", Running: true}}
	if found := deployedFalse.Detect(s); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}
