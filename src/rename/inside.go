package rename

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// moved is a directory of the old app's, and the new one's in its place.
type moved struct{ old, new string }

// inside is what is changed in the copies of an app's files: where they name what goes
// with the old app. http-auth, maintenance and many a snippet written by hand name files
// in the app's directory by their whole path, and nginx does not miss a password file
// until somebody gives a password (dokku-http-auth#15, dokku-maintenance#19).
type inside struct {
	h        host.Host
	from, to string
	paths    []moved
}

// insideOf is inside for an app with these parts. Storage is none of them, and paths to
// it stay.
func insideOf(h host.Host, from, to string, parts []Part) inside {
	i := inside{h, from, to, []moved{{h.Paths().App(from), h.Paths().App(to)}}}
	for _, p := range parts {
		base := from
		if filepath.Base(p.New) == "app-"+to {
			base = "app-" + from
		}
		i.paths = append(i.paths, moved{filepath.Join(filepath.Dir(p.New), base), p.New})
	}
	return i
}

// settled are the parts of Dokku's own in which a path of the host's may stand. In the
// others it would be one within a container, or a mount, and a mount stays where the
// data is. Of what other plugins keep nothing is known.
var settled = []string{"nginx", "nginx-vhosts", "openresty"}

// of is inside for a part: nothing is changed in what is not to be.
func (i inside) of(p Part) inside {
	if p.Known && !slices.Contains(settled, filepath.Base(filepath.Dir(p.New))) {
		i.paths = nil
	}
	return i
}

// asTheyAre are files in an app's directory in which a path means another place: one
// within the container, or a mount's.
var asTheyAre = pattern.Of(`^(ENV|DOCKER_OPTIONS_[^/]*)$`)

// content is what a file holds for the new app.
func (i inside) content(rel string, b []byte) []byte {
	if rel == "hooks/pre-receive" && len(i.paths) > 0 {
		b = hookOf(b, i.from, i.to)
	}
	if asTheyAre().MatchString(rel) || bytes.IndexByte(b, 0) >= 0 {
		return b
	}
	for _, m := range i.paths {
		b = replacePath(b, m.old, m.new)
	}
	return b
}

// names tells whether a text names anything that goes with the old app.
func (i inside) names(text []byte) bool { return !bytes.Equal(i.content("", text), text) }

// replacePath replaces a path where it is a whole one, or the beginning of a longer one
// that goes on with a slash. Everything else stays, byte for byte.
func replacePath(b []byte, old, new string) []byte {
	if !bytes.Contains(b, []byte(old)) {
		return b
	}
	var out []byte
	for {
		n := bytes.Index(b, []byte(old))
		if n < 0 {
			return append(out, b...)
		}
		end := n + len(old)
		out = append(out, b[:n]...)
		begins := len(out) == 0 || !nameByte(out[len(out)-1])
		ends := end == len(b) || endOfName(b[end])
		if begins && ends {
			out = append(out, new...)
		} else {
			out = append(out, old...)
		}
		b = b[end:]
	}
}

// endOfName tells whether a byte ends a directory's name in a path.
func endOfName(c byte) bool { return c <= ' ' || strings.IndexByte("/;:,\"')}>|&`", c) >= 0 }

// nameByte tells whether a byte before a slash makes a path the end of a longer one.
func nameByte(c byte) bool {
	return c >= 0x80 || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("._-~+@%}", c) >= 0
}

// hookOf is hooks/pre-receive with the new app's name in it.
func hookOf(hook []byte, from, to string) []byte {
	parts := strings.Split(string(hook), "git-hook ")
	for i, part := range parts[1:] {
		quote := part[:min(1, len(part))]
		if quote != `"` && quote != "'" {
			quote = ""
		}
		after, named := strings.CutPrefix(part[len(quote):], from)
		if end := strings.TrimLeft(after, `"'`); named && len(after)-len(end) < 2 && (end == "" || strings.TrimSpace(end[:1]) == "") {
			parts[i+1] = quote + to + after
		}
	}
	return []byte(strings.Join(parts, "git-hook "))
}

// rename makes a copy of a directory of the old app's the new one's.
func (i inside) rename(dir string) error {
	h := i.h
	return walk(h, dir, func(rel string, e fs.DirEntry) error {
		name := filepath.Join(dir, rel)
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			target, err := h.Readlink(name)
			if err != nil {
				return err
			}
			// letsencrypt's certs/current is an absolute link, and so was
			// tls/server.crt up to letsencrypt 0.8.2.
			if to := string(i.content("", []byte(target))); to != target {
				return h.Link(to, name)
			}
			return nil
		case !e.Type().IsRegular():
			return nil
		}
		b, err := i.read(name)
		if err != nil || b == nil {
			return err
		}
		changed := i.content(rel, b)
		if bytes.Equal(changed, b) {
			return nil
		}
		st, err := h.Lstat(name)
		if err != nil {
			return err
		}
		return h.Write(name, st.Mode().Perm(), changed)
	})
}

// read reads a file in which something may be changed; nil for what is too large for
// anything that names a path.
func (i inside) read(name string) ([]byte, error) {
	st, err := i.h.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (st.Size() > app.MaxFile || len(i.paths) == 0) {
		return nil, nil // somebody's temporary file
	}
	if err != nil {
		return nil, err
	}
	return i.h.ReadFile(name)
}

// missing names what the old directory has and the new one has not, or not so.
func (i inside) missing(old, new string, skip func(rel string) bool) ([]string, error) {
	var names []string
	err := walk(i.h, old, func(rel string, e fs.DirEntry) error {
		if skip != nil && (skip(rel) || slices.ContainsFunc(parents(rel), skip)) || e.IsDir() {
			return nil
		}
		same, err := i.same(old, new, rel)
		if err == nil && !same {
			names = append(names, filepath.Join(new, rel))
		}
		return err
	})
	return names, err
}

func parents(rel string) []string {
	var up []string
	for d := filepath.Dir(rel); d != "."; d = filepath.Dir(d) {
		up = append(up, d)
	}
	return up
}

// same tells whether a file of the new app's is what it is to be.
func (i inside) same(oldDir, newDir, rel string) (bool, error) {
	h, old, new := i.h, filepath.Join(oldDir, rel), filepath.Join(newDir, rel)
	was, err := h.Lstat(old)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), nil // somebody's temporary file
	}
	now, err := h.Lstat(new)
	if err != nil {
		return false, nil
	}
	if was.Mode() != now.Mode() {
		return false, nil
	}
	if was.Mode()&fs.ModeSymlink != 0 {
		a, err := h.Readlink(old)
		if err != nil {
			return false, err
		}
		b, err := h.Readlink(new)
		return string(i.content("", []byte(a))) == b, err
	}
	a, err := i.read(old)
	if err != nil {
		return false, err
	}
	if a == nil {
		return sameContent(h, old, new, was.Size())
	}
	b, err := h.ReadFile(new)
	return err == nil && bytes.Equal(i.content(rel, a), b), err
}

// sameContent compares files of whatever size they have, and no growing end.
func sameContent(h host.Host, old, new string, size int64) (bool, error) {
	var sums [2]string
	for i, name := range []string{old, new} {
		f, err := h.Open(name)
		if err != nil {
			return false, err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, io.LimitReader(f, size+1))
		if err = errors.Join(err, f.Close()); err != nil {
			return false, err
		}
		sums[i] = string(sum.Sum(nil))
	}
	return sums[0] == sums[1], nil
}
