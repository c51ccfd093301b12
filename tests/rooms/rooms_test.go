// Package rooms holds the program to its house: which package may know which. The
// compiler refuses a circle and nothing else; this refuses an arrow that runs back up.
package rooms

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "upgrade-guard"

// floors are the rooms from the ground up. A room knows those on the floors below it,
// and none on its own. A new one needs a place here.
var floors = [][]string{
	{"src/pattern"},
	{".", "src/say", "src/rawjson"}, // "." is version.go, the plugin's version
	{"src/host", "src/seal"},
	{"hook", "src/app", "src/packages"},
	{"src/nginx", "src/plugins"},
	{"src/snapshot"},
	{"src/state"},
	{"src/plan"},
	{"src/hazard"},
	{"src/restore", "src/rename", "src/recipe"},
	{"src/guard"},
	{"src/cli"},
	{"src/trigger"},
	{"src"},
}

// dokku is Dokku's own package, and door the only room that may import it.
const (
	dokku = "github.com/dokku/dokku/plugins/common"
	door  = "src/host"
)

// room is a package as go list tells it.
type room struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func (r room) name() string { return name(r.ImportPath) }

// name is a package's directory, "." for the repository's own.
func name(importPath string) string {
	return path.Clean(strings.TrimPrefix(importPath+"/", module+"/"))
}

// offences are the imports that run the wrong way, a sentence each.
func offences(rooms []room) []string {
	floor := map[string]int{}
	for i, names := range floors {
		for _, n := range names {
			floor[n] = i
		}
	}
	var found []string
	for _, r := range rooms {
		if slices.Contains(slices.Concat(r.Imports, r.TestImports, r.XTestImports), dokku) && r.name() != door {
			found = append(found, fmt.Sprintf("%s imports %s: only %s may", r.name(), dokku, door))
		}
		if strings.HasPrefix(r.name(), "tests/") {
			continue // tests know everything
		}
		own, known := floor[r.name()]
		if !known {
			found = append(found, r.name()+" has no place in floors")
			continue
		}
		for _, i := range r.Imports { // a room's own tests may look further up
			if i != module && !strings.HasPrefix(i, module+"/") {
				continue
			}
			if theirs, known := floor[name(i)]; !known || theirs >= own {
				found = append(found, fmt.Sprintf("%s imports %s, which is not below it", r.name(), name(i)))
			}
		}
	}
	return found
}

func TestArrowsRunDown(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rooms []room
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var r room
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		rooms = append(rooms, r)
	}
	if !slices.ContainsFunc(rooms, func(r room) bool { return r.name() == door && slices.Contains(r.Imports, dokku) }) {
		t.Fatalf("%s does not import %s: is this the whole program? %d packages", door, dokku, len(rooms))
	}
	for _, o := range offences(rooms) {
		t.Error(o)
	}
}

// What it must see, and what it must let pass.
func TestOffences(t *testing.T) {
	of := func(name string, imports ...string) room {
		return room{ImportPath: module + "/" + name, Imports: imports}
	}
	for _, c := range []struct {
		room room
		want []string
	}{
		{of("src/app", "fmt", "upgrade-guard/src/host"), nil},
		{of("src/app", "upgrade-guard/src/guard"), []string{"src/app imports src/guard, which is not below it"}},
		{of("src/app", "upgrade-guard/src/packages"), []string{"src/app imports src/packages, which is not below it"}},
		{of("src/guard", "upgrade-guard/tests/sandbox"), []string{"src/guard imports tests/sandbox, which is not below it"}},
		{of("src/cli", dokku), []string{"src/cli imports " + dokku + ": only src/host may"}},
		{of("src/attic"), []string{"src/attic has no place in floors"}},
		{of("tests/host", "upgrade-guard/src/guard"), nil},
		{room{ImportPath: module + "/tests/host", XTestImports: []string{dokku}}, []string{"tests/host imports " + dokku + ": only src/host may"}},
		{room{ImportPath: module, Imports: []string{"upgrade-guard/src/say"}}, []string{". imports src/say, which is not below it"}},
	} {
		if got := offences([]room{c.room}); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.room, got, c.want)
		}
	}
}
