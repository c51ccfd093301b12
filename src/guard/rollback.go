package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/say"
)

// Rollback is how the last upgrade of Dokku is undone. It is for root to do: every command
// of Dokku's is the dokku user's, who may not ask apt for anything.
type Rollback struct {
	From, To string
	// Command is what root types.
	Command string
	// Offered tells that apt has the older version; false also where that is not known.
	Offered bool
	// Check is what the way back will do.
	Check Check
}

// Rollback tells how the last upgrade is undone, and does nothing of it.
func (g *Guard) Rollback(ctx context.Context) (r Rollback, err error) {
	disk, _, err := g.versions()
	if err != nil {
		return r, err
	}
	known, err := g.readState()
	if err != nil {
		return r, err
	}
	to, why := g.cameFrom(known, disk)
	if to != "" {
		if hops, reason := g.hops(disk, to); len(hops) == 0 {
			to, why = "", reason
		}
	}
	if to == "" {
		return r, say.Hint(fmt.Errorf("there is no way back from Dokku %s that upgrade-guard knows: %s", disk, why),
			"What an older version does not read of this host: dokku upgrade-guard:check --to <version>")
	}
	r = Rollback{From: disk, To: to}
	if r.Check, err = g.Check(ctx, "", to); err != nil {
		return r, err
	}
	args := []string{"-y", "--allow-downgrades"}
	if g.held(ctx) {
		args = append(args, "--allow-change-held-packages")
	}
	r.Command = say.Command("apt-get install", append(args, "dokku="+to)...)
	r.Offered = g.offered(ctx, to)
	return r, nil
}

// held tells whether root has held Dokku's package.
func (g *Guard) held(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := g.Host.Run(ctx, "apt-mark", "showhold")
	return err == nil && slices.Contains(strings.Fields(string(out)), "dokku")
}

// offered tells whether apt has a version of Dokku's package.
func (g *Guard) offered(ctx context.Context, version string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := g.Host.Run(ctx, "apt-cache", "madison", "dokku")
	if err != nil {
		return false
	}
	for l := range strings.Lines(string(out)) {
		if fields := strings.Split(l, "|"); len(fields) > 1 && strings.TrimSpace(fields[1]) == version {
			return true
		}
	}
	return false
}
