package guard

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/rename"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// RenameOptions are what a person may ask for.
type RenameOptions struct {
	DryRun bool
	// WithStop lets an app that must not run twice be stopped for its rename.
	WithStop bool
	// Ask has what was shown confirmed; nil where nobody is to be asked.
	Ask Asking
}

// Rename renames one app without loss; see package rename. One that was cut off is
// brought to its end first: taken back, or gone on with. It may take minutes, in
// which deploys of other apps go on, so it does not hold the guard's own lock.
func (g *Guard) Rename(ctx context.Context, from, to string, o RenameOptions) error {
	r := g.renaming(from, to)
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil {
		return err
	}
	if s, ok := unfinished[from]; ok {
		if s.To != to {
			return say.Hint(fmt.Errorf("a rename of %s to %s was cut off", from, s.To), "First: %s", say.Command("dokku upgrade-guard:rename", from, s.To))
		}
		if o.DryRun {
			g.Out.Title("%s to %s was cut off in its phase %s", from, to, s.Phase)
			g.Out.Detail("To go on with it: %s", say.Command("dokku upgrade-guard:rename", from, to))
			return nil
		}
		unlock, err := g.renameLock(ctx)
		if err != nil {
			return err
		}
		done, err := g.resume(ctx, s)
		unlock()
		if done || err != nil {
			return err
		}
	}
	if _, _, err := g.versions(); err != nil {
		return err
	}
	files, err := app.Capture(ctx, g.Host, app.What{})
	if err != nil {
		return err
	}
	if err := g.mayTouch(ctx, files, from); err != nil {
		return err
	}
	keep := g.is("keep-old-domains", from)
	if err := r.Prepare(ctx, files, rename.Options{WithStop: o.WithStop, KeepDomains: keep, Ask: g.probes(from)}); err != nil {
		return err
	}
	if o.DryRun || o.Ask != nil {
		g.Out.Title("%s", planned(fmt.Sprintf("%s would become %s", from, to)))
		steps := r.Plan()
		for i, s := range steps {
			g.Out.Result("       %s %s", fmt.Sprintf("[%d/%d]", i+1, len(steps)), s)
		}
		if r.Vhost {
			g.Out.Result("       It would answer to %s", strings.Join(r.Domains, " "))
		}
	}
	if o.DryRun {
		g.tellRemotes(from, to, from)
		return nil
	}
	if o.Ask != nil {
		if err := o.Ask(from); err != nil {
			return err
		}
	}
	// Only now: what is refused leaves nothing, not even a lock's file.
	unlock, err := g.renameLock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := rename.Still(g.Host, from, to); err != nil {
		return err
	}
	g.Out.Title("%s becomes %s", from, to)
	if err := r.Run(ctx); err != nil {
		return err
	}
	return g.renamed(ctx, from, to)
}

// resume brings a rename that was cut off to its end: taken back when it had not
// come to moving the domains, gone on with otherwise.
func (g *Guard) resume(ctx context.Context, s rename.State) (done bool, err error) {
	r := g.renaming(s.From, s.To)
	r.State = s
	if s.Phase == rename.Build {
		return false, r.TakeBack(ctx)
	}
	if err := r.Run(ctx); err != nil {
		return false, err
	}
	return true, g.renamed(ctx, s.From, s.To)
}

// ResumeRenames brings all renames that were cut off to their end.
func (g *Guard) ResumeRenames(ctx context.Context) error {
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil || len(unfinished) == 0 {
		return err
	}
	unlock, err := g.renameLock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var errs []error
	for _, s := range unfinished {
		_, err := g.resume(ctx, s)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// errRenaming says that a rename is under way in another process.
var errRenaming = errors.New("an app is being renamed")

// renameLock keeps every other rename out.
func (g *Guard) renameLock(ctx context.Context) (unlock func(), err error) {
	if err := g.Host.Mkdir(g.Host.Paths().Data("renames"), 0o700); err != nil {
		return nil, err
	}
	name := renameLockName(g.Host)
	unlock, err = g.Host.Lock(ctx, name, 0o600, deployLockTimeout)
	if errors.Is(err, host.ErrLocked) {
		return nil, say.Hint(errRenaming, "Try again when it is done: dokku upgrade-guard:report")
	}
	if err != nil {
		return nil, fmt.Errorf("the lock %s cannot be taken: %w", name, err)
	}
	return unlock, nil
}

func (g *Guard) renaming(from, to string) *rename.Rename {
	journal := plan.NewJournal(g.Host, "rename")
	return &rename.Rename{
		State: rename.State{From: from, To: to}, Host: g.Host, Out: g.Out,
		Note: func(event, text string, failure error) error {
			return journal.Note(plan.Step{App: from, Hazard: "rename", Text: text + " (" + to + ")"}, event, failure)
		},
		Handover: func() error {
			// Both run by now: it waits for as long as Dokku may build for somebody else.
			return g.locked(context.Background(), 15*time.Minute, func() error { return g.handOver(from, to) })
		},
	}
}

// handOver makes what the guard has recorded of an app the renamed one's: its open
// baseline, its live snapshot where that is the baseline, and the entry by which
// older snapshots are found.
func (g *Guard) handOver(from, to string) error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	if b, open := known.Unresolved[from]; open {
		if b.Snapshot == "live/"+from {
			if err := g.Store.MoveLive(from, to); err != nil {
				return err
			}
			b.Snapshot = "live/" + to
		}
		delete(known.Unresolved, from)
		known.Unresolved[to] = b
	}
	for path, seed := range known.Seeds {
		if seed.App == from {
			delete(known.Seeds, path)
			known.Seeds[filepath.Join(filepath.Dir(filepath.Dir(path)), to, filepath.Base(path))] = state.Seed{App: to, ReadFrom: seed.ReadFrom, SHA256: seed.SHA256, Time: seed.Time}
		}
	}
	for i, name := range known.Unbuilt {
		if name == from {
			known.Unbuilt[i] = to
		}
	}
	if err := g.State.MoveRestores(from, to); err != nil {
		return err
	}
	known.Rename(from, to)
	return g.State.Save(known)
}

// renamed says what a rename means, and records the app under its new name.
func (g *Guard) renamed(ctx context.Context, from, to string) error {
	g.Out.Step("%s is %s now", from, to)
	g.tell(Event{Event: EventRenamed, From: from, To: to, Apps: []string{to}, Text: fmt.Sprintf("%s is called %s now", from, to), ToDo: []string{"git remote set-url dokku " + g.remote(to)}})
	g.tellRemotes(from, to, to)
	if err := g.Refresh(ctx, to); err != nil {
		g.Out.Error(err)
	}
	return nil
}

// tellRemotes says what else knows the old name. linked is the one of the two by which
// services know it: before, the old one.
func (g *Guard) tellRemotes(from, to, linked string) {
	g.Out.Detail("Whoever pushes to it: git remote set-url dokku %s", g.remote(to))
	g.Out.Detail("Scripts and tasks that name %s want the new name.", from)
	links, err := rename.Linked(g.Host, linked)
	if len(links) > 0 {
		g.Out.Detail("It is linked to %s.", strings.Join(links, ", "))
	}
	if err != nil {
		g.Out.Error(err)
	}
}

// CarryOver is called in the middle of a rename by Dokku's own apps:rename, and its
// error is what keeps Dokku from destroying the old app.
func (g *Guard) CarryOver(ctx context.Context, from, to string) error {
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
	if err != nil {
		return err
	}
	for _, name := range []string{from, to} {
		if err := g.verifyApp(files, name); err != nil && !slices.Contains(files.Strays, name) {
			return err
		}
	}
	if !app.Before(files.Dokku, "0.38.0") && rename.IsNamespace(g.Host, from) {
		return say.Hint(fmt.Errorf("%s is the name of a plugin, and destroying the app on Dokku %s would remove the settings of all apps", from, files.Dokku),
			"%s is kept. To remove the new app: %s", from, say.Command("dokku apps:destroy", to))
	}
	keep := g.is("keep-old-domains", from)
	if now := app.Read(files); now.Apps[from].Name != "" {
		// It is too late to keep the name: the plugins have moved their settings.
		if err := rename.NeighboursOf(g.Host, files, now).Bound(g.Host, files, now.Apps[from], to); err != nil {
			g.Out.Trouble("%s to %s: Dokku's own apps:rename does not mind that %v", from, to, err)
		}
	}
	if err := rename.Carry(g.Host, files, from, to, keep); err != nil {
		return err
	}
	if err := rename.CarryLinks(g.Host, from, to); err != nil {
		g.Out.Trouble("a service does not know that %s uses it: %v", to, err)
	}
	return g.locked(ctx, lockTimeout, func() error {
		// Dokku has written the environment for its new name.
		return errors.Join(hazard.HoldRenamed(ctx, g.Host, from, to), g.handOver(from, to))
	})
}

// otherHalves are the apps that are the half of a rename which is not the app now: the new
// one while it is made, the old one while it is destroyed, with a sentence each. What they
// show for themselves, a name that nobody asks for or no configuration at all, is nothing
// to go by.
func (g *Guard) otherHalves() map[string]string {
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil {
		return nil
	}
	found := map[string]string{}
	for _, s := range unfinished {
		serving, other := s.From, s.To
		if s.Serving(g.Host) == s.To {
			serving, other = s.To, s.From
		}
		found[other] = fmt.Sprintf("%s is half of a rename of %s to %s, which has not ended; %s serves", other, s.From, s.To, serving)
	}
	return found
}
