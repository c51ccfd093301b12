package apt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A release upgrade of the distribution for which dokku was taken away first, because it
// was held back, and installed again afterwards (dokku/sshcommand issue 119), at once or
// hours later. Nothing tells apt that this is an upgrade: there is no old version.
func TestRemovedThenInstalled(t *testing.T) {
	for name, hours := range map[string]int{"at once": 0, "three hours later": 3} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			t.Log("remove:\n" + m.run(true, "apt-get", "remove", "dokku"))
			if hours > 0 {
				old := time.Now().Add(-time.Duration(hours) * time.Hour)
				files, err := filepath.Glob(m.root + data + "/*")
				if err != nil || len(files) == 0 {
					t.Fatal(files, err)
				}
				for _, f := range files {
					if err := os.Chtimes(f, old, old); err != nil {
						t.Fatal(err)
					}
				}
			}
			out := m.run(true, "apt-get", "install", "dokku=0.35.5")
			if !strings.Contains(out, "0.20.4 to 0.35.5") {
				t.Error("the upgrade was not seen:\n" + out)
			}
			m.through()
			if pending := m.read(data + "/pending"); pending != "" {
				t.Errorf("pending: %q", pending)
			}
		})
	}
}
