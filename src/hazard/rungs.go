package hazard

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
)

// The rungs of the ladder in routing.go that come after a build by Dokku.

// refusedAsBuilt tells that nginx refuses the app's configuration, and not for its upstream.
func (s Subject) refusedAsBuilt(kinds []nginx.Kind) bool {
	return slices.Contains(kinds, nginx.Refused) && s.Routing.Complaint != "" && !s.upstreamMissing()
}

// earlier are the configurations from before that may take the place of one that nginx
// refuses: they answer to no name, on no port and on no address that it does not, and
// let nobody in whom it keeps out.
func (s Subject) earlier() []string {
	present, _ := s.Files.Text(nginx.ConfPath(s.Now.Name))
	texts := s.Routing.Earlier()
	if before, known := s.Routing.Run.Configurations[s.Now.Name]; known {
		texts = append([]string{before}, texts...)
	}
	now := servers(Side{State: s.Now, Files: s.Files})
	names, ports := append(s.Now.Domains.Effective(), namesOf(now)...), append(builtPorts(s.Now), listened(now)...)
	nameless := func(server nginx.Server) bool { return len(server.Names) == 0 }
	opens := func(text string) bool {
		config, err := nginx.ReadText(s.Files, text)
		if err != nil || len(without(namesOf(config.Servers), names)) > 0 || len(without(listened(config.Servers), ports)) > 0 {
			return true
		}
		if len(without(nginx.Access(present), nginx.Access(text))) > 0 {
			return true
		}
		if slices.ContainsFunc(config.Servers, nameless) && !slices.ContainsFunc(now, nameless) {
			return true
		}
		return len(now) > 0 && len(without(addresses(config.Servers), addresses(now))) > 0
	}
	return slices.DeleteFunc(slices.Clone(texts), func(text string) bool {
		return text == "" || text == present || nginx.IsQuarantined(text) || opens(text)
	})
}

// addresses are those that servers listen on.
func addresses(servers []nginx.Server) (list []string) {
	for _, server := range servers {
		for _, l := range server.Listens {
			list = append(list, l.Address)
		}
	}
	return list
}

// fallbackSteps are the rungs that write what Dokku could not build. Of what nginx refuses
// for another reason than its upstream, the text that is there is used without what a
// snippet sets, too, so that the snippet has its way as it had before; else one from before.
func (s Subject) fallbackSteps(kinds []nginx.Kind) []plan.Step {
	step := func(text string, do func(context.Context, host.Host) error) plan.Step {
		return plan.Step{Mark: plan.Change, Text: text, Stage: plan.Fallback, Do: do}
	}
	if !s.refusedAsBuilt(kinds) {
		return []plan.Step{step(TextFallback, s.fallBack)}
	}
	var rungs []plan.Step
	present, _ := s.Files.Text(nginx.ConfPath(s.Now.Name))
	if _, ok := nginx.Without(present, nginx.Duplicate(s.Routing.Complaint)); ok {
		rungs = append(rungs, step(TextWithout, s.leaveOut))
	}
	// Another file that nginx complains of by itself is no better with an earlier one.
	if (strings.Contains(s.Routing.Complaint, s.Paths.App(s.Now.Name)+"/nginx.conf:") || strings.Contains(s.Routing.Complaint, "duplicate")) && len(s.earlier()) > 0 {
		rungs = append(rungs, step(TextEarlier, func(ctx context.Context, h host.Host) error {
			return s.replace(ctx, h, nginx.WriteReplacement, func(string, string) []string { return s.earlier() })
		}))
	}
	return rungs
}

// fallBack writes the upstream that Dokku could not build into one of the texts that there
// are of the app's configuration: what is there now, what was there before the build, what
// is quarantined, what was recorded.
func (s Subject) fallBack(ctx context.Context, h host.Host) error {
	return s.replace(ctx, h, nginx.WriteFallback, func(path, present string) []string {
		aside, _ := h.ReadFile(nginx.QuarantinePath(path))
		return []string{present, s.Routing.Run.Configurations[s.Now.Name], string(aside), s.configurationBefore()}
	})
}

// someDuplicates is more than Dokku's template has of directives that may be set twice.
const someDuplicates = 30

// leaveOut leaves out of the configuration what nginx says stands in a snippet, too: it
// names one at a time.
func (s Subject) leaveOut(ctx context.Context, h host.Host) error {
	refused := s.Routing.Complaint
	text, _ := s.Files.Text(nginx.ConfPath(s.Now.Name))
	var err error
	for range someDuplicates {
		next, ok := nginx.Without(text, nginx.Duplicate(refused))
		if !ok {
			break
		}
		text = next
		if err = s.replace(ctx, h, nginx.WriteReplacement, func(string, string) []string { return []string{text} }); err == nil {
			return nil
		}
		var r refusal
		if !errors.As(err, &r) {
			break
		}
		refused = string(r)
	}
	return err
}

// refusal is what nginx says of an app's configuration.
type refusal string

func (r refusal) Error() string { return "nginx refuses it: " + string(r) }

// replace puts one of some texts, with an upstream from the containers' addresses, where
// the app's configuration is. What nginx does not take is not left there.
func (s Subject) replace(ctx context.Context, h host.Host, write func(string, app.State) (string, error), texts func(path, present string) []string) error {
	path := filepath.Join(s.Paths.App(s.Now.Name), "nginx.conf")
	if err := plan.Unchanged(h, path, s.Digest(path)); err != nil {
		return err // a deploy was faster
	}
	s.remember()
	present, missing := h.ReadFile(path)
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		return missing // what cannot be read is not replaced
	}
	err := nginx.ErrNoFallback
	written := false
	for _, text := range texts(path, string(present)) {
		var mended string
		if mended, err = write(text, s.Now); err != nil {
			continue
		}
		if err = h.Write(path, 0o644, []byte(mended)); err != nil {
			return err
		}
		written = true
		// Names are not changed by it, and wait for Dokku's own build.
		if err = s.stillWrong(ctx, h, nginx.Names); err == nil && text != string(present) {
			err = s.refusedNow(ctx, h)
		}
		if err == nil {
			s.Routing.Run.Unloaded[s.Now.Name] = true
			return nil
		}
	}
	// None of them is right, and the last one tried must not be what is left.
	switch {
	case written && missing == nil:
		return errors.Join(err, h.Write(path, 0o644, present))
	case written:
		return errors.Join(err, h.Remove(path))
	}
	return err
}

// refusedNow is what nginx says of the app's files as they are on the disk now; nil where
// it names none of them, or cannot be asked.
func (s Subject) refusedNow(ctx context.Context, h host.Host) error {
	complaint, err := host.TestNginx(ctx, h)
	if err == nil && nginx.Culprit(complaint, s.Paths.DokkuRoot, []string{s.Now.Name}) != "" {
		return refusal(complaint)
	}
	return nil
}

// quarantineStep takes the configuration of an app out of nginx's way, under another
// name beside it. It is the whole of it, and not only a snippet that nginx names: what
// a snippet forbids must not be served without it. In its place the app's names answer
// 503, because nginx gives the requests for a name that nobody has to another app.
func (s Subject) quarantineStep() plan.Step {
	path := filepath.Join(s.Paths.App(s.Now.Name), "nginx.conf")
	text, readable := s.Files.Text(nginx.ConfPath(s.Now.Name))
	step := plan.Step{Mark: plan.Change, Text: TextQuarantine, Stage: plan.Quarantine}
	substitute, leftOut := "", []string(nil)
	again := nginx.IsQuarantined(text) // not even that is taken: its port is what nginx refuses
	if !again {
		substitute, leftOut = s.substitute()
	}
	if substitute == "" {
		step.Text += " without a substitute: nginx does not know the app until then"
	}
	if len(leftOut) > 0 {
		step.Text += "; meanwhile answered by another app, or not at all: " + strings.Join(leftOut, ", ")
	}
	was := s.Digest(path)
	step.Do = func(_ context.Context, h host.Host) error {
		if !readable {
			return errors.New("its nginx.conf cannot be read")
		}
		if err := plan.Unchanged(h, path, was); err != nil {
			return err // a deploy was faster
		}
		s.remember()
		s.Routing.Run.Unloaded[s.Now.Name] = true
		if !again {
			if err := h.Write(nginx.QuarantinePath(path), 0o644, []byte(text)); err != nil {
				return err
			}
		}
		if substitute == "" {
			return h.Remove(path)
		}
		return plan.Put(h, path, 0o644, []byte(substitute), was)
	}
	return step
}

// substitute is what is to answer 503 in place of an app's configuration: under the
// names and on the ports of that, or of the one before where that says nothing; "" for
// nothing, so that no port is opened for it. leftOut is what it has of these and cannot
// be kept.
func (s Subject) substitute() (text string, leftOut []string) {
	dir := s.Paths.App(s.Now.Name)
	if text, leftOut = nginx.WriteSubstitute(s.Files, s.Now, dir); text != "" {
		return text, leftOut
	}
	if before := s.Routing.Before(); before != nil && s.Routing.Public().Closed == "" {
		text, leftOut = nginx.WriteSubstitute(before.Files, s.Now, dir)
	}
	return text, leftOut
}

// reloadStep has nginx take what is on the disk.
func reloadStep(run *Run) plan.Step {
	return plan.Step{Mark: plan.Change, Text: TextReload, Stage: plan.Reload,
		Do: func(ctx context.Context, h host.Host) error {
			if err := host.ReloadNginx(ctx, h); err != nil {
				return err
			}
			clear(run.Unloaded)
			return nil
		},
	}
}
