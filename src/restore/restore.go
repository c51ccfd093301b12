// Package restore is what puts one app back as a snapshot has it: a plan of steps for
// each part, and what of it is not put back, and why.
package restore

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// Parts are what can be restored, in the order in which it is done: nginx's
// configuration is built from all of them, so it comes last.
var Parts = []string{"scale", "env", "docker-options", "domains", "ports", "certs", "letsencrypt", "properties", "files", "nginx"}

// Name is what the steps of a restore, and what is left of one, are told as.
const Name = "restore"

// Restoration is one app between a snapshot and the present.
type Restoration struct {
	hazard.Subject
	was    app.State
	old    *app.Files
	paths  host.Paths
	id     string // the snapshot's
	Called string // what the app was called then
	// Exact tells that variables which the snapshot does not have are taken away.
	Exact bool
	// Taken are the domains of this host's apps, of an app that is made anew.
	Taken map[string]string
	// Services are those of the datastore plugins here, plugin/service; nil where they are
	// not known.
	Services map[string]bool
	// made tells that the app has just been made: what it has is Dokku's own beginning.
	made bool
	// Unbuilt tells that nginx's configuration is to be built whatever else is done.
	Unbuilt bool
}

// New is an app as it is, beside its files in a snapshot. It may have been called
// otherwise then: names are those that it bears and has borne, the newest first.
func New(s hazard.Subject, id string, names []string, old *app.Files) (Restoration, error) {
	if old == nil {
		return Restoration{}, fmt.Errorf("the snapshot %s cannot be read", id)
	}
	name := s.Now.Name
	i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(old.Apps, n) })
	if i < 0 {
		return Restoration{}, say.Hint(fmt.Errorf("the snapshot %s does not hold %s", id, name), "It holds: %s.", strings.Join(old.Apps, ", "))
	}
	if i > 0 {
		old = old.Renamed(names[i], name)
	}
	return Restoration{Subject: s, was: app.Read(old).Apps[name], old: old, paths: s.Paths, id: id, Called: names[i]}, nil
}

// Plan is what must be written for the parts to be as in the snapshot, and what
// the operator must know of what is not. A part that is known and cannot be written is an
// error, and keeps no other from being restored.
func (r Restoration) Plan(parts []string) (steps plan.Plan, notes []string, failed error) {
	add := func(list ...*plan.Step) {
		for _, s := range list {
			if s != nil {
				s.App, s.Hazard = r.Now.Name, Name
				steps = append(steps, *s)
			}
		}
	}
	known := func(part string) bool {
		note := r.notKnown(app.Part(part))
		if note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
		return note == ""
	}
	has := func(part string) bool { return slices.Contains(parts, part) && known(part) }
	if has("scale") {
		scale := r.was.EffectiveScale()
		add(r.from(hazard.RestoreScale(r.Subject, scale), r.Now.EffectiveScale().String(), scale.String()))
	}
	if has("env") {
		step, note, err := r.environment()
		if err != nil {
			failed = fmt.Errorf("the environment of %s is not restored: %w", r.Now.Name, err)
		}
		notes = append(notes, note...)
		add(step)
		for _, c := range r.became() {
			if c.Path == "" {
				notes = append(notes, r.notRead(c))
				continue
			}
			add(r.property(c))
		}
	}
	if has("docker-options") {
		options, note := r.dockerOptions()
		add(options...)
		notes = append(notes, note...)
	}
	inNginx := len(steps)
	if has("domains") {
		put, note := r.unlessOpens(parts, "domains", r.list("domains", r.was.Domains.Names, r.Now.Domains.Names, filepath.Join(r.paths.App(r.Now.Name), "VHOST"), 0o644), r.was.Domains.Names, nil)
		notes = append(notes, note...)
		add(put)
		if known("env") { // where it is written whether they are enabled
			enabled := r.vhosts()
			if !r.was.Domains.Disabled && put == nil {
				enabled, note = r.unlessOpens(parts, "domains", enabled, nil, nil)
				notes = append(notes, note...)
			}
			add(enabled)
		}
	}
	if has("ports") {
		put, note := r.unlessOpens(parts, "ports", r.portMap(), nil, hazard.HostPorts(r.was.Ports.Map))
		notes = append(notes, note...)
		add(put)
	}
	certificate := plan.Plan(nil)
	if has("certs") {
		var note []string
		certificate, note = r.certificate()
		for i := range certificate {
			add(&certificate[i])
		}
		notes = append(notes, note...)
	}
	if has("properties") {
		add(r.properties()...)
		notes = append(notes, r.filesNotKnown(app.PartProperties)...)
	}
	if slices.Contains(parts, "properties") || slices.Contains(parts, "files") {
		entries, note := r.storageEntries(slices.Contains(parts, "properties"))
		add(entries...)
		notes = append(notes, note...)
	}
	if has("files") {
		add(r.files()...)
		notes = append(notes, r.filesNotKnown(app.PartFiles)...)
	}
	if has("nginx") {
		list, note := r.nginxFiles()
		add(list...)
		notes = append(append(notes, note...), r.filesNotKnown(app.PartNginx)...)
	}
	if (len(steps) > inNginx || r.Unbuilt) && r.Now.Deployed() {
		step, note := r.built(parts)
		if add(step); note != "" {
			notes = append(notes, note)
		}
	}
	if has("letsencrypt") {
		more, note := r.letsencrypt(len(certificate) > 0)
		for i := range more {
			add(&more[i])
		}
		notes = append(notes, note...)
	}
	return steps, slices.Compact(notes), failed
}

// list is the step for a file of lines. What the snapshot has nothing for is left
// as it is.
func (r Restoration) list(what string, was, now []string, path string, mode fs.FileMode) *plan.Step {
	if len(was) == 0 || slices.Equal(was, now) {
		return nil
	}
	step := &plan.Step{
		Mark: plan.Add, Text: what + " " + strings.Join(was, " "),
		Path: path, Mode: mode, Data: []byte(strings.Join(was, "\n") + "\n"), Was: r.Digest(path),
	}
	return r.from(step, strings.Join(now, " "), strings.Join(was, " "))
}

// from says what a step replaces, where a person may have set it.
func (r Restoration) from(step *plan.Step, now, becomes string) *plan.Step {
	if r.made {
		return step
	}
	return step.From(now, becomes)
}

// buildConfig is the step that has Dokku write nginx's configuration anew.
func buildConfig(name string) *plan.Step {
	return &plan.Step{
		Mark: plan.Change, Text: hazard.TextBuild, Stage: plan.Build,
		Do: func(ctx context.Context, h host.Host) error {
			if err := host.BuildProxy(ctx, h, name); err != nil {
				return say.Hint(err, "What was restored is in place. To see why: %s", say.Command("dokku --trace proxy:build-config", name))
			}
			return nil
		},
	}
}
