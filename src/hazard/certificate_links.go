package hazard

import (
	"errors"
	"io/fs"
	"path/filepath"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// A certificate that apps share by links is put back as the links that it was, so that
// whoever renews the shared one renews it for all: where these lead to a certificate now
// that is as good as the baseline's, for the same names and with its key. Else it is put back
// as files of the app's own. What a snapshot says of a link makes nothing else of one.

// asLinks says in a step that the baseline's certificate was links; "" where it was not.
func (s Subject) asLinks() string {
	if old := s.Old(); old != nil {
		if _, _, ok := old.LinkOf(s.Now.Name, "server.crt"); ok {
			return ", as the links that it was where they lead to one still, or as files of its own"
		}
	}
	return ""
}

// tlsLink is where an app's tls leads at present, "" where it is a directory or nothing.
func (s Subject) tlsLink() string {
	file, _ := s.Files.Get("root/" + s.Now.Name + "/tls")
	return file.Link
}

// putTLS gives an app the baseline's certificate.
func (s Subject) putTLS(h host.Host, puts []put) error {
	linked, err := s.relink(h, puts)
	if err != nil || linked {
		return err
	}
	return putAll(h, puts)
}

// relink puts the baseline's links back, and tells whether it has. Where that is not to be,
// nothing has been done.
func (s Subject) relink(h host.Host, puts []put) (bool, error) {
	old, links, pair := s.Old(), map[string]string{}, [2][]byte{}
	for i, file := range []string{"server.crt", "server.key"} {
		link, _, ok := old.LinkOf(s.Now.Name, file)
		if !ok {
			return false, nil
		}
		at := app.RealPath(s.Paths, link.Path)
		target := link.Link
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(at), target)
		}
		if filepath.Base(link.Path) == "tls" {
			if st, err := h.Lstat(at); err == nil && st.IsDir() {
				return false, nil // it is no link any more
			}
			target = filepath.Join(target, file)
		}
		data, err := h.ReadFile(target)
		if err != nil {
			return false, nil
		}
		links[at], pair[i] = link.Link, data
	}
	was := s.Before.Certificate
	is, err := app.ReadPair(pair[0], pair[1], "it")
	if err != nil || !is.KeyFits || is.NotAfter.Before(was.NotAfter) || len(is.Uncovered(was.Names)) > 0 {
		return false, nil
	}
	for _, p := range puts {
		if err := plan.Unchanged(h, p.path, p.was); err != nil {
			// Killed in the middle, it is one of the links.
			if target, isLink := h.Readlink(p.path); isLink != nil || target != links[p.path] {
				return false, err
			}
		}
	}
	for at, target := range links {
		if now, err := h.Readlink(at); err == nil && now == target {
			continue
		}
		if err := h.Mkdir(filepath.Dir(at), privateDir(filepath.Dir(at))); err != nil && !errors.Is(err, fs.ErrExist) {
			return false, err
		}
		if err := h.Link(target, at); err != nil {
			return false, err
		}
	}
	return true, nil
}
