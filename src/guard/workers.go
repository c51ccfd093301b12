package guard

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// dockerPid is written anew whenever docker is started.
const dockerPid = "/var/run/docker.pid"

// tookDown is how long before docker's start its own stop may have been: as long
// as a package takes to be unpacked and configured.
const tookDown = 15 * time.Minute

// startWorkers starts the containers that docker took down with it and that
// nobody has started since. That is dokku-redeploy.service's part; but where one
// run of apt upgrades docker and Dokku, docker may be started just while the old
// package has removed that unit and the new one has not yet written it (debian/
// postrm of every version; seen from 0.20.4 to 0.38.27: every worker stayed down).
// Web containers are Routes' part. The same container is started again, so nothing
// runs twice (law 10), and what was stopped or has crashed before stays as it is.
func (g *Guard) startWorkers(ctx context.Context, journal *plan.Journal) error {
	st, err := g.Host.Stat(dockerPid)
	if err != nil {
		return nil // another docker than Debian's, or none that runs
	}
	started := st.ModTime()
	files, err := app.Capture(ctx, g.Host, app.What{})
	if err != nil {
		return err
	}
	now := app.Read(files)
	var steps plan.Plan
	for _, name := range files.Apps {
		s := now.Apps[name]
		var ids []string
		for _, c := range s.Containers {
			index, err := strconv.Atoi(c.Index)
			if err != nil || c.Type == "web" || c.Running || c.Status != "exited" || s.Stopped || index > s.EffectiveScale().Of(c.Type) {
				continue
			}
			if ended := g.ended(ctx, c.ID); ended.After(started.Add(-tookDown)) && ended.Before(started.Add(time.Minute)) {
				ids = append(ids, c.ID)
			}
		}
		if len(ids) > 0 {
			steps = append(steps, plan.Step{App: name, Hazard: "workers", Mark: plan.Change,
				Text: fmt.Sprintf("%s that docker took down with it, started again", Plural(len(ids), "worker")),
				Do: func(ctx context.Context, h host.Host) error {
					ctx, cancel := context.WithTimeout(ctx, time.Minute)
					defer cancel()
					_, err := h.Run(ctx, "docker", append([]string{"start"}, ids...)...)
					return err
				},
			})
		}
	}
	return steps.Apply(ctx, g.Host, journal, g.Out)
}

// ended is when a container has ended; the zero time where docker does not say.
func (g *Guard) ended(ctx context.Context, id string) time.Time {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := g.Host.Run(ctx, "docker", "inspect", "--format", "{{.State.FinishedAt}}", id)
	if err != nil {
		return time.Time{}
	}
	t, _ := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(out)))
	return t
}
