package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// restartPolicy is about an app with more than one restart policy among its docker options:
// apps:create gives each one, and docker-options:add, by which people have set their own,
// takes none away. docker goes by the last. From 0.38.9 on ps takes the first out of the list
// for its own property, unless it is the default, and at each deploy puts its own behind the
// list: of --restart=on-failure:10 and --restart=unless-stopped the second was in force, and
// the first is (docs/dokku-versions.md#docker-options-and-storage).
var restartPolicy = Hazard{
	Name:  "restart-policy",
	Guide: guideDockerOptions,
	Reads: []app.Part{app.PartDockerOptions},

	Foresee: func(s Subject) []Finding {
		if !s.Crosses("0.38.9") {
			return nil
		}
		first, last := policies(stored(s.Files.DockerOptions(s.Now.Name, "deploy"), s.To))
		if last == "" || last == orDefault(first) || !validPolicy().MatchString(last) {
			return nil
		}
		f := Finding{
			What:        fmt.Sprintf("its docker options have several restart policies: %s is in force, and %s will be", last, orDefault(first)),
			Consequence: consequencePolicy,
		}
		if orDefault(first) == defaultPolicy {
			f.Afterwards = "restart policy " + last // dockerOptionsMoved does it
		} else {
			f.Kind = Notice // what ps has taken for its own nobody can tell from what was set
		}
		return []Finding{f}
	},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || !s.Crosses("0.38.9") || s.Old() == nil {
			return nil
		}
		first, last := policies(stored(s.Old().DockerOptions(s.Now.Name, "deploy"), s.To))
		now := policyNow(s)
		if first == "" || first == defaultPolicy || last == first || now != first {
			return nil // of the default dockerOptionsMoved tells; what is neither a person has set
		}
		return []Finding{{
			Kind:        Notice,
			What:        fmt.Sprintf("its docker options had several restart policies: %s was in force, and %s is", last, now),
			Consequence: consequencePolicy,
			Command:     say.Command("dokku ps:set", s.Now.Name, "restart-policy", last),
		}}
	},
}

const consequencePolicy = "From its next deploy on docker starts the app again by the other."

// orDefault is a policy that ps has taken, or its default.
func orDefault(policy string) string {
	if policy == "" {
		return defaultPolicy
	}
	return policy
}

// policies are the restart policy that ps takes out of a list of docker options, the first that
// begins with --restart=, and the one that docker goes by, the last in any form.
func policies(options []string) (first, last string) {
	for _, option := range options {
		if policy, ok := strings.CutPrefix(option, policyOption); ok && first == "" {
			first = policy
		}
		words, _ := app.OptionWords(option)
		for i, w := range words {
			if policy, ok := strings.CutPrefix(w, policyOption); ok {
				last = policy
			} else if w == "--restart" && i+1 < len(words) {
				last = words[i+1]
			}
		}
	}
	return first, last
}

// policyNow is the restart policy that ps goes by.
func policyNow(s Subject) string {
	for _, scope := range []string{s.Now.Name, host.GlobalScope} {
		if policy, _ := s.Files.Text("lib/config/ps/" + scope + "/restart-policy"); strings.TrimSpace(policy) != "" {
			return strings.TrimSpace(policy)
		}
	}
	return defaultPolicy
}
