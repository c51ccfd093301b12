package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// Diff is what differs between a snapshot and another, or the present: what a restore of
// the first would write, as its plan has it, and what only the second has.
type Diff struct {
	Version int    `json:"version"` // of this shape
	Guard   string `json:"upgrade_guard"`
	From    string `json:"from"` // an id, live, or now
	To      string `json:"to"`
	Differ  bool   `json:"differ"`
	// Apps are those that differ.
	Apps  []AppDiff `json:"apps"`
	Same  int       `json:"same"` // how many do not
	Notes []string  `json:"notes,omitempty"`
}

// AppDiff is one app, or the host itself.
type AppDiff struct {
	App   string     `json:"app"`
	Lines []DiffLine `json:"lines"`
	// Notes are sentences about what cannot be told, or is no setting.
	Notes []string `json:"notes,omitempty"`
}

// DiffLine is one difference: + is only in the first, - only in the second, ~ differs.
type DiffLine struct {
	Mark string `json:"mark"`
	Text string `json:"text"`
	// From and To are fingerprints, where what differs may be a secret.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Now is what the present is called.
const Now = "now"

// moment is one of the two sides: the files that hold an app by one of its names.
type moment struct {
	name, dokku string
	apps        []string
	of          func(name string) app.Split
	whole       *app.Files // with the host itself; nil where it is of apps alone
}

// Diff compares. Without a from it is the newest snapshot, without a to the present.
func (g *Guard) Diff(ctx context.Context, from, to, only string) (Diff, error) {
	known, err := g.readState()
	if err != nil {
		return Diff{}, err
	}
	one, err := g.sideOf(ctx, from, only)
	if err != nil {
		return Diff{}, err
	}
	two, err := g.sideOf(ctx, to, only)
	if err != nil {
		return Diff{}, err
	}
	d := Diff{Version: JSONVersion, Guard: g.Version, From: one.name, To: two.name, Apps: []AppDiff{}}
	if one.dokku != two.dokku {
		d.Notes = append(d.Notes, fmt.Sprintf("%s is of Dokku %s, and %s of %s, which keep things in other places: what only %s has is not told.", one.name, one.dokku, two.name, two.dokku, two.name))
	}
	names := []string{only}
	if only == "" {
		names = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(one.apps), two.apps...))))
		// What was renamed since is one app.
		names = slices.DeleteFunc(names, func(name string) bool {
			return known.Now(name) != name && slices.Contains(two.apps, known.Now(name)) && !slices.Contains(two.apps, name)
		})
		if one.whole != nil && two.whole != nil {
			names = append([]string{host.GlobalScope}, names...)
		}
	}
	for _, name := range names {
		a, err := g.diffOf(name, one, two, known)
		if err != nil {
			return d, err
		}
		if len(a.Lines)+len(a.Notes) > 0 {
			d.Apps, d.Differ = append(d.Apps, a), true
		} else {
			d.Same++
		}
	}
	return d, nil
}

// sideOf reads one side.
func (g *Guard) sideOf(ctx context.Context, id, only string) (moment, error) {
	if id == Now {
		what := app.What{}
		if only != "" && only != host.GlobalScope {
			what = app.What{Apps: []string{only}, Entries: true}
		}
		files, err := app.Capture(ctx, g.Host, what)
		if err != nil {
			return moment{}, err
		}
		return momentIn(Now, files), nil
	}
	if id == "live" && only != host.GlobalScope {
		return g.liveMoment(only)
	}
	if id == "" {
		id = "latest"
	}
	full, err := g.named(id, only)
	if err != nil {
		return moment{}, err
	}
	if full == "latest" {
		return moment{}, say.Hint(errors.New("there is no snapshot"), "To take one: dokku upgrade-guard:snapshot")
	}
	files, err := g.Store.Files(full)
	if err != nil {
		return moment{}, err
	}
	for _, l := range files.Refused {
		g.Out.Trouble("%s", l)
	}
	return momentIn(full, files), nil
}

// momentIn is a side of which all apps are in the same files.
func momentIn(name string, files *app.Files) moment {
	split := files.Split()
	c := moment{name: name, dokku: files.Dokku, apps: files.Apps, of: func(string) app.Split { return split }}
	if !files.Partial {
		c.whole = files
	}
	return c
}

// appIn are the files of an app by the name that it bears now; nil where it is not there.
func appIn(split app.Split, name string, known state.State) *app.Files {
	for _, n := range append([]string{name}, known.Formerly(name)...) {
		if files := split.Of(n); files != nil {
			if n != name {
				return files.Renamed(n, name)
			}
			return files
		}
	}
	return nil
}

// liveMoment is the side of the live snapshots, of each app its own.
func (g *Guard) liveMoment(only string) (moment, error) {
	c := moment{name: "live", dokku: host.DokkuVersion(g.Host)}
	names := []string{only}
	if only == "" {
		files, err := app.Capture(context.Background(), g.Host, app.What{NoCommands: true})
		if err != nil {
			return c, err
		}
		names = files.Apps
	}
	held := map[string]app.Split{}
	for _, name := range names {
		files, err := g.Store.Files("live/" + name)
		if err != nil {
			if only != "" {
				_, err = g.named("live", name) // which says how one is made
				return c, err
			}
			g.Out.Detail("%s has no live snapshot", name)
			continue
		}
		held[name] = files.Split()
		c.apps, c.dokku = append(c.apps, name), files.Dokku
	}
	c.of = func(name string) app.Split { return held[name] }
	return c, nil
}

// diffOf compares one app, or the host.
func (g *Guard) diffOf(name string, one, two moment, known state.State) (AppDiff, error) {
	a := AppDiff{App: name, Lines: []DiffLine{}}
	if name == host.GlobalScope {
		if one.whole == nil || two.whole == nil {
			return a, errors.New("one of the two is of apps alone, and does not hold this host's own settings")
		}
		return g.hostDiff(a, one, two, known)
	}
	if one.of(name).Same(two.of(name), name) {
		return a, nil
	}
	was, is := appIn(one.of(name), name, known), appIn(two.of(name), name, known)
	switch {
	case was == nil && is == nil:
		return a, say.Hint(app.NoApp{Name: name}, "It is neither in %s nor in %s.", one.name, two.name)
	case is == nil:
		a.Lines = append(a.Lines, DiffLine{Mark: plan.Add, Text: "the app is not in " + two.name})
		return a, nil
	case was == nil:
		a.Lines = append(a.Lines, DiffLine{Mark: plan.Remove, Text: "the app is not in " + one.name})
		return a, nil
	}
	there, err := restore.New(g.subject(is, app.Read(is), name, "", is.Dokku, known), one.name, []string{name}, was)
	if err != nil {
		return a, err
	}
	there.Exact = true // what only the second has is told below
	steps, notes, failed := there.Plan(restore.Parts)
	a.add(g, steps, notes, failed, is)
	if one.dokku == two.dokku {
		back, err := restore.New(g.subject(was, app.Read(was), name, "", was.Dokku, known), two.name, []string{name}, is)
		if err != nil {
			return a, err
		}
		steps, _, _ := back.Plan(restore.Parts)
		a.onlyThere(g, steps)
	}
	a.environment(g, was, is)
	return a, nil
}

func (g *Guard) hostDiff(a AppDiff, one, two moment, known state.State) (AppDiff, error) {
	plan := func(now *app.Files, id string, old *app.Files) (plan.Plan, []string, error) {
		read := app.Read(now)
		r, err := restore.NewHost(hazard.HostSubject{Context: g.context(now, "", now.Dokku, known), Now: read}, id, old, known.Formerly)
		if err != nil {
			return nil, nil, err
		}
		r.Exact = true
		return r.Plan(restore.HostParts)
	}
	steps, notes, failed := plan(two.whole, one.name, one.whole)
	a.add(g, steps, notes, failed, two.whole)
	if one.dokku == two.dokku {
		steps, _, _ := plan(one.whole, two.name, two.whole)
		a.onlyThere(g, steps)
	}
	a.environment(g, one.whole, two.whole)
	return a, nil
}

// add takes over a restore's plan. That nginx's configuration is built is no difference.
func (a *AppDiff) add(g *Guard, steps plan.Plan, notes []string, failed error, is *app.Files) {
	for _, s := range steps {
		if s.Stage != plan.Files {
			continue
		}
		now, _ := is.At(g.Host.Paths(), s.Path)
		data, err := now.Content()
		if err != nil {
			failed = errors.Join(failed, err)
		}
		a.Lines = append(a.Lines, g.diffLine(s.Mark, s, s.Data, data))
	}
	a.Notes = append(a.Notes, notes...)
	if failed != nil {
		a.Notes = append(a.Notes, say.Line(failed))
	}
}

// onlyThere adds what only the second has: what a restore of it would add to the first.
// Some of a restore's steps are told as adding although they replace.
func (a *AppDiff) onlyThere(g *Guard, steps plan.Plan) {
	for _, s := range steps {
		if s.Stage != plan.Files || s.Mark != plan.Add || strings.HasPrefix(s.Text, "environment") {
			continue
		}
		what, value, _ := strings.Cut(s.Text, " ")
		i := slices.IndexFunc(a.Lines, func(l DiffLine) bool {
			return l.Text == s.Text || !opaque(s.Text) && strings.HasPrefix(l.Text, what+" ") && slices.Contains([]string{"scale", "domains", "ports"}, what)
		})
		switch {
		case i < 0:
			a.Lines = append(a.Lines, g.diffLine(plan.Remove, s, nil, s.Data))
		case a.Lines[i].Mark == plan.Add:
			if a.Lines[i].Mark = plan.Change; a.Lines[i].Text != s.Text {
				a.Lines[i].Text += ", now " + value
			}
		}
	}
}

// diffLine is a step as a difference: of what it does not say itself the values where they
// are settings, and fingerprints elsewhere.
func (g *Guard) diffLine(mark string, s plan.Step, was, is []byte) DiffLine {
	l := DiffLine{Mark: mark, Text: s.Text}
	if !opaque(s.Text) || s.Path == "" {
		return l
	}
	if name, property := strings.CutPrefix(s.Text, "property "); property {
		one, ok := hazard.Setting(name, was)
		two, also := hazard.Setting(name, is)
		if ok && also {
			for _, text := range []string{one, two} {
				if text != "" {
					l.Text += map[bool]string{true: ", now ", false: " "}[l.Text != s.Text] + text
				}
			}
			return l
		}
	}
	if was != nil {
		l.From = g.fingerprint(app.Fingerprint(string(was)))
	}
	if is != nil {
		l.To = g.fingerprint(app.Fingerprint(string(is)))
	}
	return l
}

// opaque tells which of a restore's lines do not say what it is that they put back.
func opaque(text string) bool {
	return slices.ContainsFunc([]string{"property ", "file ", "nginx: ", "storage entry ", "docker options "}, func(what string) bool { return strings.HasPrefix(text, what) })
}

// environment names the variables that differ, which a restore's plan only counts. Those
// that are told as what they mean, or that a deploy sets, are not among them; nor are
// Dokku's own of another version.
func (a *AppDiff) environment(g *Guard, was, is *app.Files) {
	one, err := was.Environment(a.App)
	if err != nil {
		return // the plan says so
	}
	two, err := is.Environment(a.App)
	if err != nil {
		return
	}
	all := maps.Clone(one)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, two)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains([]string{"GIT_REV", "NO_VHOST", "DOKKU_PROXY_PORT_MAP"}, name) || app.OwnVariable(name) && was.Dokku != is.Dokku {
			continue
		}
		before, had := one[name]
		now, has := two[name]
		l := DiffLine{Mark: plan.Change, Text: "variable " + name}
		switch {
		case had && has && before == now:
			continue
		case !has:
			l.Mark = plan.Add
		case !had:
			l.Mark = plan.Remove
		}
		if had {
			l.From = g.fingerprint(app.Fingerprint(before))
		}
		if has {
			l.To = g.fingerprint(app.Fingerprint(now))
		}
		a.Lines = append(a.Lines, l)
	}
}

// Told is a line for a person.
func (l DiffLine) Told() string {
	switch {
	case l.From != "" && l.To != "":
		return fmt.Sprintf("%s (fingerprints %s, and %s)", l.Text, l.From, l.To)
	case l.From+l.To != "":
		return fmt.Sprintf("%s (fingerprint %s)", l.Text, l.From+l.To)
	}
	return l.Text
}
