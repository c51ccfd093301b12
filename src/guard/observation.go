package guard

import (
	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
)

// The host as it was observed once. Everything that is said or done goes by one of these.

// Observation is a host at one moment: its files, what docker says of its containers,
// what nginx says of its configuration, and, where it was wanted, what is answered. It
// is the only look at a host, and has no opinion.
type Observation struct {
	Files *app.Files
	Now   app.Host

	// owners are the apps by the addresses of their containers, routing is what is wrong
	// with how nginx serves each app, by its files.
	owners  nginx.Owners
	routing map[string][]nginx.Finding
	// refused is what nginx -t does not take, culprit the app whose file it names; ""
	// for a file that is no app's.
	refused, culprit string
	// nginxUnknown says why nginx could not be asked; tested tells that it was.
	nginxUnknown string
	tested       bool

	// dockerCommand is what a person types where docker could not be asked.
	dockerCommand string

	// asked tells that requests were made; answers are what came of them, answered the
	// same by app, judged what is wrong of each by them, unasked the apps that have more addresses than there was time
	// to ask for.
	asked    bool
	answers  []nginx.Answer
	answered map[string][]nginx.Answer
	judged   map[string][]nginx.Finding
	unasked  []string

	// again are the apps that differ from an earlier look of the same run, nil where all
	// were looked at; see lookAgain.
	again map[string]bool
	// renaming are both halves of each rename that is under way or was cut off. What
	// looks wrong with them is the rename's to end.
	renaming map[string]bool
	// disputed is where Dokku's own commands do not confirm what was read of an app, or
	// of the host; see confirm.
	disputed map[string][]app.Disagreement
	// locked are the apps with a stopped container that are being deployed, or locked.
	locked map[string]bool
}

// scopes are what an observation is of: its apps, and the host where it is of all.
func (o *Observation) scopes() []string {
	if o.Files.Partial {
		return o.Files.Apps
	}
	return append([]string{host.GlobalScope}, o.Files.Apps...)
}

// disputes tells whether Dokku's own commands do not confirm what was read of an app.
func (o *Observation) disputes(name string) bool { return len(o.disputed[name]) > 0 }

// ofDisputed leaves of some apps those that are not confirmed: what is remembered of
// them stands until they are.
func (o *Observation) ofDisputed(names []string) []string {
	var left []string
	for _, name := range names {
		if o.disputes(name) {
			left = append(left, name)
		}
	}
	return left
}
