// upgrade-guard is a Dokku plugin that keeps apps whole across upgrades of
// Dokku. This one binary is all of its triggers and commands. Dokku calls them
// through the shell file run, and run calls
//
//	upgrade-guard trigger NAME ...      a trigger
//	upgrade-guard command NAME ...      a command, with its full name before its arguments
//	upgrade-guard commands PPID ...     the plugin's part of dokku help
//
// The hooks call before MOMENT, after MOMENT PACKAGE... and queue. A person calls
// upgrade-guard COMMAND, where the plugin is not installed.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"upgrade-guard/src/cli"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/trigger"
)

func main() {
	collectLate()
	syscall.Umask(0o022) // the caller's may be 077; what must be closer says so itself
	verb, rest := shift(os.Args[1:])
	name, args := shift(rest)
	switch verb {
	case "trigger":
		os.Exit(fire(name, args))
	case "command":
		os.Exit(command(args, name))
	case "commands":
		os.Exit(cli.Commands(os.Stdout, args, helpAll(name)))
	case "before":
		os.Exit(fromHook(func(ctx context.Context, h host.Host) int { return trigger.Before(ctx, h, name, os.Stdin) }))
	case "after":
		os.Exit(fromHook(func(ctx context.Context, h host.Host) int { return trigger.After(ctx, h, name, args) }))
	case "queue":
		os.Exit(fromHook(trigger.Queue))
	default:
		os.Exit(command(os.Args[1:], "help"))
	}
}

// collectLate has the collector begin at 16 MiB, which most calls never come to, and a
// deploy does not wait for it. From there on a small server has little to spare while dpkg
// runs: a sixth more than what is in use, however much that is. With a limit in MiB the
// collector never rests on a host that needs more, and the memory is used all the same.
func collectLate() {
	debug.SetGCPercent(400) // of the 4 MiB that the runtime begins with
	runtime.SetFinalizer(new([64]byte), func(*[64]byte) { debug.SetGCPercent(16) })
}

// shift takes the first of the arguments, "" when there is none.
func shift(args []string) (first string, rest []string) {
	if len(args) == 0 {
		return "", nil
	}
	return args[0], args[1:]
}

// fire runs a trigger; what goes wrong is said. The file run makes 0 of the exit
// code where a trigger must not fail.
func fire(name string, args []string) int {
	if !trigger.Known(name) {
		return 0
	}
	return fromHook(func(ctx context.Context, h host.Host) int { return trigger.Run(ctx, h, name, args) })
}

// fromHook does what somebody else's run calls for: whoever reads our warnings
// may be gone, and the work goes on.
func fromHook(run func(context.Context, host.Host) int) int {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGQUIT)
	return asDokku(say.Loud(), run)
}

// command runs a command, by the name of its link when Dokku gave none.
func command(args []string, name string) int {
	if len(args) == 0 || !strings.HasPrefix(args[0], host.Plugin) {
		if name == "help" && len(args) > 0 {
			name, args = args[0], args[1:]
		}
		args = append([]string{host.Plugin + ":" + name}, args...)
	}
	out := say.Std()
	return asDokku(out, func(ctx context.Context, h host.Host) int { return cli.Run(ctx, h, out, args) })
}

// asDokku gives up root and runs work on this machine.
func asDokku(out *say.Printer, work func(context.Context, host.Host) int) int {
	paths := host.FromEnv()
	if err := host.BecomeDokku(paths); err != nil {
		out.Error(err)
		return 1
	}
	ctx, stop := interruptible()
	defer stop()
	return work(ctx, host.NewLocal(paths))
}

// interruptible ends what we wait for when the operator presses ^C. Writes are
// not interrupted: each is short and whole. A second ^C ends the process where it
// is, in a read, perhaps, from a filesystem that does not answer any more.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// helpAll tells whether the command line of the dokku that asks has --all in it,
// which is how every plugin tells dokku help from dokku help --all.
func helpAll(ppid string) bool {
	pid, err := strconv.Atoi(ppid)
	if err != nil {
		return false
	}
	b, err := host.Proc(pid, "cmdline")
	return err == nil && strings.Contains(string(b), "--all")
}
