package rename

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/say"
)

// tellPlugins hands over what the guard has recorded, and fires the triggers that
// apps:rename fires while the old app is there. letsencrypt's deletes what it finds
// of its own in the new app, so what any of them took is put back.
func (r *Rename) tellPlugins(ctx context.Context) error {
	if err := r.Handover(); err != nil {
		return err
	}
	if err := r.fire(ctx, "post-create", r.To); err != nil {
		return err
	}
	if err := r.fire(ctx, "post-app-rename-setup", r.From, r.To); err != nil {
		return err
	}
	return r.putBack()
}

// fire fires a trigger in the plugins that are not Dokku's own: Dokku's would copy
// and destroy what is copied already. One that fails stops no other.
func (r *Rename) fire(ctx context.Context, trigger string, args ...string) error {
	hooks, err := plugins.Hooks(r.Host, trigger)
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		if _, err := r.Host.Run(ctx, hook, args...); err != nil {
			r.Out.Trouble("%s of the plugin %s failed: %v", trigger, filepath.Base(filepath.Dir(hook)), err)
		}
	}
	return nil
}

// putBack puts back what the new app had and has not any more, of those things
// that no deploy of Dokku's takes away.
func (r *Rename) putBack() error {
	h, dir := r.Host, r.Host.Paths().App(r.To)
	err := h.CopyTree(r.keep("root"), dir, host.Copy{Merge: true, HardLink: carried(nil).HardLink, Skip: carried(func(rel string) bool {
		top, _, _ := strings.Cut(rel, "/")
		if !slices.Contains([]string{"HEAD", "refs", "objects", "hooks", "packed-refs", "tls", "letsencrypt", "nginx.conf.d"}, top) {
			return true
		}
		st, err := h.Lstat(filepath.Join(dir, rel))
		return err == nil && !st.IsDir()
	}).Skip})
	if err != nil {
		return err
	}
	if err := renameInside(h, dir, r.From, r.To); err != nil {
		return err
	}
	for _, p := range r.Parts {
		if p.Old == "" {
			continue
		}
		if _, err := h.Lstat(p.New); errors.Is(err, fs.ErrNotExist) {
			err = h.CopyTree(r.keep("lib", keptAs(h, p.Old)), p.New, host.Copy{})
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// destroy destroys the old app with Dokku's own command, and what that forgets.
func (r *Rename) destroy(ctx context.Context) error {
	h := r.Host
	if _, err := h.Lstat(h.Paths().App(r.From)); err == nil {
		if r.Runs && !r.Stop && r.Drain > 0 {
			r.Out.Detail("waiting %s for requests that %s is answering", r.Drain, r.From)
			if err := r.Host.Sleep(ctx, r.Drain); err != nil {
				return err
			}
		}
		if _, err := h.Run(ctx, "dokku", "--force", "apps:destroy", r.From); err != nil {
			return err
		}
		if err := h.RemoveTree(h.Paths().App(r.From)); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Dokku cannot remove an image by its id that the new one's was made from.
	tags, err := r.tags(ctx, r.From)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if _, err := h.Run(ctx, "docker", "rmi", "dokku/"+r.From+":"+tag); err != nil {
			return err
		}
	}
	for _, p := range r.Parts {
		if p.Known && p.Old != "" {
			if err := h.RemoveTree(p.Old); err != nil {
				return err
			}
		}
	}
	return r.fire(ctx, "post-app-rename", r.From, r.To)
}

// verify asks once more. Where the old app's going has taken something along, the
// copy is still there to put it back.
func (r *Rename) verify(ctx context.Context) error {
	if err := r.putBack(); err != nil {
		return err
	}
	if err := r.Host.Remove(filepath.Join(r.Host.Paths().App(r.To), marker)); err != nil || !r.Runs {
		return err
	}
	if _, err := r.running(ctx); err != nil {
		return say.Hint(err, "%s", say.Command("dokku ps:restart", r.To))
	}
	if err := host.BuildProxy(ctx, r.Host, r.To); err != nil {
		return err
	}
	return r.ask(ctx)
}
