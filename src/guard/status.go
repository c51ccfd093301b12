package guard

import (
	"fmt"
	"maps"
	"net"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
)

// What an app's status can be, the worst first.
const (
	// StatusDown: it should serve and does not, or is at zero everywhere and nobody ran
	// ps:stop.
	StatusDown = "down"
	// StatusLost: something is lost or wrong that the guard can put right.
	StatusLost = "lost"
	// StatusActionRequired: something is left to a person.
	StatusActionRequired = "action-required"
	// StatusUnknown: docker or nginx could not be asked, or what nginx has for it cannot
	// be read, or a Dokku that this release does not know does not confirm what is read.
	StatusUnknown = "unknown"
	// StatusNoBaseline: an upgrade has happened, and nothing from before it can be read
	// for this app.
	StatusNoBaseline = "no-baseline"
	// StatusUnreadable: its state cannot be read.
	StatusUnreadable = "unreadable"
	// StatusRepaired: something was lost and put back, and nothing else is to be said.
	StatusRepaired = "repaired"
	// StatusOK: no unresolved loss, and it serves, or is not meant to.
	StatusOK = "ok"
)

// Statuses are all of them, the worst first.
var Statuses = []string{StatusDown, StatusLost, StatusActionRequired, StatusUnknown, StatusNoBaseline, StatusUnreadable, StatusRepaired, StatusOK}

// status is an app's status, by what was observed and found.
func (o *Observation) status(name string, found []hazard.Finding, noBaseline, repaired bool) string {
	s := o.Now.Apps[name]
	down, known := o.serving(name)
	down = down || atZero(name, found)
	has := func(kinds ...hazard.Kind) bool {
		return slices.ContainsFunc(found, func(f hazard.Finding) bool { return slices.Contains(kinds, f.Kind) })
	}
	switch {
	case o.disputes(name):
		return StatusUnknown // nothing is claimed of it, that it is down neither
	case down:
		return StatusDown
	case has(hazard.Repair):
		return StatusLost
	case has(hazard.Guess, hazard.Manual, hazard.Refuse):
		return StatusActionRequired
	case !known:
		return StatusUnknown
	case noBaseline:
		return StatusNoBaseline
	case s.Scale.Unreadable:
		return StatusUnreadable
	case repaired:
		return StatusRepaired
	}
	return StatusOK
}

// down tells whether an app should serve and does not, or is at zero everywhere and
// nobody ran ps:stop.
func (o *Observation) down(name string, found []hazard.Finding) bool {
	down, _ := o.serving(name)
	return down || atZero(name, found)
}

// atZero tells that an app is at zero everywhere and nobody ran ps:stop.
func atZero(name string, found []hazard.Finding) bool {
	return slices.ContainsFunc(found, func(f hazard.Finding) bool { return f.App == name && f.Hazard == hazard.ScaleZero })
}

// worstFirst puts findings into the order in which a person needs them: of apps that are
// down, then what else is a person's, then what is only to be known.
func (o *Observation) worstFirst(found []hazard.Finding) []hazard.Finding {
	of := map[string][]hazard.Finding{}
	for _, f := range found {
		of[f.App] = append(of[f.App], f)
	}
	down := map[string]bool{}
	for _, f := range found {
		if _, known := down[f.App]; !known && f.ForYou() {
			down[f.App] = o.down(f.App, of[f.App])
		}
	}
	rank := func(f hazard.Finding) int {
		switch {
		case !f.ForYou():
			return 2
		case down[f.App]:
			return 0
		}
		return 1
	}
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b hazard.Finding) int { return rank(a) - rank(b) })
	return found
}

// serving tells whether an app that should serve does not, and whether that is known at
// all. Not meant to serve is an app that was never deployed, was stopped by a person, or
// has no web process; one behind another proxy or scheduler is not asked about.
func (o *Observation) serving(name string) (down, known bool) {
	s := o.Now.Apps[name]
	byNginx, _ := s.Proxy.ByNginx()
	switch {
	case s.Proxy.Elsewhere():
		return false, true // a cluster's
	case o.Now.DockerMissing != "":
		return false, false // nobody is ok while it does not answer, whoever should be up
	case !s.Deployed() || s.Stopped:
		return false, true
	}
	if slices.ContainsFunc(s.Containers, func(c app.Container) bool { return nginx.Wanted(s, c) && !c.Running }) && s.Running() == 0 {
		return true, true
	}
	if len(s.Web()) == 0 || !byNginx || s.Proxy.StaticListener != "" {
		return false, true
	}
	good, bad := 0, 0
	for _, a := range o.answered[name] {
		switch {
		case a.Via != nginx.ViaNginx || a.Error == nginx.NotAsked:
		case a.Good():
			good++
		default:
			bad++
		}
	}
	switch {
	case good > 0:
		return false, true
	case bad > 0:
		return true, true
	}
	return o.byConfiguration(s)
}

// byConfiguration is serving by what nginx has on the disk.
func (o *Observation) byConfiguration(s app.State) (down, known bool) {
	config, err := nginx.Read(o.Files, s.Name)
	switch {
	case o.nginxUnknown != "":
		return false, false
	case err != nil:
		file, there := o.Files.Get(nginx.ConfPath(s.Name))
		unreadable := there && (file.Error != "" || file.LeftOut())
		return !unreadable && s.EffectiveScale().Of("web") > 0, !unreadable
	case config.Mark != "" && o.wrong(s.Name, nginx.Quarantined):
		return true, true
	}
	running := map[string]bool{}
	for _, c := range s.Web() {
		for _, address := range c.Addresses {
			running[address] = c.Running
		}
	}
	routed, upstreams := false, false
	for _, u := range config.Upstreams {
		for _, server := range u.Servers {
			upstreams = true
			host, _, err := net.SplitHostPort(server)
			routed = routed || err != nil || net.ParseIP(host) == nil || running[host] // a name or a socket: whoever wrote it knows
		}
	}
	if !upstreams || routed {
		// Without an upstream of its own it may pass to wherever its template says.
		return o.wrong(s.Name, nginx.NoUpstream, nginx.Returns502), true
	}
	return true, true
}

// elsewhere says which apps another scheduler runs: what becomes of them in a cluster is
// not known here.
func (o *Observation) elsewhere() (said string) {
	by := map[string]int{}
	for _, s := range o.Now.Apps {
		if s.Proxy.Elsewhere() {
			by[s.Proxy.Scheduler]++
		}
	}
	for _, scheduler := range slices.Sorted(maps.Keys(by)) {
		said += fmt.Sprintf("; %s of the scheduler %s not looked at", say.Plural(by[scheduler], "app"), scheduler)
	}
	return said
}

// health is what a person would look up first, in a line.
func (o *Observation) health() string {
	running, wanted := 0, 0
	for _, s := range o.Now.Apps {
		for _, c := range s.Containers {
			if s.Proxy.Elsewhere() {
				continue
			}
			if nginx.Wanted(s, c) || s.EffectiveScale().Empty() && !s.Stopped {
				wanted++
				if c.Running {
					running++
				}
			}
		}
	}
	containers := fmt.Sprintf("%d of %s run", running, say.Plural(wanted, "container")) + o.elsewhere()
	if o.Now.DockerMissing != "" {
		containers = "nothing is known of containers: " + o.Now.DockerMissing
	}
	switch {
	case o.nginxUnknown != "":
		return containers + "; " + o.nginxUnknown
	case o.refused != "":
		return containers + "; nginx refuses its configuration: " + o.refused
	case o.tested:
		return containers + "; nginx accepts its configuration"
	}
	return containers + "; no app has a configuration of nginx"
}

// goodAgain tells for certain that nginx serves an app by a configuration of Dokku's:
// docker has spoken, nothing is wrong, and no mark of ours stands there.
func (o *Observation) goodAgain(name string) bool {
	config, err := nginx.Read(o.Files, name)
	byNginx, _ := o.Now.Apps[name].Proxy.ByNginx()
	wrong := o.wrong(name) || len(o.judged[name]) > 0
	// nginx names one file that it refuses at a time: of the others nothing is known.
	return err == nil && o.refused == "" && !o.disputes(name) && config.Mark == "" && byNginx && o.Now.DockerMissing == "" && o.nginxUnknown == "" && !wrong
}
