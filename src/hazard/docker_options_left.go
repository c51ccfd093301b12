package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// dockerOptionsLeft is about files that come too late
// (docs/dokku-versions.md#docker-options-and-storage). 0.38.0 drains
// DOCKER_OPTIONS_BUILD, _DEPLOY and _RUN of an app's directory into
// properties, once for the whole host: a file that a restored backup, a rename or a
// way back to 0.37 brings later is ignored, mounts and all. Whether its options are
// wanted still, nobody has recorded, so they are a guess.
var dockerOptionsLeft = Hazard{
	Name:    "docker-options-left",
	Threads: "dokku/dokku#8875",
	Guide:   guideDockerOptions,
	Reads:   []app.Part{app.PartDockerOptions},

	Detect: func(s Subject) []Finding {
		if app.Before(s.To, "0.38.0") {
			return nil
		}
		var found []Finding
		for _, phase := range phases {
			file := "DOCKER_OPTIONS_" + strings.ToUpper(phase)
			now := s.Files.DockerOptions(s.Now.Name, phase)
			o := BecameOf(s, s.Files.LeftDockerOptions(s.Now.Name, phase), phase)
			missing := append(Missing(o.Stay, now), o.Lost...)
			if n := len(missing); n > 0 {
				missing = slices.DeleteFunc(missing, publishes)
				found = append(found, s.publishing(file, n-len(missing), phase)...)
			}
			if n := len(missing); n > 0 {
				path := s.dockerOptionsPath(phase)
				found = append(found, Finding{
					// What the options are is not said: they may hold secrets.
					What:        fmt.Sprintf("%s in the app's directory has %d that %s does not read", file, n, s.To),
					Consequence: "Its next deploy goes without them.",
					Kind:        Guess,
					Step: &plan.Step{
						Mark: plan.Add, Text: fmt.Sprintf("%d docker options for %s, from %s", n, phase, file),
						Path: path, Mode: 0o600, Data: lines(append(now, missing...)), Was: s.Digest(path),
					},
				})
			}
			if o.Restart == "" {
				continue
			}
			if step := RestartPolicy(s, o.Restart); step != nil {
				step.Text += ", from " + file
				found = append(found, Finding{
					What:        fmt.Sprintf("%s in the app's directory has a restart policy that %s does not read", file, s.To),
					Consequence: "Its next deploy goes without it.",
					Kind:        Guess,
					Step:        step,
				})
			}
		}
		return found
	},
}

// publishes tells the docker options that open a port of the host, past nginx.
func publishes(option string) bool { return publishing().MatchString(option) }

var publishing = pattern.Of(`(?:^|\s)'?(-[a-zA-Z]*[pP]|--publish(-all)?|--net(work)?[= ]'?host)(?:[= ':]|\d|$)`)

// publishing is the finding about such options in a file that is not read: that they
// were in force before nobody has recorded, so they are no part of a guess.
func (s Subject) publishing(file string, n int, phase string) []Finding {
	if n == 0 {
		return nil
	}
	return []Finding{{
		What:        fmt.Sprintf("%s in the app's directory has %d that open ports of the host, and that %s does not read", file, n, s.To),
		Consequence: "Whether they are wanted only you know.",
		Command:     say.Command("dokku docker-options:add", s.Now.Name, phase) + ` "...", as in ` + s.Paths.App(s.Now.Name) + "/" + file,
	}}
}
