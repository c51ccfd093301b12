package rename

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
)

// Name says what is wrong with a new name, or with the pair. It looks at nothing
// but names and directories.
func Name(h host.Host, files *app.Files, from, to string) error {
	switch {
	case !slices.Contains(files.Apps, from):
		return say.Hint(app.NoApp{Name: from}, "See dokku apps:list for those there are.")
	case app.WhyNoName(to) != "":
		why := app.WhyNoName(to)
		if near := app.NearestName(to); near != "" && near != from {
			why += ". Nearest: " + near
		}
		return say.Hint(fmt.Errorf("%s cannot be a new name: %s", say.Word(to), why),
			"A name that every version takes is made of lower-case letters, digits, dots and dashes, and begins with a letter or digit.")
	case from == to:
		return fmt.Errorf("%s has this name already", from)
	case slices.Contains(files.Apps, to), slices.Contains(files.Strays, to):
		return say.Hint(fmt.Errorf("the name %s is taken", to), "Another name: %s <another name>", say.Command("dokku upgrade-guard:rename", from))
	case IsNamespace(h, to):
		return say.Hint(fmt.Errorf("%s is the name of a plugin, and destroying an app of that name on Dokku 0.38 removes the settings of all apps", to),
			"Another name: %s <another name>", say.Command("dokku upgrade-guard:rename", from))
	case !app.Before(files.Dokku, "0.38.0") && IsNamespace(h, from):
		return say.Hint(fmt.Errorf("%s is the name of a plugin, and destroying the app on Dokku %s would remove the settings of all apps", from, files.Dokku),
			"Leave it as it is.")
	case !app.ReachesName(files.Dokku, from) && files.Dokku != "0.22.8": // where it is pushes alone that are refused
		return say.Hint(fmt.Errorf("no command of Dokku %s works on an app called %s", files.Dokku, from), "Such a name can be changed under an older Dokku only.")
	}
	if st, err := h.Lstat(h.Paths().App(from)); err == nil && st.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("the directory of %s is a link to another place, and the new one would not be there", from)
	}
	// Up to 0.30.11 the containers of the app that is destroyed are looked for with
	// grep "dokku/<app>:", where a dot is any character, and a name may be no pattern
	// at all.
	if pattern, err := regexp.Compile("dokku/" + from + ":"); app.Before(files.Dokku, "0.31.0") && (err != nil || pattern.MatchString("dokku/"+to+":")) {
		return fmt.Errorf("as Dokku %s destroys %s it would take the containers of %s along", files.Dokku, from, to)
	}
	return nil
}

// Still says whether another rename has come between the look and the lock.
func Still(h host.Host, from, to string) error {
	_, there := h.Lstat(h.Paths().App(from))
	_, taken := h.Lstat(h.Paths().App(to))
	unfinished, err := Unfinished(h)
	if _, begun := unfinished[from]; err == nil && (there != nil || taken == nil || begun) {
		err = fmt.Errorf("somebody else has renamed or created an app meanwhile")
	}
	return err
}

// MayOverlap says why an app is not renamed beside its running self; stop is how
// the operator asks for a stop.
func MayOverlap(files *app.Files, s app.State) error {
	why := files.NoOverlap(s)
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("%s must not run twice: %s", s.Name, strings.Join(why, "; "))
}

// ready says why an app cannot be renamed now.
func (r *Rename) ready(ctx context.Context, files *app.Files, s app.State) error {
	switch why := files.Elsewhere(s); {
	case len(why) > 0:
		return fmt.Errorf("%s is not renamed: %s", r.From, strings.Join(why, "; "))
	case len(s.Unreadable) > 0:
		return fmt.Errorf("%s is not renamed: %s", r.From, strings.Join(s.Unreadable, "; "))
	case s.Unknown[app.PartDomains]+s.Unknown[app.PartEnv] != "":
		return fmt.Errorf("%s is not renamed: its domains or environment are not known (%s)", r.From, s.Unknown[app.PartDomains]+s.Unknown[app.PartEnv])
	case s.Running() > 0 && s.Serves() && !served(files, s):
		return say.Hint(fmt.Errorf("%s is not renamed: nginx has no configuration for it, and would get one for the new app", r.From), "If it is to be served: %s, then try again.", say.Command("dokku proxy:build-config", r.From))
	case s.Running() > 0 && hazard.RefusedBuild(r.Host.Paths(), files, s, files.Dokku) != "":
		return say.Hint(fmt.Errorf("%s is not renamed: %s", r.From, hazard.RefusedBuild(r.Host.Paths(), files, s, files.Dokku)), "dokku upgrade-guard:report %s says what to do.", r.From)
	case app.Read(files).DockerMissing != "":
		return fmt.Errorf("nothing is known of the containers: %s", app.Read(files).DockerMissing)
	}
	if n := len(s.Containers); n > 0 && s.Running() != 0 && s.Running() != n {
		return say.Hint(fmt.Errorf("%d of %d containers of %s run: it is in no state to be renamed", s.Running(), n, r.From), "To do: %s", say.Command("dokku ps:restart", r.From))
	}
	out, err := r.Host.Run(ctx, "docker", "ps", "--quiet", "--no-trunc", "--filter", "label=com.dokku.app-name="+r.From)
	if err != nil {
		return err
	}
	for _, id := range strings.Fields(string(out)) {
		if !slices.ContainsFunc(s.Containers, func(c app.Container) bool { return c.ID == id }) {
			return say.Hint(fmt.Errorf("a container of %s runs that no deploy has made, perhaps a task", r.From), "%s shows it. Try again when it is done.", say.Command("docker ps --filter", "label=com.dokku.app-name="+r.From))
		}
	}
	out, err = r.Host.Run(ctx, "docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", "label=com.dokku.app-name="+r.To)
	if err != nil {
		return err
	}
	if ids := strings.Fields(string(out)); len(ids) > 0 {
		return say.Hint(fmt.Errorf("there are containers of another app called %s", r.To), "%s shows them.", say.Command("docker ps --all --filter", "label=com.dokku.app-name="+r.To))
	}
	return r.room()
}

// served tells whether nginx has a configuration for an app, as far as it should.
func served(files *app.Files, s app.State) bool {
	byNginx, _ := s.Proxy.ByNginx()
	_, has := files.Get(nginx.ConfPath(s.Name))
	return has || !byNginx
}

// room tells whether the copies fit on the disk.
func (r *Rename) room() error {
	dir := r.Host.Paths().DokkuRoot
	size, err := sizeOf(r.Host, r.Host.Paths().App(r.From), carried(nil).Skip)
	if err != nil {
		return err
	}
	for _, p := range r.Parts {
		if p.Old != "" {
			n, err := sizeOf(r.Host, p.Old, nil)
			if err != nil {
				return err
			}
			size += n
		}
	}
	const reserve = 64 << 20
	for _, d := range []string{dir, r.Host.Paths().LibRoot} {
		free, err := r.Host.Free(d)
		if err != nil {
			return err
		}
		if need := 2*size + reserve; free < need {
			return fmt.Errorf("the disk is too small: two copies of %s take %d MiB, and %d MiB are free in %s", r.From, need>>20, free>>20, d)
		}
	}
	return nil
}
