package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/cli"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/trigger"
)

// Dokku calls what the plugin's directory has a link for: no trigger or command
// may lack its link, and none may lead to what the program does not answer to.
// UPGRADE_GUARD_TREE is another tree to look at, the release archive's.
func TestLinks(t *testing.T) {
	want := map[string]string{"commands": "run"}
	for _, name := range trigger.Names() {
		want[name] = "run"
	}
	for _, name := range cli.Names() {
		want["subcommands/"+name] = "../run"
	}
	// Root's part is shell itself.
	want["install"], want["update"], want["uninstall"] = "no link", "install", "no link"

	tree := os.Getenv("UPGRADE_GUARD_TREE")
	if tree == "" {
		tree = ".."
	}
	have := map[string]string{}
	for _, pattern := range []string{"*", "subcommands/*"} {
		names, err := filepath.Glob(filepath.Join(tree, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			rel, err := filepath.Rel(tree, name)
			if err != nil {
				t.Fatal(err)
			}
			if target, err := os.Readlink(name); err == nil {
				have[rel] = target
			} else if want[rel] != "" || pattern != "*" {
				have[rel] = "no link"
			}
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("what the program answers to (-), and what is in %s (+):\n%s", tree, diff)
	}
}

// A pattern is compiled when it is asked for first: that may be in the worst moment of
// somebody's week.
func TestPatterns(t *testing.T) { pattern.Compile() }
