package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// The log is what upgrade-guard has done, run by run, out of the journals: a guarded
// upgrade after which all is well says nothing of what would have been lost.

// What has come of a line of a run.
const (
	OutcomeDone       = "done"
	OutcomeFailed     = "failed"
	OutcomeCutOff     = "cut-off"     // begun, and nobody has said how it ended
	OutcomeNotTouched = "not-touched" // seen to differ, and left as it was
	OutcomeRefused    = "refused"     // the upgrade was not let begin
)

// Log are the runs that have done something, the oldest first.
type Log struct {
	Version int      `json:"version"` // of this shape
	Guard   string   `json:"upgrade_guard"`
	Runs    []LogRun `json:"runs"`
}

// LogRun is one run.
type LogRun struct {
	Run  string    `json:"run"`
	Time time.Time `json:"time"`
	// Why is what the run was for: pre-upgrade, post-upgrade, restore, rename, queue,
	// apply, nginx, before-deploy, plugin-update or forget.
	Why string `json:"why"`
	// From and To are the Dokku versions of the upgrade that it belongs to, "" for none.
	From  string    `json:"from,omitempty"`
	To    string    `json:"to,omitempty"`
	Lines []LogLine `json:"lines"`
}

// LogLine is one thing that was done, or not.
type LogLine struct {
	Time    time.Time `json:"time"`
	App     string    `json:"app"` // what it was called then, or --global
	Hazard  string    `json:"hazard,omitempty"`
	Outcome string    `json:"outcome"`
	Text    string    `json:"text"`
	Error   string    `json:"error,omitempty"`
}

// forgetting is why snapshots go that a person has named.
const forgetting = "forget"

// LogOptions choose of the log; the zero value chooses all of it.
type LogOptions struct {
	App   string // by any name that it bears or has borne
	Run   string // an id, or its beginning
	Since time.Duration
}

// Log reads the journals. An app need not exist any more.
func (g *Guard) Log(_ context.Context, o LogOptions) (Log, error) {
	known, err := g.readState()
	if err != nil {
		return Log{}, err
	}
	ids, err := plan.Journals(g.Host)
	if err != nil {
		return Log{}, err
	}
	names := append([]string{o.App, known.Now(o.App)}, known.Formerly(known.Now(o.App))...)
	l := Log{Version: JSONVersion, Guard: g.Version, Runs: []LogRun{}}
	found := false
	for _, id := range ids {
		begun, why, ok := plan.Begun(id)
		if !ok || o.Since > 0 && g.Host.Now().Sub(begun) > o.Since {
			continue
		}
		if !strings.HasPrefix(id, o.Run) {
			continue
		}
		found = true
		lines, err := plan.ReadJournal(g.Host, id)
		if err != nil {
			g.Out.Error(err)
		}
		run := LogRun{Run: id, Time: begun, Why: why, Lines: outcomes(lines)}
		if o.App != "" {
			run.Lines = slices.DeleteFunc(run.Lines, func(line LogLine) bool { return !slices.Contains(names, line.App) })
		}
		if len(run.Lines) == 0 {
			continue
		}
		for i := range run.Lines {
			run.Lines[i].Text = g.journalText(run.Lines[i].Text)
		}
		run.From, run.To = upgradeOf(run, known.Upgrades)
		l.Runs = append(l.Runs, run)
	}
	// Within a second the ids tell no order: what was done before an upgrade was before it.
	slices.SortStableFunc(l.Runs, func(a, b LogRun) int {
		switch {
		case !a.Time.Equal(b.Time):
			return a.Time.Compare(b.Time)
		case (a.Why == snapshot.PreUpgrade) == (b.Why == snapshot.PreUpgrade):
			return 0
		case a.Why == snapshot.PreUpgrade:
			return -1
		}
		return 1
	})
	if o.Run != "" && !found {
		return l, say.Hint(fmt.Errorf("there is no run %s", o.Run), "See dokku upgrade-guard:log for those there are.")
	}
	if o.App != "" && len(l.Runs) == 0 && known.Now(o.App) == o.App { // of one that was destroyed there may be some
		return l, g.appThere(o.App)
	}
	return l, nil
}

// outcomes are the lines of a journal with what came of them: each step has a line for
// its beginning and one for its end.
func outcomes(lines []plan.Line) []LogLine {
	var list []LogLine
	begun := map[[3]string]int{} // where in the list
	for _, l := range lines {
		line := LogLine{Time: l.Time, App: l.App, Hazard: l.Hazard, Text: l.Text, Error: l.Error}
		step := [3]string{l.App, l.Hazard, l.Text}
		switch l.Event {
		case plan.Begin:
			line.Outcome = OutcomeCutOff
			begun[step] = len(list)
			list = append(list, line)
			continue
		case plan.Drift:
			line.Outcome = OutcomeNotTouched
		case plan.Refused:
			line.Outcome = OutcomeRefused
		case plan.Failed:
			line.Outcome = OutcomeFailed
		default:
			line.Outcome = OutcomeDone
		}
		if i, ok := begun[step]; ok {
			delete(begun, step)
			list[i] = line
			continue
		}
		list = append(list, line)
	}
	return list
}

// upgradeOf is the upgrade that a run belongs to: the one that names it, or, for what was
// done before, the first that began no later and ended after it.
func upgradeOf(run LogRun, upgrades []state.Upgrade) (from, to string) {
	for _, u := range upgrades {
		if slices.Contains(u.Runs, run.Run) {
			return u.From, u.To
		}
	}
	for _, u := range upgrades {
		began := u.Baseline
		if len(began) > len(snapshot.TimeLayout) {
			began = began[:len(snapshot.TimeLayout)]
		}
		if t, err := time.Parse(snapshot.TimeLayout, began); err == nil && run.Why == snapshot.PreUpgrade && !run.Time.Before(t.Add(-time.Minute)) && !run.Time.After(u.Time) {
			return u.From, u.To
		}
	}
	return "", ""
}

// prevented are the texts of what was done before an upgrade, by app, which is called
// what it is called now.
func (g *Guard) prevented(last *state.Upgrade, known state.State) map[string][]string {
	texts := map[string][]string{}
	if last == nil {
		return texts
	}
	ids, err := plan.Journals(g.Host)
	if err != nil {
		g.Out.Error(err)
	}
	for _, id := range ids {
		begun, why, ok := plan.Begun(id)
		if from, _ := upgradeOf(LogRun{Run: id, Time: begun, Why: why}, []state.Upgrade{*last}); !ok || why != snapshot.PreUpgrade || from == "" {
			continue
		}
		lines, err := plan.ReadJournal(g.Host, id)
		if err != nil {
			g.Out.Error(err)
		}
		for _, l := range outcomes(lines) {
			name, text := known.Now(l.App), g.journalText(l.Text)
			if l.Outcome == OutcomeDone && !slices.Contains(texts[name], text) {
				texts[name] = append(texts[name], text)
			}
		}
	}
	return texts
}

// Title is a run in a line: when, and what it was.
func (r LogRun) Title() string {
	upgrade := "an upgrade of Dokku"
	if r.From != "" {
		upgrade = fmt.Sprintf("the upgrade of Dokku %s to %s", r.From, r.To)
	}
	what := map[string]string{
		snapshot.PreUpgrade: "before " + upgrade, snapshot.PostUpgrade: "after " + upgrade,
		restore.Name: "a restore", JobRename: "a rename", "apply": "apply of one app", "queue": "queued work", "nginx": "nginx's routing",
		"before-deploy": "before a deploy", "plugin-update": "after an update of the letsencrypt plugin",
		forgetting: "snapshots forgotten",
	}[r.Why]
	if what == "" {
		what = r.Why
	}
	return fmt.Sprintf("%s, %s (%s)", r.Time.Format("2006-01-02 15:04 UTC"), what, r.Run)
}

// Told are the lines of a run in words. A rename that is through is one.
func (r LogRun) Told() (lines []string) {
	renamed := map[string][]LogLine{}
	for _, l := range r.Lines {
		if to, ok := l.renamedTo(); ok {
			renamed[to] = append(renamed[to], l)
		}
	}
	for _, l := range r.Lines {
		to, ok := l.renamedTo()
		if steps := renamed[to]; ok && !slices.ContainsFunc(steps, func(l LogLine) bool { return l.Outcome != OutcomeDone }) {
			if l == steps[len(steps)-1] {
				lines = append(lines, fmt.Sprintf("%s: renamed to %s, %s", host.Place(l.App), to, say.Plural(len(steps), "step")))
			}
			continue
		}
		lines = append(lines, l.told(map[string]string{snapshot.PreUpgrade: "kept: ", restore.Name: "restored: ", JobRename: "", "": ""}, r.Why))
	}
	return lines
}

// renamedTo is the new name of an app, where the line is a step of a rename.
func (l LogLine) renamedTo() (to string, ok bool) {
	i := strings.LastIndex(l.Text, " (")
	if l.Hazard != JobRename || i < 0 {
		return "", false
	}
	return strings.TrimSuffix(l.Text[i+2:], ")"), true
}

// told is a line in words, with the verb of what its run is for.
func (l LogLine) told(verbs map[string]string, why string) string {
	text := host.Place(l.App) + ": "
	switch l.Outcome {
	case OutcomeFailed:
		return text + "failed: " + l.Text + ": " + l.Error
	case OutcomeCutOff:
		return text + "cut off: " + l.Text
	case OutcomeNotTouched:
		return text + "not touched: " + l.Text
	case OutcomeRefused:
		return text + l.Text + " was refused: " + strings.TrimPrefix(l.Error, ErrRefused.Error()+": ")
	}
	verb, known := verbs[why]
	if !known {
		verb = "repaired: "
	}
	return text + verb + l.Text
}

// journaled are the texts of some runs' journals, by event and app, which is called
// what it is called now.
func (g *Guard) journaled(runs []string, renamed map[string]string) map[string]map[string][]string {
	texts := map[string]map[string][]string{plan.Done: {}, plan.Drift: {}}
	for _, run := range runs {
		lines, err := plan.ReadJournal(g.Host, run)
		if err != nil {
			g.Out.Error(err)
		}
		for _, l := range lines {
			if to := renamed[l.App]; to != "" {
				l.App = to
			}
			l.Text = g.journalText(l.Text)
			if of := texts[l.Event]; of != nil && !hazard.IsQuarantine(l.Text) && !slices.Contains(of[l.App], l.Text) {
				of[l.App] = append(of[l.App], l.Text)
			}
		}
	}
	return texts
}
