// Package docs holds the pages together: what a page or a comment points at is there,
// and every page can be reached from the index.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	comment = regexp.MustCompile(`docs/[a-z-]+\.md(#[a-z0-9-]+)?`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	dropped = regexp.MustCompile(`[^a-z0-9 _-]`)
	fenced  = regexp.MustCompile(`(?m)^    .*$`) // examples
)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			name, anchor, _ := strings.Cut(m[1], "#")
			target := filepath.Join(filepath.Dir(page), name)
			if name == "" {
				target = page
			}
			leads(t, page, target, anchor)
		}
	}
}

// Comments, scenarios and scripts name pages from the repository's root.
func TestCommentsPointAtPages(t *testing.T) {
	found := 0
	for _, dir := range []string{"src", "hook", "tests", "compat", "run", "install", "uninstall", "version.go"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".tar.gz") {
				return err
			}
			for _, m := range comment.FindAllString(read(t, path), -1) {
				found++
				name, anchor, _ := strings.Cut(m, "#")
				leads(t, path, filepath.Join(root, name), anchor)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 50 {
		t.Errorf("only %d such comments were seen", found)
	}
}

func TestEveryPageIsInTheIndex(t *testing.T) {
	index := read(t, filepath.Join(root, "docs/README.md"))
	for _, page := range pages(t) {
		name := filepath.Base(page)
		if filepath.Base(filepath.Dir(page)) == "docs" && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("%s is not in docs/README.md", name)
		}
	}
}

// The pages say who leans on a fact, by the file: it moves, and they are forgotten.
func TestPagesNameFilesThatAreThere(t *testing.T) {
	for _, page := range pages(t) {
		for _, name := range regexp.MustCompile(`\b(src|hook|tests)/[a-z_/]+\.go\b`).FindAllString(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("%s names %s, which is not there", page, name)
			}
		}
	}
}

// leads tells whether a link's target is there.
func leads(t *testing.T, from, target, anchor string) {
	t.Helper()
	if _, err := os.Stat(target); err != nil {
		t.Errorf("%s points at %s, which is not there", from, target)
		return
	}
	if anchor == "" {
		return
	}
	for _, m := range heading.FindAllStringSubmatch(read(t, target), -1) {
		// As GitHub makes them.
		if strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-") == anchor {
			return
		}
	}
	t.Errorf("%s points at #%s of %s, which has no such heading", from, anchor, target)
}

func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, names...)
	}
	if len(found) < 10 {
		t.Fatalf("only %d pages", len(found))
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
