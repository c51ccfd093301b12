package guard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// An app that this host does not have is made anew, as a snapshot has it: of another host,
// or of this one before it was destroyed.

// creating is what making one app anew would do.
type creating struct {
	name     string // here
	was      string // in the snapshot
	from     string // the snapshot
	old      *app.Files
	begun    bool              // by a run that was cut off
	taken    map[string]string // which app of this host has a domain
	services map[string]bool   // of this host, nil where they are not known
}

// Create makes an app that this host does not have, and puts it back as a snapshot has it.
// as is what it is to be called, "" for its own name or the nearest that this Dokku takes.
// Nothing is deployed: what is left for a person is told, each with its command.
func (g *Guard) Create(ctx context.Context, name, as string, o RestoreOptions) error {
	id, err := g.createPoint(name, o.Snapshot)
	if err != nil {
		return err
	}
	old, err := g.Store.Files(id)
	if err != nil {
		return err
	}
	c, err := g.planCreate(id, old, name, as)
	if err != nil {
		return err
	}
	return g.createEach(ctx, o, c.name, c)
}

// CreateAll is Create for each app of a snapshot that this host does not have.
func (g *Guard) CreateAll(ctx context.Context, o RestoreOptions) error {
	id, err := g.createPoint("", o.Snapshot)
	if err != nil {
		return err
	}
	old, err := g.Store.Files(id)
	if err != nil {
		return err
	}
	if len(old.Apps) == 0 {
		return fmt.Errorf("the snapshot %s holds no app", id)
	}
	for _, l := range old.Refused {
		g.Out.Trouble("%s", l)
	}
	each := old.Split()
	var list []creating
	var failure error
	for _, name := range old.Apps {
		c, err := g.planCreate(id, each.Of(name), name, "")
		if there := (thereAlready{}); errors.As(err, &there) {
			g.Out.Detail("%s is there already, and left as it is. To see what differs: %s", there.name, say.Command("dokku upgrade-guard:diff", id, Now, "--app", there.name))
			continue
		}
		if err != nil {
			failure = joined(failure, fmt.Errorf("%s: %w", name, err))
			continue
		}
		if slices.ContainsFunc(list, func(o creating) bool { return o.name == c.name }) {
			failure = joined(failure, say.Hint(fmt.Errorf("%s: another app of the snapshot is called %s here", name, c.name), "%s NAME", say.Command("dokku upgrade-guard:restore", name, "--create", "--snapshot", id, "--as")))
			continue
		}
		list = append(list, c)
	}
	if err := joined(failure, g.createEach(ctx, o, strconv.Itoa(len(list)), list...)); err != nil || o.DryRun || len(list) == 0 {
		return err
	}
	if !old.Partial {
		g.Out.Detail("What belongs to no app (global domain, environment, properties) is not touched. To see what that snapshot has of it: %s", say.Command("dokku upgrade-guard:restore", "--global", "--snapshot", id, "--dry-run"))
	}
	return nil
}

// thereAlready is the error of an app that this host has.
type thereAlready struct{ name string }

func (e thereAlready) Error() string { return "there is an app " + e.name + " already" }

// createPoint is the snapshot that an app is made from, or that all are where no app is
// named. Where none is named either it is the newest that holds the app, of this host
// before those of others.
func (g *Guard) createPoint(name, id string) (string, error) {
	if id != "" {
		return g.named(id, name)
	}
	list, err := g.Store.All()
	if err != nil {
		return "", err
	}
	if name != "" {
		list = append(slices.DeleteFunc(slices.Clone(list), func(e snapshot.Entry) bool { return e.From != "" }),
			slices.DeleteFunc(slices.Clone(list), func(e snapshot.Entry) bool { return e.From == "" })...)
	} else if list = slices.DeleteFunc(list, func(e snapshot.Entry) bool { return e.From == "" }); len(list) == 0 {
		return "", say.Hint(errors.New("no snapshot of another host is here, and which of this host's is meant has to be said"), "dokku upgrade-guard:restore --all --create --snapshot <id>")
	}
	for _, e := range list {
		m, err := g.Store.Manifest(e.ID)
		if err != nil {
			g.Out.Error(err)
			continue
		}
		if name == "" || slices.Contains(m.Apps, name) {
			return e.ID, nil
		}
	}
	return "", say.Hint(fmt.Errorf("no snapshot holds %s", name), "See dokku upgrade-guard:snapshots for those there are.")
}

// planCreate finds out whether an app can be made anew.
func (g *Guard) planCreate(id string, old *app.Files, name, as string) (c creating, err error) {
	dokku, _, err := g.versions()
	if err != nil {
		return c, err
	}
	if as != "" && !app.CreatesName(dokku, as) {
		return c, say.Hint(fmt.Errorf("%s is no name that Dokku %s takes for a new app", as, dokku), "Another: --as %s", cmp.Or(app.NearestName(as), "NAME"))
	}
	c = creating{name: as, was: name, from: id, old: old}
	if !slices.Contains(c.old.Apps, name) {
		return c, say.Hint(fmt.Errorf("the snapshot %s does not hold %s", id, name), "It holds: %s.", strings.Join(c.old.Apps, ", "))
	}
	switch {
	case c.name != "":
	case !app.Before(dokku, "0.38.0") && slices.Contains(app.Namespaces, name):
		c.name = name + "-app" // whose destruction would take the settings of that part of Dokku along
	case app.CreatesName(dokku, name):
		c.name = name
	default:
		if c.name = app.NearestName(name); c.name == "" {
			return c, say.Hint(fmt.Errorf("%s is no name that Dokku %s takes for a new app", name, dokku), "%s NAME", say.Command("dokku upgrade-guard:restore", name, "--create", "--snapshot", id, "--as"))
		}
	}
	if c.name != name && slices.Contains(c.old.Apps, c.name) {
		c.old = c.old.Only([]string{name}) // the other one is not meant
	}
	cut, err := g.State.Restoring(c.name)
	if err != nil {
		return c, err
	}
	c.begun = slices.ContainsFunc(cut, func(r state.Restore) bool { return r.Created && r.Snapshot == id })
	if _, err := g.Host.Lstat(g.Host.Paths().App(c.name)); err == nil && !c.begun {
		return c, say.Hint(thereAlready{c.name}, "To put back its settings: %s", say.Command("dokku upgrade-guard:restore", c.name, "--snapshot", id))
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	return c, nil
}

// restoration is the app beside the snapshot, as it is or, before it is made, as it will be.
func (g *Guard) restoration(ctx context.Context, c creating) (r restore.Restoration, err error) {
	known, err := g.readState()
	if err != nil {
		return r, err
	}
	files, err := app.Capture(ctx, g.Host, app.What{Apps: []string{c.name}, NoCommands: true, Entries: true})
	if err != nil {
		return r, err
	}
	if !slices.Contains(files.Apps, c.name) {
		files = files.With(c.name)
	}
	now := app.Read(files)
	s := g.subject(files, now, c.name, c.old.Dokku, now.Dokku, known)
	names := []string{c.name}
	if c.was != c.name {
		names = append(names, c.was)
	}
	r, err = restore.New(s, c.from, names, c.old)
	r.Taken, r.Services = c.taken, c.services
	return r, err
}

// taken are the domains of all apps of this host.
func (g *Guard) taken(ctx context.Context) (map[string]string, error) {
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
	if err != nil {
		return nil, err
	}
	by := map[string]string{}
	for _, name := range files.Apps {
		for _, d := range files.Lines("root/" + name + "/VHOST") {
			by[d] = name
		}
	}
	return by, nil
}

// createEach makes apps anew, once all that is to be done was shown.
func (g *Guard) createEach(ctx context.Context, o RestoreOptions, word string, list ...creating) (failure error) {
	services := map[string]bool{}
	here, unread := app.Services(g.Host)
	for _, s := range here {
		services[s] = true
	}
	if len(unread) > 0 {
		services = nil // one of them may be there
	}
	taken, err := g.taken(ctx)
	if err != nil {
		return err
	}
	var due []creating
	for _, c := range list {
		c.taken, c.services = taken, services
		r, err := g.restoration(ctx, c)
		if err != nil {
			failure = joined(failure, fmt.Errorf("%s: %w", c.name, err))
			continue
		}
		due = append(due, c)
		from := c.from
		if origin := g.Store.Origin(c.from); origin != "" {
			from += " of " + origin
		}
		g.Out.Title("%s from %s%s", c.name, from, g.age(c.from))
		for _, l := range c.old.Refused {
			g.Out.Trouble("%s", l)
		}
		if c.was != c.name {
			g.Out.Detail("Its name there is %s, and here %s", c.was, c.name)
		}
		steps, left, failed := r.Creation()
		first := plan.Plan{{App: c.name, Mark: plan.Add, Text: "the app " + c.name}}
		if c.begun {
			g.Out.Detail("It was begun before, and not ended")
			first = nil
		}
		all := append(first, steps...)
		if g.hasCode(c.from, c.was) {
			all = append(all, plan.Step{App: c.name, Mark: plan.Add, Text: "its repository, as it came with the snapshot"})
		}
		all.Print(g.Out)
		if o.DryRun {
			g.tellLeft(c.name, left)
			failure = joined(failure, failed)
		}
	}
	if o.DryRun || len(due) == 0 {
		return failure
	}
	if o.Ask != nil {
		if err := o.Ask(word); err != nil {
			return joined(failure, err)
		}
	}
	return joined(failure, g.alone(ctx, func() error {
		var failure error
		for _, c := range due {
			if ctx.Err() != nil {
				return joined(failure, plan.ErrInterrupted)
			}
			if err := g.create(ctx, c); err != nil {
				failure = joined(failure, fmt.Errorf("%s: %w", c.name, err))
			}
		}
		return failure
	}))
}

// create makes one app. A run that is cut off is gone on with by the same command.
func (g *Guard) create(ctx context.Context, c creating) error {
	if err := g.locked(ctx, lockTimeout, func() error {
		return g.State.BeginRestore(c.name, state.Restore{Snapshot: c.from, Parts: restore.Parts, Created: true})
	}); err != nil {
		return err
	}
	if _, err := g.Host.Lstat(g.Host.Paths().App(c.name)); errors.Is(err, fs.ErrNotExist) {
		if _, err := g.Host.Run(ctx, "dokku", "--quiet", "apps:create", c.name); err != nil {
			return joined(g.notCreated(c.name, err), g.State.EndRestore(c.name, restore.Parts))
		}
	}
	if err := g.locked(ctx, lockTimeout, func() error { return g.calledThere(c) }); err != nil {
		return err
	}
	r, err := g.restoration(ctx, c)
	if err != nil {
		return err
	}
	// What cannot be planned keeps nothing else from being done, and is told at the end.
	steps, left, failed := r.Creation()
	if err := g.inStages(ctx, steps, plan.NewJournal(g.Host, restore.Name)); err != nil {
		return say.Hint(joined(failed, err), "To go on: %s", g.again(c))
	}
	// From 0.38.0 on apps:create builds a configuration that answers 502, of what there is
	// then: by now the app has other domains, or its proxy is disabled.
	if _, err := g.Host.Lstat(g.Host.Paths().App(c.name) + "/nginx.conf"); err == nil {
		if err := host.BuildProxy(ctx, g.Host, c.name); err != nil {
			failed = joined(failed, say.Hint(err, "To see why: %s", say.Command("dokku --trace proxy:build-config", c.name)))
		}
	}
	deploy, err := g.code(ctx, c.from, c.was, c.name, r)
	if err != nil {
		return say.Hint(err, "To go on: %s", g.again(c))
	}
	o, err := g.observe(ctx, c.name)
	if err != nil {
		return err
	}
	if err := g.locked(ctx, lockTimeout, func() error { return g.endRestore(c.name, restore.Parts, o.Files) }); err != nil {
		return err
	}
	known, err := g.readState()
	if err != nil {
		return err
	}
	s := g.subject(o.Files, o.Now, c.name, "", o.Now.Dokku, known)
	for _, f := range hazard.Lacking(s) {
		left = append(left, restore.Left{What: c.name + ": " + f.What + ". " + f.Consequence, Command: f.Command})
	}
	g.Out.Step("%s is made. To undo this: %s", c.name, say.Command("dokku apps:destroy", c.name))
	g.tellLeft(c.name, append(left, deploy))
	return failed
}

// notCreated is the error of an app that Dokku did not create, or only began to: one plugin's
// work on it fails, where nginx refuses another app's configuration, and that of the others
// is not done. Whether it is ours that is there, or was made by somebody else just now, is
// not known: it is left.
func (g *Guard) notCreated(name string, why error) error {
	err := fmt.Errorf("dokku apps:create %s: %w", name, why)
	if _, gone := g.Host.Lstat(g.Host.Paths().App(name)); gone != nil {
		return err
	}
	return say.Hint(err, "There is a beginning of it. Once what is in its way is mended: %s, then the same command again", say.Command("dokku apps:destroy", name))
}

// calledThere remembers by which name the snapshot knows the app, for the next restore of
// it, or diff. The caller holds the store's lock.
func (g *Guard) calledThere(c creating) error {
	if _, err := g.Host.Lstat(g.Host.Paths().App(c.was)); c.was == c.name || err == nil {
		return nil
	}
	known, err := g.readState()
	if err != nil {
		return err
	}
	known.Rename(c.was, c.name)
	return g.State.Save(known)
}

func (g *Guard) again(c creating) string {
	args := []string{c.was, "--create", "--snapshot", c.from}
	if c.was != c.name {
		args = append(args, "--as", c.name)
	}
	return say.Command("dokku upgrade-guard:restore", args...)
}

// tellLeft says what is left for a person.
func (g *Guard) tellLeft(name string, left []restore.Left) {
	if len(left) == 0 {
		return
	}
	g.Out.Title("%s: left to you", name)
	for _, l := range left {
		g.Out.Detail("%s", l.What)
		if l.Command != "" {
			g.Out.Detail("    %s", l.Command)
		}
	}
}
