// Package rename gives an app another name without loss and without refusing a
// request, which no apps:rename of Dokku's does (docs/dokku-versions.md#appsrename).
//
// The new app is made as a whole copy of the old one, from the old one's own
// image, beside it; the old one is taken away when the new one has answered in its
// place. A rename goes through three phases, and each is entered in its state file
// before its first change:
//
//	build   keep     a copy of all that belongs to the app, where Dokku does not look
//	        build    properties, data directories, images, at last the directory, by
//	                 one rename(2): that is the moment at which Dokku sees a new app.
//	                 Its one domain is a name that nobody asks for, so it wins none
//	        prove    everything is there; then it is started, and answers to that name
//	switch  its domains become the old one's, its nginx.conf stands beside the old one's,
//	        then the old one's is set aside: one reload each, and at each moment one of
//	        two working apps has the domains. Every domain is asked
//	clean   the other plugins' rename triggers, apps:destroy of the old one, what that
//	        forgets, and every domain is asked once more
//
// Killed in build or switch, the old app is whole: its directory and properties
// were only read, but for the nginx.conf that switch has set aside. Killed in
// clean, the new one is whole and has answered. So a second run takes build back and
// begins anew, goes on with switch or takes it back, and goes on with clean. Each
// step is done again without harm. What fails is taken back as far as clean, and
// the old app is then as it was.
package rename

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/rawjson"
	"upgrade-guard/src/say"
)

// Phases of a rename.
const (
	Build  = "build"
	Switch = "switch"
	Clean  = "clean"
	// Done is when only what the rename itself had kept is left to be removed.
	Done = "done"
)

// State is what a rename must remember when it is killed.
type State struct {
	From  string    `json:"from"`
	To    string    `json:"to"`
	Dokku string    `json:"dokku"`
	Began time.Time `json:"began"`
	Phase string    `json:"phase"`
	// Runs tells that the app has running containers: only then is the new one
	// started. Stop tells that the old one is stopped for it, because the two must
	// not run at once and the operator has asked for it.
	Runs bool `json:"runs,omitempty"`
	Stop bool `json:"stop,omitempty"`
	// Parts are the directories that are copied beside the app's own, Images the
	// tags of its images.
	Parts  []Part   `json:"parts,omitempty"`
	Images []string `json:"images,omitempty"`
	// Domains are the lines the new VHOST is to have, if Vhost says that there is to
	// be one: a missing file means something else than an empty one
	// (docs/dokku-versions.md#domains). NoVhost tells that domains are disabled.
	Vhost   bool     `json:"vhost,omitempty"`
	Domains []string `json:"domains,omitempty"`
	NoVhost bool     `json:"no_vhost,omitempty"`
	// Cron tells that the app has cron tasks, which must not be in the crontab
	// under both names.
	Cron bool `json:"cron,omitempty"`
	// Answers are what the old app's domains answered before.
	Answers []nginx.Answer `json:"answers,omitempty"`
	// Drain is how long the old containers are left to end what they have begun.
	Drain time.Duration `json:"drain,omitempty"`
}

// Rename is one rename on one host.
type Rename struct {
	State
	Host host.Host
	Out  *say.Printer
	// Note journals that a step begins, is done or has failed.
	Note func(event, text string, failure error) error
	// Handover is called when the new app has answered in the old one's place and
	// before that is taken away: what the guard has recorded is the new one's.
	Handover func() error
}

// Options are what an operator may ask for.
type Options struct {
	// WithStop lets an app that must not run twice be stopped for its rename.
	WithStop bool
	// KeepDomains keeps the old default domain beside the new one.
	KeepDomains bool
	// Ask has nginx asked whether the app answers.
	Ask bool
}

// statePath is where the state of a rename is kept, keep where its copies are: on
// the apps' own filesystem, so that git's objects need no room.
func statePath(h host.Host, from string) string { return h.Paths().Data("renames", from+".json") }

func keepDir(h host.Host, from string) string {
	return filepath.Join(h.Paths().DokkuRoot, "."+host.Plugin, from)
}

func (r *Rename) keep(elem ...string) string {
	return filepath.Join(append([]string{keepDir(r.Host, r.From)}, elem...)...)
}

// Unfinished are the renames that have begun and not come to their end, by the old
// name.
func Unfinished(h host.Host) (map[string]State, error) {
	files, err := h.ReadDir(h.Paths().Data("renames"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string]State{}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		b, err := h.ReadFile(statePath(h, name))
		if err != nil {
			return nil, err
		}
		var s State
		if err := rawjson.Unmarshal(b, &s); err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", statePath(h, name), err)
		}
		found[name] = s
	}
	return found, nil
}

func (r *Rename) enter(phase string) error {
	r.Phase = phase
	b, err := rawjson.MarshalIndent(r.State)
	if err != nil {
		return err
	}
	return r.Host.Write(statePath(r.Host, r.From), 0o600, b)
}

// command is what a person types to begin the rename, or to go on with it.
func (r *Rename) command() string { return say.Command("dokku upgrade-guard:rename", r.From, r.To) }

// placeholder is the one domain of an app that is not to win any: a name that does
// not exist by definition (RFC 2606).
func placeholder(name string) string { return name + ".upgrade-guard.invalid" }

// Prepare fills the state of a new rename, or says why there can be none. Nothing
// is written.
func (r *Rename) Prepare(ctx context.Context, files *app.Files, o Options) error {
	if err := Name(r.Host, files, r.From, r.To); err != nil {
		return err
	}
	now := app.Read(files)
	s := now.Apps[r.From]
	r.Dokku, r.Began = files.Dokku, r.Host.Now()
	r.Runs = s.Running() > 0
	if r.Runs {
		if err := MayOverlap(files, s); err != nil {
			if !o.WithStop {
				return say.Hint(err, "With a short stop: %s --with-stop", r.command())
			}
			r.Stop = true
		}
	}
	var inTheWay []string
	var err error
	if r.Parts, inTheWay, err = partsOf(r.Host, r.From, r.To); err != nil {
		return err
	}
	if len(inTheWay) > 0 {
		return say.Hint(fmt.Errorf("somebody's directory is where the new app's would be: %s", strings.Join(inTheWay, ", ")), "%s <another name>", say.Command("dokku upgrade-guard:rename", r.From))
	}
	if err := r.ready(ctx, files, s); err != nil {
		return err
	}
	if r.Images, err = r.tags(ctx, r.From); err != nil {
		return err
	}
	if r.Runs && len(r.Images) == 0 {
		return say.Hint(fmt.Errorf("the image dokku/%s is missing, and without it no container can be started", r.From), "%s, then try again.", say.Command("dokku ps:rebuild", r.From))
	}
	appJSON, _ := r.Host.ReadFile(r.appJSON())
	r.Cron = strings.Contains(string(appJSON), `"cron"`)
	r.NoVhost, r.Vhost = s.Domains.Disabled, s.Domains.File
	if r.Vhost {
		var taken []string
		for name, other := range now.Apps {
			if name != r.From {
				taken = append(taken, other.Domains.Effective()...)
			}
		}
		r.Domains = domainsOf(s.Domains.Names, r.From, r.To, now.Global.Domains, taken, o.KeepDomains, s.Certificate != nil)
	}
	r.Drain = drain(files, r.From)
	if r.Runs && o.Ask {
		r.Answers = nginx.Ask(ctx, r.Host.Dial, slices.DeleteFunc(nginx.Questions(files, s), func(q nginx.Question) bool { return q.Via != nginx.ViaNginx }))
	}
	return nil
}

// drain is wait-to-retire, the time that a deploy of Dokku's leaves the old
// containers. Up to 0.28 it is in the environment, which is not looked into: then
// it is Dokku's own default.
func drain(files *app.Files, name string) time.Duration {
	for _, scope := range []string{name, host.GlobalScope} {
		if t, ok := files.Text("lib/config/checks/" + scope + "/wait-to-retire"); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(t)); err == nil && n >= 0 && n <= 600 {
				return time.Duration(n) * time.Second
			}
		}
	}
	return time.Minute
}

// step is one thing that is done and said.
type step struct {
	text string
	do   func(context.Context) error
}

// steps are the steps of a phase.
func (r *Rename) steps(phase string) []step {
	all := map[string][]step{
		Build: {
			{"keep a copy of everything", r.keepAll},
			{"copy properties and data", r.copyParts},
			{"name the image", r.nameImages},
			{"copy the app's directory", r.copyRoot},
			{"compare", r.compare},
		},
		Switch: {
			{"give it the domains", r.giveDomains},
		},
		Clean: {
			{"tell the other plugins", r.tellPlugins},
			{fmt.Sprintf("take %s away", r.From), r.destroy},
			{"verify", r.verify},
		},
	}
	if r.Runs {
		start := []step{{"start it", r.start}, {"ask it", r.prove}}
		if r.Stop {
			start = append([]step{{"stop " + r.From, r.stop}}, start...)
		}
		all[Build] = append(all[Build], start...)
		all[Switch] = append(all[Switch], step{"take them from " + r.From, r.takeDomains})
	}
	return all[phase]
}

// Plan are the steps in words.
func (r *Rename) Plan() []string {
	var text []string
	for _, phase := range []string{Build, Switch, Clean} {
		for _, s := range r.steps(phase) {
			text = append(text, s.text)
		}
	}
	return text
}

// Run does the rename, or goes on with one that was cut off in switch or clean.
// What fails before the old app is taken away is taken back.
func (r *Rename) Run(ctx context.Context) error {
	resumed := r.Phase != ""
	if !resumed {
		// A deploy lock that is there already is somebody's, and one that a kill leaves
		// is known to be ours by the state, which is therefore entered first.
		if _, err := r.Host.Lstat(app.DeployLock(r.Host.Paths(), r.Dokku, r.From)); err == nil {
			unlock, err := r.lock(ctx, false)
			if err != nil {
				return err
			}
			unlock() // it has gone meanwhile
		}
		if err := r.Host.Mkdir(r.Host.Paths().Data(), 0o700); err != nil {
			return err
		}
		if err := r.enter(Build); err != nil {
			return err
		}
	}
	unlock, err := r.lock(ctx, resumed)
	if err != nil {
		if !resumed {
			if err := r.Host.Remove(statePath(r.Host, r.From)); err != nil {
				return err
			}
		}
		return err
	}
	defer unlock()
	if resumed && r.Phase == Switch {
		if err := r.ours(); err != nil {
			return err
		}
	}
	if r.Phase == Done {
		return r.forget()
	}
	done, all := 0, r.Plan()
	for _, phase := range []string{Build, Switch, Clean} {
		if resumed && phase == Build || r.Phase == Clean && phase == Switch {
			done += len(r.steps(phase))
			continue
		}
		if phase != r.Phase {
			if err := r.enter(phase); err != nil {
				return r.failed(ctx, "begin "+phase, err)
			}
		}
		for _, s := range r.steps(phase) {
			done++
			r.Out.Step("[%d/%d] %s to %s: %s", done, len(all), r.From, r.To, s.text)
			// What cannot be journaled is done all the same: the state file says enough.
			_ = r.Note("begin", s.text, nil)
			if err := s.do(ctx); err != nil {
				_ = r.Note("failed", s.text, err)
				return r.failed(ctx, s.text, err)
			}
			_ = r.Note("done", s.text, nil)
		}
	}
	if err := r.enter(Done); err != nil {
		return err
	}
	return r.forget()
}

// failed takes back what can be.
func (r *Rename) failed(ctx context.Context, what string, why error) error {
	err := fmt.Errorf("%s to %s: %s: %w", r.From, r.To, what, why)
	if r.Phase == Clean {
		return say.Hint(err, "%s serves, and %s is not wholly taken away. To go on: %s", r.To, r.From, r.command())
	}
	// ^C ends the work and not the taking back.
	if undo := r.takeBack(context.WithoutCancel(ctx)); undo != nil {
		return multierror.Append(err, fmt.Errorf("%s to %s: it could not be taken back: %w", r.From, r.To, undo))
	}
	return say.Hint(err, "%s is as it was.", r.From)
}

// forget removes what the rename had to remember.
func (r *Rename) forget() error {
	if err := r.Host.RemoveTree(r.keep()); err != nil {
		return err
	}
	// Before the state, which tells that it is ours.
	if err := r.Host.Remove(app.DeployLock(r.Host.Paths(), r.Dokku, r.From)); err != nil {
		return err
	}
	return r.Host.Remove(statePath(r.Host, r.From))
}

// --- build

// keptAs is the name under which a part is kept.
func keptAs(h host.Host, dir string) string {
	rel, err := filepath.Rel(h.Paths().LibRoot, dir)
	if err != nil {
		return filepath.Base(dir)
	}
	return rel
}

// skipLock leaves Dokku's deploy lock out, which is ours for the moment.
func skipLock(rel string) bool { return rel == ".deploy.lock" }

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
	}
	return nil
}

// tags are the tags of an app's images.
func (r *Rename) tags(ctx context.Context, name string) ([]string, error) {
	out, err := r.Host.Run(ctx, "docker", "images", "--format", "{{.Tag}}", "dokku/"+name)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(t string) bool { return t == "<none>" }), nil
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
	if err := renameInside(h, stage, r.From, r.To); err != nil {
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

// marker is a file in the new app's directory for as long as it may be taken back,
// so that no app that somebody has created is.
const marker = ".upgrade-guard-rename"

// ours tells whether what bears the new name, if anything does, is of our making.
func (r *Rename) ours() error {
	if _, err := r.Host.Lstat(r.Host.Paths().App(r.To)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if b, err := r.Host.ReadFile(filepath.Join(r.Host.Paths().App(r.To), marker)); err != nil || strings.TrimSpace(string(b)) != r.From {
		return say.Hint(fmt.Errorf("an app %s has been created since the rename of %s was cut off", r.To, r.From),
			"%s is whole. If %s is to stay too, remove %s, and %s when you need nothing of it.", r.From, r.To, statePath(r.Host, r.From), r.keep())
	}
	return nil
}

func (r *Rename) putDomains(dir string) error {
	name := filepath.Join(dir, "VHOST")
	if !r.Vhost {
		return r.Host.Remove(name)
	}
	return r.Host.Write(name, 0o644, vhost(r.Domains))
}

// compare holds the new app to what was kept of the old one, before anything of it
// runs and may write.
func (r *Rename) compare(context.Context) error {
	h := r.Host
	names, err := missing(h, r.keep("root"), h.Paths().App(r.To), carried(nil).Skip, r.From, r.To)
	if err != nil {
		return err
	}
	for _, p := range r.Parts {
		if p.Old == "" {
			continue
		}
		more, err := missing(h, r.keep("lib", keptAs(h, p.Old)), p.New, nil, r.From, r.To)
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

// appJSON is where Dokku keeps the app.json that names the old app's cron tasks.
func (r *Rename) appJSON() string {
	return filepath.Join(r.Host.Paths().LibRoot, "data", "app-json", r.From, "app.json")
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

// now is the state of one of the two.
func (r *Rename) now(ctx context.Context, name string) (app.State, error) {
	files, err := app.Capture(ctx, r.Host, app.What{Apps: []string{name}})
	if err != nil {
		return app.State{}, err
	}
	return app.Read(files).Apps[name], nil
}

// prove holds the running containers to the scale and has nginx ask them.
func (r *Rename) prove(ctx context.Context) error {
	s, err := r.running(ctx)
	if err != nil || s.EffectiveScale().Of("web") == 0 {
		return err
	}
	if !r.Vhost && !r.NoVhost {
		return nil // it was never served by a name or a port of its own
	}
	// The name was nobody's before; it must answer where any domain did.
	return r.worse(ctx, placeholder(r.To))
}

func (r *Rename) running(ctx context.Context) (app.State, error) {
	s, err := r.now(ctx, r.To)
	if err != nil {
		return s, err
	}
	if want := s.EffectiveScale(); s.Running() != want.Total() {
		return s, fmt.Errorf("%d of its containers run, and its scale is %s", s.Running(), want)
	}
	return s, nil
}

// --- switch

// giveDomains has nginx serve the new app under its domains, beside the old one:
// which of the two nginx takes is the order of their names, and both answer.
func (r *Rename) giveDomains(ctx context.Context) error {
	if err := r.putDomains(r.Host.Paths().App(r.To)); err != nil || !r.Runs {
		return err
	}
	if r.NoVhost {
		if _, err := r.Host.Run(ctx, "dokku", "config:set", "--no-restart", r.To, "NO_VHOST=1"); err != nil {
			return err
		}
	}
	if err := r.build(ctx, r.To); err != nil || r.Stop {
		return err // where the old one is stopped, it may still have the domains
	}
	return r.ask(ctx)
}

// build has Dokku write an app's nginx configuration, check all of nginx's, and
// reload it.
func (r *Rename) build(ctx context.Context, name string) error {
	return host.BuildProxy(ctx, r.Host, name)
}

// ask asks what was asked of the old app once more.
func (r *Rename) ask(ctx context.Context) error { return r.worse(ctx, "") }

// takeDomains sets the old app's nginx.conf aside and has nginx notice.
func (r *Rename) takeDomains(ctx context.Context) error {
	err := r.Host.Rename(filepath.Join(r.Host.Paths().App(r.From), "nginx.conf"), r.keep("nginx.conf"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.build(ctx, r.To); err != nil {
		return err
	}
	return r.ask(ctx)
}

// --- clean

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

// destroy takes the old app away with Dokku's own command, and what that forgets.
func (r *Rename) destroy(ctx context.Context) error {
	h := r.Host
	if _, err := h.Lstat(h.Paths().App(r.From)); err == nil {
		if r.Runs && !r.Stop && r.Drain > 0 {
			r.Out.Detail("waiting %s for requests that %s is answering", r.Drain, r.From)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(r.Drain):
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
	if err := r.build(ctx, r.To); err != nil {
		return err
	}
	return r.ask(ctx)
}

// --- back

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

// takeBack leaves nothing of the new app, and the old one as it was.
func (r *Rename) takeBack(ctx context.Context) error {
	h := r.Host
	if err := r.ours(); err != nil {
		return err
	}
	r.Out.Step("%s to %s: taking it back", r.From, r.To)
	root := h.Paths().App(r.To)
	if r.Phase == Switch && r.Runs {
		// First the old one has its domains again, then the new one goes.
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
		if err := h.Remove(filepath.Join(root, "nginx.conf")); err != nil {
			return err
		}
		if err := r.build(ctx, r.From); err != nil {
			return err
		}
		// Somebody may have changed it by hand.
		if built, err := h.ReadFile(conf); was != nil && (err != nil || string(built) != string(was)) {
			if err := h.Write(conf, 0o644, was); err != nil {
				return err
			}
		}
	}
	ids, err := r.made(ctx)
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		if _, err := h.Run(ctx, "docker", append([]string{"rm", "--force"}, ids...)...); err != nil {
			return err
		}
	}
	if r.Stop {
		s, err := r.now(ctx, r.From)
		if err != nil {
			return err
		}
		if s.Running() == 0 {
			if _, err := h.Run(ctx, "dokku", "ps:start", r.From); err != nil {
				return err
			}
		}
	}
	if err := h.RemoveTree(root); err != nil {
		return err
	}
	tags, err := r.tags(ctx, r.To)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if !slices.Contains(r.Images, tag) {
			continue
		}
		if _, err := h.Run(ctx, "docker", "rmi", "dokku/"+r.To+":"+tag); err != nil {
			return err
		}
	}
	for _, p := range r.Parts {
		if p.Orphan {
			// Kept whole, or not touched yet.
			kept := r.keep("orphans", keptAs(h, p.New))
			if _, err := h.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := h.RemoveTree(p.New); err != nil {
				return err
			}
			if err := h.CopyTree(kept, p.New, host.Copy{}); err != nil {
				return err
			}
			continue
		}
		if err := h.RemoveTree(p.New); err != nil {
			return err
		}
	}
	if _, err := h.Lstat(r.keep("app.json")); err == nil {
		if err := h.Rename(r.keep("app.json"), r.appJSON()); err != nil {
			return err
		}
	}
	if err := r.writeCron(ctx); err != nil {
		return err
	}
	return r.forget()
}

// TakeBack leaves nothing of a rename that was cut off before its old app was
// taken away.
func (r *Rename) TakeBack(ctx context.Context) error {
	unlock, err := r.lock(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	return r.takeBack(ctx)
}
