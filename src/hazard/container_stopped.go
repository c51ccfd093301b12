package hazard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// containerStopped is a container that does not run and should, of any process type: an
// upgrade or a restart of docker leaves some behind (dokku/dokku#5066). Those that are
// started are the ones which Dokku has recorded, so nothing runs twice. They get new
// addresses, which nginx-upstream-stale then finds.
//
// What the package begins with, dokku cleanup, removes every container that has exited,
// by all versions. So of one that does not run before the upgrade nothing is left to be
// started after it: it is told beforehand, with what starts it while it is there.
var containerStopped = Hazard{
	Name:    "container-stopped",
	About:   AboutNginx,
	Threads: "dokku/dokku#5066, #7253",

	Foresee: func(s Subject) []Finding {
		var exited []string
		for _, w := range s.Now.Containers {
			if (w.Status == "exited" || w.Status == "dead") && nginx.Wanted(s.Now, w) {
				exited = append(exited, w.Type+"."+w.Index)
			}
		}
		if len(exited) == 0 || s.NoDocker || s.Now.Proxy.Scheduler != "" && s.Now.Proxy.Scheduler != "docker-local" {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("what does not run is removed as the upgrade begins (dokku cleanup): %s", listed(exited)),
			Consequence: fmt.Sprintf("After the upgrade it takes a deploy to have it again, so start it before. Where apply does not: %s", say.Command("dokku ps:start", s.Now.Name)),
			Command:     "dokku upgrade-guard:apply",
		}}
	},
	Detect: func(s Subject) []Finding {
		f := s.routingFinding("", nginx.Stopped)
		if f == nil {
			return nil
		}
		var ids []string
		for _, w := range s.Now.Containers {
			if !w.Running && w.Status != "" && nginx.Wanted(s.Now, w) {
				ids = append(ids, w.ID)
			}
		}
		v := Verdict{}
		if slices.ContainsFunc(s.Now.Web(), func(c app.Container) bool { return !c.Running && nginx.Wanted(s.Now, c) }) {
			v = s.Routing.MayStart()
		}
		start := say.Command("dokku ps:start", s.Now.Name)
		notStarted := func(why, command string) []Finding {
			f.What += "; it is not started, because " + why
			f.Command = command
			return []Finding{*f}
		}
		switch why := s.Files.NoOverlap(s.Now); {
		case v.Closed != "":
			return notStarted(v.Closed, start)
		case s.Routing.Locked:
			return notStarted("it is being deployed, or locked", say.Command("dokku apps:unlock", s.Now.Name)+" if it is not; then: dokku upgrade-guard:apply")
		case len(why) > 0: // two of it must never run (law 10)
			return notStarted(strings.Join(why, "; "), start+" if none of it runs elsewhere")
		case len(ids) == 0:
			return notStarted("docker does not know the containers that Dokku has recorded: dokku cleanup removes what does not run", start)
		case v.Unknown != "":
			f.Kind = Guess
			f.What += "; it is not started, because " + v.Unknown
		}
		f.Step = s.startStep(ids)
		if byNginx, _ := s.Now.Proxy.ByNginx(); byNginx && len(s.Now.Web()) > 0 {
			f.Next = []string{TextBuild + ", where their addresses are new"}
			if _, has := s.Files.Text(nginx.ConfPath(s.Now.Name)); !has {
				f.Next = []string{TextBuild} // found missing as soon as one of them runs
			}
		}
		return []Finding{*f}
	},
}

// startStep starts containers by their ids, unless the app is being deployed by now.
func (s Subject) startStep(ids []string) *plan.Step {
	return &plan.Step{Mark: plan.Change, Text: TextStart, Stage: plan.Start,
		Do: func(ctx context.Context, h host.Host) error {
			if _, err := h.Lstat(app.DeployLock(s.Paths, s.Now.Dokku, s.Now.Name)); err == nil {
				return errors.New("it is being deployed, or locked")
			}
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			if _, err := h.Run(ctx, "docker", append([]string{"start"}, ids...)...); err != nil {
				return say.Hint(fmt.Errorf("docker cannot start them: %w", err), "To make new ones: %s", say.Command("dokku ps:rebuild", s.Now.Name))
			}
			return nil
		},
	}
}
