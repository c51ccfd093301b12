package cli

import (
	"fmt"
	"io"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// Description is the plugin in one line, for dokku help.
const Description = "Keeps apps whole across upgrades of Dokku"

// lines are the commands, a line each, as dokku help --all wants them: four
// spaces, the command, exactly one comma, what it does. Dokku's completion reads
// the first column.
var lines = []string{
	"upgrade-guard:report [<app>|--global] [--format <format>] [--to-do] [--exit-code] [--no-probe] [<flag>], What was kept and lost and repaired",
	"upgrade-guard:check [<app>] [<version>] [--format stdout|json], What is wrong now and what an upgrade would break",
	"upgrade-guard:apply [<app>|--all] [--dry-run] [--guesses], Do or go on with the work after an upgrade",
	"upgrade-guard:restore <app>|--all|--global [--snapshot <id>] [--only <parts>] [--exact] [--dry-run], Put apps or the host's own settings back as a snapshot has them",
	"upgrade-guard:rename <old> <new> [--dry-run] [--with-stop], Rename an app without loss and without refusing a request",
	"upgrade-guard:rollback [--script], How the last upgrade of Dokku is undone",
	"upgrade-guard:snapshot [--label <label>], Take a snapshot now",
	"upgrade-guard:snapshots [--verify] [--format stdout|json], List the snapshots",
	"upgrade-guard:diff [<id>|live] [<id>|now] [--app <app>] [--format stdout|json], What differs between a snapshot and another or the present",
	"upgrade-guard:show <id>|live/<app> [<path>] [--raw] [--format stdout|json], What a snapshot holds",
	"upgrade-guard:recipe [<app>|--global] [--snapshot <id>] [--format shell|docket|ansible] [--vars] [--valid-names], Write what a snapshot holds as commands or for docket or Ansible",
	"upgrade-guard:forget <id>...|--keep-last <n>|--keep-monthly <n> [--dry-run], Remove snapshots that nothing needs",
	"upgrade-guard:export [<id>|latest|live] [--app <app>] [--recipient <key>] [--with-git], Write a snapshot to standard output for another host",
	"upgrade-guard:import [--identity <file>], Keep an exported snapshot of another host",
	"upgrade-guard:log [<app>] [--since <time>] [--run <id>] [--format stdout|json], What was prevented and repaired and refused",
	"upgrade-guard:events [--test], Show or test who is told of events",
	"upgrade-guard:set <app>|--global <property> [<value>], Set or unset a property",
	"upgrade-guard:help [<command>], Show this or the help of one command",
}

func help() string {
	var b strings.Builder
	out := &say.Printer{Out: &b, Width: say.Columns}
	fmt.Fprintf(&b, "Usage: dokku %s:COMMAND\n\n%s.\n\nCommands:\n", host.Plugin, Description)
	for _, l := range lines {
		command, what, _ := strings.Cut(l, ", ")
		out.Result("    %s", command)
		out.Result("        %s", what)
	}
	b.WriteString(`
Examples:
    dokku upgrade-guard:check 0.38.27          before an upgrade
    dokku upgrade-guard:report                 after it
    dokku upgrade-guard:report my_app --upgrade-guard-scale
`)
	return b.String()
}

// Commands answers the plugin's part of dokku help. Dokku asks every plugin for
// every command that it does not know itself; what is not ours ends with
// NotImplemented. all tells that dokku help --all was typed.
func Commands(out io.Writer, args []string, all bool) int {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch name {
	case host.Plugin, host.Plugin + ":help":
		fmt.Fprint(out, help())
	case "help":
		if !all {
			fmt.Fprintf(out, "    %s, %s\n", host.Plugin, Description)
			break
		}
		for _, l := range lines {
			fmt.Fprintf(out, "    %s\n", l)
		}
	default:
		return NotImplemented
	}
	return 0
}
