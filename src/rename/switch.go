package rename

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
)

// giveDomains has nginx serve the new app under its domains, beside the old one:
// which of the two nginx takes is the order of their names, and both answer.
func (r *Rename) giveDomains(ctx context.Context) error {
	if err := r.putDomains(r.Host.Paths().App(r.To)); err != nil || !r.Runs {
		return err
	}
	if r.NoVhost {
		if err := hazard.Config(ctx, r.Host, "config:set", "--no-restart", r.To, "NO_VHOST=1"); err != nil {
			return err
		}
	}
	if err := host.BuildProxy(ctx, r.Host, r.To); err != nil || r.Stop {
		return err // where the old one is stopped, it may still have the domains
	}
	return r.ask(ctx)
}

// moveDomains sets the old app's nginx.conf aside and has nginx notice.
func (r *Rename) moveDomains(ctx context.Context) error {
	err := r.Host.Rename(filepath.Join(r.Host.Paths().App(r.From), "nginx.conf"), r.keep("nginx.conf"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := host.BuildProxy(ctx, r.Host, r.To); err != nil {
		return err
	}
	return r.ask(ctx)
}
