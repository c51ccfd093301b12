package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"upgrade-guard/src/say"
)

// What no upgrade tells is looked for once an hour, by Dokku's own timer, where somebody is
// to be told of it: an app that is down, a certificate that ends, an installation that has
// stopped half-way. An event is a change: what was told is remembered until it is over.

// told is what was seen and told last.
type told struct {
	Time         time.Time `json:"time"`
	Down         []string  `json:"down,omitempty"`
	Certificates []string  `json:"certificates,omitempty"` // by fingerprint
	Unconfigured bool      `json:"unconfigured,omitempty"`
}

// watch looks, and tells what has changed since it last did.
func (g *Guard) watch(ctx context.Context) error {
	// While Dokku is installed, or starts its apps, what is down is on its way.
	if len(g.EventHooks()) == 0 || g.installing() || g.restoring(ctx) {
		return nil
	}
	path := g.Host.Paths().Data("events", watched)
	var before told
	if b, err := g.Host.ReadFile(path); err == nil {
		_ = json.Unmarshal(b, &before) // of a damaged one everything is told again
	}
	if g.recent(before.Time, watchEvery) {
		return nil
	}
	r, err := g.Report(ctx, "")
	if err != nil {
		return err
	}
	now := told{Time: g.Host.Now(), Unconfigured: r.Unconfigured != ""}
	if now.Unconfigured && !before.Unconfigured {
		g.tell(Event{Event: EventIncomplete, To: r.Dokku, Text: r.Unconfigured, ToDo: []string{"dpkg --configure -a"}})
	}
	for _, a := range r.Apps {
		if a.Status == StatusUnknown && slices.Contains(before.Down, a.App) {
			now.Down = append(now.Down, a.App) // that it is over is not known
		}
		if a.Status == StatusDown {
			if now.Down = append(now.Down, a.App); !slices.Contains(before.Down, a.App) {
				g.tell(Event{Event: EventDown, Apps: []string{a.App}, Text: fmt.Sprintf("%s is down", a.App), ToDo: a.ToDo})
			}
		}
		if c := a.Certificate; c != nil && c.NotAfter.Sub(now.Time) < certificateDays*24*time.Hour {
			if now.Certificates = append(now.Certificates, c.Fingerprint); !slices.Contains(before.Certificates, c.Fingerprint) {
				g.tell(Event{Event: EventDue, Apps: []string{a.App}, Text: fmt.Sprintf("%s: its certificate: %s", a.App, certificateLine(c, now.Time))})
			}
		}
	}
	b, err := say.EncodeJSON(now)
	if err != nil {
		return err
	}
	if err := g.Host.Mkdir(g.eventsDir(), 0o700); err != nil {
		return err
	}
	return g.Host.Write(path, 0o600, b)
}
