package guard

import (
	"slices"
	"testing"
	"time"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
)

// What a round does is a pure function of what was found and what was tried.
func TestTheNextRound(t *testing.T) {
	step := func(name string, stage plan.Stage, text string) *plan.Step {
		return &plan.Step{App: name, Hazard: "x", Stage: stage, Text: text}
	}
	finding := func(kind hazard.Kind, name string, ladder ...*plan.Step) hazard.Finding {
		f := hazard.Finding{App: name, Hazard: "x", Kind: kind, What: "it is gone", Step: ladder[0]}
		for _, s := range ladder[1:] {
			f.Then = append(f.Then, *s)
		}
		return f
	}
	file, build := step("blog", plan.Files, "scale web=1"), step("blog", plan.Build, hazard.TextBuild)
	fallback, quarantine := step("blog", plan.Fallback, "a fallback upstream"), step("blog", plan.Quarantine, hazard.TextQuarantine)
	for _, c := range []struct {
		name    string
		found   []hazard.Finding
		tried   []*plan.Step
		guesses bool
		want    []string
	}{
		{"nothing found", nil, nil, false, nil},
		{"what is a person's is not done", []hazard.Finding{finding(hazard.Manual, "blog", file), finding(hazard.Notice, "blog", file), finding(hazard.Refuse, "blog", file)}, nil, false, nil},
		{"a guess is not done", []hazard.Finding{finding(hazard.Guess, "blog", file)}, nil, false, nil},
		{"and is, where a person has said yes", []hazard.Finding{finding(hazard.Guess, "blog", file)}, nil, true, []string{"scale web=1"}},
		{"files come before builds", []hazard.Finding{finding(hazard.Repair, "blog", build), finding(hazard.Repair, "api", step("api", plan.Files, "domains"))}, nil, false, []string{"domains"}},
		{"one build ends two findings", []hazard.Finding{finding(hazard.Repair, "blog", build), finding(hazard.Repair, "blog", build)}, nil, false, []string{hazard.TextBuild}},
		{"the next rung, where the first was tried", []hazard.Finding{finding(hazard.Repair, "blog", build, fallback)}, []*plan.Step{build}, false, []string{"a fallback upstream"}},
		{"nothing, where all were", []hazard.Finding{finding(hazard.Repair, "blog", build, fallback)}, []*plan.Step{build, fallback}, false, nil},
		{"the first rung of another app is not held up", []hazard.Finding{finding(hazard.Repair, "blog", build, fallback), finding(hazard.Repair, "api", step("api", plan.Build, hazard.TextBuild))}, []*plan.Step{build}, false, []string{hazard.TextBuild}},
		{"nothing is quarantined that nginx has not just refused", []hazard.Finding{finding(hazard.Repair, "blog", quarantine)}, nil, false, nil},
	} {
		m := &memory{run: hazard.NewRun(), tried: map[string]bool{}, guesses: c.guesses}
		for _, s := range c.tried {
			m.tried[rung(*s)] = true
		}
		var got []string
		for _, s := range m.next(c.found) {
			got = append(got, s.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A package manager is held up for seconds: by few builds, and by none after those
// seconds (law 9).
func TestLate(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hook := occasion{hook: true}
	for _, c := range []struct {
		oc    occasion
		stage plan.Stage
		apps  int
		after time.Duration
		want  bool
	}{
		{occasion{}, plan.Build, 1000, time.Hour, false}, // a person waits
		{hook, plan.Files, 1000, time.Minute, false},     // files are never put off
		{hook, plan.Build, fewBuilds, 0, false},
		{hook, plan.Build, fewBuilds + 1, 0, true},
		{hook, plan.Start, 1, hookTime + time.Second, true},
	} {
		if got := c.oc.late(c.stage, c.apps, begun, begun.Add(c.after)); got != c.want {
			t.Errorf("%+v, stage %d, %d apps, after %s: %v", c.oc, c.stage, c.apps, c.after, got)
		}
	}
}

// Nobody is told that his app is well by counting what is only to be known.
func TestWhoseFindingsAre(t *testing.T) {
	of := func(kinds ...hazard.Kind) (found []hazard.Finding) {
		for _, k := range kinds {
			found = append(found, hazard.Finding{App: "blog", Kind: k})
		}
		return found
	}
	for _, c := range []struct {
		found []hazard.Finding
		open  bool
		count string
	}{
		{nil, false, "nothing to do"},
		{of(hazard.Notice), false, "nothing to do"},
		{of(hazard.Repair), true, "1 repair"},
		{of(hazard.Repair, hazard.Repair, hazard.Guess), true, "2 repairs, 1 finding for you"},
		{of(hazard.Manual, hazard.Refuse), true, "2 findings for you"},
	} {
		if open(c.found) != c.open || count(c.found, "repair") != c.count {
			t.Errorf("%v: open %v, %q", c.found, open(c.found), count(c.found, "repair"))
		}
	}
}
