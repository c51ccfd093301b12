package hazard

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// Nginx's hazards need no baseline: what is wrong with how nginx serves an app is seen
// at present (package nginx). Here is what they have in common, their ladder:
//
//   - Dokku builds the app's configuration;
//   - if that did not end it, the configuration gets a fallback upstream from the
//     addresses of the app's running containers. Where nginx refuses what Dokku builds,
//     what a snippet sets, too, is left out of it, or it is one from before;
//   - if nginx still refuses it, it is quarantined, so that the others can be loaded.
//
// Nothing of it makes anything reachable that was not (public.go).

// Routing is how nginx serves an app, as it was observed.
type Routing struct {
	// Findings are what is wrong, by the app's files, by nginx's own verdict, and by
	// what was answered.
	Findings []nginx.Finding
	// Owners are all apps by their addresses: one may be another's.
	Owners nginx.Owners
	// Complaint is what nginx -t says of a file of the app, "" where it says nothing.
	Complaint string
	// Locked tells that the app is being deployed, or locked.
	Locked bool
	// Worse are the addresses that answered before the last upgrade and do not now.
	Worse []string
	// Public and MayStart are the verdicts on having nginx serve the app, and on
	// starting its containers; Before is the app as it was before. They may take the
	// reading of a whole snapshot, so they are asked for when they are needed.
	Public, MayStart func() Verdict
	Before           func() *Side
	// Earlier are its nginx configurations in the snapshots, newest first, each once.
	Earlier func() []string
	// Drops is what a build would end that nginx serves now.
	Drops func() Drop
	// Run is what one run of act remembers; never nil.
	Run *Run
}

// Run is what is remembered of nginx within one run.
type Run struct {
	// Configurations are the apps' as they were before the run touched them.
	Configurations map[string]string
	// Unloaded are the apps of which something was written that nginx has not loaded.
	Unloaded map[string]bool
	// NotRunning tells that nginx does not accept connections.
	NotRunning bool
}

// NewRun is a run that has done nothing yet.
func NewRun() *Run { return &Run{Configurations: map[string]string{}, Unloaded: map[string]bool{}} }

// MayQuarantine tells whether an app's configuration may be taken out of nginx's way:
// where something else waits to be loaded, or nginx does not run, or it was quarantined
// before. Else nobody waits, and nginx may still serve the app as it was before its
// file was broken: that is not ended by us.
func (r *Run) MayQuarantine(name string) bool {
	for other := range r.Unloaded {
		if other != name {
			return true
		}
	}
	return r.NotRunning || nginx.IsQuarantined(r.Configurations[name])
}

// What is done, in words.
const (
	TextBuild      = "nginx configuration, built by Dokku"
	TextFallback   = "fallback upstream in its nginx configuration, from its containers' addresses"
	TextWithout    = "nginx configuration without what a snippet sets, too, with a fallback upstream from its containers' addresses"
	TextEarlier    = "nginx configuration from before, with a fallback upstream from its containers' addresses"
	TextQuarantine = "nginx configuration, quarantined"
	TextReload     = "nginx, reloaded"
	TextStart      = "its containers, started"
)

// unserved are the kinds that a fallback upstream ends as well as a build: all but the
// names, which it does not change.
var unserved = []nginx.Kind{nginx.Refused, nginx.Unreadable, nginx.Roots, nginx.NoUpstream, nginx.Certificate, nginx.Foreign, nginx.NoConfig,
	nginx.Returns502, nginx.Dead, nginx.LeftOut, nginx.Fallback, nginx.Quarantined}

// routingFinding is what is wrong of some kinds with how nginx serves an app.
func (s Subject) routingFinding(consequence string, kinds ...nginx.Kind) *Finding {
	if s.Routing == nil {
		return nil
	}
	var what []string
	for _, f := range s.Routing.Findings {
		if slices.Contains(kinds, f.Kind) {
			what = append(what, f.What)
		}
	}
	if len(what) == 0 {
		return nil
	}
	return &Finding{What: strings.Join(what, "; "), Consequence: consequence}
}

// built is a finding of some kinds with the ladder that begins with a build by Dokku.
func (s Subject) built(consequence string, kinds ...nginx.Kind) []Finding {
	f := s.routingFinding(consequence, kinds...)
	if f == nil {
		return nil
	}
	var ladder []plan.Step
	command := say.Command("dokku proxy:build-config", s.Now.Name)
	v, drop, twice := s.Routing.Public(), s.Routing.Drops(), s.duplicates(s.Now.Dokku)
	switch {
	case v.Closed != "":
		f.Command = command
		f.What += "; Dokku is not asked to build it, because " + v.Closed
	case v.Unknown != "" && s.Routing.Complaint != "" && s.Routing.Run.MayQuarantine(s.Now.Name):
		f.What += "; Dokku is not asked to build it, because " + v.Unknown // others wait, whatever a person may know
	case v.Unknown != "":
		f.Kind = Guess
		f.What += "; Dokku is not asked to build it, because " + v.Unknown
		ladder = append(ladder, s.buildStep())
	case drop.Part != "":
		f.What += "; Dokku is not asked to build it, because " + drop.Why()
		f.Consequence = strings.TrimSpace(f.Consequence + " If it was taken away on purpose: " + command)
		f.Command = drop.Command
	case len(twice) > 0:
		if f.Command, _ = s.commandFor(twice); f.Command == "" {
			f.Command = "dokku upgrade-guard:apply"
		}
		f.What += "; Dokku is not asked to build it, because nginx would refuse it: " + toldOnce(twice)
	case s.recordsGone():
		f.Command = say.Command("dokku ps:start", s.Now.Name)
		f.What += "; Dokku is not asked to build it, because it would be built with the address of a container that is gone"
	case v.NoBuild != "":
		f.Command = command
		f.What += "; Dokku is not asked to build it, because " + v.NoBuild
	case !s.buildable():
		// Its scale waits for a person, or there is nothing to route to.
	default:
		ladder = append(ladder, s.buildStep())
	}
	// Each text there is names the certificate that is gone; what others wait for is no guess.
	if drop.Part != app.PartCertificate && v.Closed == "" && (v.Unknown == "" || len(ladder) > 0) && s.mayFallBack(kinds) {
		ladder = append(ladder, s.fallbackSteps(kinds)...)
	}
	if s.Routing.Complaint != "" {
		ladder = append(ladder, s.quarantineStep())
	}
	switch {
	case len(ladder) == 0:
	case ladder[0].Stage == plan.Quarantine && f.Command != "" && !s.Routing.Run.MayQuarantine(s.Now.Name):
		f.Kind = Manual // as long as nobody waits for it, nothing is done
		fallthrough
	default:
		f.Step, f.Then = &ladder[0], ladder[1:]
	}
	return []Finding{*f}
}

// alive tells whether there is anything to route to.
func (s Subject) alive() bool {
	return s.Now.Proxy.StaticListener != "" || slices.ContainsFunc(s.Now.Web(), func(c app.Container) bool { return c.Running })
}

// buildable tells whether Dokku would build the app's configuration: from 0.25 on it
// stops at an app without a scale, and up to 0.37 it deletes the configuration of an
// app without a running web container.
func (s Subject) buildable() bool {
	return s.alive() && (!s.Now.EffectiveScale().Empty() || app.ScaleInFile(s.Now.Dokku))
}

// recordsGone tells that Dokku has the address of a web container that docker does not
// know. A build takes it from there, whatever runs.
func (s Subject) recordsGone() bool {
	return s.alive() && slices.ContainsFunc(s.Now.Web(), func(c app.Container) bool { return !c.Running && c.Status == "" && c.IP != "" })
}

// mayFallBack tells whether a fallback upstream can end findings of some kinds.
func (s Subject) mayFallBack(kinds []nginx.Kind) bool {
	_, has := s.Files.Text(nginx.ConfPath(s.Now.Name))
	if s.refusedAsBuilt(kinds) {
		return s.alive()
	}
	return s.alive() && slices.ContainsFunc(kinds, func(k nginx.Kind) bool { return slices.Contains(unserved, k) }) &&
		(has || s.configurationBefore() != "")
}

// upstreamMissing tells that nginx refuses the app's configuration for its upstream.
func (s Subject) upstreamMissing() bool {
	return slices.ContainsFunc(s.Routing.Findings, func(f nginx.Finding) bool { return f.Kind == nginx.NoUpstream })
}

// configurationBefore is the app's nginx configuration as it was before.
func (s Subject) configurationBefore() string {
	before := s.Routing.Before()
	if before == nil {
		return ""
	}
	text, _ := before.Files.Text(nginx.ConfPath(s.Now.Name))
	return text
}

// buildStep has Dokku build an app's nginx configuration. Dokku fails here, too, when
// another app's file is refused: what counts is what it has written.
func (s Subject) buildStep() plan.Step {
	name, run := s.Now.Name, s.Routing.Run
	return plan.Step{Mark: plan.Change, Text: TextBuild, Stage: plan.Build,
		Do: func(ctx context.Context, h host.Host) error {
			s.remember()
			err := s.writeListeners(h)
			if err == nil {
				err = host.BuildProxy(ctx, h, name)
			}
			if err == nil {
				clear(run.Unloaded) // nginx has loaded everything
			} else {
				run.Unloaded[name] = true
			}
			if wrong := s.stillWrong(ctx, h); wrong != nil {
				return say.Hint(errors.Join(wrong, err), "To see why: %s", say.Command("dokku --trace proxy:build-config", name))
			}
			return nil
		},
	}
}

// remember keeps the app's configuration as it was before the run touched it.
func (s Subject) remember() {
	if _, known := s.Routing.Run.Configurations[s.Now.Name]; !known {
		s.Routing.Run.Configurations[s.Now.Name], _ = s.Files.Text(nginx.ConfPath(s.Now.Name))
	}
}

// writeListeners writes the files by which Dokku knows where an app's containers
// listen, where they are missing. Without them 0.29 to 0.37 delete the app's
// configuration instead of building it.
func (s Subject) writeListeners(h host.Host) error {
	for _, c := range s.Now.Web() {
		address := nginx.ContainerAddress(c)
		if !c.Running || address == "" {
			continue
		}
		suffix := "." + c.Type + "." + c.Index
		for _, f := range []struct{ name, has, data string }{{"IP", c.IP, address}, {"PORT", c.Port, nginx.ContainerPort(s.Now)}} {
			if f.has != "" {
				continue
			}
			// One that is there by now is a deploy's, which knows better.
			err := plan.Put(h, filepath.Join(s.Paths.App(s.Now.Name), f.name+suffix), 0o644, []byte(f.data), "")
			if err != nil && !errors.Is(err, plan.ErrChanged) {
				return err
			}
		}
	}
	return nil
}

// stillWrong looks at an app's configuration as it is on the disk now, for all but some
// kinds.
func (s Subject) stillWrong(ctx context.Context, h host.Host, besides ...nginx.Kind) error {
	files, err := app.Capture(ctx, h, app.What{Apps: []string{s.Now.Name}, NoCommands: true})
	if err != nil {
		return err
	}
	for _, f := range nginx.CheckApp(files, s.Now, s.Routing.Owners) {
		if !slices.Contains([]nginx.Kind{nginx.Stopped, nginx.Fallback, nginx.Replaced}, f.Kind) && !slices.Contains(besides, f.Kind) {
			return errors.New(f.What)
		}
	}
	return nil
}
