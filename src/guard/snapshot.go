package guard

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// What a snapshot is made of, how it is stored, and which are let go of.

// capture is what a snapshot of the whole host is made of: its files, whose state was
// written by the given Dokku version, and what its apps answer. It is taken without the
// store's lock: docker may be slow, an app slower, and deploys wait for that lock.
func (g *Guard) capture(ctx context.Context, reason, dokku string) (*app.Files, error) {
	images := reason == snapshot.PreUpgrade && app.FromImages(dokku)
	counting, read := g.Out.Counting(ctx, "apps read")
	defer read()
	files, err := app.Capture(counting, g.Host, app.What{Dokku: dokku, Images: images})
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
	m, err := g.Store.Save(files, reason)
	if err != nil {
		return m, err
	}
	if err := g.makeKey(); err != nil {
		g.Out.Error(err) // it is for printing alone
	}
	g.Out.Step("Snapshot %s of %s taken", m.ID, say.Plural(len(m.Apps), "app"))
	for _, missing := range m.Incomplete {
		g.Out.Trouble("The snapshot is incomplete: %s", missing)
	}
	for _, line := range files.NotHeld(restore.FilesTold) {
		g.Out.Trouble("The snapshot does not hold %s", line)
	}
	for _, file := range files.Under(app.ImageFacts) {
		if name, of, ok := strings.Cut(strings.TrimPrefix(file.Path, app.ImageFacts), "/"); ok && file.Error != "" && !file.LeftOut() {
			g.Out.Trouble("%s: the snapshot is without the %s of its image: %s", name, of, file.Error)
		}
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

// prune lets retention work. What was just taken, and what an open baseline or a
// restore that was cut off needs, is pinned; and so is the baseline of the last upgrade,
// without which nobody could tell any more what that has lost.
func (g *Guard) prune(pinned ...string) error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	for _, b := range known.Unresolved {
		pinned = append(pinned, b.Snapshot)
	}
	pinned = append(pinned, g.State.Restored()...)
	if n := len(known.Upgrades); n > 0 {
		pinned = append(pinned, known.Upgrades[n-1].Baseline)
	}
	// While an upgrade is unfinished, so is everything from before it.
	if stamp := g.State.LastSeen(); stamp != host.DokkuVersion(g.Host) {
		snapshots, err := g.of(stamp)
		if err != nil {
			return err
		}
		for _, e := range snapshots {
			pinned = append(pinned, e.ID)
		}
	}
	return g.Store.Prune(g.retain(), pinned)
}

func (g *Guard) retain() int {
	n, err := strconv.Atoi(g.property("retain", "10"))
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
