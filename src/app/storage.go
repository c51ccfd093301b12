package app

import (
	"encoding/json"
	"strings"

	"upgrade-guard/src/pattern"
)

// From 0.38.0 on a mount is two things: a line of the property storage/APP/mounts, and the
// entry that it names, a file that apps may share
// (docs/dokku-versions.md#docker-options-and-storage).

// Mount is a line of an app's mounts.
type Mount struct {
	Entry   string   `json:"entry_name"`
	At      string   `json:"container_path"`
	Phases  []string `json:"phases"`
	Process string   `json:"process_type"`
	// Line is the whole of it.
	Line string `json:"-"`
}

// MountsPath is where the mounts of an app are, among the captured paths.
func MountsPath(app string) string { return "lib/config/storage/" + app + "/mounts" }

// Mounts are an app's mounts, and whether all of them can be read.
func (f *Files) Mounts(app string) (mounts []Mount, ok bool) {
	file, there := f.Get(MountsPath(app))
	if there && (file.Error != "" || file.Link != "") {
		return nil, false
	}
	for _, line := range f.Lines(MountsPath(app)) {
		m := Mount{Line: line}
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Entry != "" && EntryPath(m.Entry) == "" {
			return mounts, false
		}
		mounts = append(mounts, m)
	}
	return mounts, true
}

// entryName is what core takes for one.
var entryName = pattern.Of(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

const entriesDir = "lib/data/storage-registry/entries/"

// EntryPath is where a storage entry is, among the captured paths; "" for what can be none.
func EntryPath(name string) string {
	if !entryName().MatchString(name) {
		return ""
	}
	return entriesDir + name + ".json"
}

// Entry is a storage entry that can be put back: a file that says of itself what it is
// called. One bad file among them ends every command of core's that lists them.
func (f *Files) Entry(name string) (File, bool) {
	file, ok := f.Get(EntryPath(name))
	var e struct{ Name, Scheduler string }
	return file, ok && file.SHA256 != "" && json.Unmarshal(file.Data, &e) == nil && e.Name == name && e.Scheduler != ""
}

// HostPath is the directory of this host, or the volume, that a storage entry of docker's
// mounts; "" where it is not known.
func (f *Files) HostPath(entry string) string {
	var e struct {
		Scheduler string `json:"scheduler"`
		HostPath  string `json:"host_path"`
	}
	if file, ok := f.Get(EntryPath(entry)); !ok || json.Unmarshal(file.Data, &e) != nil || e.Scheduler != "" && e.Scheduler != "docker-local" {
		return ""
	}
	return e.HostPath
}

// Entries are the names of the storage entries.
func (f *Files) Entries() (names []string) {
	for _, file := range f.Under(entriesDir) {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(file.Path, entriesDir), ".json"); ok && entryName().MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}
