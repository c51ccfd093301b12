package app

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"upgrade-guard/src/host"
)

// ServicesDir is where the datastore plugins keep their services, with their data and the
// apps that use them: plugin/service.
func ServicesDir(p host.Paths) string { return filepath.Join(p.LibRoot, "services") }

// Services are the services of the datastore plugins, as plugin/service, and what of them
// could not be read: a service in there is not known to be gone.
func Services(h host.Host) (list []string, unread []error) {
	base := ServicesDir(h.Paths())
	read := func(dir string) []fs.DirEntry {
		entries, err := h.ReadDir(dir)
		// A file beside them is no plugin.
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			unread = append(unread, err)
		}
		return entries
	}
	for _, plugin := range read(base) {
		for _, service := range read(filepath.Join(base, plugin.Name())) {
			// A service may be a link to another disk; a file beside them is none.
			st, err := h.Stat(filepath.Join(base, plugin.Name(), service.Name()))
			switch {
			case err == nil && st.IsDir():
				list = append(list, plugin.Name()+"/"+service.Name())
			case err != nil && !errors.Is(err, fs.ErrNotExist):
				unread = append(unread, err)
			}
		}
	}
	return list, unread
}
