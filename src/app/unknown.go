package app

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"upgrade-guard/src/host"
)

// Part is a part of the state of an app, or of the host, as restore names them. What
// an app is served by (PartProxy) is none that can be restored by itself.
type Part string

// The parts.
const (
	PartScale         Part = "scale"
	PartEnv           Part = "env"
	PartDockerOptions Part = "docker-options"
	PartDomains       Part = "domains"
	PartPorts         Part = "ports"
	PartCertificate   Part = "certs"
	PartLetsencrypt   Part = "letsencrypt"
	PartProperties    Part = "properties"
	PartNginx         Part = "nginx"
	PartFiles         Part = "files"
	PartProxy         Part = "proxy"
)

// Parts are all of them but PartFiles: nothing is read from those, so what is not known of
// them is no gap in the state.
var Parts = []Part{PartScale, PartEnv, PartDockerOptions, PartDomains, PartPorts, PartCertificate, PartLetsencrypt, PartProperties, PartNginx, PartProxy}

// String is the part in words.
func (p Part) String() string {
	switch p {
	case PartEnv:
		return "environment"
	case PartDockerOptions:
		return "docker options"
	case PartPorts:
		return "port map"
	case PartCertificate:
		return "certificate"
	case PartLetsencrypt:
		return "letsencrypt settings and files"
	case PartNginx:
		return "nginx configuration"
	case PartProxy:
		return "proxy settings"
	}
	return string(p)
}

// NotKnown stands in place of a digest for a file that is there, or may be, and
// whose content was not captured. It is no digest, and not the "" of a file that is
// not there: what is written in place of nothing is not written in its place.
const NotKnown = "not known"

// placesOf are the files from which a part of the state is read; all below, for one
// that ends in a slash.
func (f *Files) placesOf(scope string, p Part) []string {
	root, props := "root/"+scope+"/", func(namespace, name string) string { return "lib/config/" + namespace + "/" + scope + "/" + name }
	if scope == host.GlobalScope {
		root = "root/"
	}
	switch p {
	case PartScale:
		return []string{root + "DOKKU_SCALE", props("ps", "scale")}
	case PartEnv:
		places := []string{f.EnvPath(scope)}
		if !Before(f.Dokku, "0.38.0") {
			places = append(places, props("config", "env-migrated"))
		}
		return places
	case PartDomains:
		return []string{root + "VHOST", "root/VHOST", "root/HOSTNAME"}
	case PartPorts:
		places := []string{props("ports", "map"), props("ports", "map-detected")}
		if Before(f.Dokku, "0.31.0") {
			places = append(places, f.placesOf(scope, PartEnv)...)
		}
		return places
	case PartProxy:
		places := []string{props("network", "bind-all-interfaces"), props("network", "static-web-listener"), props("scheduler", "selected")}
		if Before(f.Dokku, "0.38.0") {
			return append(places, append(f.placesOf(scope, PartEnv), f.EnvPath(host.GlobalScope))...)
		}
		for _, name := range []string{"type", "disabled", "proxy-port", "proxy-ssl-port"} {
			places = append(places, props("proxy", name))
		}
		return append(places, "lib/config/proxy/"+host.GlobalScope+"/type")
	case PartDockerOptions:
		var places []string
		for _, phase := range []string{"build", "deploy", "run"} {
			places = append(places, DockerOptionsPath(f.Dokku, scope, phase))
		}
		if !Before(f.Dokku, "0.38.0") {
			places = append(places, props("docker-options", ""), props("storage", "mounts"), props("ps", "restart-policy"))
		}
		return places
	case PartCertificate:
		return []string{root + "tls/"}
	case PartLetsencrypt:
		places := []string{props("letsencrypt", "")}
		if scope == host.GlobalScope {
			return append(places, "lib/data/letsencrypt/", pluginFact)
		}
		return append(places, root+"letsencrypt/")
	case PartNginx:
		return []string{root + "nginx.conf", root + "nginx.conf.d/", "lib/data/nginx-vhosts/app-" + scope + "/"}
	}
	return nil // PartProperties: those of all namespaces
}

// isOf tells whether a path is one of a part's files, stands in the place of one, or is a
// directory above one.
func (f *Files) isOf(path, scope string, p Part) bool {
	if p == PartFiles {
		return KeptBy(path, scope) != ByNobody || strings.HasSuffix(path, "/") && keepsBelow(path, scope)
	}
	if p == PartProperties {
		parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
		isDir := strings.HasSuffix(path, "/")
		return strings.HasPrefix(path, "lib/config/") && (len(parts) > 3 && parts[3] == scope || len(parts) <= 3 && isDir)
	}
	path = strings.TrimSuffix(path, "/")
	return slices.ContainsFunc(f.placesOf(scope, p), func(place string) bool {
		return path == strings.TrimSuffix(place, "/") || strings.HasPrefix(place, path+"/") || strings.HasSuffix(place, "/") && strings.HasPrefix(path, place)
	})
}

// Unknown are the parts of an app's state, or of the host's, that these files do not
// hold, each with the reason: a file of it could not be read or was left out. Such a
// part is not known, which is not the same as empty.
func (f *Files) Unknown(scope string) map[Part]string {
	if len(f.failed) == 0 {
		return nil
	}
	if read, ok := f.unknown.Load(scope); ok {
		return read.(map[Part]string)
	}
	unknown := map[Part]string{}
	for _, p := range Parts {
		failed := f.FailedOf(scope, p)
		if len(failed) == 0 {
			continue
		}
		unknown[p] = failed[0].Reason()
		if path := Shown(failed[0].Path); !strings.HasSuffix(path, "/ENV") {
			unknown[p] = path + ": " + unknown[p]
		}
	}
	f.unknown.Store(scope, unknown)
	return unknown
}

// notCaptured are the files whose content is not in a list: those that could not be
// read, those that were left out, and links, which are not followed. Those that the
// letsencrypt plugin makes are read as what they point to (Served), or lost with it.
func notCaptured(list []File) []File {
	var failed []File
	facts := map[string]bool{}
	from, _ := slices.BinarySearchFunc(list, linkedFacts, func(a File, p string) int { return strings.Compare(a.Path, p) })
	for _, file := range list[from:] {
		if !strings.HasPrefix(file.Path, linkedFacts) {
			break
		}
		facts[file.Path] = true
	}
	for _, file := range list {
		if file.Link != "" && !isLinked(file, facts) && !file.Mode.IsDir() && !strings.Contains(file.Path, "/letsencrypt/") && !strings.Contains(file.Link, "/letsencrypt/certs/") {
			file.Error = leftOut + "a link, which is not followed"
		}
		if file.Error != "" {
			failed = append(failed, file)
		}
	}
	return failed
}

// byName sorts files by the names in their paths, so that those of one app are found
// among those of a thousand; those that belong to all are under "".
func byName(files []File) map[string][]File {
	named := map[string][]File{}
	for _, file := range files {
		parts := namesIn(file.Path)
		if ofAll(parts) {
			named[""] = append(named[""], file)
			continue
		}
		for i, name := range parts[1:] {
			if !slices.Contains(parts[1:i+1], name) {
				named[name] = append(named[name], file)
			}
		}
	}
	return named
}

func namesIn(path string) []string { return strings.Split(strings.TrimSuffix(path, "/"), "/") }

// ofAll tells by the names in a path that it belongs to no app alone.
func ofAll(parts []string) bool {
	return len(parts) < 3 || parts[0] == "lib" && len(parts) < 4 || slices.Contains(parts, host.GlobalScope)
}

// failedNear goes through the files whose content was not captured and that may belong to a
// scope, each once, the host's own first: each app looks at its own, and not at those of
// thousands.
func (f *Files) failedNear(scope string, look func(File)) {
	for _, name := range []string{"", scope, "app-" + scope} {
		for _, file := range f.failedAt[name] {
			if name != "app-"+scope || !slices.Contains(namesIn(file.Path), scope) {
				look(file)
			}
		}
	}
}

// FailedOf are the files of a part whose content was not captured.
func (f *Files) FailedOf(scope string, p Part) (failed []File) {
	f.failedNear(scope, func(file File) {
		if f.isOf(file.Path, scope, p) {
			failed = append(failed, file)
		}
	})
	return failed
}

// Shown is a captured path as it is told: without the root that all have.
func Shown(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(path, "/"), "root/"), "lib/")
}

// Reason is why a file could not be read, or is left out.
func (f File) Reason() string { return strings.TrimPrefix(f.Error, leftOut) }

// NotHeld are the files that these do not hold, in words, Dokku's own first, and no
// more than most of them: the last line counts the rest.
func (f *Files) NotHeld(most int) []string {
	var own, others []string
	for _, file := range f.failed {
		if !file.LeftOut() {
			continue // it makes a snapshot incomplete, and is named for that
		}
		line := fmt.Sprintf("%s (%s)", Shown(file.Path), file.Reason())
		if f.ofDokku(file.Path) {
			own = append(own, line)
		} else {
			others = append(others, line)
		}
	}
	lines := append(own, others...)
	if len(lines) > most {
		lines = append(lines[:most:most], fmt.Sprintf("%d more", len(lines)-most))
	}
	return lines
}

// ofDokku tells whether a path belongs to a part of some app's state, or the host's.
func (f *Files) ofDokku(path string) bool {
	scopes := []string{host.GlobalScope}
	for _, name := range strings.Split(path, "/") {
		scopes = append(scopes, strings.TrimPrefix(name, "app-"))
	}
	return slices.ContainsFunc(scopes, func(scope string) bool { return scope != "" && f.ofPart(path, scope) })
}

func (f *Files) ofPart(path, scope string) bool {
	return slices.ContainsFunc(Parts, func(p Part) bool { return f.isOf(path, scope, p) })
}

// notThere tells that there is no file of that name.
func notThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// reason is an error without the path that it is about.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
