package app

import "strings"

// Git is an app's repository: where it stands, not what it holds. The objects
// are never captured.
type Git struct {
	// Head is the ref that HEAD names; "" without a repository.
	Head string `json:"head,omitempty"`
	// Refs are all refs with their commits, packed ones included.
	Refs map[string]string `json:"refs,omitempty"`
	// Revision is GIT_REV of the app's environment: what was deployed last.
	Revision string `json:"revision,omitempty"`
}

func readGit(f *Files, app string, e env) Git {
	dir := "root/" + app + "/"
	g := Git{Revision: e.values["GIT_REV"]}
	g.Head, _ = strings.CutPrefix(strings.TrimSpace(text(f, dir+"HEAD")), "ref: ")
	ref := func(name, commit string) {
		if g.Refs == nil {
			g.Refs = map[string]string{}
		}
		g.Refs[name] = commit
	}
	for _, l := range f.Lines(dir + "packed-refs") {
		if commit, name, ok := strings.Cut(l, " "); ok && strings.HasPrefix(name, "refs/") {
			ref(name, commit)
		}
	}
	for _, file := range f.Under(dir + "refs/") {
		if file.Link == "" && file.Error == "" {
			ref(strings.TrimPrefix(file.Path, dir), strings.TrimSpace(string(file.Data)))
		}
	}
	return g
}
