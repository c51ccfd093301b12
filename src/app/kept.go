package app

import (
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
)

// Keeper is who keeps a small file of an app that no part of its state is read from.
type Keeper int

// The keepers.
const (
	// ByNobody: Dokku writes it anew all the time, or a part of the state is read from it,
	// or it is none of the app's.
	ByNobody Keeper = iota
	// ByBuild: a build has taken it out of the app's code, and it belongs to that code.
	ByBuild
	// ByOthers: a plugin or a person has put it there, and nothing makes it anew.
	ByOthers
)

// dokkusFiles are those in an app's directory that are Dokku's or git's, and those by
// which we quarantine a configuration. Directories end in a slash.
var dokkusFiles = pattern.Of(`^(ENV(\..*)?|VHOST|URLS?|DOKKU_SCALE.*|DOKKU_PROCFILE|nginx\.conf(\..*)?|(CONTAINER|IP|PORT)(\..+)?|DOCKER_OPTIONS_.*|` +
	`HEAD|config|description|packed-refs|[A-Z]+_HEAD|COMMIT_EDITMSG|shallow|gc\.(pid|log)|[^/]+\.lock|\.deploy\.lock|\.[^/]*[0-9]{6,}|\.[^/]*\.upgrade-guard|` +
	`(nginx\.conf\.d|tls|letsencrypt|refs|hooks|\.?cache)/.*)$`)

// builtData are the data directories that builds fill, and with which files; othersData
// those of Dokku's that are none of a restore: locks, what the letsencrypt plugin marks,
// what is left of builds, lists of dead containers.
var (
	builtData = map[string]pattern.Pattern{
		"ps": pattern.Of(`^Procfile$`), "app-json": pattern.Of(`^app\.json$`), "scheduler-docker-local": pattern.Of(`^CHECKS$`),
		"scheduler-k3s": pattern.Of(`^kustomization/`), "openresty-vhosts": pattern.Of(`^openresty-(http|location)-includes/`),
	}
	othersData = pattern.Of(`^(apps|cron|letsencrypt|nginx-vhosts|storage-registry|builder-[a-z-]+)$`)
)

// KeptBy tells who keeps a captured file of an app. It decides what a restore of the
// app's files writes: nothing but what is in the app's own directory, or in its own one of
// a plugin's, whatever a snapshot says.
func KeptBy(path, name string) Keeper {
	parts := strings.Split(path, "/")
	if name == "" || !Holds(path) || strings.HasSuffix(path, "/") || Scope(path) != name {
		return ByNobody
	}
	switch {
	case parts[0] == "root" && len(parts) > 2:
		if !dokkusFiles().MatchString(strings.Join(parts[2:], "/")) {
			return ByOthers
		}
	case parts[0] == "lib" && parts[1] == "data" && len(parts) > 4:
		built, is := builtData[parts[2]]
		switch {
		case is && built().MatchString(strings.Join(parts[4:], "/")):
			return ByBuild
		case !is && !othersData().MatchString(parts[2]):
			return ByOthers
		}
	}
	return ByNobody
}

// keepsBelow tells whether files that somebody keeps may stand below a directory.
func keepsBelow(dir, name string) bool {
	parts := strings.Split(dir, "/")
	_, built := builtData[parts[min(2, len(parts)-1)]]
	return KeptBy(dir+"x", name) != ByNobody || parts[0] == "lib" && built && Scope(dir) == name
}

// Kept are the files of an app that somebody keeps.
func (f *Files) Kept(name string, by ...Keeper) []File {
	var kept []File
	take := func(files []File) {
		for _, file := range files {
			if slices.Contains(by, KeptBy(file.Path, name)) {
				kept = append(kept, file)
			}
		}
	}
	take(f.Under("root/" + name + "/"))
	for _, ns := range f.namespaces("lib/data/") {
		take(f.Under("lib/data/" + ns + "/" + name + "/"))
		take(f.Under("lib/data/" + ns + "/app-" + name + "/"))
	}
	return kept
}

// namespaces are the names that stand next below a directory. There may be tens of
// thousands of files below one, so the list is leapt through.
func (f *Files) namespaces(dir string) (names []string) {
	for i, _ := f.find(dir); i < len(f.list); {
		rest, ok := strings.CutPrefix(f.list[i].Path, dir)
		name, _, deeper := strings.Cut(rest, "/")
		if !ok {
			break
		}
		if deeper {
			names = append(names, name)
		}
		if i++; deeper {
			i, _ = f.find(dir + name + "0") // what follows "/" in the order of characters
		}
	}
	return names
}
