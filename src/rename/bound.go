package rename

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// hostPath is a directory of this host in an option of docker run's.
var hostPath = pattern.Of(`(?:^|[\s="',])(/[^\s:"',]+)`)

// mountsOf are the directories that an app's docker options and mounts name. What cannot be
// read may name any.
func mountsOf(files *app.Files, name string) (dirs []string, err error) {
	mounts, ok := files.Mounts(name)
	if !ok {
		return nil, fmt.Errorf("its mounts cannot be read (%s), and they may name what goes with the old name", app.Shown(app.MountsPath(name)))
	}
	for _, m := range mounts {
		if at := files.HostPath(m.Entry); at != "" {
			dirs = append(dirs, filepath.Clean(at))
		}
	}
	for _, prefix := range []string{"root/" + name + "/DOCKER_OPTIONS_", "lib/config/docker-options/" + name + "/"} {
		for _, f := range files.Under(prefix) {
			if f.Error != "" {
				return nil, fmt.Errorf("%s cannot be read (%s), and it may name what goes with the old name", app.Shown(f.Path), f.Error)
			}
			for _, m := range hostPath().FindAllSubmatch(f.Data, -1) {
				dirs = append(dirs, filepath.Clean(string(m[1])))
			}
		}
	}
	return dirs, nil
}

// mounted are the directories of this host that are mounted into containers.
func mounted(ctx context.Context, h host.Host, containers []app.Container) ([]string, error) {
	if len(containers) == 0 {
		return nil, nil
	}
	args := []string{"inspect", "--format", "{{range .Mounts}}{{println .Source}}{{end}}"}
	for _, c := range containers {
		args = append(args, c.ID)
	}
	out, err := h.Run(ctx, "docker", args...)
	return strings.Fields(string(out)), err
}

// among tells whether one of the mounts is a directory, or below it. Caches are not: no
// rename carries them over, and each build makes them anew.
func among(mounts []string, dir string) bool {
	return slices.ContainsFunc(mounts, func(m string) bool {
		rel, err := filepath.Rel(dir, m)
		top, _, _ := strings.Cut(rel, "/")
		return err == nil && top != ".." && top != "cache" && top != ".cache"
	})
}

// Neighbours are what the other apps of a host, and nginx's own sites, have of an app's.
type Neighbours struct {
	// naming are the files by the app whose directory they name.
	naming map[string][]naming
	// domains are the apps by their domains.
	domains map[string][]string
}

type naming struct{ app, file string } // app is "" for a site that is not Dokku's

// NeighboursOf looks at a whole host once, for however many apps it is asked.
//
// A file of somebody else's that nginx reads, or a link, may name a file in an app's
// directory: the certificate of one app is used for another one, or for a site that is not
// Dokku's. Without that file nginx loads nothing any more.
func NeighboursOf(h host.Host, files *app.Files, now app.Host) Neighbours {
	n := Neighbours{map[string][]naming{}, map[string][]string{}}
	root := h.Paths().DokkuRoot
	look := func(by, file string, text []byte) {
		for _, name := range named(text, root+"/") {
			if name != by {
				n.naming[name] = append(n.naming[name], naming{by, file})
			}
		}
	}
	for _, f := range files.All() {
		owner, rel, ok := strings.Cut(strings.TrimPrefix(f.Path, "root/"), "/")
		switch file := filepath.Join(root, owner, rel); {
		case !ok || !strings.HasPrefix(f.Path, "root/"):
		case f.Link != "":
			look(owner, file, []byte(f.Link))
		case rel == "nginx.conf" || strings.HasPrefix(rel, "nginx.conf.d/"):
			look(owner, file, f.Data)
		}
	}
	for _, dir := range []string{"conf.d", "sites-enabled"} {
		if h.Paths().Nginx == "" {
			break
		}
		dir = filepath.Join(h.Paths().Nginx, dir)
		entries, _ := h.ReadDir(dir) // where there is none nginx reads none
		for _, e := range entries {
			if text, err := h.ReadFile(filepath.Join(dir, e.Name())); err == nil {
				look("", filepath.Join(dir, e.Name()), text)
			}
		}
	}
	for name, s := range now.Apps {
		for _, domain := range s.Domains.Effective() {
			n.domains[domain] = append(n.domains[domain], name)
		}
	}
	return n
}

// named are the directories below root that a text names, as replacePath reads a path.
func named(text []byte, root string) (names []string) {
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(root))
		if i < 0 {
			return names
		}
		begin := at + i + len(root)
		end := begin
		for end < len(text) && !endOfName(text[end]) {
			end++
		}
		if name := string(text[begin:end]); (at+i == 0 || !nameByte(text[at+i-1])) && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		at = begin
	}
}

// Bound says what else on this host hangs on the app's name, so that the old app could
// not go: a mount of what goes with it, somebody's configuration that names its
// directory, a domain that nginx would give to another app then.
func (n Neighbours) Bound(h host.Host, files *app.Files, s app.State, to string) error {
	mounts, err := mountsOf(files, s.Name)
	if err != nil {
		return err
	}
	parts, _, err := partsOf(h, s.Name, to, mounts)
	if err != nil {
		return err
	}
	return n.bound(h, s, to, parts, mounts)
}

func (n Neighbours) bound(h host.Host, s app.State, to string, parts []Part, mounts []string) error {
	from := s.Name
	if err := mountGoes(h, from, parts, mounts); err != nil {
		return err
	}
	for _, by := range n.naming[from] {
		if by.app != to {
			return say.Hint(fmt.Errorf("%s names a file of its directory %s, which goes with the old name", by.file, h.Paths().App(from)),
				"Put the file elsewhere, or take the line out.")
		}
	}
	for _, domain := range s.Domains.Effective() {
		for _, other := range n.domains[domain] {
			// nginx takes the first that it reads.
			if other != from && other != to && (from+"/" < other+"/") != (to+"/" < other+"/") {
				return say.Hint(fmt.Errorf("%s has the domain %s too, and nginx would give it to the other of the two", other, domain),
					"%s, or: %s", say.Command("dokku domains:remove", other, domain), say.Command("dokku domains:remove", from, domain))
			}
		}
	}
	return nil
}

// mountGoes says that a mount is of what goes with the old app.
func mountGoes(h host.Host, from string, parts []Part, mounts []string) error {
	for _, dir := range append([]string{h.Paths().App(from)}, known(parts)...) {
		if among(mounts, dir) {
			return say.Hint(fmt.Errorf("a mount or docker option of it names something in %s, which goes with the old name", dir),
				"Move what is there to %s, and name that.", filepath.Join(h.Paths().LibRoot, "data", "storage", "<directory>"))
		}
	}
	return nil
}

// known are the directories that go with the old app.
func known(parts []Part) (dirs []string) {
	for _, p := range parts {
		if p.Known && p.Old != "" {
			dirs = append(dirs, p.Old)
		}
	}
	return dirs
}
