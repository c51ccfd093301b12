// Package rename gives an app another name without loss and without refusing a
// request, which no apps:rename of Dokku's does (docs/dokku-versions.md#appsrename).
//
// The new app is made as a whole copy of the old one, from the old one's own
// image, beside it; the old one is destroyed when the new one has answered in its
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
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
)

// Rename is one rename on one host.
type Rename struct {
	State
	Host host.Host
	Out  *say.Printer
	// Note journals that a step begins, is done or has failed.
	Note func(event, text string, failure error) error
	// Handover is called when the new app has answered in the old one's place and
	// before that is destroyed: what the guard has recorded is the new one's.
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
	inContainers, err := mounted(ctx, r.Host, slices.DeleteFunc(slices.Clone(s.Containers), func(c app.Container) bool { return c.Status == "" }))
	if err != nil {
		return err
	}
	mounts, err := mountsOf(files, r.From)
	if err != nil {
		return fmt.Errorf("%s is not renamed: %w", r.From, err)
	}
	mounts = append(mounts, inContainers...)
	var inTheWay []string
	if r.Parts, inTheWay, err = partsOf(r.Host, r.From, r.To, mounts); err != nil {
		return err
	}
	if err := NeighboursOf(r.Host, files, now).bound(r.Host, s, r.To, r.Parts, mounts); err != nil {
		return fmt.Errorf("%s is not renamed: %w", r.From, err)
	}
	if len(inTheWay) > 0 {
		return say.Hint(fmt.Errorf("somebody's directory is where the new app's would be: %s", strings.Join(inTheWay, ", ")), "%s <another name>", say.Command("dokku upgrade-guard:rename", r.From))
	}
	if err := r.ready(ctx, files, s); err != nil {
		return err
	}
	r.Links, _ = Linked(r.Host, r.From) // what cannot be read is said when it is to be written
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
		r.Domains = domainsOf(s.Dokku, s.Domains.Names, r.From, r.To, now.Global.Domains, taken, o.KeepDomains, s.Certificate != nil)
	}
	r.Drain = drain(files, r.From)
	if r.Runs && o.Ask {
		r.Answers, r.Alive = own(files, s, nginx.Ask(ctx, r.Host.Dial, nginx.Questions(files, s)))
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

// command is what a person types to begin the rename, or to go on with it.
func (r *Rename) command() string { return say.Command("dokku upgrade-guard:rename", r.From, r.To) }

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
			{"destroy " + r.From, r.destroy},
			{"verify", r.verify},
		},
	}
	if r.Runs {
		start := []step{{"start it", r.start}, {"probe the containers", r.probe}}
		if r.Stop {
			start = append([]step{{"stop " + r.From, r.stop}}, start...)
		}
		all[Build] = append(all[Build], start...)
		all[Switch] = append(all[Switch], step{"move the domains from " + r.From, r.moveDomains})
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
// What fails before the old app is destroyed is taken back.
func (r *Rename) Run(ctx context.Context) error {
	resumed := r.Phase != ""
	unlock, err := r.begin(ctx, resumed)
	if err != nil {
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
	done, all := 0, len(r.Plan())
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
		if phase == Clean {
			// Half of an app is not left behind for an interrupt; a second one ends the process.
			stop := context.AfterFunc(ctx, func() {
				r.Out.Trouble("Interrupted, and brought to its end all the same: %s serves, and %s is being destroyed", r.To, r.From)
			})
			defer stop()
			ctx = context.WithoutCancel(ctx)
		}
		for _, s := range r.steps(phase) {
			done++
			r.Out.Step("[%d/%d] %s to %s: %s", done, all, r.From, r.To, s.text)
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

// begin takes the deploy lock of the old app, and enters a new rename. A lock that is
// there already is somebody's, and one that a kill leaves is known to be ours by the
// state, which is therefore entered first.
func (r *Rename) begin(ctx context.Context, resumed bool) (unlock func(), err error) {
	if resumed {
		return r.lock(ctx, resumed)
	}
	if _, err := r.Host.Lstat(app.DeployLock(r.Host.Paths(), r.Dokku, r.From)); err == nil {
		unlock, err := r.lock(ctx, resumed)
		if err != nil {
			return nil, err
		}
		unlock() // it has gone meanwhile
	}
	if err := r.Host.Mkdir(r.Host.Paths().Data(), 0o700); err != nil {
		return nil, err
	}
	if err := r.enter(Build); err != nil {
		return nil, err
	}
	unlock, err = r.lock(ctx, resumed)
	if err != nil {
		if err := r.Host.Remove(statePath(r.Host, r.From)); err != nil {
			return nil, err
		}
		return nil, err
	}
	return unlock, nil
}

// failed takes back what can be.
func (r *Rename) failed(ctx context.Context, what string, why error) error {
	err := fmt.Errorf("%s to %s: %s: %w", r.From, r.To, what, why)
	if r.Phase == Clean {
		return say.Hint(err, "%s serves, and %s is not wholly destroyed yet. To go on: %s", r.To, r.From, r.command())
	}
	// ^C ends the work and not the taking back.
	if undo := r.takeBack(context.WithoutCancel(ctx)); undo != nil {
		return multierror.Append(err, fmt.Errorf("%s to %s: it could not be taken back: %w", r.From, r.To, undo))
	}
	return say.Hint(err, "%s is as it was.", r.From)
}
