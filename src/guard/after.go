package guard

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// PostUpgrade puts back what the upgrade dropped. Without auto-apply it only says what
// that is. It does nothing when there is nothing to do, and goes on where a killed one
// has stopped.
func (g *Guard) PostUpgrade(ctx context.Context, from, to string) error {
	disk, lastSeen, err := g.versions()
	if err != nil {
		return err
	}
	if err := checkVersions(from, to, disk, lastSeen); err != nil {
		return err
	}
	if disk != to {
		g.Out.Trouble("This host has Dokku %s, not %s; going by what it has", disk, to)
	}
	if lastSeen == "" {
		if err := g.locked(ctx, lockTimeout, func() error { return g.State.SetLastSeen(from) }); err != nil {
			return err
		}
	}
	return g.postUpgrade(ctx, occasion{})
}

// postUpgrade is the work after an upgrade, where it is due.
func (g *Guard) postUpgrade(ctx context.Context, oc occasion) error {
	if _, _, err := g.versions(); err != nil {
		return err
	}
	return g.alone(ctx, func() error {
		if !g.autoApply() {
			return joined(g.putBack(ctx), g.announce(ctx))
		}
		_, err := g.finish(ctx, oc, false)
		return err
	})
}

// announce says what finish would do.
func (g *Guard) announce(ctx context.Context) error {
	o, m, err := g.look(ctx)
	if err != nil {
		return err
	}
	found := g.assess(o, m)
	g.Out.Title("Dokku %s to %s: auto-apply is off, nothing is changed", m.lastSeen, o.Now.Dokku)
	plan.Legend(g.Out, printPlan(g.Out, found, false))
	g.printLeft(o.worstFirst(found))
	g.sayVersion(o)
	if len(repairs(found)) > 0 {
		g.Out.Detail("To do this: dokku upgrade-guard:apply")
	}
	if !m.upgraded {
		return g.locked(ctx, lockTimeout, func() error { return g.State.SetPhase("") }) // nothing has changed that would be unresolved
	}
	return nil
}

// look is the host as it is, and what is remembered of it.
func (g *Guard) look(ctx context.Context) (*Observation, *memory, error) {
	o, err := g.observe(ctx)
	if err != nil {
		return nil, nil, err
	}
	m, err := g.remember(o)
	return o, m, err
}

// finish is the work after an upgrade from beginning to end: what can be done is done
// and verified, apps that are in order are resolved, the others stay unresolved, and
// the last-seen version becomes the running one. Nothing is written where nothing is
// left to do. It returns what is left.
func (g *Guard) finish(ctx context.Context, oc occasion, guesses bool) (outcome, error) {
	if err := g.configured(ctx); err != nil {
		return outcome{}, err
	}
	phase := g.State.Phase()
	pending := phase != ""
	o, m, err := g.look(ctx)
	if err != nil {
		return outcome{}, err
	}
	m.guesses, m.occasion = guesses, oc
	disk := o.Now.Dokku
	var errs *multierror.Error
	note := func(err error) { // what goes wrong here stops nothing that follows
		if err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	if m.upgraded || pending {
		note(g.locked(ctx, lockTimeout, g.makeKey)) // before drift is told
	}
	due := g.assess(o, m)
	unresolved := len(m.state.Unresolved) > 0
	switch {
	case m.upgraded:
		g.Out.Title("Dokku %s to %s: %s", m.lastSeen, disk, count(due, "repair"))
		if len(m.baselines) == 0 && len(o.Files.Apps) > 0 {
			note(say.Hint(fmt.Errorf("there is no baseline from Dokku %s, so nothing can be compared", m.lastSeen),
				"See dokku upgrade-guard:report for what is wrong now."))
		}
	case pending || unresolved || len(repairs(due)) > 0 || guesses:
		g.Out.Title("Dokku %s: %s", disk, count(due, "repair"))
	}
	journal := plan.NewJournal(g.Host, snapshot.PostUpgrade)
	out, failure := g.act(ctx, o, m, due, journal)
	note(failure)
	overtaken := g.overtaken(ctx, disk, out)
	note(overtaken)
	if out.cutOff || overtaken != nil {
		// As if it had been killed here: whoever goes on with it finds the upgrade as
		// unfinished as it is, and what was done.
		note(g.locked(context.WithoutCancel(ctx), lockTimeout, func() error {
			return g.changeState(func(known *state.State) error {
				enterRun(known, journal)
				return nil
			})
		}))
		return out, errs.ErrorOrNil()
	}
	note(g.locked(ctx, lockTimeout, func() error { return g.resolve(ctx, m, out, phase, errs, journal) }))
	if len(out.found) > 0 || out.done {
		g.printLeft(out.worstFirst(out.found))
	}
	out.left = g.notKnown(out.Observation, m)
	tellUnknown(g.Out, out.left)
	g.sum(out, m.upgraded || pending || unresolved, errs.ErrorOrNil())
	return out, errs.ErrorOrNil()
}

// resolve enters what has come of a run: which apps are unresolved, which upgrade is
// through, what differs from the baseline for no known reason. The caller holds the
// store's lock.
func (g *Guard) resolve(ctx context.Context, m *memory, out outcome, phase string, before *multierror.Error, journal *plan.Journal) error {
	var errs *multierror.Error
	note := func(err error) {
		if err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	disk, pending := out.Now.Dokku, phase != ""
	// Another upgrade may have begun meanwhile, which is not through.
	same := g.State.Phase() == phase
	if !m.upgraded {
		// A run that is killed right before its end has not stored what it left.
		if list, err := g.of(disk); err == nil && len(list) == 0 {
			note(g.afterwards(ctx, out, true))
		}
	}
	known, err := g.readState()
	if err != nil {
		return err
	}
	unresolved := len(known.Unresolved) > 0
	g.close(&known, out, m)
	if m.upgraded || pending {
		note(noteDrift(journal, out.found))
	}
	known.Unbuilt = out.unbuilt(known.Unbuilt)
	released, err := g.forgetQuarantined(out.Observation)
	note(err)
	// Not where something could not be looked at: nothing is risked for a name.
	if m.upgraded && before == nil && out.Now.DockerMissing == "" && out.nginxUnknown == "" {
		note(g.queueRenames(&known, out))
	}
	g.enterUpgrade(&known, journal, m.lastSeen, disk)
	withdrawn, err := g.settleSeeds(&known, disk, pending && same)
	if err != nil {
		return multierror.Append(errs, err)
	}
	if err := g.State.Save(known); err != nil {
		return multierror.Append(errs, err)
	}
	if m.upgraded {
		if err := g.State.SetLastSeen(disk); err != nil {
			return multierror.Append(errs, err)
		}
		note(g.afterwards(ctx, out, released || withdrawn))
	}
	if pending && same {
		// Dokku was installed again, and what has changed meanwhile is in no live snapshot.
		// Not before the state is stored: it tells retention what is needed.
		if !m.upgraded && g.State.Unrecorded() {
			note(g.afterwards(ctx, out, true))
		}
		note(g.State.SetPhase(""))
	}
	if len(known.Upgrades) > 0 && (m.upgraded || unresolved && len(known.Unresolved) == 0) {
		g.tellUpgrade(known, out, before.ErrorOrNil())
	}
	return errs.ErrorOrNil()
}

// tellUpgrade tells that the work after an upgrade is done, or what is left of it.
func (g *Guard) tellUpgrade(known state.State, out outcome, failure error) {
	last := known.Upgrades[len(known.Upgrades)-1]
	e := Event{Event: EventDone, From: last.From, To: last.To, ActionRequired: len(forYou(out.found))}
	for _, texts := range g.prevented(&last, known) {
		e.Prevented += len(texts)
	}
	for _, texts := range g.journaled(last.Runs, known.Renamed)[plan.Done] {
		e.Repaired += len(texts)
	}
	e.Text = fmt.Sprintf("Dokku was upgraded from %s to %s: %s prevented, %d repaired, %d for you", last.From, last.To, say.Plural(e.Prevented, "loss"), e.Repaired, e.ActionRequired)
	if len(known.Unresolved) > 0 || e.ActionRequired > 0 || failure != nil || out.queued {
		e.Event = EventIncomplete
		e.ToDo = Commands(out.worstFirst(append(forYou(out.found), repairs(out.found)...)))
	}
	for name := range known.Unresolved {
		e.Apps = append(e.Apps, name)
	}
	slices.Sort(e.Apps)
	g.tell(e)
}

// afterwards takes the snapshot of a host after its upgrade: as it was observed last and was
// judged by, with what its apps have answered then. Where something is known to have changed
// since, it is read again. The caller holds the store's lock, and has set the stamp. What is
// noted after this has looked stays noted.
func (g *Guard) afterwards(ctx context.Context, out outcome, changed bool) error {
	gone := func(name string) bool {
		_, err := g.Host.Lstat(g.Host.Paths().App(name))
		return err != nil
	}
	files, unrecorded := out.Files.WithoutNeeds(), g.State.Unrecorded()
	if changed || unrecorded || out.again != nil || slices.ContainsFunc(out.Files.Apps, gone) {
		var err error
		if files, err = g.read(ctx, app.What{Dokku: out.Now.Dokku}); err != nil {
			return err
		}
	}
	addAnswers(files, out.answers)
	files.Spent = true
	if _, err := g.save(files, snapshot.PostUpgrade); err != nil || !unrecorded {
		return err
	}
	return g.State.SetRecorded()
}

// sum is the last line of a run: what the apps are, held to the baseline.
func (g *Guard) sum(out outcome, compared bool, failure error) {
	known, err := g.State.Read()
	if err != nil {
		return
	}
	drift := 0
	for _, f := range out.found {
		if f.Hazard == hazard.Drift {
			drift++
		}
	}
	yours := len(forYou(out.found))
	maps.DeleteFunc(known.Unresolved, func(name string, _ state.Baseline) bool { return out.disputes(name) })
	defer g.sayVersion(out.Observation)
	switch {
	case len(known.Unresolved) > 0:
		g.Out.Trouble("%s from the baseline. See dokku upgrade-guard:report", differ(known.Unresolved))
	case failure != nil || yours > 0 || out.queued:
	case compared && drift > 0:
		g.Out.Step("%s from the baseline, and nothing was done about it. See dokku upgrade-guard:report", say.Plural(drift, "setting")+map[bool]string{true: " differs", false: " differ"}[drift == 1])
	case compared && len(out.left) > 0: // what that is was said
		g.Out.Step("All that is known of the apps matches the baseline. See dokku upgrade-guard:report")
	case compared:
		g.Out.Step("All apps match the baseline. See dokku upgrade-guard:report")
	case !out.done && len(out.left) > 0:
		g.Out.Title("Dokku %s: %s", out.Now.Dokku, out.asFarAsKnown("nothing to repair"))
	case !out.done:
		g.Out.Title("Dokku %s: %s", out.Now.Dokku, out.asFarAsKnown("nothing to do"))
	default:
		g.Out.Step("%s. See dokku upgrade-guard:report", out.asFarAsKnown("All of it is done, and nothing is left to you"))
	}
}

// enterUpgrade enters the upgrade that is through, with the journals of what was done
// for it.
func (g *Guard) enterUpgrade(known *state.State, journal *plan.Journal, stamp, disk string) {
	enterRun(known, journal)
	if stamp != disk {
		j := state.Upgrade{From: stamp, To: disk, Time: g.Host.Now()}
		if snapshots, err := g.of(stamp); err == nil && len(snapshots) > 0 {
			j.Baseline = snapshots[0].ID
		}
		known.Upgrades = append(known.Upgrades, j)
	}
	if n := len(known.Upgrades); n > 0 && len(known.Runs) > 0 {
		last := &known.Upgrades[n-1]
		last.Runs = slices.Compact(append(last.Runs, known.Runs...))
		known.Runs = nil
	}
}

// noteDrift keeps for the report what differs from the baseline right after the
// upgrade. Later nobody can tell any more what was the upgrade's doing.
func noteDrift(journal *plan.Journal, found []hazard.Finding) error {
	for _, f := range found {
		if f.Hazard == hazard.Drift {
			text := f.What
			if f.Command != "" {
				text += ". To put it back: " + f.Command
			}
			if err := journal.Drift(f.App, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// overtaken tells that another upgrade was unpacked during a run: what was observed may
// be either's, and what the new one's installation loses is still to come.
func (g *Guard) overtaken(ctx context.Context, disk string, out outcome) error {
	if out.cutOff {
		return nil
	}
	if now := host.DokkuVersion(g.Host); now != disk || out.Now.Dokku != disk {
		return say.Hint(fmt.Errorf("Dokku %s has been replaced by %s meanwhile", disk, now), "The work after both is done when that is installed, or by: dokku upgrade-guard:apply")
	}
	return g.configured(ctx)
}
