package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/packages"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// errNoBaseline says that the baseline could not be stored.
var errNoBaseline = errors.New("no baseline could be stored")

// PreUpgrade takes the baseline of the whole host and does what can be done ahead of
// the upgrade. It is safe to call again: what was seeded before is brought up to
// date. Once the new version is on the disk it is too late, and it says so: what
// its installation has deleted must not become the newest baseline.
func (g *Guard) PreUpgrade(ctx context.Context, from, to string) error {
	disk, lastSeen, err := g.versions()
	if err != nil {
		return err
	}
	if err := checkVersions(from, to, disk, lastSeen); err != nil {
		return err
	}
	if disk != from && disk == to {
		return say.Hint(fmt.Errorf("this host has Dokku %s already: it is too late for pre-upgrade", disk),
			"%s puts back what is in the baseline.", say.Command("dokku plugin:trigger post-upgrade", from, to))
	}
	if disk != from {
		g.Out.Trouble("This host has Dokku %s, not %s; going by what it has", disk, from)
	}
	if lastSeen != "" && lastSeen != disk {
		g.finishEarlier(ctx)
	}
	return g.undisturbed(ctx, func() error {
		files, failure := g.capture(ctx, snapshot.PreUpgrade, disk)
		return g.locked(ctx, lockTimeout, func() error { return g.preUpgrade(ctx, files, failure, disk, to) })
	})
}

// undisturbed runs what takes a baseline while no other process of upgrade-guard
// repairs anything. An upgrade does not wait for minutes, though: where another is still
// at work then, what it has not put back yet is in no baseline, and that is said.
func (g *Guard) undisturbed(ctx context.Context, work func() error) error {
	begun := false
	err := g.alone(ctx, func() error {
		begun = true
		return work()
	})
	if begun || !errors.Is(err, state.ErrBusy) {
		return err
	}
	g.Out.Error(err)
	g.Out.Trouble("The baseline is of a host on which it is still repairing. Better: wait until it is done")
	return work()
}

// finishEarlier does the work of an earlier upgrade that is unfinished. It comes first:
// its baseline is older than any that is taken now.
func (g *Guard) finishEarlier(ctx context.Context) {
	if err := g.postUpgrade(ctx, occasion{hook: true}); err != nil {
		g.Out.Error(err)
	}
}

// preUpgrade is PreUpgrade for a state that is known to be from's: because from
// is on the disk, or because its successor was unpacked and nothing of it has
// run. files are the host's, which failure says could not be captured. The caller holds
// the store's lock.
func (g *Guard) preUpgrade(ctx context.Context, files *app.Files, failure error, from, to string) error {
	m, err := snapshot.Manifest{}, failure
	if err == nil {
		m, err = g.save(files, snapshot.PreUpgrade)
	}
	if err != nil {
		// What can be prevented still is: the scales are a few bytes elsewhere.
		if files != nil {
			err = errors.Join(err, g.prevent(ctx, files, app.Read(files), from, to))
		}
		return say.Hint(fmt.Errorf("%w: %w", errNoBaseline, err), "The upgrade is not guarded by a new snapshot. Make room or repair what is named, then: dokku upgrade-guard:snapshot")
	}
	if g.State.LastSeen() == "" {
		if err := g.State.SetLastSeen(from); err != nil {
			return err
		}
	}
	return g.prevent(ctx, files, m.Host, from, to)
}

// prevent asks the hazards what the upgrade will do, says so, and does what they know
// to prevent it. With auto-apply off nothing is written.
func (g *Guard) prevent(ctx context.Context, files *app.Files, now app.Host, from, to string) error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	found := g.foresee(&Observation{Files: files, Now: now}, from, to, known)
	title := fmt.Sprintf("Dokku %s to %s", from, to)
	if from == to {
		title = fmt.Sprintf("Dokku %s, to be installed again", from)
	}
	g.Out.Title("%s: %s", title, atRisk(found, g.autoApply()))
	g.printLeft(found)
	if !app.Known(to) {
		for _, text := range notForetold(to) {
			g.Out.Trouble("%s.", text)
		}
	}
	if !g.autoApply() {
		if n := len(repairs(found)); n > 0 {
			g.Out.Trouble("auto-apply is off, so %s not prevented. To have it done, before the upgrade: dokku upgrade-guard:set --global auto-apply true", say.Plural(n, "loss")+map[bool]string{true: " is", false: " are"}[n == 1])
		}
		return nil
	}
	var steps plan.Plan
	for _, f := range repairs(found) {
		if f.Step != nil {
			steps = append(steps, *f.Step)
		}
	}
	for _, s := range steps {
		if s.Seed != "" {
			enterSeed(&known, s, g.Host.Now())
		}
	}
	// A seed that is not entered is only not known to be ours; better than none.
	err = g.State.Save(known)
	return joined(err, steps.Apply(ctx, g.Host, plan.NewJournal(g.Host, snapshot.PreUpgrade), g.Out))
}

// preventAgain does what prevent does, for a state of which there is a baseline.
func (g *Guard) preventAgain(ctx context.Context, from, to string) error {
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true, Dokku: from})
	if err != nil {
		return err
	}
	return g.prevent(ctx, files, app.Read(files), from, to)
}

// refusals refuses an upgrade that deletes what no snapshot holds, or that would end
// half-way because auto-apply keeps us from preventing that (law 4).
func (g *Guard) refusals(ctx context.Context, from, to string) error {
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
	if err != nil {
		return err
	}
	known, err := g.readState()
	if err != nil {
		return err
	}
	auto := g.autoApply()
	var errs []error
	for _, f := range g.foresee(&Observation{Files: files, Now: app.Read(files)}, from, to, known) {
		switch {
		case f.Kind == hazard.Refuse:
			errs = append(errs, say.Hint(fmt.Errorf("%s: %s", host.Place(f.App), f.What), "%s", f.Consequence))
		case f.Halts && f.Step == nil && f.Afterwards == "": // and nothing prevents it
			errs = append(errs, say.Hint(fmt.Errorf("%s: %s", host.Place(f.App), f.What), "%s To prevent it: %s", f.Consequence, f.Command))
		case f.Halts && !auto:
			errs = append(errs, say.Hint(fmt.Errorf("%s: %s, and auto-apply is off", host.Place(f.App), f.What),
				"%s To have it prevented: dokku upgrade-guard:set --global auto-apply true", f.Consequence))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrRefused, joined(errs...))
}

// Before is called at one of the hook points before an upgrade. At the first it
// takes the baseline; at a later one it takes another only if the state is not
// what the first has recorded. apt's list is read from stdin at apt's.
func (g *Guard) Before(ctx context.Context, point string, stdin io.Reader) error {
	disk, stamp, err := g.versions()
	if err != nil {
		return err
	}
	from, to := disk, newestFor(disk)
	switch point {
	case BeforeApt:
		changes, err := aptList(ctx, stdin)
		if err != nil {
			g.Out.Error(err) // what can be read of the list is still good
		}
		if len(changes) == 0 || changes[0].To == "" || changes[0].From == "" {
			return nil // not an upgrade of Dokku
		}
		to = changes[0].To
	case BeforePrerm:
		if v := packages.PrermTarget(); v != "" {
			to = v
		}
	case BeforeCore:
		if stamp == "" || stamp == disk {
			// No upgrade: somebody runs the installation again. Or it has failed before
			// we came, and dpkg goes on with it.
			if g.configured(ctx) != nil {
				return g.setAside(ctx)
			}
			return nil
		}
		from, to = stamp, disk
	default:
		return fmt.Errorf("upgrade-guard knows no hook point %q", point)
	}
	if point != BeforeCore { // what is on the disk calls itself what it likes
		// A Debian revision is none of Dokku's. A date before the release that a branch
		// goes back to (1790000000:0.38.27) tells that it is no release.
		if to = revision().ReplaceAllString(to, ""); len(to) > 100 || !packageVersion().MatchString(to) {
			return fmt.Errorf("%q is no version of a package", to)
		}
	}
	if point != BeforeCore && stamp != "" && stamp != disk && !g.recorded(ctx, point, from) {
		g.finishEarlier(ctx)
	}
	begins := false
	err = g.undisturbed(ctx, func() error { return g.baselineAt(ctx, point, from, to, &begins) })
	if point == BeforeCore { // the last thing before it: what is out of the environment is not for anybody's eyes else
		err = errors.Join(err, g.setAside(ctx))
	}
	if errors.Is(err, ErrRefused) {
		_ = plan.NewJournal(g.Host, snapshot.PreUpgrade).Note(plan.Step{App: host.GlobalScope, Text: fmt.Sprintf("the upgrade from %s to %s", from, to)}, plan.Refused, err) // it may be the disk that is full
		g.tell(Event{Event: EventRefused, From: from, To: to, Text: say.Redact(say.Line(err))})
	}
	if begins && !errors.Is(err, ErrRefused) { // without the lock: another plugin may call dokku, and dokku us
		g.fire(ctx, "pre-upgrade", from, to)
	}
	return err
}

// baselineAt takes the baseline at a hook point, where it is not there already, and
// prevents what can be; begins tells that this is where the upgrade begins.
func (g *Guard) baselineAt(ctx context.Context, point, from, to string, begins *bool) error {
	var files *app.Files
	var failure error
	recorded := g.recorded(ctx, point, from)
	if !recorded {
		files, failure = g.capture(ctx, snapshot.PreUpgrade, from)
	}
	return g.locked(ctx, lockTimeout, func() error {
		if point == BeforeApt {
			if err := g.refusals(ctx, from, to); err != nil {
				return err
			}
		}
		if point == BeforeCore {
			whole, err := g.whole(ctx, from)
			if err != nil || !whole {
				return err
			}
		}
		// An upgrade begins also where nothing has changed since the last one, and no
		// new baseline is due.
		*begins = g.State.Phase() == ""
		if !recorded {
			*begins = true
			err := g.preUpgrade(ctx, files, failure, from, to)
			if errors.Is(err, errNoBaseline) && point == BeforeApt {
				return errors.Join(ErrRefused, err)
			}
			if err != nil {
				g.Out.Error(err)
			}
		} else if point == BeforeApt { // recorded by hand, perhaps for another version
			if err := g.preventAgain(ctx, from, to); err != nil {
				g.Out.Error(err)
			}
		}
		return g.State.SetPhase(point)
	})
}

// packageVersion is what Debian takes for the version of a package, revision the part
// of it that counts how often the same was packaged.
var (
	packageVersion = pattern.Of(`^[0-9A-Za-z.+:~-]+$`)
	revision       = pattern.Of(`-[0-9][0-9.]*$`)
)

// aptList is what apt's list says of Dokku. Whoever holds the other end of it open
// does not hold us.
func aptList(ctx context.Context, list io.Reader) ([]packages.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var changes []packages.Change
	var err error
	read := make(chan bool)
	go func() {
		changes, err = packages.Read(list, "dokku")
		close(read)
	}()
	select {
	case <-read:
		return changes, err
	case <-ctx.Done():
		return nil, errors.New("apt's list did not finish in time")
	}
}

// recorded tells whether this upgrade's baseline has been taken already. dpkg's
// hook points come minutes after apt's, and in between an operator may have given up
// one upgrade and begun another; so a baseline counts only if the state is still
// what it recorded. Once the new version is unpacked there is no such doubt.
func (g *Guard) recorded(ctx context.Context, point, from string) bool {
	snapshots, err := g.of(from)
	// A person may have taken one by hand since.
	i := slices.IndexFunc(snapshots, func(e snapshot.Entry) bool { return !e.Future && strings.HasPrefix(e.Reason, snapshot.PreUpgrade) })
	if err != nil || i < 0 {
		return false
	}
	if point == BeforeCore {
		return g.State.Phase() != "" && g.recent(snapshots[i].Time, time.Hour)
	}
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
	if err != nil {
		return false
	}
	old, err := g.Store.Files(snapshots[i].ID)
	if err != nil {
		return false
	}
	known, err := g.readState()
	if err != nil {
		return false
	}
	return slices.EqualFunc(g.compared(files, known), g.compared(old, known), func(a, b app.File) bool {
		return a.Path == b.Path && a.SHA256 == b.SHA256 && a.Link == b.Link
	})
}

// whole tells whether the state is still the old version's. After a postinst that
// has failed half-way, dpkg --configure -a comes by here again with some of it
// migrated and some deleted, which must not become the newest baseline.
func (g *Guard) whole(ctx context.Context, from string) (bool, error) {
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true, Dokku: from})
	if err != nil {
		return false, err
	}
	known, err := g.readState()
	if err != nil {
		return false, err
	}
	baselines, _ := g.baselines(from, files.Apps, known, opened{})
	for name, now := range app.Read(files).Apps {
		if r, ok := baselines[name]; ok && now.EffectiveScale().Empty() && !r.state.EffectiveScale().Empty() {
			return false, nil
		}
	}
	return true, nil
}

// compared are the files by which two states are told apart: none of what
// commands answered, and not what we have seeded ourselves.
func (g *Guard) compared(files *app.Files, known state.State) []app.File {
	lib := g.Host.Paths().LibRoot
	return slices.DeleteFunc(slices.Clone(files.All()), func(f app.File) bool {
		rel, inLib := strings.CutPrefix(f.Path, "lib/")
		_, seeded := known.Seeds[lib+"/"+rel]
		return strings.HasPrefix(f.Path, "facts/") || f.Mode.IsDir() || inLib && seeded
	})
}
