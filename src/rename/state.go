package rename

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/rawjson"
	"upgrade-guard/src/say"
)

// Phases of a rename.
const (
	Build  = "build"
	Switch = "switch"
	Clean  = "clean"
	// Done is when only what the rename itself had kept is left to be removed.
	Done = "done"
)

// State is what a rename must remember when it is killed.
type State struct {
	From  string    `json:"from"`
	To    string    `json:"to"`
	Dokku string    `json:"dokku"`
	Began time.Time `json:"began"`
	Phase string    `json:"phase"`
	// Runs tells that the app has running containers: only then is the new one
	// started. Stop tells that the old one is stopped for it, because the two must
	// not run at once and the operator has asked for it.
	Runs bool `json:"runs,omitempty"`
	Stop bool `json:"stop,omitempty"`
	// Parts are the directories that are copied beside the app's own, Images the
	// tags of its images.
	Parts  []Part   `json:"parts,omitempty"`
	Images []string `json:"images,omitempty"`
	// Domains are the lines the new VHOST is to have, if Vhost says that there is to
	// be one: a missing file means something else than an empty one (docs/dokku-versions.md#domains).
	// NoVhost tells that domains are disabled.
	Vhost   bool     `json:"vhost,omitempty"`
	Domains []string `json:"domains,omitempty"`
	NoVhost bool     `json:"no_vhost,omitempty"`
	// Cron tells that the app has cron tasks, which must not be in the crontab
	// under both names.
	Cron bool `json:"cron,omitempty"`
	// Answers are what the old app answered before under its domains, Alive the ports
	// on which its containers did when they were asked themselves.
	Answers []nginx.Answer `json:"answers,omitempty"`
	Alive   []string       `json:"alive,omitempty"`
	// Links are the services that the old app is linked to.
	Links []string `json:"links,omitempty"`
	// Drain is how long the old containers are left to end what they have begun.
	Drain time.Duration `json:"drain,omitempty"`
}

// statePath is where the state of a rename is kept, keep where its copies are: on
// the apps' own filesystem, so that git's objects need no room.
func statePath(h host.Host, from string) string { return h.Paths().Data("renames", from+".json") }

func keepDir(h host.Host, from string) string {
	return filepath.Join(h.Paths().DokkuRoot, "."+host.Plugin, from)
}

func (r *Rename) keep(elem ...string) string {
	return filepath.Join(append([]string{keepDir(r.Host, r.From)}, elem...)...)
}

// Unfinished are the renames that have begun and not come to their end, by the old
// name.
func Unfinished(h host.Host) (map[string]State, error) {
	files, err := h.ReadDir(h.Paths().Data("renames"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string]State{}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		b, err := h.ReadFile(statePath(h, name))
		if err != nil {
			return nil, err
		}
		var s State
		if err := rawjson.Unmarshal(b, &s); err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", statePath(h, name), err)
		}
		found[name] = s
	}
	return found, nil
}

// Serving is the one of the two that is the app: the old one, until nginx has the new one
// in its place.
func (s State) Serving(h host.Host) string {
	_, err := h.Lstat(filepath.Join(keepDir(h, s.From), "nginx.conf"))
	if s.Phase == Clean || s.Phase == Done || s.Phase == Switch && err == nil {
		return s.To
	}
	return s.From
}

func (r *Rename) enter(phase string) error {
	r.Phase = phase
	b, err := rawjson.MarshalIndent(r.State)
	if err != nil {
		return err
	}
	return r.Host.Write(statePath(r.Host, r.From), 0o600, b)
}

// forget removes what the rename had to remember.
func (r *Rename) forget() error {
	if err := r.Host.RemoveTree(r.keep()); err != nil {
		return err
	}
	// Before the state, which tells that it is ours.
	if err := r.Host.Remove(app.DeployLock(r.Host.Paths(), r.Dokku, r.From)); err != nil {
		return err
	}
	return r.Host.Remove(statePath(r.Host, r.From))
}

// marker is a file in the new app's directory for as long as it may be taken back,
// so that no app that somebody has created is.
const marker = ".upgrade-guard-rename"

// ours tells whether what bears the new name, if anything does, is of our making.
func (r *Rename) ours() error {
	if _, err := r.Host.Lstat(r.Host.Paths().App(r.To)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if b, err := r.Host.ReadFile(filepath.Join(r.Host.Paths().App(r.To), marker)); err != nil || strings.TrimSpace(string(b)) != r.From {
		return say.Hint(fmt.Errorf("an app %s has been created since the rename of %s was cut off", r.To, r.From),
			"%s is whole. If %s is to stay too, remove %s, and %s when you need nothing of it.", r.From, r.To, statePath(r.Host, r.From), r.keep())
	}
	return nil
}
