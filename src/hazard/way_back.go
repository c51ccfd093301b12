package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// wayBack is about an older Dokku that is installed over a newer one. dpkg does it
// without a word, containers and nginx go on as they are, and nothing shows until the
// next deploy or build: what the newer one keeps in places that the older one does not
// know is not read (seen on the way from 0.38.27 to 0.29.4, where the whole environment
// was gone). It is foretold and no more: Dokku's own files are still there, and so is
// the snapshot from before. What of it is put back without being asked is told by the
// hazards that do so: scale-lost, ports-lost, reopened.
var wayBack = Hazard{
	Name: "way-back",

	Foresee: func(s Subject) []Finding {
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
			Consequence: "It goes on as it is until its next deploy, which goes without. The command is for after the way back; mounts, checks and the restart policy are to be set anew.",
			Command:     say.Command("dokku upgrade-guard:restore", s.Now.Name, "--only", "env,docker-options"),
		}
		return []Finding{f}
	},

	ForeseeHost: func(s HostSubject) []Finding {
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
