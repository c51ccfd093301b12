package hazard

import (
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// What an app's next containers are started with, and is not there: the hazards about it
// (image-gone, network-gone, link-gone, mount-gone, plugin-gone) need no baseline. The app
// serves, so nothing shows it before the next deploy, restart or reboot, of which an
// upgrade brings at least one. Here is what they have in common.

// Lacking is what an app that has just been made is to be started with, and is not there:
// its first deploy fails for it.
func Lacking(s Subject) (found []Finding) {
	s.created = true
	for _, h := range []Hazard{networkGone, linkGone} {
		for _, f := range h.Detect(s) {
			if f.Consequence = "Without it no deploy comes to its end."; f.Kind == Notice {
				f.Consequence = "Without it dokku run fails."
			}
			found = append(found, f)
		}
	}
	// What docker is too old or too new for, in its own words.
	return append(found, dockerVersion.Detect(s)...)
}

// startsHere tells whether the app's next containers are this docker's.
func (s Subject) startsHere() bool {
	return (s.Now.Deployed() || s.created) && (s.Now.Proxy.Scheduler == "" || s.Now.Proxy.Scheduler == "docker-local")
}

// lacking is a thing that an app's settings name, by whatever of them, and that is not
// there, or does not run.
type lacking struct {
	name    string
	by      []string
	needs   []app.Need
	stopped bool
	phases  []string // those of the options that name it
	deploys bool
}

// kind is a notice where only dokku run goes without it.
func (l lacking) kind() Kind {
	if !l.deploys && !slices.Contains(l.phases, "build") {
		return Notice
	}
	return Manual
}

// fails says what fails without it.
func (l lacking) fails(deploys string) string {
	switch {
	case l.deploys:
		return "The next " + deploys
	case l.kind() == Notice:
		return "Each dokku run"
	}
	return "The next build"
}

// lacking are the things of one kind that are known not to be there.
func (s Subject) lacking(kind app.NeedKind) []*lacking {
	if !s.startsHere() {
		return nil
	}
	var list []*lacking
	for _, n := range s.Files.Needs(s.Now.Name) {
		if n.Kind != kind {
			continue
		}
		gone, stopped := s.Has.Lacks(n)
		if !gone && !stopped {
			continue
		}
		i := slices.IndexFunc(list, func(l *lacking) bool { return l.name == n.Name })
		if i < 0 {
			i, list = len(list), append(list, &lacking{name: n.Name, stopped: stopped})
		}
		l := list[i]
		l.needs = append(l.needs, n)
		l.deploys = l.deploys || n.Phase == "" || n.Phase == "deploy"
		if n.Phase != "" && !slices.Contains(l.phases, n.Phase) {
			l.phases = append(l.phases, n.Phase)
		}
		if !slices.Contains(l.by, n.By) {
			l.by = append(l.by, n.By)
		}
	}
	return list
}

// named are what names a thing, in words: "docker option --link for deploy, run".
func named(list []string) string {
	var words []string
	same := ""
	for _, by := range list {
		if head, phase, ok := strings.Cut(by, " for "); ok && head == same {
			by = phase
		} else if ok {
			same = head
		}
		words = append(words, by)
	}
	return strings.Join(words, ", ")
}

// withoutOption is the command that takes away the options that name it, "" where they
// stand with others in a line, which may hold a secret.
func (s Subject) withoutOption(l *lacking) string {
	var commands, done []string
	for _, n := range l.needs {
		if n.Line == "" || strings.Contains(n.By, " of the process type ") {
			return ""
		}
		if slices.Contains(done, n.Line) {
			continue
		}
		done = append(done, n.Line)
		var in []string
		for _, phase := range phases {
			if slices.Contains(s.Files.DockerOptions(s.Now.Name, phase), n.Line) {
				in = append(in, phase)
			}
		}
		commands = append(commands, say.Command("dokku docker-options:remove", s.Now.Name, strings.Join(in, ","), n.Line))
	}
	return strings.Join(commands, " && ")
}
