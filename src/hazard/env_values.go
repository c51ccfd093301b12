package hazard

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// envValues is about the library that Dokku reads and writes an ENV file by
// (docs/dokku-versions.md#environment). The release that comes with 0.37.8 reads some
// values otherwise than the one before: those that end in a double quote or a backslash,
// and much of what a person has written by hand. And it cannot read all that it writes
// itself: "it's "quoted"" loses its last character when the file is written, and the
// whole file cannot be read when it is written once more, which the installation of 0.38
// does; 00420 becomes 420.
//
// Three things are done about it. Before the upgrade the file is written so that both
// read the same, as far as there is such a form. While Dokku is being installed, the
// variables that it does not keep are out of its sight, in a property of ours. And after
// that the same property knows them, so that each time when Dokku has written the file
// they are put in again, in a form that it reads (Hold).
var envValues = Hazard{
	Name:    EnvValues,
	Threads: "dokku/dokku#8875",
	Guide:   "https://dokku.com/docs/configuration/environment-variables/",
	Reads:   []app.Part{app.PartEnv},

	Foresee:     func(s Subject) []Finding { return foreseeValues(s.Context, s.Now.Name) },
	ForeseeHost: func(s HostSubject) []Finding { return foreseeValues(s.Context, host.GlobalScope) },
	Detect:      func(s Subject) []Finding { return detectValues(s.Context, s.Now.Name, s.Before != nil) },
	DetectHost:  func(s HostSubject) []Finding { return detectValues(s.Context, host.GlobalScope, s.Before != nil) },
}

// heldEnv are the variables of a scope that its Dokku does not keep: our property
// env-held. Aside tells that they are out of the environment while Dokku is installed,
// Suspect are those whose last character may have been another before we came.
type heldEnv struct {
	Aside   bool              `json:"aside,omitempty"`
	Values  map[string][]byte `json:"values"`
	Suspect []string          `json:"suspect,omitempty"`
}

const heldName = "env-held"

// HeldPath is where the variables of a scope are that its Dokku does not keep: JSON, the
// values in base64.
func HeldPath(p host.Paths, scope string) string { return p.Property(host.Plugin, scope, heldName) }

func heldOf(f *app.Files, scope string) (held heldEnv) {
	if text, ok := f.Text("lib/config/" + host.Plugin + "/" + scope + "/" + heldName); ok {
		_ = json.Unmarshal([]byte(text), &held) // a damaged one holds nothing
	}
	return held
}

// with is the property with some variables more.
func (e heldEnv) with(aside bool, values map[string]string, names ...string) []byte {
	all := maps.Clone(e.Values)
	if all == nil {
		all = map[string][]byte{}
	}
	for _, name := range names {
		all[name] = []byte(values[name])
	}
	suspect := slices.DeleteFunc(slices.Clone(e.Suspect), func(name string) bool { return all[name] == nil })
	slices.Sort(suspect)
	b, err := json.Marshal(heldEnv{Aside: aside, Values: all, Suspect: slices.Compact(suspect)})
	if err != nil {
		panic(err) // bytes by name
	}
	return append(b, '\n')
}

func foreseeValues(c Context, scope string) (found []Finding) {
	path := c.Files.EnvPath(scope)
	text, there := c.Files.Text(path)
	if !there || !app.ReadsAnew(c.To) || !app.Known(c.To) {
		return nil
	}
	installs := app.Before(c.From, "0.38.0") && !app.Before(c.To, "0.38.0") // and moves the file
	was, err := c.Files.Environment(scope)
	if err != nil {
		if _, err := app.ParseEnv(text, c.To); err != nil && installs {
			found = append(found, Finding{
				Kind: Refuse, What: fmt.Sprintf("its ENV is not the NAME=\"value\" lines that %s or %s reads", c.From, c.To),
				Consequence: fmt.Sprintf("The installation would end at it and leave dokku half-configured. To be corrected first: %s", app.RealPath(c.Paths, path)),
			})
		}
		return found
	}
	unkept := app.Unkept(was, c.To)
	misread, stops := misreadBy(text, was, c)
	both, left := app.WriteEnv(was, c.From, c.To)
	if names := without(misread, left); len(names) > 0 {
		file, _ := c.Files.Get(path)
		found = append(found, Finding{
			What:        fmt.Sprintf("%s reads %s of its environment otherwise than %s", c.To, variables(names), c.From),
			Consequence: "From the upgrade on it would have other values.",
			Halts:       stops && installs && len(left) == 0,
			Step: &plan.Step{
				Mark: plan.Change, Text: fmt.Sprintf("ENV written so that both versions read the same: %s", strings.Join(names, ", ")),
				Path: app.RealPath(c.Paths, path), Mode: file.Mode.Perm(), Data: []byte(both), Was: file.SHA256,
			},
		})
	}
	if len(unkept) > 0 {
		f := Finding{
			What:        fmt.Sprintf("%s does not read back %s of its environment as it writes them", c.To, variables(unkept)),
			Consequence: "Whenever Dokku writes the environment they would have other values.",
			Afterwards:  fmt.Sprintf("%s as before, having been out of the installation's way", variables(unkept)),
		}
		if stops || app.Unreadable(was, c.To) {
			f.Consequence, f.Halts = "Whenever Dokku has written the environment, it could not read it any more.", installs
		}
		if f.Halts {
			f.Consequence = "The installation would end at it, print the rest of it, and leave dokku half-configured."
		}
		found = append(found, f)
		if _, never := app.WriteEnv(was, c.To); len(never) > 0 {
			found = append(found, Finding{
				What:        fmt.Sprintf("%s cannot read the value of %s, however written", c.To, variables(never)),
				Consequence: "It would be out of the environment after the upgrade. Another value, or a name in capitals, is read.",
				Command:     setAgain(scope, never),
			})
		}
	}
	return found
}

// misreadBy are the variables of an ENV file that the version to come reads otherwise,
// and whether it stops at the file.
func misreadBy(text string, was map[string]string, c Context) (names []string, stops bool) {
	now, err := app.ParseEnv(text, c.To)
	if err == nil {
		for name := range was {
			if value, ok := now[name]; !ok || value != was[name] {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names, false
	}
	// It says nothing of what stands behind the place where it stops.
	for line := range strings.Lines(text) {
		values, _ := app.ParseEnv(line, c.From)
		for name, value := range values {
			back, err := app.ParseEnv(strings.TrimRight(line, "\n")+"\nNEXT=\"\"\n", c.To)
			if got, ok := back[name]; (err != nil || !ok || got != value) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(was))
	}
	slices.Sort(names)
	return names, true
}

// variables are names in words. Each is named: who reads it has to look after each.
func variables(names []string) string {
	if len(names) == 1 {
		return "the variable " + names[0]
	}
	return "the variables " + strings.Join(names, ", ")
}

// SetAside is the step that takes out of a scope's environment what the installed Dokku
// does not keep, right before its installation; nil where there is nothing. It comes also
// where an earlier installation has made the file one that Dokku cannot read: then
// that is written anew.
func SetAside(c Context, scope string) *plan.Step {
	if !app.ReadsAnew(c.To) || !app.Known(c.To) {
		return nil
	}
	path := c.Files.EnvPath(scope)
	file, there := c.Files.Get(path)
	values, readable := PresentEnv(c, scope)
	if !there || file.SHA256 == "" || values == nil {
		return nil
	}
	held := heldOf(c.Files, scope)
	for name, value := range held.Values {
		// What a person has set since stands.
		if present, there := values[name]; !there && held.Aside || there && (!readable || app.Spoilt(string(value), present)) {
			values[name] = string(value)
		}
	}
	names := app.Unkept(values, c.To)
	if len(names) == 0 && readable {
		return nil
	}
	if !readable {
		held.Suspect = append(held.Suspect, suspects(held, values, names)...)
	}
	rest := maps.Clone(values)
	for _, name := range names {
		delete(rest, name)
	}
	text, _ := app.WriteEnv(rest, c.To)
	real := app.RealPath(c.Paths, path)
	return &plan.Step{
		Mark: plan.Change, Text: fmt.Sprintf("%s out of the installation's way", variables(names)),
		Path: HeldPath(c.Paths, scope), Mode: 0o600, Data: held.with(len(names) > 0, values, names...), Was: c.Digest(HeldPath(c.Paths, scope)),
		Do: func(_ context.Context, h host.Host) error {
			now, err := h.ReadFile(real)
			if err != nil {
				return err
			}
			if digest := app.Digest(now); digest != file.SHA256 && digest != app.Digest([]byte(text)) {
				return plan.ErrChanged
			}
			return h.Write(real, file.Mode.Perm(), []byte(text))
		},
	}
}

// suspects are the variables of a file that Dokku has made unreadable of whose last
// character nobody knows whether it was one that Dokku has lost.
func suspects(held heldEnv, values map[string]string, unkept []string) (names []string) {
	for _, name := range unkept {
		if _, known := held.Values[name]; !known && strings.HasSuffix(values[name], `\`) {
			names = append(names, name)
		}
	}
	return names
}

// PresentEnv is a scope's environment, and whether its Dokku can read it: what it cannot
// read is taken as it was written.
func PresentEnv(c Context, scope string) (values map[string]string, readable bool) {
	values, err := c.Files.Environment(scope)
	if err == nil {
		return values, true
	}
	text, _ := c.Files.Text(c.Files.EnvPath(scope))
	if values, err = app.WrittenEnv(text); err != nil {
		return nil, false
	}
	return values, false
}

// lostValues are the variables whose values the installed Dokku has spoilt by writing
// them, or that are set aside, as they were; and whether it can read the file.
func lostValues(c Context, scope string, before bool) (now, lost map[string]string, readable bool) {
	lost = map[string]string{}
	now, readable = PresentEnv(c, scope)
	held := heldOf(c.Files, scope)
	// What is set aside goes back on any version.
	if (!app.ReadsAnew(c.To) || !app.Known(c.To)) && !held.Aside || now == nil && !readable {
		return now, lost, true
	}
	for name, was := range held.Values {
		value, there := now[name]
		if value != string(was) && (!there && (held.Aside || !app.Writable(name, string(was), c.To)) || there && app.Spoilt(string(was), value)) {
			lost[name] = string(was)
		}
	}
	if old := c.Old(); before && old != nil && c.JustInstalled {
		was, err := old.Environment(scope)
		for _, name := range app.Unkept(was, c.To) {
			value, there := now[name]
			if _, ours := held.Values[name]; err == nil && !ours && there && app.Spoilt(was[name], value) {
				lost[name] = was[name]
			}
		}
	}
	return now, lost, readable
}

func detectValues(c Context, scope string, before bool) []Finding {
	now, lost, readable := lostValues(c, scope, before)
	held := heldOf(c.Files, scope)
	if len(lost) == 0 && readable && len(held.Suspect) == 0 && !held.Aside {
		return nil
	}
	all := maps.Clone(now)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, lost)
	if !readable {
		held.Suspect = append(held.Suspect, slices.DeleteFunc(suspects(held, all, app.Unkept(all, c.To)), func(name string) bool { return lost[name] != "" })...)
	}
	// What no form is read of stays out, and in our property.
	var left []string
	file := maps.Clone(all)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !app.Writable(name, all[name], c.To) {
			left = append(left, name)
			delete(file, name)
			delete(lost, name)
		}
	}
	text, _ := app.WriteEnv(file, c.To)
	names := slices.Sorted(maps.Keys(lost))
	path, property := app.RealPath(c.Paths, c.Files.EnvPath(scope)), HeldPath(c.Paths, scope)
	f := Finding{
		What:        fmt.Sprintf("%s of its environment came out otherwise when Dokku wrote it", variables(names)),
		Consequence: "The app gets it so at its next deploy or restart.",
		Step: &plan.Step{
			Mark: plan.Change, Text: variables(names) + " as before",
			Path: path, Mode: 0o600, Data: []byte(text), Was: c.Digest(path),
			Do: func(_ context.Context, h host.Host) error {
				return h.Write(property, 0o600, held.with(false, all, app.Unkept(all, c.To)...))
			},
			Verify: func(ctx context.Context, h host.Host) error { return readsBack(ctx, h, scope, lost) },
		},
	}
	if held.Aside {
		f.What = fmt.Sprintf("%s of its environment had been taken out of the installation's way", variables(names))
	}
	switch {
	case !readable:
		f.What = "Dokku cannot read its environment as it has written it"
		f.Consequence = "Nothing can be deployed, and no installation of Dokku comes to its end."
		if len(names) == 0 {
			f.Step.Text = "ENV written so that Dokku reads it"
		}
	case len(names) == 0:
		// Killed between the environment and the property, or a person was faster.
		f.What = "nothing of its environment is out of the installation's way any more, and that is not noted"
		f.Consequence = "While that is noted nothing is put in again that Dokku spoils by writing it."
		f.Step = &plan.Step{
			Mark: plan.Change, Text: "noted that nothing of its environment is out of the way",
			Path: property, Mode: 0o600, Data: held.with(false, all, app.Unkept(all, c.To)...), Was: c.Digest(property),
		}
	}
	var found []Finding
	if len(names) > 0 || !readable || held.Aside {
		found = append(found, f)
	}
	if len(left) > 0 {
		found = append(found, Finding{
			What:        fmt.Sprintf("%s cannot read the value of %s, however written", c.To, variables(left)),
			Consequence: "It is out of the environment, so that the others can be read.",
			Command:     setAgain(scope, left),
		})
	}
	if len(held.Suspect) > 0 {
		found = append(found, Finding{
			What:        fmt.Sprintf("a backslash is the last character of %s of its environment, and was a double quote if that was set before 0.37.8", variables(held.Suspect)),
			Consequence: "No snapshot tells which. Set anew, it is not asked about any more.",
			Command:     setAgain(scope, held.Suspect),
		})
	}
	return found
}

// setAgain is how a person sets variables anew. What they are to be is not for us to say.
func setAgain(scope string, names []string) string {
	args := []string{"--no-restart", scope}
	if scope == host.GlobalScope {
		args = args[1:]
	}
	for _, name := range names {
		args = append(args, name+"=...")
	}
	return say.Command("dokku config:set", args...)
}

// readsBack asks Dokku what it reads. No value is in an error.
func readsBack(ctx context.Context, h host.Host, scope string, values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		got, err := host.Config(ctx, h, scope, name)
		if err != nil {
			return err
		}
		if strings.TrimSpace(got) != strings.TrimSpace(values[name]) {
			return fmt.Errorf("Dokku reads the variable %s otherwise than it was written", name)
		}
	}
	return nil
}
