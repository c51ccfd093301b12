package app

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Only are the files of some apps: what belongs to them, the storage entries that their
// mounts name, and what docker said of their containers. What belongs to the host, or to
// another app, is not among them.
func (f *Files) Only(apps []string) *Files {
	wanted, entries, containers := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, name := range apps {
		wanted[name] = true
		mounts, _ := f.Mounts(name)
		for _, m := range mounts {
			entries[EntryPath(m.Entry)] = true
		}
		for _, file := range f.Under("root/" + name + "/CONTAINER") {
			containers[strings.TrimSpace(string(file.Data))] = true
		}
	}
	var list []File
	for _, file := range f.list {
		switch {
		case file.Path == dockerFacts && file.SHA256 != "":
			var kept []byte
			for line := range bytes.Lines(file.Data) {
				var c inspected
				if json.Unmarshal(line, &c) == nil && containers[c.ID] {
					kept = append(kept, line...)
				}
			}
			file.Data, file.Size, file.SHA256 = kept, len(kept), Digest(kept)
		case file.Path == dockerFacts, file.Path == "lib/VERSION", file.Path == "lib/STABLE_VERSION", entries[file.Path]:
		case !wanted[Scope(file.Path)]:
			continue
		}
		list = append(list, file)
	}
	only := NewFiles(f.Dokku, slices.DeleteFunc(slices.Clone(f.Apps), func(name string) bool { return !wanted[name] }), nil, list)
	only.Partial, only.Refused = true, f.Refused
	return only
}

// Split returns what has the files of one app alone, with those of the host: whoever looks
// at all apps one by one reads each file once. What docker said is in none: it is of
// containers, and not of settings.
func (f *Files) Split() func(name string) *Files {
	own, all := map[string][]File{}, []File(nil)
	for _, name := range f.Apps {
		own[name] = nil
	}
	for _, file := range f.list {
		scope := Scope(file.Path)
		if _, is := own[scope]; is {
			own[scope] = append(own[scope], file)
		} else if file.Path != dockerFacts {
			all = append(all, file)
		}
	}
	return func(name string) *Files {
		of := NewFiles(f.Dokku, []string{name}, f.Strays, slices.Concat(all, own[name]))
		of.Partial = true
		return of
	}
}
