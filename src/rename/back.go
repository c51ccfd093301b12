package rename

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// TakeBack leaves nothing of a rename that was cut off before its old app was
// destroyed.
func (r *Rename) TakeBack(ctx context.Context) error {
	unlock, err := r.lock(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	return r.takeBack(ctx)
}

// takeBack leaves nothing of the new app, and the old one as it was. Cut off, it is
// done from its beginning again without harm.
func (r *Rename) takeBack(ctx context.Context) error {
	if err := r.ours(); err != nil {
		return err
	}
	r.Out.Step("%s to %s: taking it back", r.From, r.To)
	undo := []func(context.Context) error{r.removeContainers, r.startOld, r.removeRoot, r.removeImages, r.removeParts, r.putCronBack}
	if r.Phase == Switch && r.Runs {
		// First the old one has its domains again, then the new one goes.
		undo = append([]func(context.Context) error{r.giveDomainsBack}, undo...)
	}
	for _, do := range undo {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return r.forget()
}

// giveDomainsBack has nginx serve the old app again, by the nginx.conf it had.
func (r *Rename) giveDomainsBack(ctx context.Context) error {
	h := r.Host
	conf := filepath.Join(h.Paths().App(r.From), "nginx.conf")
	if _, err := h.Lstat(r.keep("nginx.conf")); err == nil {
		if err := h.Rename(r.keep("nginx.conf"), conf); err != nil {
			return err
		}
	}
	was, err := h.ReadFile(conf)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := h.Remove(filepath.Join(h.Paths().App(r.To), "nginx.conf")); err != nil {
		return err
	}
	if err := host.BuildProxy(ctx, h, r.From); err != nil {
		return err
	}
	// Somebody may have changed it by hand.
	if built, err := h.ReadFile(conf); was != nil && (err != nil || string(built) != string(was)) {
		return h.Write(conf, 0o644, was)
	}
	return nil
}

func (r *Rename) removeContainers(ctx context.Context) error {
	ids, err := r.made(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = r.Host.Run(ctx, "docker", append([]string{"rm", "--force"}, ids...)...)
	return err
}

// startOld starts the old app where the rename has stopped it.
func (r *Rename) startOld(ctx context.Context) error {
	if !r.Stop {
		return nil
	}
	s, err := r.now(ctx, r.From)
	if err != nil || s.Running() > 0 {
		return err
	}
	_, err = r.Host.Run(ctx, "dokku", "ps:start", r.From)
	return err
}

func (r *Rename) removeRoot(context.Context) error {
	return r.Host.RemoveTree(r.Host.Paths().App(r.To))
}

func (r *Rename) removeImages(ctx context.Context) error {
	if len(r.Images) == 0 {
		return nil
	}
	return r.discardImages(ctx, r.To, r.Images)
}

// removeParts removes the copies, and puts back what was in their place.
func (r *Rename) removeParts(context.Context) error {
	h := r.Host
	for _, p := range r.Parts {
		kept := r.keep("orphans", keptAs(h, p.New))
		if p.Orphan {
			if _, err := h.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
				continue // not touched yet: what is kept is kept whole
			}
		}
		if err := h.RemoveTree(p.New); err != nil {
			return err
		}
		if p.Orphan {
			if err := h.CopyTree(kept, p.New, host.Copy{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// putCronBack has the crontab name the old app's tasks again.
func (r *Rename) putCronBack(ctx context.Context) error {
	if _, err := r.Host.Lstat(r.keep("app.json")); err == nil {
		if err := r.Host.Rename(r.keep("app.json"), r.appJSON()); err != nil {
			return err
		}
	}
	return r.writeCron(ctx)
}

// made are the containers of the new app: those that bear its label and are made of
// its image. Anybody's may bear the label.
func (r *Rename) made(ctx context.Context) ([]string, error) {
	out, err := r.Host.Run(ctx, "docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", "label=com.dokku.app-name="+r.To)
	ids := strings.Fields(string(out))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	out, err = r.Host.Run(ctx, "docker", append([]string{"inspect", "--format", "{{.Id}} {{.Config.Image}}"}, ids...)...)
	var made []string
	for _, l := range strings.Split(string(out), "\n") {
		if id, image, _ := strings.Cut(l, " "); strings.HasPrefix(image, "dokku/"+r.To+":") {
			made = append(made, id)
		}
	}
	if len(made) > 0 {
		err = nil // one of the others was removed meanwhile
	}
	return made, err
}

// writeCron has Dokku write the crontab. What it is called has changed; 0.23.0 and
// 0.23.1 have nothing of the kind.
func (r *Rename) writeCron(ctx context.Context) error {
	trigger, args := "cron-write", []string(nil)
	switch {
	case !r.Cron, app.Before(r.Dokku, "0.23.2"):
		return nil
	case !app.Before(r.Dokku, "0.36.0"):
		trigger, args = "scheduler-cron-write", []string{""}
	}
	_, err := r.Host.Trigger(ctx, trigger, args...)
	return err
}
