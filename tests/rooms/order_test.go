package rooms

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// storeys are the files of src/guard from the ground up: observe, assess, act, and above
// them a file for each occasion. A file uses what stands in those on the storeys below it,
// and nothing on its own. A new one needs a place here.
var storeys = [][]string{
	{"guard.go"},
	{"fingerprint.go", "others.go", "phase.go", "restore_point.go", "jobs.go", "seeds.go", "observation.go", "renewals.go", "events.go", "settings.go"},
	{"newer.go", "names.go", "baseline.go", "log.go", "record.go"},
	{"undo.go"},
	{"observe.go", "cutoff.go"},
	{"snapshot.go", "occasion.go", "status.go", "again.go"},
	{"assess.go"},
	{"ground.go"},
	{"unknown.go", "env.go"},
	{"act.go", "print.go"},
	{"queue_renames.go", "unresolved.go"},
	{"after.go"},
	{"routes.go", "install.go", "deploy.go", "before.go", "check.go", "restore.go", "export.go", "forget.go", "diff.go"},
	{"rename.go", "restore_host.go", "show.go", "recipe.go", "create_code.go"},
	{"queue.go", "report.go", "create.go"},
	{"apply.go", "flags.go", "todo.go", "watch.go", "rollback.go"},
	{"apply_all.go", "hooks.go"},
}

func TestGuardIsReadFromTheGroundUp(t *testing.T) {
	for _, o := range climbs(t, "../../src/guard") {
		t.Error(o)
	}
}

// climbs are the uses that run up, or along, a sentence each.
func climbs(t *testing.T, dir string) []string {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return strings.HasSuffix(path, "_test.go") })
	for _, path := range paths {
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// What other packages hold is of no interest, so they are empty, and what is wrong
	// for that is passed over.
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: empty{}, Error: func(error) {}}
	pkg, _ := config.Check("guard", set, files, info)
	if pkg == nil || len(info.Uses) < 1000 {
		t.Fatalf("%s: %d names are used: is this the whole package?", dir, len(info.Uses))
	}
	storey := map[string]int{}
	for i, names := range storeys {
		for _, n := range names {
			storey[n] = i
		}
	}
	file := func(pos token.Pos) string { return filepath.Base(set.Position(pos).Filename) }
	found := map[string]bool{}
	for _, path := range paths {
		if _, known := storey[filepath.Base(path)]; !known {
			found[filepath.Base(path)+" has no place in storeys"] = true
		}
	}
	for used, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		if v, ok := object.(*types.Var); ok && (v.IsField() || object.Parent() != pkg.Scope()) {
			continue // of a struct, whose type is what counts; or of one function
		}
		if from, to := file(used.Pos()), file(object.Pos()); from != to && storey[to] >= storey[from] {
			found[fmt.Sprintf("%s uses %s of %s, which is not below it", from, object.Name(), to)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// empty imports every package as one that holds nothing.
type empty struct{}

func (empty) Import(path string) (*types.Package, error) {
	pkg := types.NewPackage(path, filepath.Base(path))
	pkg.MarkComplete()
	return pkg, nil
}
