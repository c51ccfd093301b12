package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
)

// dockerOptionsLeft is about files that come too late (ATLAS 9, 10: 34). 0.38.0
// drains DOCKER_OPTIONS_BUILD, _DEPLOY and _RUN of an app's directory into
// properties, once for the whole host: a file that a restored backup or a rename
// brings later is ignored. Whether its options are wanted still, nobody has
// recorded, so they are a guess.
var dockerOptionsLeft = Hazard{
	Name:    "docker-options-left",
	Threads: "dokku/dokku#8875",
	Guide:   "https://dokku.com/docs/appendices/0.38.0-migration-guide/",

	Detect: func(s Subject) []Finding {
		if app.Before(s.To, "0.38.0") {
			return nil
		}
		var found []Finding
		for _, phase := range []string{"build", "deploy", "run"} {
			file := "DOCKER_OPTIONS_" + strings.ToUpper(phase)
			property := s.Paths.Property("docker-options", s.Now.Name, "_default_."+phase)
			now := s.Files.Lines("lib/config/docker-options/" + s.Now.Name + "/_default_." + phase)
			missing := slices.DeleteFunc(without(s.Files.Lines("root/"+s.Now.Name+"/"+file), now), MovedOption)
			if len(missing) == 0 {
				continue
			}
			found = append(found, Finding{
				// What the options are is not said: they may hold secrets.
				What:        fmt.Sprintf("%s in the app's directory has %d that %s does not read", file, len(missing), s.To),
				Consequence: "Its next deploy goes without them.",
				Step: &plan.Step{
					Mark: plan.Add, Text: fmt.Sprintf("%d docker options for %s, from %s", len(missing), phase, file), Guess: true,
					Path: property, Mode: 0o600, Data: []byte(strings.Join(append(now, missing...), "\n") + "\n"), Was: s.Digest(property),
				},
			})
		}
		return found
	},
}

// MovedOption tells the docker options that 0.38 keeps as something else: the restart
// policy of ps, and storage mounts.
func MovedOption(line string) bool {
	return strings.HasPrefix(line, "--restart") || strings.HasPrefix(line, "-v ") || strings.HasPrefix(line, "-v=") || strings.HasPrefix(line, "--volume") || strings.HasPrefix(line, "-v/")
}
