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

// tellPlugins hands over what the guard has recorded, and fires the trigger that
// apps:rename fires while the old app is there. letsencrypt's deletes what it finds
// of its own in the new app, so what any of them took is put back. apps:rename also
// fires post-create, before it carries anything over. Here everything is there by now,
// and what a plugin has for a new app would overwrite it: global-cert's gives the app
// the host's certificate in the place of its own.
func (r *Rename) tellPlugins(ctx context.Context) error {
	if err := r.Handover(); err != nil {
		return err
	}
	if err := r.fire(ctx, "post-app-rename-setup", r.From, r.To); err != nil {
		return err
	}
	if err := r.link(false); err != nil {
		return err
	}
	return r.putBack()
}

// link has the services that the old app uses know the new one. Where that is not ours to
// write it is said: the app goes on working, and no later run could do better.
func (r *Rename) link(gone bool) error {
	denied, err := carryLinks(r.Host, r.From, r.To, r.Links, gone)
	if denied != nil {
		r.Out.Trouble("%s to %s: a service may not know that %s uses it: %v", r.From, r.To, r.To, denied)
	}
	return err
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
	if err := r.inside().rename(dir); err != nil {
		return err
	}
	for _, p := range r.Parts {
		if p.Old == "" {
			continue
		}
		if _, err := h.Lstat(p.New); errors.Is(err, fs.ErrNotExist) {
			if err := h.CopyTree(r.keep("lib", keptAs(h, p.Old)), p.New, host.Copy{}); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		// Also of what is there: a run that was killed here may have put it back.
		if err := r.inside().of(p).rename(p.New); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
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
		if err := r.discard(h.Paths().App(r.From)); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Dokku cannot remove an image by its id that the new one's was made from.
	if err := r.discardImages(ctx, r.From, nil); err != nil {
		return err
	}
	for _, p := range r.Parts {
		if p.Known && p.Old != "" {
			if err := r.discard(p.Old); err != nil {
				return err
			}
		}
	}
	return r.fire(ctx, "post-app-rename", r.From, r.To)
}

// discard removes what the old app has left. What root has put there, or docker for a
// mount, is root's to remove: it is said, and no later run could do better.
func (r *Rename) discard(dir string) error {
	err := r.Host.RemoveTree(dir)
	if errors.Is(err, fs.ErrPermission) {
		r.Out.Trouble("%s to %s: not all of %s could be removed: %v. Nothing needs it any more.", r.From, r.To, dir, err)
		return nil
	}
	return err
}

// verify asks once more. Where the old app's going has taken something along, the
// copy is still there to put it back.
func (r *Rename) verify(ctx context.Context) error {
	if err := r.putBack(); err != nil {
		return err
	}
	if err := r.link(true); err != nil {
		return err
	}
	if err := r.Host.Remove(filepath.Join(r.Host.Paths().App(r.To), marker)); err != nil || !r.Runs {
		return err
	}
	if _, err := r.running(ctx); err != nil {
		return say.Hint(err, "To do: %s", say.Command("dokku ps:restart", r.To))
	}
	if err := host.BuildProxy(ctx, r.Host, r.To); err != nil {
		return err
	}
	return r.ask(ctx)
}
