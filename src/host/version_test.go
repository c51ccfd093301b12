package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDokkuVersion(t *testing.T) {
	for name, c := range map[string]struct{ stable, described, later, want string }{
		"a package":                            {stable: "0.35.5\n", described: "v0.35.5\n", want: "0.35.5"},
		"one release":                          {stable: "v0.35.5", want: "0.35.5"},
		"built from a branch":                  {described: "v0.38.27-5-gabcdef0\n", want: "0.38.27-5-gabcdef0"},
		"a package of a branch":                {stable: "1790000000:0.38.27\n", described: "v0.38.27-5-gabcdef0\n", want: "0.38.27-5-gabcdef0"},
		"the same without a date":              {stable: "0.38.27\n", described: "v0.38.27-5-gabcdef0\n", want: "0.38.27-5-gabcdef0"},
		"a date alone":                         {stable: "1790000000:0.38.27\n", want: "1790000000-0.38.27"},
		"a branch, after a package":            {stable: "0.35.5", described: "v0.38.27-5-gabcdef0", later: "VERSION", want: "0.38.27-5-gabcdef0"},
		"a release by make, after a package":   {stable: "v0.36.0", described: "v0.35.5", later: "STABLE_VERSION", want: "0.36.0"},
		"a release by make, after a branch":    {stable: "v0.38.27", described: "v0.37.0-5-gabcdef0", later: "STABLE_VERSION", want: "0.38.27"},
		"where git describes nothing":          {described: "~master (2026-11-23T01:37+00:00)\n", want: "master-2026-11-23T01-37+00-00"},
		"nothing that a terminal should print": {described: "v1.0.0\x1b[31m/../x\nmore", want: "1.0.0-31m-..-x"},
		"nothing":                              {stable: "\n", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"STABLE_VERSION": c.stable, "VERSION": c.described} {
				if text == "" {
					continue
				}
				path, at := filepath.Join(dir, file), time.Now().Add(-time.Hour)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if c.later == file {
					at = at.Add(time.Minute)
				}
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
			}
			if got := DokkuVersion(NewLocal(Paths{LibRoot: dir})); got != c.want {
				t.Errorf("%q, and not %q", got, c.want)
			}
		})
	}
}
