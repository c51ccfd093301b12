package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// errNotRecorded says that the baseline could not be stored.
var errNotRecorded = errors.New("the host could not be recorded")

// Install is called when Dokku installs plugins: ours for the first time, ours
// again, or any other. It sees to the first snapshot; and where the version has
// changed since the guard last looked, it does the post-upgrade work, because
// dokku-update and newer Docker images come by here after an upgrade.
func (g *Guard) Install(ctx context.Context) error {
	return g.locked(ctx, patience, func() error {
		for _, put := range []func() error{g.writeDokkurc, g.makeKey} {
			if err := put(); err != nil {
				g.Out.Error(err)
			}
		}
		running, stamp, err := g.versions()
		if err != nil {
			return err
		}
		list, err := g.Store.List()
		if err != nil {
			return err
		}
		if stamp == "" && len(list) > 0 && !list[0].Future {
			stamp = list[0].Dokku // installed before, and taken away since
		}
		if stamp != "" && stamp != running {
			return g.postUpgrade(ctx, stamp, running)
		}
		if stamp == "" || !slices.ContainsFunc(list, func(e snapshot.Entry) bool { return e.Dokku == running }) {
			if _, _, err := g.snapshotNow(ctx, snapshot.Installed, running); err != nil {
				return err
			}
		}
		if stamp == "" {
			// The first time: what was lost before we came is said at once.
			if steps, waiting, err := g.plan(ctx, running); err == nil && len(steps)+len(waiting) > 0 {
				g.Out.Trouble("Something was lost before upgrade-guard came. See dokku upgrade-guard:check")
			}
		}
		return g.Store.SetStamp(running)
	})
}

// Snapshot takes one because a person asked for it.
func (g *Guard) Snapshot(ctx context.Context) (snapshot.Manifest, error) {
	var m snapshot.Manifest
	err := g.locked(ctx, patience, func() (err error) {
		m, _, err = g.snapshotNow(ctx, snapshot.Manual, "")
		return err
	})
	return m, err
}

// PreUpgrade records the whole host and does what can be done ahead of the
// upgrade. It is safe to call again: what was seeded before is brought up to
// date. Once the new version is on the disk it is too late, and it says so: what
// its installation has deleted must not become the newest record.
func (g *Guard) PreUpgrade(ctx context.Context, from, to string) error {
	if err := checkVersions(from, to); err != nil {
		return err
	}
	return g.locked(ctx, patience, func() error {
		disk, _, err := g.versions()
		if err != nil {
			return err
		}
		if disk != from && disk == to {
			return say.Hint(fmt.Errorf("this host has Dokku %s already: it is too late for pre-upgrade", disk),
				"%s puts back what was recorded before.", say.Command("dokku plugin:trigger post-upgrade", from, to))
		}
		if disk != from {
			g.Out.Trouble("This host has Dokku %s, not %s; going by what it has", disk, from)
		}
		return g.preUpgrade(ctx, disk, to)
	})
}

// preUpgrade is PreUpgrade for a state that is known to be from's: because from
// is on the disk, or because its successor was unpacked and nothing of it has
// run.
func (g *Guard) preUpgrade(ctx context.Context, from, to string) error {
	disk, stamp := host.DokkuVersion(g.Host), g.Store.Stamp()
	if disk == from && stamp != "" && stamp != disk {
		// An earlier upgrade is unfinished. It comes first: its baseline is
		// older than anything recorded now.
		if err := g.postUpgrade(ctx, stamp, disk); err != nil {
			g.Out.Error(err)
		}
	}
	m, files, err := g.snapshotNow(ctx, snapshot.PreUpgrade, from)
	if err != nil {
		// What can be prevented still is: the scales are a few bytes elsewhere.
		if files != nil {
			err = errors.Join(err, g.prevent(ctx, files, app.Read(files), from, to))
		}
		return say.Hint(fmt.Errorf("%w: %w", errNotRecorded, err), "The upgrade is not guarded by a new snapshot. Make room or mend what is named, then: dokku upgrade-guard:snapshot")
	}
	if stamp == "" {
		if err := g.Store.SetStamp(from); err != nil {
			return err
		}
	}
	return g.prevent(ctx, files, m.Host, from, to)
}

// prevent asks the hazards what the jump will do, says so, and does what they
// know to prevent it.
func (g *Guard) prevent(ctx context.Context, files *app.Files, now app.Host, from, to string) error {
	ledger, err := g.ledger()
	if err != nil {
		return err
	}
	found := g.foresee(files, now, from, to, ledger)
	steps, waiting := split(found)
	if from == to {
		g.Out.Title("Dokku %s, to be installed again: %s", from, toDo(steps, "loss to prevent", waiting))
	} else {
		g.Out.Title("Dokku %s to %s: %s", from, to, toDo(steps, "loss to prevent", waiting))
	}
	g.printWaiting(waiting)

	for _, s := range steps {
		if s.Seed != "" {
			enterSeed(&ledger, s, g.Host.Now())
		}
	}
	// A seed that is not entered is only not known to be ours; better than none.
	ledgerErr := g.Store.SaveLedger(ledger)
	err = steps.Apply(ctx, g.Host, plan.NewJournal(g.Host, snapshot.PreUpgrade), g.Out)
	return errors.Join(ledgerErr, err)
}

func (g *Guard) foresee(files *app.Files, now app.Host, from, to string, ledger snapshot.Ledger) []hazard.Finding {
	found := hazard.ForeseeHost(hazard.HostSubject{Jump: g.jump(files, from, to, ledger), Now: now})
	for _, name := range files.Apps {
		found = append(found, hazard.Foresee(g.subject(files, now, name, from, to, ledger))...)
	}
	return found
}

// PostUpgrade puts back what the upgrade dropped. Without auto-apply it only
// says what that is. It does nothing when there is nothing to do, and goes on
// where a killed one has stopped.
func (g *Guard) PostUpgrade(ctx context.Context, from, to string) error {
	if err := checkVersions(from, to); err != nil {
		return err
	}
	return g.locked(ctx, patience, func() error {
		disk, stamp, err := g.versions()
		if err != nil {
			return err
		}
		if disk != to {
			g.Out.Trouble("This host has Dokku %s, not %s; going by what it has", disk, to)
		}
		if stamp == "" {
			stamp = from
		}
		return g.postUpgrade(ctx, stamp, disk)
	})
}

func (g *Guard) postUpgrade(ctx context.Context, stamp, disk string) error {
	if !g.autoApply() {
		return g.announce(ctx, stamp, disk)
	}
	return g.finish(ctx, stamp, disk)
}

// Apply does, or goes on with, the post-upgrade work, whatever auto-apply says.
// With dryRun it prints the plan and changes nothing, and owed is how much there
// is to do. With guesses it also does what was recorded nowhere and is guessed.
func (g *Guard) Apply(ctx context.Context, dryRun, guesses bool) (owed int, err error) {
	var cutOff error
	if !dryRun {
		// First: of an app that is half renamed, both halves would look lost.
		if cutOff = g.ResumeRenames(ctx); errors.Is(cutOff, errRenaming) {
			return 0, cutOff // neither half of it is to be touched now
		}
	}
	err = g.locked(ctx, patience, func() error {
		disk, stamp, err := g.versions()
		if err != nil {
			return err
		}
		if stamp == "" {
			stamp = disk
		}
		if dryRun {
			steps, waiting, err := g.plan(ctx, stamp)
			if err != nil {
				return err
			}
			owed = len(steps) + len(waiting)
			g.Out.Title("%s", toDo(steps, "repair to do", waiting))
			steps.Print(g.Out)
			g.printWaiting(waiting)
			jobs, err := g.openJobs()
			for _, j := range jobs {
				g.Out.Result("       %-4s %s", plan.Change, JobText(j))
			}
			owed += len(jobs)
			return err
		}
		if g.guesses = guesses; guesses {
			if err := g.guess(ctx, stamp); err != nil {
				g.Out.Error(err)
			}
		}
		return g.finish(ctx, stamp, disk)
	})
	if dryRun {
		return owed, err
	}
	err = errors.Join(cutOff, err)
	// Without the lock, and also where the work above has failed in part.
	if jobs, queueErr := g.openJobs(); queueErr != nil {
		err = errors.Join(err, queueErr)
	} else if len(jobs) > 0 {
		err = errors.Join(err, g.RunQueue(ctx, true))
	}
	return owed, err
}

// guess does the steps that are guesses. It comes before finish, which then
// finds an app that has what it needs.
func (g *Guard) guess(ctx context.Context, stamp string) error {
	_, found, err := g.plan(ctx, stamp)
	if err != nil {
		return err
	}
	var guesses plan.Plan
	for _, f := range found {
		if f.Step != nil && f.Step.Guess {
			guesses = append(guesses, *f.Step)
		}
	}
	return guesses.Apply(ctx, g.Host, plan.NewJournal(g.Host, "guesses"), g.Out)
}

// announce says what finish would do.
func (g *Guard) announce(ctx context.Context, stamp, disk string) error {
	steps, waiting, err := g.plan(ctx, stamp)
	if err != nil {
		return err
	}
	g.Out.Title("Dokku %s to %s: auto-apply is off, nothing is changed", stamp, disk)
	steps.Print(g.Out)
	g.printWaiting(waiting)
	if len(steps) > 0 {
		g.Out.Detail("To do this: dokku upgrade-guard:apply")
	}
	if stamp == disk {
		return g.Store.SetPending("") // nothing has changed that would be owed
	}
	return nil
}

// look is the host as the work after an upgrade sees it: what there is, what was
// recorded, and what the hazards find.
type look struct {
	files   *app.Files
	now     app.Host
	ledger  snapshot.Ledger
	records map[string]record
	broken  bool // a record could not be read
	found   []hazard.Finding
}

func (g *Guard) look(ctx context.Context, stamp string) (look, error) {
	files, err := app.Capture(ctx, g.Host, app.What{})
	if err != nil {
		return look{}, err
	}
	l := look{files: files, now: app.Read(files)}
	if l.ledger, err = g.ledger(); err != nil {
		return look{}, err
	}
	l.records, l.broken = g.owedRecords(files, l.now, stamp, l.ledger)
	l.found = g.detect(files, l.now, l.records, l.ledger)
	return l, nil
}

// again looks once more with the same records: an app is closed by what it is now,
// not by what was done to it.
func (g *Guard) again(ctx context.Context, l look) (look, error) {
	files, err := app.Capture(ctx, g.Host, app.What{})
	if err != nil {
		return l, err
	}
	l.files, l.now = files, app.Read(files)
	l.found = g.detect(files, l.now, l.records, l.ledger)
	return l, nil
}

// plan is what is owed to the apps now.
func (g *Guard) plan(ctx context.Context, stamp string) (plan.Plan, []hazard.Finding, error) {
	l, err := g.look(ctx, stamp)
	if err != nil {
		return nil, nil, err
	}
	steps, waiting := split(l.found)
	return steps, waiting, nil
}

// owedRecords are the records that are open: after a jump, or another run of
// Dokku's installation, those of all apps; otherwise those of the apps that could
// not be closed.
func (g *Guard) owedRecords(files *app.Files, now app.Host, stamp string, ledger snapshot.Ledger) (records map[string]record, broken bool) {
	names := append([]string{host.GlobalScope}, files.Apps...)
	if !g.underWay(now.Dokku) {
		names = slices.DeleteFunc(names, func(name string) bool {
			_, open := ledger.Open[name]
			return !open
		})
	}
	return g.records(stamp, names, ledger)
}

// finish is the post-upgrade work from beginning to end: what is owed is done
// and verified, apps that are in order are closed, the others stay open, and
// the stamp becomes the running version. Nothing is written where nothing is
// owed.
func (g *Guard) finish(ctx context.Context, stamp, disk string) error {
	if err := g.configured(ctx); err != nil {
		return err
	}
	jumped, pending := stamp != disk, g.Store.Pending() != ""
	if jumped || pending {
		if err := g.makeKey(); err != nil { // before drift is told
			g.Out.Error(err)
		}
	}
	l, err := g.look(ctx, stamp)
	if err != nil {
		return err
	}
	steps, waiting := split(l.found)
	if !jumped {
		// A run that is killed right before its end has not recorded what it left.
		if list, err := g.of(disk); err == nil && len(list) == 0 {
			if _, _, err := g.snapshotNow(ctx, snapshot.PostUpgrade, disk); err != nil {
				g.Out.Error(err)
			}
		}
	}
	if !jumped && !pending && len(steps) == 0 && len(l.ledger.Open) == 0 {
		return g.onlyRoutes(ctx, l, waiting)
	}
	var errs *multierror.Error
	note := func(err error) { // what goes wrong here stops nothing that follows
		if err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	if jumped {
		g.Out.Title("Dokku %s to %s: %s", stamp, disk, toDo(steps, "loss to put back", waiting))
		if len(l.records) == 0 && len(l.files.Apps) > 0 {
			note(say.Hint(fmt.Errorf("nothing was recorded under Dokku %s, so nothing can be compared", stamp),
				"See dokku upgrade-guard:report for what is wrong now."))
		}
	} else {
		g.Out.Title("Dokku %s: %s", disk, toDo(steps, "loss to put back", waiting))
	}
	journal := plan.NewJournal(g.Host, snapshot.PostUpgrade)
	if names := unbuiltAfter(steps, l.ledger.Unbuilt); len(names) > 0 {
		l.ledger.Unbuilt = names
		note(g.Store.SaveLedger(l.ledger))
	}
	note(steps.Apply(ctx, g.Host, journal, g.Out))
	// After all scales are right: without them no build succeeds.
	served, err := g.serveAfter(ctx, &l.ledger, journal)
	note(err)

	if l, err = g.again(ctx, l); err != nil {
		return multierror.Append(errs, err)
	}
	ledger := &l.ledger
	g.close(ledger, l.now, l.records, l.found, stamp, l.broken)
	if jumped || pending {
		note(noteDrift(journal, l.found))
	}
	// Not where something could not be looked at: nothing is risked for a name.
	if jumped && errs == nil && l.now.DockerMissing == "" && served.unknown == "" {
		note(g.queueRenames(ledger, l.files, l.now, served))
	}
	g.enterJump(ledger, journal, stamp, disk)
	if err := g.settleSeeds(ledger, disk, pending); err != nil {
		return multierror.Append(errs, err)
	}
	if err := g.Store.SaveLedger(*ledger); err != nil {
		return multierror.Append(errs, err)
	}
	if jumped {
		if err := g.Store.SetStamp(disk); err != nil {
			return multierror.Append(errs, err)
		}
		_, _, err := g.snapshotNow(ctx, snapshot.PostUpgrade, disk)
		note(err)
	}
	if pending {
		if err := g.Store.SetPending(""); err != nil {
			return multierror.Append(errs, err)
		}
	}
	left := append(l.found, served.findings()...)
	if n := len(ledger.Jumps); n > 0 && jumped {
		left = append(left, g.worse(ledger.Jumps[n-1].Baseline, served.answers)...)
	}
	g.printWaiting(onlyWaiting(left))
	switch {
	case len(ledger.Open) > 0:
		g.Out.Trouble("%s not as recorded. See dokku upgrade-guard:report", openOnes(ledger.Open))
	case errs == nil && len(onlyWaiting(left)) == 0:
		g.Out.Step("Every app has what was recorded. See dokku upgrade-guard:report")
	}
	return errs.ErrorOrNil()
}

// onlyRoutes is the work where nothing of an upgrade is owed: the apps' way through
// nginx, which may be wrong at any time.
func (g *Guard) onlyRoutes(ctx context.Context, l look, waiting []hazard.Finding) error {
	r := g.routes(ctx, l.files, l.ledger.Unbuilt)
	if r.toMend() {
		journal := plan.NewJournal(g.Host, hazard.Nginx)
		r, err := g.serve(ctx, r, journal)
		if err == nil {
			l.ledger.Unbuilt = nil
		}
		l.ledger.Runs = journal.AddTo(l.ledger.Runs)
		g.printWaiting(append(waiting, onlyWaiting(r.findings())...))
		return errors.Join(err, g.Store.SaveLedger(l.ledger))
	}
	waiting = append(waiting, onlyWaiting(r.findings())...)
	if len(waiting) == 0 {
		g.Out.Title("Dokku %s: nothing to do", l.now.Dokku)
	}
	g.printWaiting(waiting)
	return nil
}

// enterJump enters the upgrade that is through, with the journals of what was done
// for it.
func (g *Guard) enterJump(ledger *snapshot.Ledger, journal *plan.Journal, stamp, disk string) {
	ledger.Runs = journal.AddTo(ledger.Runs)
	if stamp != disk {
		j := snapshot.Jump{From: stamp, To: disk, Time: g.Host.Now()}
		if snapshots, err := g.of(stamp); err == nil && len(snapshots) > 0 {
			j.Baseline = snapshots[0].ID
		}
		ledger.Jumps = append(ledger.Jumps, j)
	}
	if n := len(ledger.Jumps); n > 0 && len(ledger.Runs) > 0 {
		last := &ledger.Jumps[n-1]
		last.Runs = slices.Compact(append(last.Runs, ledger.Runs...))
		ledger.Runs = nil
	}
}

// settleSeeds lets go of what was seeded for the version that is there now, which is
// Dokku's own, and withdraws what was seeded for one that has not come. Where no
// upgrade was pending somebody ran apply between pre-upgrade and the upgrade.
func (g *Guard) settleSeeds(ledger *snapshot.Ledger, disk string, pending bool) error {
	maps.DeleteFunc(ledger.Seeds, func(_ string, s snapshot.Seed) bool { return !app.Before(disk, s.ReadFrom) })
	if pending {
		if err := g.withdraw(ledger, func(snapshot.Seed) bool { return true }); err != nil {
			return err
		}
	}
	if len(ledger.Seeds) == 0 {
		ledger.Seeds = nil
	}
	return nil
}

// noteDrift keeps for the report what differs from the record right after the
// upgrade. Later nobody can tell any more what was the upgrade's doing.
func noteDrift(journal *plan.Journal, found []hazard.Finding) error {
	for _, f := range found {
		if f.Hazard == hazard.Drift {
			if err := journal.Drift(f.App, f.What); err != nil {
				return err
			}
		}
	}
	return nil
}

// configured tells whether the package manager has brought Dokku's installation
// to its end. Before that, half of it is still to come, and closing an app would
// close it too early. A host without dpkg, or without a package, says nothing.
func (g *Guard) configured(ctx context.Context) error {
	status := g.packageStatus(ctx)
	if status == "" || status == "installed" || removed(status) {
		return nil
	}
	return say.Hint(fmt.Errorf("the installation of Dokku has not come to its end (dpkg says %s)", status),
		"First: dpkg --configure -a. Then: dokku upgrade-guard:apply")
}

// packageStatus is dpkg's word on the package of Dokku, "" where it knows of none.
func (g *Guard) packageStatus(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := g.Host.Run(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", "dokku")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// removed tells that the package is gone, and at most its settings are left.
func removed(status string) bool { return status == "not-installed" || status == "config-files" }

// close enters which apps are still owed something, and by which record. Owed is
// also whoever could not be looked at: an app whose scale cannot be read, and one
// without a record while a snapshot that may hold it cannot be read.
func (g *Guard) close(ledger *snapshot.Ledger, now app.Host, records map[string]record, left []hazard.Finding, stamp string, broken bool) {
	open := map[string]snapshot.Baseline{}
	keep := func(name, hazard string) {
		b, again := open[name]
		if !again {
			b = snapshot.Baseline{Dokku: stamp}
			if r, ok := records[name]; ok {
				b = snapshot.Baseline{Snapshot: r.id, Dokku: r.state.Dokku}
			} else if old, ok := ledger.Open[name]; ok {
				b = old
			}
		}
		if hazard != "" && !slices.Contains(b.Owed, hazard) {
			b.Owed = append(b.Owed, hazard)
		}
		open[name] = b
	}
	for _, f := range left {
		if f.Recorded && !f.Note {
			keep(f.App, f.Hazard)
		}
	}
	for name, s := range now.Apps {
		_, recorded := records[name]
		if s.Scale.Unreadable || broken && !recorded {
			keep(name, "")
		}
	}
	if len(open) == 0 {
		open = nil
	}
	ledger.Open = open
}

// openOnes counts, in words, what is still open.
func openOnes(open map[string]snapshot.Baseline) string {
	_, hostToo := open[host.GlobalScope]
	switch n := len(open); {
	case hostToo && n == 1:
		return host.Place(host.GlobalScope)
	case hostToo:
		return Plural(n-1, "app") + " and " + host.Place(host.GlobalScope)
	default:
		return Plural(n, "app")
	}
}

// enterSeed enters that a file is about to hold a content of ours.
func enterSeed(l *snapshot.Ledger, s plan.Step, now time.Time) {
	if l.Seeds == nil {
		l.Seeds = map[string]snapshot.Seed{}
	}
	seed, digest := l.Seeds[s.Path], app.Digest(s.Data)
	if !slices.Contains(seed.SHA256, digest) {
		seed.SHA256 = append(slices.Clone(seed.SHA256), digest)
	}
	seed.App, seed.ReadFrom, seed.Time = s.App, s.Seed, now
	l.Seeds[s.Path] = seed
}

// split parts what the guard does from what a person must do.
func split(found []hazard.Finding) (steps plan.Plan, waiting []hazard.Finding) {
	for _, f := range found {
		if f.Step != nil && !f.Step.Guess {
			steps = append(steps, *f.Step)
		}
	}
	return steps, onlyWaiting(found)
}

// toDo counts a plan in words: "2 losses to put back, 1 thing for you".
func toDo(steps plan.Plan, what string, waiting []hazard.Finding) string {
	noun, rest, _ := strings.Cut(what, " ")
	text := "no " + what
	if len(steps) > 0 {
		text = Plural(len(steps), noun) + " " + rest
	}
	if len(waiting) > 0 {
		text += ", " + Plural(len(waiting), "thing") + " for you"
	}
	return text
}

func onlyWaiting(found []hazard.Finding) []hazard.Finding {
	var waiting []hazard.Finding
	for _, f := range found {
		if f.Step == nil && !f.Note && f.Afterwards == "" || f.Step != nil && f.Step.Guess || f.Command != "" || f.Note && f.Consequence != "" {
			waiting = append(waiting, f)
		}
	}
	return waiting
}

func (g *Guard) printWaiting(waiting []hazard.Finding) {
	for _, f := range waiting {
		g.Out.Trouble("%s: %s.", host.Place(f.App), f.What)
		if f.Consequence != "" {
			g.Out.Trouble("    %s", f.Consequence)
		}
		if f.Step != nil && f.Step.Guess {
			g.Out.Trouble("    A guess: %s. If it is right: dokku upgrade-guard:apply --guesses", f.Step.Text)
		}
		if f.Command != "" {
			g.Out.Trouble("    To do: %s", f.Command)
		}
	}
}

// checkVersions refuses what cannot be two Dokku versions.
func checkVersions(from, to string) error {
	for _, v := range []string{from, to} {
		if !app.ValidVersion(v) {
			return say.Hint(fmt.Errorf("%q is not a Dokku version", v), "A version looks like 0.35.5; the trigger takes two, the old and the new one.")
		}
	}
	return nil
}
