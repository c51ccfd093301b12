package rename

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

func (r *Rename) keepAll(context.Context) error {
	h := r.Host
	if err := h.Mkdir(r.keep(), 0o700); err != nil {
		return err
	}
	if err := h.CopyTree(h.Paths().App(r.From), r.keep("root"), host.Copy{
		Skip: func(rel string) bool { return rel == "cache" || rel == ".cache" || rel == ".deploy.lock" }, HardLink: carried(nil).HardLink}); err != nil {
		return err
	}
	for _, p := range r.Parts {
		if p.Old != "" {
			if err := h.CopyTree(p.Old, r.keep("lib", keptAs(h, p.Old)), host.Copy{Skip: skipLock}); err != nil {
				return err
			}
		}
		if p.Orphan {
			if err := h.CopyTree(p.New, r.keep("orphans", keptAs(h, p.New)), host.Copy{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// inside is what is changed in the copies.
func (r *Rename) inside() inside { return insideOf(r.Host, r.From, r.To, r.Parts) }

func (r *Rename) copyParts(context.Context) error {
	for _, p := range r.Parts {
		if p.Orphan {
			if err := r.Host.RemoveTree(p.New); err != nil {
				return err
			}
		}
		if p.Old == "" {
			continue
		}
		if err := r.Host.CopyTree(p.Old, p.New, host.Copy{Skip: skipLock}); err != nil {
			return err
		}
		if err := r.inside().of(p).rename(p.New); err != nil {
			return err
		}
	}
	return nil
}

// nameImages makes the new app's images: the old ones', with the label by which
// Dokku removes an app's images when it is destroyed. No layer is added.
func (r *Rename) nameImages(ctx context.Context) error {
	for _, tag := range r.Images {
		dir := r.keep("image")
		if err := r.Host.Write(filepath.Join(dir, "Dockerfile"), 0o644, []byte("FROM dokku/"+r.From+":"+tag+"\n")); err != nil {
			return err
		}
		if _, err := r.Host.Run(ctx, "docker", "build", "--quiet", "--label", "com.dokku.app-name="+r.To, "--tag", "dokku/"+r.To+":"+tag, dir); err != nil {
			return err
		}
	}
	return nil
}

// copyRoot makes the new app's directory beside and puts it in place.
func (r *Rename) copyRoot(context.Context) error {
	h, stage := r.Host, r.keep("new")
	if err := h.CopyTree(h.Paths().App(r.From), stage, carried(nil)); err != nil {
		return err
	}
	if err := r.inside().rename(stage); err != nil {
		return err
	}
	err := h.Write(filepath.Join(stage, "VHOST"), 0o644, vhost([]string{placeholder(r.To)}))
	if !r.Runs {
		err = r.putDomains(stage)
	}
	if err != nil {
		return err
	}
	if err := h.Write(filepath.Join(stage, marker), 0o644, []byte(r.From+"\n")); err != nil {
		return err
	}
	return h.Rename(stage, h.Paths().App(r.To))
}

// compare holds the new app to what was kept of the old one, before anything of it
// runs and may write.
func (r *Rename) compare(context.Context) error {
	h := r.Host
	names, err := r.inside().missing(r.keep("root"), h.Paths().App(r.To), carried(nil).Skip)
	if err != nil {
		return err
	}
	for _, p := range r.Parts {
		if p.Old == "" {
			continue
		}
		more, err := r.inside().of(p).missing(r.keep("lib", keptAs(h, p.Old)), p.New, nil)
		if err != nil {
			return err
		}
		names = append(names, more...)
	}
	if len(names) > 0 {
		return fmt.Errorf("the copy is not whole: %s", strings.Join(names, ", "))
	}
	return nil
}

func (r *Rename) stop(ctx context.Context) error {
	if _, err := r.Host.Run(ctx, "dokku", "ps:stop", r.From); err != nil {
		return err
	}
	s, err := r.now(ctx, r.From)
	if err == nil && s.Running() > 0 {
		err = fmt.Errorf("%d of its containers still run", s.Running())
	}
	return err
}

// start has Dokku start the containers from the image that is there, as ps:restart
// does, with the app's own checks. No build.
func (r *Rename) start(ctx context.Context) error {
	if r.NoVhost {
		// Served by its port alone it would win that from the old one.
		if _, err := r.Host.Run(ctx, "dokku", "config:unset", "--no-restart", r.To, "NO_VHOST"); err != nil {
			return err
		}
	}
	if r.Cron {
		// The deploy writes the crontab, and the tasks are the new one's then.
		if err := r.Host.Rename(r.appJSON(), r.keep("app.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_, err := r.Host.Run(ctx, "dokku", "ps:restart", r.To)
	return err
}

// probe holds the running containers to the scale and has nginx ask them.
func (r *Rename) probe(ctx context.Context) error {
	s, err := r.running(ctx)
	if err != nil {
		return err
	}
	// A template in the image is not ours to change, and nginx may miss what it names
	// only when somebody asks for it.
	conf, err := r.Host.ReadFile(filepath.Join(r.Host.Paths().App(r.To), "nginx.conf"))
	if err == nil && r.inside().names(conf) {
		return say.Hint(fmt.Errorf("its nginx template names the directory of %s, which goes", r.From), "In nginx.conf.sigil of its repository write {{ .DOKKU_ROOT }}/{{ .APP }}, deploy it, and try again.")
	}
	if s.EffectiveScale().Of("web") == 0 {
		return nil
	}
	if !r.Vhost && !r.NoVhost {
		return nil // it was never served by a name or a port of its own
	}
	// The name was nobody's before; it must answer where any domain did.
	return r.worse(ctx, placeholder(r.To))
}
