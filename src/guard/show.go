package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// Shown is what a snapshot holds, without what may be a secret.
type Shown struct {
	Version int       `json:"version"` // of this shape
	Guard   string    `json:"upgrade_guard"`
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Dokku   string    `json:"dokku"`
	Reason  string    `json:"reason"`
	Label   string    `json:"label,omitempty"`
	From    string    `json:"from,omitempty"`
	// Repositories are the apps whose code lies beside it.
	Repositories []string `json:"repositories,omitempty"`
	// Incomplete names what could not be read when it was taken, LeftOut what no restore
	// would take from it.
	Incomplete []string    `json:"incomplete,omitempty"`
	LeftOut    []string    `json:"left_out,omitempty"`
	Apps       []ShownApp  `json:"apps,omitempty"`
	Files      []ShownFile `json:"files,omitempty"` // of the path that was asked for
}

// ShownApp is an app in a line.
type ShownApp struct {
	App     string   `json:"app"`
	Scale   string   `json:"scale,omitempty"`
	Domains []string `json:"domains,omitempty"`
	Ports   []string `json:"ports,omitempty"`
	Files   int      `json:"files"`
}

// ShownFile is one file. What it holds is told where that is a setting, for the variables
// of an environment one by one.
type ShownFile struct {
	Path        string          `json:"path"`
	Size        int             `json:"size"`
	Mode        string          `json:"mode"`
	Link        string          `json:"link,omitempty"`
	Error       string          `json:"error,omitempty"`
	Fingerprint string          `json:"fingerprint,omitempty"`
	Text        string          `json:"text,omitempty"`
	Variables   []ShownVariable `json:"variables,omitempty"`
}

// ShownVariable is one variable of an environment.
type ShownVariable struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Show tells what a snapshot holds: its apps, or with a path the files there.
func (g *Guard) Show(id, path string) (Shown, error) {
	full, err := g.shownID(id)
	if err != nil {
		return Shown{}, err
	}
	m, err := g.Store.Manifest(full)
	if err != nil {
		return Shown{}, err
	}
	files, err := g.Store.Files(full)
	if err != nil {
		return Shown{}, err
	}
	s := Shown{
		Version: JSONVersion, Guard: g.Version, ID: full, Time: m.Time, Dokku: m.Dokku, Reason: m.Reason, From: g.Store.Origin(full),
		Repositories: g.Store.Repositories(full), Incomplete: fewOf(m.Incomplete), LeftOut: m.Refused,
	}
	if e, ok := snapshot.Named(full); ok {
		s.Reason, s.Label = e.Reason, e.Label
	}
	if path != "" {
		s.Files, err = g.shownFiles(full, files, path)
		return s, err
	}
	held := map[string]int{}
	for _, f := range files.All() {
		if f.SHA256 != "" {
			held[app.Scope(f.Path)]++
		}
	}
	now := app.Read(files)
	for _, name := range files.Apps {
		a := now.Apps[name]
		s.Apps = append(s.Apps, ShownApp{App: name, Scale: a.EffectiveScale().String(), Domains: a.Domains.Effective(), Ports: a.Ports.Map, Files: held[name]})
	}
	return s, nil
}

// shownID is the snapshot that a person means; live/<app> is an app's live one.
func (g *Guard) shownID(id string) (string, error) {
	if name, live := strings.CutPrefix(id, "live/"); live {
		return g.named("live", name)
	}
	if id == "live" {
		return "", say.Hint(errors.New("a live snapshot is of one app"), "dokku upgrade-guard:show live/my-app")
	}
	return g.named(id, "")
}

// shownFiles are the files at a path, or below it. Before it may stand nothing or root/:
// an app's directory is what people think of.
func (g *Guard) shownFiles(id string, files *app.Files, path string) (list []ShownFile, err error) {
	path = strings.Trim(path, "/")
	environments := map[string]string{}
	for _, scope := range append(slices.Clone(files.Apps), host.GlobalScope) {
		environments[files.EnvPath(scope)] = scope
	}
	for _, at := range []string{path, "root/" + path} {
		for _, f := range files.All() {
			if f.Path == at || f.Path == at+"/" || strings.HasPrefix(f.Path, at+"/") {
				list = append(list, g.shownFile(files, f, environments))
			}
		}
		if len(list) > 0 {
			return list, nil
		}
	}
	return nil, say.Hint(fmt.Errorf("the snapshot %s has no %s", id, path), "See dokku upgrade-guard:show %s for the apps in it, and with an app's name for its files.", id)
}

func (g *Guard) shownFile(files *app.Files, f app.File, environments map[string]string) ShownFile {
	s := ShownFile{Path: f.Path, Size: f.Size, Mode: f.Mode.String(), Link: f.Link, Error: f.Reason()}
	if f.SHA256 == "" {
		return s
	}
	s.Fingerprint = g.fingerprint(app.Fingerprint(string(f.Data)))
	if scope := environments[f.Path]; scope != "" {
		values, _ := files.Environment(scope) // one that cannot be read has its fingerprint
		for _, name := range slices.Sorted(maps.Keys(values)) {
			s.Variables = append(s.Variables, ShownVariable{name, g.fingerprint(app.Fingerprint(values[name]))})
		}
	}
	if name, ok := strings.CutPrefix(f.Path, "lib/config/"); ok {
		if text, ok := hazard.Setting(name, f.Data); ok {
			s.Text = text
		}
	}
	return s
}

// ShowRaw is one file of a snapshot, byte for byte.
func (g *Guard) ShowRaw(id, path string) ([]byte, error) {
	full, err := g.shownID(id)
	if err != nil {
		return nil, err
	}
	path = strings.Trim(path, "/")
	data, err := g.Store.File(full, path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if data, under := g.Store.File(full, "root/"+path); under == nil {
		return data, nil
	}
	return nil, err
}
