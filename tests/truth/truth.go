// Package truth holds what upgrade-guard says to what it does and to what is so. It
// stands around every command of every scenario, so that no scenario has to ask for it:
//
//   - Dry run = run. Each step that apply, restore or rename journals was printed just
//     before by --dry-run: as a first rung, as a later rung, or as an instance of the
//     one conditional line about nginx's configurations.
//   - ok is true. An app that the report calls ok, and that should serve, is answered
//     by itself, whoever else says so: the host knows who answers.
//   - Foretold = done. Every prevention and repair by a hazard of versions, and every
//     rename, was in check --to for the same upgrade on the same state.
//
// What does not hold is written to the file that the variable TRUTH names. A scenario
// that is about what nobody can foretell says so by UNFORETOLD, with the reason.
package truth

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/state"
)

// Host is a host that can be asked.
type Host interface {
	// Ask runs a command of the plugin that changes nothing, and returns what it
	// prints.
	Ask(args ...string) string
	// Served is the app that answers under a domain, where that is given its time to be
	// the one that is expected.
	Served(domain, expected string) (string, error)
	// Data is the plugin's own directory, Root Dokku's.
	Data() string
	Root() string
}

// Around runs a command of the plugin, and holds it to the truth.
func Around(h Host, args []string, run func() error) error {
	if os.Getenv("TRUTH") == "" || os.Getenv("UPGRADE_GUARD_FIRED") != "" {
		return run()
	}
	command := strings.TrimPrefix(args[0], "upgrade-guard:")
	dry := ""
	before := lines(h)
	acts := slices.Contains([]string{"apply", "restore", "rename"}, command) && !slices.Contains(args, "--dry-run") && !slices.Contains(args, "--help")
	if acts {
		dry = h.Ask(append(slices.Clone(args), "--dry-run")...)
	}
	err := run()
	if acts {
		planned(args, dry, lines(h)[len(before):])
	}
	OK(h, strings.Join(args, " "))
	return err
}

// planned holds what was done to what a dry run has said.
func planned(args []string, dry string, done []line) {
	said := letters(dry)
	conditional := strings.Contains(said, letters(guard.ConditionalRouting))
	for _, l := range done {
		text := l.Text
		if l.Hazard == "rename" { // a step of a rename, with the new name behind it
			text = text[:max(0, strings.LastIndex(text, " ("))]
		}
		switch {
		case l.Event != "begin", strings.Contains(said, letters(text)):
		case conditional && (text == hazard.TextBuild || text == hazard.TextFallback || text == hazard.TextWithout || text == hazard.TextEarlier || text == hazard.TextReload || strings.HasPrefix(text, hazard.TextQuarantine)):
		case l.Hazard == "rename" && (strings.Contains(said, letters("was cut off")) || strings.Contains(said, letters(l.App+" renamed to "))):
		default:
			say("%s: %s: %q was done, and --dry-run did not say so:\n%s", strings.Join(args, " "), l.App, l.Text, dry)
		}
	}
}

// OK asks the host about every app that the report calls ok.
func OK(h Host, after string) {
	var r guard.Report
	out := object(h.Ask("upgrade-guard:report", "--format", "json"))
	if json.Unmarshal([]byte(out), &r) != nil {
		return // an error, which the scenario expects or does not
	}
	if r.QueueBusy {
		return // a rename at work changes who answers between the report and the question
	}
	owners := map[string]int{}
	for _, a := range r.Apps {
		for _, domain := range a.Domains {
			owners[domain]++
		}
	}
	for _, a := range r.Apps {
		if a.Status != guard.StatusOK && a.Status != guard.StatusRepaired || a.ServedBy != "nginx" || stopped(h, a.App) {
			continue
		}
		if strings.Trim(strings.NewReplacer("web=", "", "worker=", "", " ", "").Replace(a.Scale), "0") == "" && a.Scale != "" {
			say("after %s: %s is %s, and at zero everywhere (%s)", after, a.App, a.Status, a.Scale)
		}
		web, _ := filepath.Glob(filepath.Join(h.Root(), a.App, "CONTAINER.web.*"))
		if len(web) == 0 {
			continue // never deployed, or without a web process
		}
		for _, domain := range a.Domains[:min(len(a.Domains), 5)] { // an app may have ten thousand
			if strings.ContainsAny(domain, "*~/\\ ") || owners[domain] > 1 {
				continue // a pattern, or nobody can tell whose it is
			}
			if app, err := h.Served(domain, a.App); err != nil || app != a.App && r.Renamed[app] != a.App { // a real one's page has the name it was built under
				say("after %s: %s is %s, and %s is answered by %q (%v)", after, a.App, a.Status, domain, app, err)
			}
		}
	}
}

// stopped tells whether a person has stopped an app.
func stopped(h Host, app string) bool {
	env, _ := os.ReadFile(filepath.Join(h.Root(), app, "ENV"))
	newer, _ := os.ReadFile(filepath.Join(h.Data(), "../../config", app, "ENV"))
	restore, _ := os.ReadFile(filepath.Join(h.Data(), "../../config/ps", app, "restore"))
	return strings.Contains(string(env)+string(newer), "DOKKU_APP_RESTORE='0'") || strings.Contains(string(env)+string(newer), `DOKKU_APP_RESTORE="0"`) ||
		strings.Contains(string(env)+string(newer), "DOKKU_APP_RESTORE=0") || strings.TrimSpace(string(restore)) == "false"
}

// Foretell keeps what check says of an upgrade that begins now.
func Foretell(h Host, to string) {
	if os.Getenv("TRUTH") == "" || os.Getenv("UPGRADE_GUARD_FIRED") != "" {
		return
	}
	out := object(h.Ask("upgrade-guard:check", "--to", to, "--format", "json"))
	_ = os.WriteFile(os.Getenv("TRUTH")+".foretold", []byte(fmt.Sprintf("%d\n%s", len(lines(h)), out)), 0o600)
}

// Foretold holds what was done since Foretell to what was said then.
func Foretold(h Host, to string) {
	if os.Getenv("TRUTH") == "" || os.Getenv("UNFORETOLD") != "" {
		return
	}
	b, err := os.ReadFile(os.Getenv("TRUTH") + ".foretold")
	if err != nil {
		return
	}
	first, text, _ := strings.Cut(string(b), "\n")
	seen := 0
	fmt.Sscan(first, &seen)
	var c guard.Check
	if json.Unmarshal([]byte(text), &c) != nil || c.To != to {
		return // that was another upgrade
	}
	said := map[string]bool{}
	for _, f := range append(c.Present, c.Upgrade...) {
		said[f.App+"\x00"+f.Hazard] = true
	}
	var known state.State // renames are queued, and done later
	if b, err := os.ReadFile(filepath.Join(h.Data(), "ledger.json")); err == nil {
		_ = json.Unmarshal(b, &known)
	}
	for _, j := range known.Queue {
		if j.Kind == guard.JobRename && !said[j.App+"\x00"+hazard.Names] {
			say("after the upgrade to %s: %s is to be renamed to %s, and check --to did not say so", to, j.App, j.Arg)
		}
	}
	done := lines(h)
	for _, l := range done[min(seen, len(done)):] {
		h := hazard.Named(l.Hazard)
		// A hazard that foretells nothing is about what any upgrade, or anybody, may do.
		foretells := h.Foresee != nil || h.ForeseeHost != nil
		if l.Event == plan.Done && foretells && !said[l.App+"\x00"+l.Hazard] {
			say("after the upgrade to %s: %s: %q (%s) was done, and check --to did not say so", to, l.App, l.Text, l.Hazard)
		}
	}
}

type line struct{ plan.Line }

// lines are those of all journals, in their order.
func lines(h Host) []line {
	files, _ := filepath.Glob(filepath.Join(h.Data(), "runs", "*.jsonl"))
	slices.SortFunc(files, func(a, b string) int {
		x, _ := os.Stat(a)
		y, _ := os.Stat(b)
		if x == nil || y == nil || x.ModTime().Equal(y.ModTime()) {
			return strings.Compare(a, b)
		}
		return x.ModTime().Compare(y.ModTime())
	})
	var all []line
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		s := bufio.NewScanner(f)
		s.Buffer(nil, 16<<20)
		for s.Scan() {
			var l line
			if json.Unmarshal(s.Bytes(), &l.Line) == nil {
				all = append(all, l)
			}
		}
		f.Close()
	}
	return all
}

var escaped = regexp.MustCompile(`\\(x[0-9a-f]{2}|u[0-9a-f]{4})`)

// letters are the letters and digits of a text: what is printed is escaped in another
// way than what is stored.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, escaped.ReplaceAllString(text, ""))
}

func say(format string, args ...any) {
	f, err := os.OpenFile(os.Getenv("TRUTH"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		panic(err)
	}
	fmt.Fprintf(f, format+"\n", args...)
	f.Close()
}

// object is the line with the JSON among what a command has printed.
func object(out string) string {
	for _, l := range strings.Split(out, "\n") {
		if strings.HasPrefix(l, "{") {
			return l
		}
	}
	return ""
}
