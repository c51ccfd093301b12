package hazard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

const wayBackName = "way-back"

// wayBack is about an older Dokku that is installed over a newer one. dpkg does it
// without a word, containers and nginx go on as they are, and nothing shows until the
// next deploy or build: what the newer one keeps in places that the older one does not
// know is not read (seen on the way from 0.38.27 to 0.29.4, where the whole environment
// was gone). And the marks by which the newer one knows what it has moved stay: when it
// comes again, it throws away what was set meanwhile.
//
// The snapshots from right before and right after each upgrade on the way tell what there
// was and what it has changed; what a person has set since is carried over (undo.go). Where
// one of them is missing nothing is undone, and what there is to do is told.
var wayBack = Hazard{
	Name:    wayBackName,
	InNginx: true,

	Detect: func(s Subject) []Finding {
		if s.Before == nil {
			return nil
		}
		return undoing(s.Context, s.Now.Name)
	},
	DetectHost: func(s HostSubject) []Finding {
		if s.Before == nil {
			return nil
		}
		return append(undoing(s.Context, host.GlobalScope), crontabAhead(s)...)
	},

	Foresee: func(s Subject) []Finding {
		if len(s.Hops) > 0 {
			return undoForetold(s.Context, s.Now.Name)
		}
		if !s.Back("0.38.0") {
			return nil
		}
		kept := movedBy038(s.Context, s.Now.Name, len(s.Now.Env))
		if s.Now.Stopped {
			kept = append(kept, "that it was stopped (ps:stop)")
		}
		if len(kept) == 0 {
			return nil
		}
		f := Finding{
			What:        fmt.Sprintf("%s does not read where 0.38 keeps of the app: %s", s.To, strings.Join(kept, ", ")),
			Consequence: fmt.Sprintf("It goes on as it is until its next deploy, which goes without. upgrade-guard cannot undo the upgrade: %s. The command is for after the way back; mounts, checks and the restart policy are to be set anew.", s.NoHops),
			Command:     say.Command("dokku upgrade-guard:restore", s.Now.Name, "--only", "env,docker-options"),
		}
		return []Finding{f}
	},

	ForeseeHost: func(s HostSubject) []Finding {
		if len(s.Hops) > 0 {
			return undoForetold(s.Context, host.GlobalScope)
		}
		if !s.Back("0.38.0") {
			return nil
		}
		var found []Finding
		if kept := movedBy038(s.Context, host.GlobalScope, len(s.Now.Global.Env)); len(kept) > 0 {
			found = append(found, Finding{
				What:        fmt.Sprintf("%s does not read where 0.38 keeps of the host: %s", s.To, strings.Join(kept, ", ")),
				Consequence: "What the command writes down is to be set again after the way back.",
				Command:     "dokku config:export --global --format envfile >global.env",
			})
		}
		return append(found, Finding{
			Kind:        Notice,
			What:        fmt.Sprintf("0.38 leaves marks that it has moved environments and docker options, and %s does not take them away", s.To),
			Consequence: "When Dokku is upgraded to 0.38 again, it reads nothing of what is set in between.",
		})
	},
}

// crontabAhead is about the tasks in the dokku user's crontab, which the newer Dokku has
// written as commands that the older one does not know: run --concurrency-policy from 0.37.0
// on, cron:run in the course of 0.38. The older one writes its own when it is asked, and else
// with the next deploy.
func crontabAhead(s HostSubject) []Finding {
	if len(s.Hops) == 0 || !cronIsKnown(s.Files) {
		return nil
	}
	ahead := slices.ContainsFunc(s.Now.Global.Crontab, func(line string) bool {
		return app.Before(s.To, "0.37.0") && strings.Contains(line, "run --concurrency-policy ") || app.Before(s.To, "0.38.0") && strings.Contains(line, "dokku cron:run ")
	})
	if !ahead {
		return nil
	}
	f := Finding{
		What:        fmt.Sprintf("the dokku user's crontab is as %s has written it, and %s does not know its commands", s.From, s.To),
		Consequence: "No task of an app is run.",
	}
	if app.Before(s.To, "0.24.0") { // which writes it in the middle of a deploy alone
		f.Consequence += " The next deploy of an app with a task writes it anew."
		f.Command = "crontab -u dokku -l"
		return []Finding{f}
	}
	f.Step = &plan.Step{
		Mark: plan.Change, Text: "the crontab, written by Dokku " + s.To,
		Do: func(ctx context.Context, h host.Host) error { return writeCrontab(ctx, h, s.To) },
	}
	return []Finding{f}
}

// undoForetold is what the way back will do to a scope.
func undoForetold(c Context, scope string) []Finding {
	u := undo(scope, c.Hops, c.Files)
	files, _ := c.changes(scope, u, c.Files)
	var found []Finding
	if len(files) > 0 {
		found = append(found, Finding{
			What:        fmt.Sprintf("%s keeps elsewhere, or otherwise, what %s has of it: %s", c.To, c.From, listOf(files)),
			Consequence: "Until that is put back it goes on as it is, and its next deploy goes without.",
			Afterwards:  "as it was before the upgrade" + alsoCarried(u.carried),
		})
	}
	return append(found, notCarried(c, u)...)
}

// undoing is what is not as it was before the upgrades that the way back undoes.
func undoing(c Context, scope string) []Finding {
	old := c.Old()
	if len(c.Hops) == 0 || old == nil {
		return nil
	}
	u := undo(scope, c.Hops, old)
	files, set := c.changes(scope, u, old)
	var found []Finding
	if len(files) > 0 {
		names := listOf(files)
		found = append(found, Finding{
			What:        fmt.Sprintf("%s does not find as it was before the upgrade: %s", c.To, names),
			Consequence: "It goes on as it is, and its next deploy or build goes without.",
			Step: &plan.Step{
				Mark: plan.Change, Text: "as before the upgrade: " + names + alsoCarried(u.carried),
				Do: func(_ context.Context, h host.Host) error { return putFiles(h, files) },
			},
		})
		found = append(found, notCarried(c, u)...)
	}
	if len(set) > 0 {
		found = append(found, Finding{
			Kind:        Notice,
			What:        fmt.Sprintf("set since the way back, or behind a link, and left: %s", strings.Join(set, ", ")),
			Consequence: "Before the upgrade it was otherwise.",
		})
	}
	return found
}

// changed is a file that is to be otherwise.
type changed struct {
	path string // the real one
	want app.File
	was  string
}

// changes are the files of a scope that are not as they are to be; and those that are
// otherwise than right before the way back though nobody of Dokku's has run since: a
// person's.
func (c Context) changes(scope string, u undone, before *app.Files) (files []changed, set []string) {
	for _, path := range slices.Sorted(maps.Keys(u.want)) {
		want, now := u.want[path], fileOf(c.Files, path)
		switch {
		case sameFile(want, now) || want.Error != "" || now.Error != "": // told by u.left
			continue
		case want.Link != "" || c.Files.ThroughLink(path):
			set = append(set, app.Shown(path)+" (a link)")
			continue
		}
		if !c.JustInstalled && !sameFile(now, fileOf(before, path)) {
			set = append(set, app.Shown(path))
			continue
		}
		files = append(files, changed{app.RealPath(c.Paths, path), want, now.SHA256})
	}
	if scope == host.GlobalScope {
		return files, set
	}
	// What the older version's installation has made up of what it did not find.
	for _, path := range []string{"root/" + scope + "/VHOST", "root/" + scope + "/DOKKU_SCALE"} {
		_, known := u.want[path]
		if now := fileOf(c.Files, path); !known && c.JustInstalled && now.SHA256 != "" && fileOf(before, path).Error == "" {
			files = append(files, changed{app.RealPath(c.Paths, path), app.File{}, now.SHA256})
		}
	}
	return files, set
}

// putFiles has files hold what they are to hold, or not be there. Done again it is the same.
func putFiles(h host.Host, files []changed) error {
	var failed error
	for _, f := range files {
		if f.want.SHA256 != "" {
			data, err := f.want.Content()
			if err == nil {
				err = plan.Put(h, f.path, f.want.Mode.Perm(), data, f.was)
			}
			failed = errors.Join(failed, err)
			continue
		}
		if _, err := h.Lstat(f.path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := plan.Unchanged(h, f.path, f.was)
		if err == nil {
			err = h.Remove(f.path)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// keeps is what a file of a scope keeps, in the words that people know.
type keeps struct {
	name string
	path pattern.Pattern
}

var kinds = []keeps{
	{"the environment", pattern.Of(`/ENV$`)},
	{"scale", pattern.Of(`/(DOKKU_SCALE(\.extracted)?|ps/[^/]+/scale)$`)},
	{"domains", pattern.Of(`/(VHOST|HOSTNAME)$`)},
	{"ports", pattern.Of(`/config/ports/`)},
	{"certificate", pattern.Of(`/tls/`)},
	{"docker options", pattern.Of(`/(DOCKER_OPTIONS_[A-Z]+|config/docker-options/[^/]+/.*\.(build|deploy|run))$`)},
	{"mounts", pattern.Of(`/config/storage/[^/]+/mounts$`)},
	{"proxy", pattern.Of(`/config/proxy/`)},
	{"checks", pattern.Of(`/config/checks/`)},
	{"restart policy", pattern.Of(`/config/ps/[^/]+/restart-policy$`)},
}

// listOf names what files keep, and counts the others.
func listOf(files []changed) string {
	var names []string
	others := 0
	for _, f := range files {
		i := slices.IndexFunc(kinds, func(k keeps) bool { return k.path().MatchString(f.path) })
		switch {
		case i < 0:
			others++
		case !slices.Contains(names, kinds[i].name):
			names = append(names, kinds[i].name)
		}
	}
	slices.Sort(names)
	if others > 0 {
		names = append(names, say.Plural(others, "other setting"))
	}
	return strings.Join(names, ", ")
}

func alsoCarried(carried []string) string {
	if len(carried) == 0 {
		return ""
	}
	return "; set since, and carried over: " + strings.Join(carried, ", ")
}

// notCarried names what was set since the upgrade and has no place in the older version.
func notCarried(c Context, u undone) []Finding {
	if len(u.left) == 0 {
		return nil
	}
	return []Finding{{
		Kind:        Notice,
		What:        fmt.Sprintf("set since the upgrade, and not carried over to %s: %s", c.To, strings.Join(u.left, ", ")),
		Consequence: "It is as it was left there; the older version may not go by it.",
	}}
}

// movedBy038 is what 0.38 has of a scope in places that no older version reads, in
// words: names and counts.
func movedBy038(c Context, scope string, variables int) (kept []string) {
	count := func(n int, what string) {
		if n > 0 {
			kept = append(kept, say.Plural(n, what))
		}
	}
	if !leftENV(c, scope) {
		if count(variables, "variable"); variables > 0 {
			kept[len(kept)-1] += " of its environment"
		}
	}
	if scope != host.GlobalScope {
		options := 0
		for _, phase := range phases {
			options += len(c.Files.DockerOptions(scope, phase))
		}
		for _, name := range c.Files.ProcessDockerOptions(scope) {
			options += len(c.Files.Lines("lib/config/docker-options/" + scope + "/" + name))
		}
		count(options, "docker option")
		count(len(c.Files.Lines("lib/config/storage/"+scope+"/mounts")), "mount")
		if policy, set := c.Files.Text("lib/config/ps/" + scope + "/restart-policy"); set {
			kept = append(kept, "the restart policy "+strings.TrimSpace(policy))
		}
	}
	for _, f := range flags {
		if value, set := c.Files.Text("lib/config/" + f.namespace + "/" + scope + "/" + f.property); set && f.gone == "0.38.0" && f.in(scope) {
			kept = append(kept, fmt.Sprintf("%s %s %s", f.namespace, f.property, strings.TrimSpace(value)))
		}
	}
	return kept
}

// leftENV tells whether a scope's environment still lies where versions before 0.38 read
// it: 0.38.0 to 0.38.25 leave a copy there, as old as the step to them.
func leftENV(c Context, scope string) bool {
	path := "root/" + scope + "/ENV"
	if scope == host.GlobalScope {
		path = "root/ENV"
	}
	file, there := c.Files.Get(path)
	return there && file.SHA256 != ""
}

// variableLeft is a variable of that copy.
func variableLeft(c Context, scope, name string) string {
	text, _ := c.Files.Text("root/" + scope + "/ENV")
	values, err := app.ParseEnv(text, c.To)
	if err != nil {
		return ""
	}
	return values[name]
}
