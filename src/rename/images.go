package rename

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// discardImages removes the images of an app that is gone. One that stays takes room and
// nothing else, so it is said, and keeps no rename from its end.
func (r *Rename) discardImages(ctx context.Context, name string, only []string) error {
	tags, err := r.tags(ctx, name)
	if err != nil {
		r.Out.Trouble("%s to %s: whether an image of %s is left is not known: %v", r.From, r.To, name, err)
		return ctx.Err()
	}
	if only != nil {
		tags = slices.DeleteFunc(tags, func(t string) bool { return !slices.Contains(only, t) })
	}
	if len(tags) == 0 {
		return nil
	}
	if err := r.discardContainers(ctx, name); err != nil {
		r.Out.Trouble("%s to %s: what holds an image of %s is not known: %v", r.From, r.To, name, err)
	}
	for _, tag := range tags {
		image := "dokku/" + name + ":" + tag
		if _, err := r.Host.Run(ctx, "docker", "rmi", image); err != nil {
			r.Out.Trouble("%s to %s: the image %s is left (%v). It takes room and harms nothing. When nothing needs it: %s",
				r.From, r.To, image, err, say.Command("docker rmi", image))
		}
	}
	return ctx.Err()
}

// dokkuName is how Dokku calls the containers that it makes for an app's processes and
// tasks, in use and retired, behind the app's name and a dot.
var dokkuName = pattern.Of(`^[^/.]+\.[0-9]+(\.[^/.]+)?$`)

// discardContainers removes what Dokku has left of an app's containers: core's
// installation and each extraction of a file from an image make one that is never
// started, and from 0.31.0 on apps:destroy removes those that run and those that have
// run, and forgets these (docs/dokku-versions.md#appsrename). A container has the label of
// its image too, so one of somebody else's bears it as well: one with a name that Dokku
// would not give stays if it has run, and one with a volume in any case.
func (r *Rename) discardContainers(ctx context.Context, name string) error {
	out, err := r.Host.Run(ctx, "docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", "label=com.dokku.app-name="+name)
	ids := strings.Fields(string(out))
	if err != nil || len(ids) == 0 {
		return err
	}
	out, err = r.Host.Run(ctx, "docker", append([]string{"inspect", "--format",
		`{{.Id}} {{.State.Status}} {{len .Mounts}} {{.Config.Image}} {{.Name}}`}, ids...)...)
	var remove []string
	for _, l := range strings.Split(string(out), "\n") {
		f := strings.Fields(l)
		if len(f) != 5 || !strings.HasPrefix(f[3]+":", "dokku/"+name+":") {
			continue
		}
		rest, ours := strings.CutPrefix(f[4], "/"+name+".")
		ours = ours && dokkuName().MatchString(rest)
		switch status, volumes := f[1], f[2]; {
		case status == "created" && volumes == "0", ours && slices.Contains([]string{"created", "exited", "dead"}, status):
			remove = append(remove, f[0])
		}
	}
	if len(remove) == 0 {
		return err
	}
	if _, err := r.Host.Run(ctx, "docker", append([]string{"rm"}, remove...)...); err != nil {
		return fmt.Errorf("left containers are not removed: %w", err)
	}
	return nil
}
