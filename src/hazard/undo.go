package hazard

import (
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// Hop is one upgrade that is to be undone: the host's files right before it, and right
// after it, when the guard was through. Both are by the names that the apps bear now.
type Hop struct{ Before, After *app.Files }

// undone is what the files of a scope are to be for the version before a hop.
type undone struct {
	// want are files by their captured paths; the zero File is none.
	want map[string]app.File
	// carried is what was set since the upgrade and has a place in the older version;
	// left is what has none.
	carried, left []string
}

// undo is a scope's files as the version before the hops is to have them, the last hop
// first. For each file three are held against each other: as it was before the upgrade,
// right after it, and now. What nobody has changed since the upgrade is as it was before
// it, also what the upgrade has made, which goes: the newer version's marks, by which it
// would read nothing when it comes again, among it. What the upgrade left alone is as it is
// now. What was changed since in a place that the older version does not know is carried
// over by its value: environments, settings that were variables, docker options with mounts
// and the restart policy, scale, ports.
func undo(scope string, hops []Hop, now *app.Files) undone {
	u := undone{want: map[string]app.File{}}
	for _, hop := range hops {
		step := undoHop(scope, hop, now)
		u.want = step.want
		u.carried, u.left = append(u.carried, step.carried...), append(u.left, step.left...)
		var list []app.File
		for path, f := range step.want {
			if f.Path = path; there(f) {
				list = append(list, f)
			}
		}
		now = app.NewFiles(hop.Before.Dokku, now.Apps, nil, list)
	}
	slices.Sort(u.carried)
	slices.Sort(u.left)
	u.carried, u.left = slices.Compact(u.carried), slices.Compact(u.left)
	return u
}

func there(f app.File) bool { return f.SHA256 != "" || f.Link != "" || f.Error != "" }

func sameFile(a, b app.File) bool { return a.SHA256 == b.SHA256 && a.Link == b.Link }

// volatile is what Dokku writes with each deploy or build, or git does: it is as it is.
var volatile = pattern.Of(`^root/[^/]+/((CONTAINER|IP|PORT)\b.*|nginx\.conf|URLS|HEAD|index|\.deploy\.lock|(refs|hooks|objects|info|logs|cache)/.*)$`)

// ofScope are the files of a scope that a version of Dokku keeps its settings in.
func ofScope(f *app.Files, scope string) []app.File {
	var list []app.File
	if scope == host.GlobalScope {
		for _, path := range []string{"root/ENV", "root/VHOST", "root/HOSTNAME"} {
			if file, ok := f.Get(path); ok {
				list = append(list, file)
			}
		}
	} else {
		list = append(list, f.Under("root/"+scope+"/")...)
	}
	for _, file := range f.Properties(scope) {
		if !strings.HasPrefix(file.Path, "lib/config/"+host.Plugin+"/") {
			list = append(list, file)
		}
	}
	if file, ok := f.Get("lib/config/" + scope + "/ENV"); ok {
		list = append(list, file)
	}
	return slices.DeleteFunc(list, func(file app.File) bool {
		return strings.HasSuffix(file.Path, "/") || volatile().MatchString(file.Path)
	})
}

func undoHop(scope string, hop Hop, now *app.Files) undone {
	b, p, n := hop.Before, hop.After, now
	u := undone{want: map[string]app.File{}}
	paths := map[string]bool{}
	for _, files := range []*app.Files{b, p, n} {
		for _, f := range ofScope(files, scope) {
			paths[f.Path] = true
		}
	}
	for path := range paths {
		before, _ := b.Get(path)
		after, _ := p.Get(path)
		present, _ := n.Get(path)
		switch {
		case before.Error+after.Error+present.Error != "":
			u.want[path] = present
			u.left = append(u.left, app.Shown(path)+", which cannot be read")
		case path == "lib/config/ps/"+scope+"/scale" && !there(before):
			u.want[path] = present // an app of which no scale is known starts nothing
		case sameFile(present, after):
			u.want[path] = before
		case sameFile(after, before), !there(before) && !there(after):
			u.want[path] = present
		default: // the upgrade has changed it, and somebody has since
			u.want[path] = present
			u.left = append(u.left, app.Shown(path))
		}
	}
	h := hopOf{scope, hop, n, &u}
	if h.passes("0.38.0") {
		h.options()
		for path := range u.want {
			if newPlace(scope, path) && !there(fileOf(b, path)) && !h.stays(path) {
				h.asBefore(path)
			}
		}
	}
	h.environment() // last: what was a variable is one again
	if h.passes("0.25.0") && scope != host.GlobalScope {
		h.scale()
	}
	return u
}

// stays tells whether a file of the newer version's is left where it is, because what is in
// it has no place in the older one, or cannot be read: it would be gone.
func (h hopOf) stays(path string) bool {
	if _, ok := h.now.Mounts(h.scope); !h.read(path) || !ok && path == app.MountsPath(h.scope) {
		return true
	}
	name, ok := strings.CutPrefix(path, "lib/config/docker-options/"+h.scope+"/")
	return ok && slices.Contains(h.now.ProcessDockerOptions(h.scope), name)
}

func fileOf(f *app.Files, path string) app.File {
	file, _ := f.Get(path)
	return file
}

// newPlace tells whether only 0.38 and later keep something of a scope there.
func newPlace(scope, path string) bool {
	for _, prefix := range []string{"lib/config/" + scope + "/ENV", "lib/config/config/" + scope + "/env-migrated", "lib/config/docker-options/" + scope + "/", "lib/config/storage/" + scope + "/", "lib/config/ps/" + scope + "/restart-policy"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return slices.ContainsFunc(becameProperties, func(v becameProperty) bool { return v.since == "0.38.0" && path == v.path(scope) })
}

type hopOf struct {
	scope string
	Hop
	now *app.Files
	u   *undone
}

func (h hopOf) passes(version string) bool {
	return app.Before(h.Before.Dokku, version) && !app.Before(h.now.Dokku, version)
}

// asBefore has a file be as it was before the upgrade, mostly not there, and nothing more be
// said of it.
func (h hopOf) asBefore(path string) {
	h.u.want[path] = fileOf(h.Before, path)
	h.u.left = slices.DeleteFunc(h.u.left, func(l string) bool { return l == app.Shown(path) })
}

// put has a file hold what was carried over.
func (h hopOf) put(path string, text string, carried ...string) {
	f := fileOf(h.Before, path)
	if f.Mode.Perm() == 0 {
		f.Mode = 0o600
	}
	f.Path, f.Data, f.Link = path, []byte(text), ""
	f.Size, f.SHA256 = len(f.Data), app.Digest(f.Data)
	h.u.want[path] = f
	h.u.left = slices.DeleteFunc(h.u.left, func(l string) bool { return l == app.Shown(path) })
	h.u.carried = append(h.u.carried, carried...)
}
