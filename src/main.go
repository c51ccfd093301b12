// upgrade-guard is a Dokku plugin that keeps apps whole across upgrades of
// Dokku. This one binary is all of its triggers and commands; it looks at the
// folder and the name it was called by:
//
//	…/upgrade-guard/subcommands/report   the command upgrade-guard:report
//	…/upgrade-guard/commands             the plugin's part of dokku help
//	…/upgrade-guard/report               the trigger report
//	…/upgrade-guard/bin/upgrade-guard    trigger NAME, before MOMENT, after (the
//	                                     hooks' part), links, or a command
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"upgrade-guard/hook"
	"upgrade-guard/src/cli"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/trigger"
)

func main() {
	// A small server has little to spare while dpkg runs: rather more work for
	// the collector than more memory.
	debug.SetMemoryLimit(56 << 20)
	name, folder := filepath.Base(os.Args[0]), filepath.Base(filepath.Dir(os.Args[0]))
	args := os.Args[1:]
	own := strings.HasPrefix(name, host.Plugin) // upgrade-guard-amd64 in the release archive
	switch {
	case folder == "subcommands":
		os.Exit(command(args, name))
	case name == "commands":
		os.Exit(cli.Commands(os.Stdout, args, helpAll()))
	case own && len(args) > 1 && args[0] == "trigger":
		fire(args[1], args[2:])
	case own && len(args) == 1 && args[0] == "links":
		if err := makeLinks(); err != nil {
			say.Std().Error(err)
			os.Exit(1)
		}
	case own && len(args) == 2 && args[0] == "hook":
		content, ok := hook.Root(host.FromEnv())[args[1]]
		if !ok {
			os.Exit(1)
		}
		fmt.Print(content)
	case own && len(args) == 2 && args[0] == "before":
		os.Exit(fromHook(func(ctx context.Context, h host.Host) int { return trigger.Before(ctx, h, args[1], os.Stdin) }))
	case own && len(args) > 0 && args[0] == "after":
		os.Exit(fromHook(trigger.After))
	case own:
		os.Exit(command(args, "help"))
	default:
		fire(name, args)
	}
}

// makeLinks puts the links to this binary where Dokku looks for triggers and
// commands: beside and in the plugin's directory. Dokku's own installation
// deletes links that point nowhere, so they are made, not shipped.
func makeLinks() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	dir := filepath.Dir(filepath.Dir(exe))
	if err := os.MkdirAll(filepath.Join(dir, "subcommands"), 0o755); err != nil {
		return err
	}
	links := map[string]string{"commands": "bin/upgrade-guard"}
	for _, name := range trigger.Names() {
		links[name] = "bin/upgrade-guard"
	}
	for _, name := range cli.Names() {
		links["subcommands/"+name] = "../bin/upgrade-guard"
	}
	for _, shell := range []string{"install", "update", "uninstall"} {
		delete(links, shell) // these are shell: root's part
	}
	for name, target := range links {
		link := filepath.Join(dir, name)
		if old, err := os.Readlink(link); err == nil && old == target {
			continue
		}
		// Made beside and renamed, so that there is no moment without one.
		if err := os.Remove(link + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(target, link+".new"); err != nil {
			return err
		}
		if err := os.Rename(link+".new", link); err != nil {
			return err
		}
	}
	return nil
}

// fire runs a trigger; what goes wrong is said, and the exit code is 0.
func fire(name string, args []string) {
	if !trigger.Known(name) {
		return
	}
	// Whoever reads our warnings may be gone; Dokku's own work goes on.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGQUIT)
	paths := host.FromEnv()
	if err := host.BecomeDokku(paths); err != nil {
		say.Loud().Error(err)
		return
	}
	ctx, stop := interruptible()
	defer stop()
	trigger.Run(ctx, host.NewLocal(paths), name, args)
}

// fromHook does what the package manager's hooks call for.
func fromHook(run func(context.Context, host.Host) int) int {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGQUIT)
	paths := host.FromEnv()
	if err := host.BecomeDokku(paths); err != nil {
		say.Loud().Error(err)
		return 1
	}
	ctx, stop := interruptible()
	defer stop()
	return run(ctx, host.NewLocal(paths))
}

// command runs a command, by the name of its link when Dokku gave none.
func command(args []string, name string) int {
	if len(args) == 0 || !strings.HasPrefix(args[0], host.Plugin) {
		if name == "help" && len(args) > 0 {
			name, args = args[0], args[1:]
		}
		args = append([]string{host.Plugin + ":" + name}, args...)
	}
	paths := host.FromEnv()
	if err := host.BecomeDokku(paths); err != nil {
		say.Std().Error(err)
		return 1
	}
	ctx, stop := interruptible()
	defer stop()
	return cli.Run(ctx, host.NewLocal(paths), say.Std(), args)
}

// interruptible ends what we wait for when the operator presses ^C. Writes are
// not interrupted: each is short and whole.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// helpAll tells whether the command line that called us has --all in it, which
// is how every plugin tells dokku help from dokku help --all.
func helpAll() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", os.Getppid()))
	return err == nil && strings.Contains(string(b), "--all")
}
