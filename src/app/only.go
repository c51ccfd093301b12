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

// Split are the files of a host by app, for whoever looks at all apps one by one.
type Split struct {
	files *Files
	own   map[string][]File
	all   []File // the host's
}

// Split sorts the files by app. What docker said is in none: it is of containers, and not
// of settings.
func (f *Files) Split() Split {
	s := Split{files: f, own: map[string][]File{}}
	for _, name := range f.Apps {
		s.own[name] = nil
	}
	for _, file := range f.list {
		scope := Scope(file.Path)
		if _, is := s.own[scope]; is {
			s.own[scope] = append(s.own[scope], file)
		} else if file.Path != dockerFacts {
			s.all = append(s.all, file)
		}
	}
	return s
}

// Of are the files of one app, with those of the host; nil where it is not there.
func (s Split) Of(name string) *Files {
	own, there := s.own[name]
	if !there {
		return nil
	}
	of := NewFiles(s.files.Dokku, []string{name}, s.files.Strays, slices.Concat(s.all, own))
	of.Partial = true
	return of
}

// Same tells that all files of an app are there in both, and the same.
func (s Split) Same(o Split, name string) bool {
	return len(s.own[name]) > 0 && len(o.own[name]) > 0 && s.files.Dokku == o.files.Dokku && slices.EqualFunc(s.own[name], o.own[name], func(a, b File) bool {
		return a.Path == b.Path && a.SHA256 == b.SHA256 && a.Link == b.Link && a.Error == "" && b.Error == ""
	})
}
