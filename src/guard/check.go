package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/packages"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// Check is what an upgrade would do to the host, and what is wrong with it
// already.
type Check struct {
	Version int              `json:"version"` // of this shape
	Guard   string           `json:"upgrade_guard"`
	From    string           `json:"from"`
	To      string           `json:"to"`
	Present []hazard.Finding `json:"present"`
	Upgrade []hazard.Finding `json:"upgrade"`
	// Ground is what stands in the way of an upgrade of all packages, Moves what that would
	// make of docker and nginx, in words.
	Ground []hazard.Finding `json:"ground"`
	Moves  string           `json:"moves,omitempty"`
	// AutoApply tells that what can be prevented and repaired is, without being asked.
	AutoApply bool `json:"auto_apply"`
	// Unknown says what the check could not look at, and what is not known.
	Unknown []string `json:"unknown,omitempty"`
	// partly tells that some of it is about what is wrong now; undoes, that To is an older
	// version, and that what led here from it can be undone.
	partly, undoes bool
}

// ForYou tells whether anything is left to a person, or not known: what is wrong now
// and what of the upgrade is not handled by itself.
func (c Check) ForYou() bool {
	return len(c.Unknown) > 0 || open(c.Present) || len(forYou(c.Upgrade)) > 0 || len(forYou(c.Ground)) > 0 ||
		!c.AutoApply && len(repairs(c.Upgrade)) > 0
}

// PresentText is what is wrong now, in words.
func (c Check) PresentText() string {
	if n := len(repairs(c.Present)) + len(forYou(c.Present)); n > 0 {
		return say.Plural(n, "finding")
	}
	if c.partly {
		return "nothing found, as far as is known"
	}
	return "nothing found"
}

// UpgradeTitle says what the version asked about is, and counts what is at risk, in
// words: "Upgrade to 0.35.5: 5 at risk, 5 handled, 0 for you".
func (c Check) UpgradeTitle() string {
	text := atRisk(c.Upgrade, c.AutoApply)
	switch {
	case c.undoes:
		return fmt.Sprintf("Way back to %s: %s", c.To, text)
	case app.Before(c.To, c.From):
		return fmt.Sprintf("Way back to %s: %s, as far as is known", c.To, text)
	case c.To != c.From && !app.Known(c.To):
		return fmt.Sprintf("Upgrade to %s: %s, as far as is known", c.To, text)
	}
	return fmt.Sprintf("Upgrade to %s: %s", c.To, text)
}

// GroundTitle says what becomes of docker and nginx, and counts what stands in the way, in
// words: "What Dokku stands on, docker 20.10.24 to 26.1.5: 1 for you".
func (c Check) GroundTitle() string {
	moves := c.Moves
	if moves != "" {
		moves = ", " + moves
	}
	return fmt.Sprintf("What Dokku stands on%s: %d for you", moves, len(forYou(c.Ground)))
}

// Check changes nothing. Without a target it looks at the upgrade that apt has
// in store, or else at the newest version the guard knows. With an app it is what of it is
// that app's.
func (g *Guard) Check(ctx context.Context, only, to string) (Check, error) {
	if to != "" && !app.ValidVersion(to) {
		return Check{}, say.Hint(fmt.Errorf("%q is not a Dokku version", to), "A version looks like 0.35.5: dokku upgrade-guard:check --to 0.35.5")
	}
	if only != "" {
		if err := g.appThere(only); err != nil {
			return Check{}, err
		}
	}
	var told func() (packages.Ahead, error)
	if only == "" {
		told = g.plans(ctx)
	}
	// Up to 0.28 some of an app's files are in its image, and an upgrade leaves them there.
	o, err := g.observeWhat(ctx, app.What{Images: app.FromImages(host.DokkuVersion(g.Host))})
	if err != nil {
		return Check{}, err
	}
	m, err := g.remember(o)
	if err != nil {
		return Check{}, err
	}
	g.ask(ctx, o)
	now := o.Now
	if to == "" {
		to = g.candidate(ctx, now.Dokku)
	}
	c := Check{Version: JSONVersion, Guard: g.Version, From: now.Dokku, To: to, Present: g.assess(o, m), AutoApply: g.autoApply()}
	if now.Dokku != to {
		c.Upgrade = g.foresee(o, now.Dokku, to, m.state)
	}
	for _, u := range g.notKnown(o, m) {
		c.Unknown = append(c.Unknown, u.String())
	}
	c.Unknown = append(c.Unknown, o.partsUnknown()...)
	c.partly = len(c.Unknown) > 0
	if only == "" {
		ground, unknown := g.ground(ctx, o, told)
		c.Ground, c.Moves = hazard.AskGround(ground), ground.Moves()
		c.Unknown = append(c.Unknown, unknown...)
	}
	switch {
	case to == now.Dokku: // no upgrade; whether it is known stands among what is found
	case !app.Known(to):
		c.Unknown = append(c.Unknown, notForetold(to)...)
	case app.Before(to, now.Dokku):
		hops, why := g.hops(now.Dokku, to)
		if c.undoes = len(hops) > 0; !c.undoes {
			c.Unknown = append(c.Unknown, fmt.Sprintf("Dokku %s is older than the one on this host (%s), and upgrade-guard cannot undo what led here: %s. What such a way back loses is not foretold in full. A snapshot is taken before it", to, now.Dokku, why))
		}
	}
	if of := (occasion{app: only}); only != "" {
		c.Present, c.Upgrade = of.chosen(c.Present), of.chosen(c.Upgrade)
	}
	c.Present, c.Upgrade, c.Ground = orEmpty(c.Present), orEmpty(c.Upgrade), orEmpty(c.Ground)
	return c, nil
}

// candidate is the Dokku that apt would install.
func (g *Guard) candidate(ctx context.Context, running string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := g.Host.Run(ctx, "apt-cache", "policy", "dokku")
	if err == nil {
		for _, l := range strings.Split(string(out), "\n") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(l), "Candidate: "); ok && app.ValidVersion(v) && !app.Before(v, running) {
				return v
			}
		}
	}
	return newestFor(running)
}

// Set sets or, without a value, unsets one of the guard's properties, for the
// host (GlobalScope) or for one app. Without auto-apply nothing of ours may lie ahead of
// an upgrade: what was written for one that has not come is taken back.
func (g *Guard) Set(ctx context.Context, scope, name, value string) error {
	if scope != host.GlobalScope {
		if err := g.appThere(scope); err != nil {
			return err
		}
	}
	p, ok := propertyOf(name)
	switch {
	case !ok:
		return fmt.Errorf("Invalid property specified, valid properties include: %s", strings.Join(PropertyNames(), ", "))
	case scope != host.GlobalScope && !p.ofApps:
		words := slices.DeleteFunc([]string{host.GlobalScope, name, value}, func(w string) bool { return w == "" })
		return say.Hint(fmt.Errorf("%s is one for the whole host", name), "%s", say.Command("dokku upgrade-guard:set", words...))
	case value != "" && !p.valid(value):
		return say.Hint(fmt.Errorf("%s cannot be %q", name, value), "%s", p.hint)
	}
	if err := g.Host.SetProperty(scope, name, value); err != nil || name != "auto-apply" || value != "false" {
		return err
	}
	return g.locked(ctx, lockTimeout, func() error {
		return g.changeState(func(known *state.State) error {
			return g.withdraw(known, func(state.Seed) bool { return true })
		})
	})
}

// orEmpty is a list that prints as one when it is empty.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
