package rename

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// linkFiles are the files in which the database plugins keep, for each of their services,
// which apps use it: what they go by in :destroy, :unlink and :links.
func linkFiles(h host.Host) (names []string, unread []error) {
	services, unread := app.Services(h)
	for _, s := range services {
		names = append(names, filepath.Join(app.ServicesDir(h.Paths()), s, "LINKS"))
	}
	return names, unread
}

// Linked are the services that an app is linked to, as plugin and service: "postgres
// orders".
func Linked(h host.Host, name string) (services []string, err error) {
	files, unread := linkFiles(h)
	if err = errors.Join(unread...); err != nil {
		err = fmt.Errorf("which apps a service is linked to is not known: %w", err)
	}
	for _, f := range files {
		b, readErr := h.ReadFile(f)
		if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("which apps a service is linked to is not known: %w", readErr))
		}
		if slices.Contains(strings.Split(string(b), "\n"), name) {
			services = append(services, serviceOf(f))
		}
	}
	return services, err
}

func serviceOf(file string) string {
	dir := filepath.Dir(file)
	return filepath.Base(filepath.Dir(dir)) + " " + filepath.Base(dir)
}

// CarryLinks is carryLinks for Dokku's own apps:rename, while the old app is there.
func CarryLinks(h host.Host, from, to string) error {
	denied, err := carryLinks(h, from, to, nil, false)
	return errors.Join(denied, err)
}

// carryLinks has every service that the old app is linked to linked to the new one too,
// and, when the old one has gone, to that no more. The plugins do the first since
// September 2021 (postgres 1.14.1), and up to then nothing: the service is linked to
// nobody then, and :destroy does not refuse (dokku-redis#142). They do the second in every
// release, with the name as a pattern: that of "a.b" takes "a-b" along. denied is what is
// not ours to read or write, apart from what a later run may do better.
func carryLinks(h host.Host, from, to string, linked []string, gone bool) (denied, failed error) {
	fail := func(err error) {
		if errors.Is(err, fs.ErrPermission) {
			denied = errors.Join(denied, err)
		} else {
			failed = errors.Join(failed, err)
		}
	}
	files, unread := linkFiles(h)
	for _, err := range unread {
		fail(err)
	}
	for _, f := range files {
		b, err := h.ReadFile(f)
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && slices.Contains(linked, serviceOf(f))) {
			if !errors.Is(err, fs.ErrNotExist) {
				fail(err)
			}
			continue
		}
		lines := strings.Split(string(b), "\n")
		was := slices.Contains(lines, from)
		wanted := was || slices.Contains(linked, serviceOf(f))
		if !wanted || slices.Contains(lines, to) && !(gone && was) {
			continue
		}
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" || l == to || gone && l == from })
		lines = append(lines, to)
		slices.Sort(lines) // as they keep it
		mode := fs.FileMode(0o644)
		if st, err := h.Lstat(f); err == nil {
			mode = st.Mode().Perm()
		}
		if err := h.Write(f, mode, []byte(strings.Join(lines, "\n")+"\n")); err != nil {
			fail(fmt.Errorf("%s wants the line %s: %w", f, to, err))
		}
	}
	return denied, failed
}
