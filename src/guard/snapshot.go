package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// What a snapshot is made of, how it is stored, and which are let go of.

// capture is what a snapshot of the whole host is made of: its files, whose state was
// written by the given Dokku version, and what its apps answer. It is taken without the
// store's lock: docker may be slow, an app slower, and deploys wait for that lock.
func (g *Guard) capture(ctx context.Context, reason, dokku string) (*app.Files, error) {
	images := reason == snapshot.PreUpgrade && app.FromImages(dokku)
	counting, read := g.Out.Counting(ctx, "apps read")
	defer read()
	files, err := g.read(counting, app.What{Dokku: dokku, Images: images})
	if err != nil {
		return nil, err
	}
	read()
	o := &Observation{Files: files, Now: app.Read(files)}
	counting, asked := g.Out.Counting(ctx, "addresses asked")
	defer asked()
	addAnswers(files, nginx.Ask(counting, g.Host.Dial, g.questions(o, files.Apps)))
	return files, nil
}

// addAnswers puts what apps have answered among the files of a snapshot.
func addAnswers(files *app.Files, answers []nginx.Answer) {
	if data, err := nginx.Encode(answers); err == nil && len(answers) > 0 {
		files.AddFact(nginx.Facts, data)
	}
}

// save makes a snapshot of what was captured, and lets retention remove what is too
// much. The caller holds the store's lock.
func (g *Guard) save(files *app.Files, reason string) (snapshot.Manifest, error) {
	without := isWithout(files)
	m, err := g.Store.Save(files, reason)
	if err != nil {
		return m, err
	}
	for _, aside := range []func() error{g.makeKey, g.sweepIncoming} {
		if err := aside(); err != nil {
			g.Out.Error(err) // the key is for printing alone
		}
	}
	g.Out.Step("Snapshot %s of %s taken", m.ID, say.Plural(len(m.Apps), "app"))
	for _, missing := range m.Incomplete {
		g.Out.Trouble("The snapshot is incomplete: %s", missing)
	}
	for _, line := range without {
		g.Out.Trouble("%s", line)
	}
	g.tell(Event{
		Event: EventSnapshot, Snapshot: m.ID, Path: g.Host.Paths().Data("snapshots", m.ID+".tar.gz"),
		Text: fmt.Sprintf("a snapshot of %s was taken (%s)", say.Plural(len(m.Apps), "app"), m.ID),
	})
	// The snapshot is there; that an old one cannot be removed refuses nothing.
	if err := g.prune(m.ID); err != nil {
		g.Out.Error(err)
	}
	return m, nil
}

// isWithout are sentences about what a snapshot of these files does not hold.
func isWithout(files *app.Files) (lines []string) {
	for _, line := range files.NotHeld(restore.FilesTold) {
		lines = append(lines, "The snapshot does not hold "+line)
	}
	for _, file := range files.Under(app.ImageFacts) {
		if name, of, ok := strings.Cut(strings.TrimPrefix(file.Path, app.ImageFacts), "/"); ok && file.Error != "" && !file.LeftOut() {
			lines = append(lines, fmt.Sprintf("%s: the snapshot is without the %s of its image: %s", name, of, file.Error))
		}
	}
	return lines
}

// prune lets retention work: what was just taken, and what is needed, stays.
func (g *Guard) prune(pinned ...string) error {
	needed, err := g.needed()
	if err != nil {
		return err
	}
	return g.Store.Prune(g.retain(), append(pinned, slices.Collect(maps.Keys(needed))...))
}

// needed are the snapshots that nothing takes away, each with what needs it: an open
// baseline, a restore that was cut off, an upgrade that is unfinished; and the baseline
// of the last upgrade, without which nobody could tell any more what that has lost.
func (g *Guard) needed() (map[string]string, error) {
	known, err := g.readState()
	if err != nil {
		return nil, err
	}
	needed := map[string]string{}
	if n := len(known.Upgrades); n > 0 {
		last := known.Upgrades[n-1]
		needed[last.Baseline] = fmt.Sprintf("it tells what the last upgrade has lost, from Dokku %s to %s", last.From, last.To)
	}
	for _, id := range g.State.Restored() {
		needed[id] = "a restore from it was cut off"
	}
	for _, name := range slices.Sorted(maps.Keys(known.Unresolved)) {
		needed[known.Unresolved[name].Snapshot] = fmt.Sprintf("%s is held to it", host.Place(name))
	}
	list, err := g.Store.List()
	if err != nil {
		return nil, err
	}
	for _, id := range neededForUndoing(known, list) {
		if needed[id] == "" {
			needed[id] = "it takes it to undo an upgrade (dokku upgrade-guard:rollback)"
		}
	}
	// While an upgrade is unfinished, so is everything from before it.
	if stamp, disk := g.State.LastSeen(), host.DokkuVersion(g.Host); stamp != disk {
		snapshots, err := g.of(stamp)
		if err != nil {
			return nil, err
		}
		for _, e := range snapshots {
			needed[e.ID] = fmt.Sprintf("the upgrade from Dokku %s to %s is not finished", stamp, disk)
		}
	}
	delete(needed, "")
	return needed, nil
}

func (g *Guard) retain() int {
	n, err := strconv.Atoi(g.setting(host.GlobalScope, "retain").Computed)
	if err != nil || n < 1 {
		return 10
	}
	return n
}

// of are the snapshots of a Dokku version, newest first.
func (g *Guard) of(dokku string) ([]snapshot.Entry, error) {
	list, err := g.Store.List()
	return slices.DeleteFunc(list, func(e snapshot.Entry) bool { return e.Dokku != dokku }), err
}

// sweepIncoming removes what a killed import has left. One that is under way is left alone.
func (g *Guard) sweepIncoming() error {
	if _, err := g.Host.Lstat(g.Host.Paths().Data("incoming")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	release, err := state.LockIncoming(context.Background(), g.Host)
	if err != nil {
		return nil // it is under way
	}
	defer release()
	return g.Store.Discard()
}
