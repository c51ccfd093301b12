package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// A Dokku that this release does not know, a newer one or a build from a branch, may
// keep anything elsewhere than the readers look. Before an upgrade to one what is at
// risk in any is stored, and what versions are known to lose is prevented; after it the
// work is done where Dokku's own commands confirm what is read, and nowhere else.

// askingDokku is how long all of Dokku's commands may take together: a hook of the
// package manager waits for it. Who could not be asked in it is not confirmed.
const askingDokku = time.Minute

// confirm holds what was read of apps, and of the host, to what Dokku's own commands
// say, on a version that this release does not know; on one that it knows nothing is
// asked. Within a run who reads as before is not asked again.
func (g *Guard) confirm(ctx context.Context, o *Observation, scopes ...string) {
	if o.Now.Dokku == "" || app.Known(o.Now.Dokku) { // without any, nothing is done at all
		return
	}
	if g.confirmed == nil {
		g.confirmed = map[string]confirmation{}
	}
	var open []string
	for _, scope := range scopes {
		c, asked := g.confirmed[scope]
		if !o.renaming[scope] && (!asked || c.reading != app.Reading(o.Files, o.Now, scope)) {
			open = append(open, scope)
		}
	}
	if len(open) > 0 {
		// These commands read our lines in .dokkurc too.
		defer host.Setenv(inOurRun, "yes")()
		ctx, cancel := context.WithTimeout(ctx, askingDokku)
		defer cancel()
		found := app.Ask(ctx, g.Host, o.Files, o.Now, open)
		for _, scope := range open {
			g.confirmed[scope] = confirmation{app.Reading(o.Files, o.Now, scope), found[scope]}
		}
	}
	o.disputed = map[string][]app.Disagreement{}
	for _, scope := range scopes {
		if c := g.confirmed[scope]; len(c.disputed) > 0 && !o.renaming[scope] {
			o.disputed[scope] = c.disputed
		}
	}
}

// sayVersion says of a run on a version that this release does not know that it was
// one, and how far Dokku's own commands confirm what it went by.
func (g *Guard) sayVersion(o *Observation) {
	if app.Known(o.Now.Dokku) {
		return
	}
	all, left := len(o.Files.Apps), o.ofDisputed(o.Files.Apps)
	if why := app.WhyNotKnown(o.Now.Dokku); len(left) == 0 {
		g.Out.Step("%s. Dokku's own commands confirm what was read of %s", why, say.Plural(all, "app"))
	} else {
		g.Out.Trouble("%s. Dokku's own commands confirm what was read of %d of %s. Not touched: %s", why, all-len(left), say.Plural(all, "app"), strings.Join(left, ", "))
	}
}

// notForetold says of a version to come that this release does not know it.
func notForetold(to string) []string {
	return []string{app.WhyNotKnown(to) + ": what it changes cannot be foretold",
		"scale, domains, ports, certificates, settings and the way from nginx to the containers are at risk in any upgrade; all of them are stored before it and compared after it"}
}

// mayTouch refuses what a person asks for where Dokku's own commands do not confirm
// what it would be done by: one of these parts, or any where none is named.
func (g *Guard) mayTouch(ctx context.Context, files *app.Files, name string, parts ...string) error {
	o := &Observation{Files: files, Now: app.Read(files)}
	g.confirm(ctx, o, name)
	for _, d := range o.disputed[name] {
		if len(parts) == 0 || slices.Contains(parts, string(d.Part)) {
			return say.Hint(fmt.Errorf("%s: %w", name, errors.New(d.String())), "%s, so it is not touched. To update the plugin: dokku plugin:update upgrade-guard", app.WhyNotKnown(o.Now.Dokku))
		}
	}
	return nil
}

// newestFor is the newest version that is known to a Dokku that runs: itself, where it
// is not known at all.
func newestFor(running string) string {
	if !app.Known(running) {
		return running
	}
	return app.NewestKnown
}
