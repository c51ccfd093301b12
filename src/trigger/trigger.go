// Package trigger is what Dokku and dpkg call: one function for each trigger.
// Whatever happens, a trigger of ours exits 0 and says loudly what failed: an
// upgrade or a deploy goes on without us (docs/laws.md, laws 4 and 5).
package trigger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"

	"upgrade-guard/src/cli"
	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// triggers are those the plugin has a link for. What is not here is none of
// ours and does nothing.
var triggers = map[string]func(context.Context, *guard.Guard, []string) error{
	// install and update come for every plugin, and after dokku-update.
	"install": func(ctx context.Context, g *guard.Guard, _ []string) error { return g.Install(ctx) },
	"update":  func(ctx context.Context, g *guard.Guard, _ []string) error { return g.Update(ctx) },

	// pre-upgrade FROM TO, post-upgrade FROM TO: ours, there are none in Dokku.
	"pre-upgrade": func(ctx context.Context, g *guard.Guard, args []string) error {
		if len(args) != 2 {
			return errTwoVersions
		}
		return g.PreUpgrade(ctx, args[0], args[1])
	},
	"post-upgrade": func(ctx context.Context, g *guard.Guard, args []string) error {
		if len(args) != 2 {
			return errTwoVersions
		}
		return g.PostUpgrade(ctx, args[0], args[1])
	},

	// What changes an app's recorded state. The app is the first argument.
	"post-deploy":             refresh,
	"post-create":             created,
	"post-config-update":      held,
	"post-domains-update":     settings,
	"post-proxy-ports-update": settings,
	"post-certs-update":       settings,
	"post-certs-remove":       settings,
	"post-delete": func(ctx context.Context, g *guard.Guard, args []string) error {
		return g.Forget(ctx, first(args))
	},

	// post-app-rename-setup OLD NEW: in Dokku's own apps:rename, after Dokku's
	// plugins and letsencrypt and before the old app is destroyed.
	carryOver: func(ctx context.Context, g *guard.Guard, args []string) error {
		if len(args) != 2 || args[0] == "" || args[1] == "" {
			return errors.New("the trigger takes two apps, the old and the new one")
		}
		err := g.CarryOver(ctx, args[0], args[1])
		return say.Hint(err, "%s is kept. dokku upgrade-guard:rename renames without loss. To remove what apps:rename has begun: %s", args[0], say.Command("dokku apps:destroy", args[1]))
	},

	// post-extract APP TMPDIR REV: before the deploy reads the scale.
	"post-extract": func(ctx context.Context, g *guard.Guard, args []string) error {
		return g.BeforeDeploy(ctx, first(args))
	},

	// pre-restore comes before every app is started again, after a reboot or a
	// restart of docker; up to 0.28 for each app, with its scheduler and name.
	"pre-restore": func(ctx context.Context, g *guard.Guard, args []string) error {
		if len(args) > 1 {
			return g.BeforeDeploy(ctx, args[1])
		}
		return g.BeforeDeploy(ctx)
	},

	// uninstall PLUGIN: comes for every plugin that is removed.
	"uninstall": func(ctx context.Context, g *guard.Guard, args []string) error {
		if first(args) != host.Plugin {
			return nil
		}
		return g.Uninstall(ctx)
	},

	// report APP: the block in dokku report.
	"report": func(ctx context.Context, g *guard.Guard, args []string) error {
		r, err := g.Report(ctx, first(args))
		if err != nil {
			return err
		}
		for _, a := range r.Apps {
			cli.PrintApp(say.Block(), a)
		}
		return nil
	},
}

var errTwoVersions = say.Hint(errors.New("the trigger takes two versions"), "plugn trigger pre-upgrade FROM TO, for example 0.20.4 0.35.5")

func refresh(ctx context.Context, g *guard.Guard, args []string) error {
	if first(args) == "" {
		return nil
	}
	return g.Refresh(ctx, first(args))
}

// settings is what comes where Dokku has changed a setting, and no container.
func settings(ctx context.Context, g *guard.Guard, args []string) error {
	if first(args) == "" {
		return nil
	}
	return g.RefreshSettings(ctx, first(args))
}

// created is post-create APP, by somebody else than restore --create: what that has begun under
// this name is no longer its to go on with.
func created(ctx context.Context, g *guard.Guard, args []string) error {
	if first(args) == "" {
		return nil
	}
	return errors.Join(g.State.ForgetRestores(first(args)), refresh(ctx, g, args))
}

// held is post-config-update APP OPERATION VARIABLES...: Dokku has written an environment.
func held(ctx context.Context, g *guard.Guard, args []string) error {
	var errs error
	if len(args) > 1 {
		errs = g.HoldEnv(ctx, args[0], args[1], args[2:])
	}
	return errors.Join(errs, settings(ctx, g, args))
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// Known tells whether a trigger is ours.
func Known(name string) bool { return triggers[name] != nil }

// Names are the triggers that are ours.
func Names() []string { return slices.Sorted(maps.Keys(triggers)) }

// carryOver is the one trigger that may fail: its error is what keeps Dokku from
// destroying an app that has not been carried over whole (docs/laws.md, law 5).
const carryOver = "post-app-rename-setup"

// Run runs a trigger and returns its exit code, which is 0 whatever happens, but
// for the one trigger that fails closed.
func Run(ctx context.Context, h host.Host, name string, args []string) int {
	run := triggers[name]
	if run == nil || guard.InOurRun() && name != carryOver {
		return 0
	}
	out := say.Loud()
	err := safely(name, out, func() error { return run(ctx, guard.New(h, out), args) })
	if err != nil {
		out.Trouble("upgrade-guard: %s did not finish:", name)
		out.Error(err)
		if name == carryOver {
			return 1
		}
	}
	return 0
}

// Refused is the exit code by which Before ends apt, before it has touched
// anything; NotYet that by which After wants to be called again.
const (
	Refused = 10
	NotYet  = 3
)

// Before does the work of one of the moments before an upgrade, and After that
// of the end of a run of dpkg or apt. Both return an exit code: 0, or one of these,
// or 1 for what went wrong and was said. The hooks that call them let dpkg and
// apt go on in any case but Refused.
func Before(ctx context.Context, h host.Host, moment string, stdin io.Reader) int {
	return hook(func(g *guard.Guard) error { return g.Before(ctx, moment, stdin) }, "before "+moment, h)
}

// After is described with Before.
func After(ctx context.Context, h host.Host, moment string, unpacked []string) int {
	return hook(func(g *guard.Guard) error { return g.After(ctx, moment, unpacked) }, "after "+moment, h)
}

// Queue does the work that is queued, in a process of its own. What fails stands
// in the report; a failed unit of systemd would say no more.
func Queue(ctx context.Context, h host.Host) int {
	hook(func(g *guard.Guard) error {
		if !g.State.Queued() {
			return nil
		}
		err := g.RunQueue(ctx, false)
		g.Deliver(ctx)
		return err
	}, "queue", h)
	return 0
}

func hook(work func(*guard.Guard) error, name string, h host.Host) int {
	out := say.Loud()
	err := safely(name, out, func() error { return work(guard.New(h, out)) })
	switch {
	case err == nil:
		return 0
	case errors.Is(err, guard.ErrNotYet):
		return NotYet
	}
	out.Error(err)
	if errors.Is(err, guard.ErrRefused) {
		return Refused
	}
	return 1
}

// safely runs work, and makes an error of a panic, with what is needed to mend
// it.
func safely(name string, out *say.Printer, work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			out.Stack(debug.Stack())
			err = say.Hint(fmt.Errorf("upgrade-guard: %s went wrong and was given up: %v", name, r),
				"Dokku goes on without it. Please report this with what stands above.")
		}
	}()
	return work()
}
