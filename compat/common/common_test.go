package common

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// The contract that upgrade-guard relies on, one sentence a test. The same
// file passes against Dokku's own package.

func libRootForTest(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOKKU_LIB_ROOT", dir)
	t.Setenv("DOKKU_SYSTEM_USER", me.Username)
	t.Setenv("DOKKU_SYSTEM_GROUP", group.Name)
	return dir
}

func TestAPropertyIsOneFile(t *testing.T) {
	root := libRootForTest(t)
	if err := PropertySetup("upgrade-guard"); err != nil {
		t.Fatal(err)
	}
	if err := PropertyWrite("upgrade-guard", "--global", "retain", "5% of\n"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "config/upgrade-guard/--global/retain")
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "5% of\n" {
		t.Fatalf("content %q, %v", b, err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: %v", st.Mode())
	}
	if st, _ := os.Stat(filepath.Dir(path)); st.Mode().Perm() != 0o755 {
		t.Errorf("mode of the directory: %v", st.Mode())
	}
}

func TestDefaultIsForMissingNotForEmpty(t *testing.T) {
	libRootForTest(t)
	if got := PropertyGetDefault("p", "a", "x", "def"); got != "def" {
		t.Errorf("missing: %q", got)
	}
	if err := PropertyWrite("p", "a", "x", ""); err != nil {
		t.Fatal(err)
	}
	if got := PropertyGetDefault("p", "a", "x", "def"); got != "" {
		t.Errorf("empty: %q", got)
	}
	if !PropertyExists("p", "a", "x") || PropertyExists("p", "a", "y") {
		t.Error("PropertyExists tells empty from missing wrongly")
	}
}

func TestDeletingAMissingPropertyIsNoError(t *testing.T) {
	libRootForTest(t)
	if err := PropertyDelete("p", "a", "x"); err != nil {
		t.Error(err)
	}
}

// dokku/dokku#5931: an app without a scale prints nothing, and that is an error.
func TestParseScaleOutput(t *testing.T) {
	scale, err := ParseScaleOutput([]byte("web=2\nworker=0"))
	if err != nil || len(scale) != 2 || scale["web"] != 2 || scale["worker"] != 0 {
		t.Errorf("got %v, %v", scale, err)
	}
	if _, err := ParseScaleOutput(nil); err == nil || !strings.HasPrefix(err.Error(), "invalid scale output stored by dokku: ") {
		t.Errorf("empty output: %v", err)
	}
	if _, err := ParseScaleOutput([]byte("web=two")); err == nil {
		t.Error("web=two was taken for a number")
	}
}
