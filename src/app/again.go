package app

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/host"
)

// Again are these files and this state where some apps were captured once more: what
// belongs to those is as it is now, all else as it was. It is not ok where what belongs to
// the host, by which every app is read, is not as it was, or docker does not answer.
func (h Host) Again(f *Files, names []string, captured *Files) (files *Files, now Host, ok bool) {
	again, containers := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		again[name] = true
		for _, c := range h.Apps[name].Containers {
			containers[c.ID] = true
		}
	}
	fresh, read := map[string]File{}, Read(captured)
	for _, file := range captured.list {
		fresh[file.Path] = file
	}
	var list []File
	asked := false
	for _, file := range f.list {
		new, there := fresh[file.Path]
		switch {
		case file.Path == dockerFacts:
			list, asked = append(list, file.joined(containers, fresh[dockerFacts])), true
		case ofHost(file.Path) && (!there || new.SHA256 != file.SHA256 || new.Error != file.Error || new.Link != file.Link):
			return nil, h, false
		case !there && !again[Scope(file.Path)]:
			list = append(list, file)
		}
	}
	for path := range fresh {
		if _, known := f.lookUp(path); !known && ofHost(path) {
			return nil, h, false
		}
	}
	if !asked || h.DockerMissing+read.DockerMissing != "" || captured.Dokku != f.Dokku {
		return nil, h, false
	}
	delete(fresh, dockerFacts)
	list = slices.AppendSeq(list, maps.Values(fresh))
	now = h
	now.Apps = maps.Clone(h.Apps)
	maps.DeleteFunc(now.Apps, func(name string, _ State) bool { return again[name] })
	maps.Copy(now.Apps, read.Apps)
	files = NewFiles(f.Dokku, slices.Sorted(maps.Keys(now.Apps)), f.Strays, list)
	files.Time, files.asked = f.Time, f.asked
	return files, now, true
}

// ofHost tells the files of the host itself that are captured with whichever app.
func ofHost(path string) bool {
	switch path {
	case "root/ENV", "root/VHOST", "root/HOSTNAME", "lib/VERSION", "lib/STABLE_VERSION":
		return true
	}
	return strings.HasPrefix(path, "lib/config/") && strings.Contains(path, "/"+host.GlobalScope+"/")
}

// joined is what docker has said of containers, with its newer word on some of them.
func (f File) joined(some map[string]bool, newer File) File {
	kept := slices.Clone(newer.Data)
	for line := range bytes.Lines(f.Data) {
		var c struct{ ID string }
		if json.Unmarshal(line, &c) == nil && !some[c.ID] {
			kept = append(kept, line...)
		}
	}
	f.Data, f.Size, f.SHA256 = kept, len(kept), Digest(kept)
	return f
}
