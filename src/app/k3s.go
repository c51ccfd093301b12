package app

import (
	"encoding/json"
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
)

// k3sMaps are the properties of the k3s scheduler that are one for each kind of resource of
// a process type: annotations and labels. Up to 0.38.14 they are a list of "name: value",
// from 0.38.15 on a JSON map (docs/dokku-versions.md#the-k3s-scheduler).
var k3sMaps = pattern.Of(`^lib/config/scheduler-k3s/[^/]+/(labels\.)?(.+)\.(certificate|cronjob|deployment|ingress|job|keda_scaled_object|keda_secret|` +
	`keda_trigger_authentication|pod|secret|service|serviceaccount|traefik_ingressroute|traefik_middleware)$`)

// k3sOthers begin the names of properties that end like those and are none.
var k3sOthers = pattern.Of(`^lib/config/scheduler-k3s/[^/]+/(chart\.|chart-overrides\.|node-profile-|node-sysctls\.|trigger-auth\.)`)

// mapsSince is the version from which on they are maps.
const mapsSince = "0.38.15"

// IsK3sMap tells whether a captured path is such a property.
func IsK3sMap(path string) bool { return k3sMaps().MatchString(path) && !k3sOthers().MatchString(path) }

// K3sProperty is a property of one version's as another version keeps it: the same for all
// but those maps, and for what is neither a list nor a map.
func K3sProperty(file File, from, to string) []byte {
	if !IsK3sMap(file.Path) || Before(from, mapsSince) == Before(to, mapsSince) {
		return file.Data
	}
	if Before(from, mapsSince) {
		if made := K3sMap(file.Data); made != nil {
			return made
		}
		return file.Data
	}
	pairs := map[string]string{}
	if json.Unmarshal(file.Data, &pairs) != nil {
		return file.Data
	}
	var lines []string
	for name, value := range pairs {
		if strings.Contains(value, "\n") {
			return file.Data // no list has it
		}
		lines = append(lines, name+": "+value+"\n")
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, ""))
}

// K3sPairs are the pairs of such a list; nil where the file is a map already. A value with
// a newline, which configuration-snippet mostly has, stands there as several lines, which
// are not to be read again: at one that is no pair each deploy stops, and the installation
// of 0.38.15 and later. Here they are the value that they were; bad are lines before any.
func K3sPairs(data []byte) (pairs map[string]string, stops bool, bad []string) {
	if len(data) == 0 || json.Unmarshal(data, &map[string]string{}) == nil {
		return nil, false, nil
	}
	pairs = map[string]string{}
	last := ""
	for line := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
		name, value, ok := strings.Cut(line, ": ")
		stops = stops || !ok && strings.TrimSuffix(line, "\r") != ""
		switch {
		case ok && (last == "" || pairName().MatchString(name)):
			last, pairs[name] = name, value
		case last != "":
			pairs[last] += "\n" + line
		case line != "":
			bad = append(bad, line)
		}
	}
	return pairs, stops, bad
}

// pairName is what kubernetes takes for the name of an annotation or a label.
var pairName = pattern.Of(`^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// K3sMap is such a list as the map that 0.38.15 and later keep; nil where it is one, or
// cannot be made one.
func K3sMap(data []byte) []byte {
	pairs, _, bad := K3sPairs(data)
	if pairs == nil || len(bad) > 0 {
		return nil
	}
	for name := range pairs {
		pairs[name] = strings.TrimRight(pairs[name], "\n")
	}
	made, _ := json.Marshal(pairs)
	return made
}

// HasK3sOverride tells whether a value that was set for one of the k3s scheduler's charts,
// up to 0.38.14 a property chart.CHART.KEY, is in the map that there is for it since.
func (f *Files) HasK3sOverride(was File) bool {
	rest, ok := strings.CutPrefix(was.Path, "lib/config/scheduler-k3s/--global/chart.")
	chart, key, _ := strings.Cut(rest, ".")
	if !ok || Before(f.Dokku, mapsSince) {
		return false
	}
	values := map[string]string{}
	file, _ := f.Get("lib/config/scheduler-k3s/--global/chart-overrides." + chart)
	return json.Unmarshal(file.Data, &values) == nil && values[key] == string(was.Data)
}
