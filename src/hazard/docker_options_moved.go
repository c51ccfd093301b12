package hazard

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// dockerOptionsMoved is about the docker options that 0.38 keeps as something else,
// and did not: its storage plugin takes mounts out of the list, once for an app, by a
// mark that it leaves, and from 0.38.9 on its ps plugin the restart policy
// (docs/dokku-versions.md#docker-options-and-storage). Where a mark was there already,
// that one or the list's own, after a way back to 0.37 and up again, or where
// the installation did not finish, what was in force is in neither place:
// at its next deploy the app writes into its container, and loses that with the next.
var dockerOptionsMoved = Hazard{
	Name:    "docker-options-moved",
	Threads: "dokku/dokku#4310, #1853, #8875",
	Guide:   guideDockerOptions,
	Reads:   []app.Part{app.PartDockerOptions},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || !s.Crosses("0.38.0") || s.Old() == nil {
			return nil
		}
		var found []Finding
		for _, phase := range phases {
			o := BecameOf(s, s.Old().DockerOptions(s.Now.Name, phase), phase)
			if len(o.Lost) > 0 {
				path := s.dockerOptionsPath(phase)
				found = append(found, Finding{
					What:        fmt.Sprintf("%d of its mounts for %s, recorded in %s as docker options, are nowhere any more", len(o.Lost), phase, s.Baseline),
					Consequence: "At its next deploy the app writes into its container instead, and loses that with it.",
					Step: &plan.Step{
						Mark: plan.Add, Text: fmt.Sprintf("mounts for %s, %d of them, as docker options", phase, len(o.Lost)),
						Path: path, Mode: 0o600, Data: lines(append(s.Files.DockerOptions(s.Now.Name, phase), o.Lost...)), Was: s.Digest(path),
					},
				})
			}
			if o.Restart != "" {
				f := Finding{
					What:        fmt.Sprintf("the restart policy %s, recorded in %s as a docker option, is not what ps goes by", o.Restart, s.Baseline),
					Consequence: "From its next deploy on docker restarts the app as it does by default.",
				}
				if f.Step = RestartPolicy(s, o.Restart); f.Step == nil {
					f.Command, f.Kind = say.Command("dokku ps:set", s.Now.Name, "restart-policy", "on-failure:10"), Notice
				}
				found = append(found, f)
			}
		}
		return found
	},
}

const guideDockerOptions = "https://dokku.com/docs/appendices/0.38.0-migration-guide/"

var phases = []string{"build", "deploy", "run"}

func (s Subject) dockerOptionsPath(phase string) string {
	return app.RealPath(s.Paths, app.DockerOptionsPath(s.To, s.Now.Name, phase))
}

func lines(options []string) []byte { return []byte(strings.Join(options, "\n") + "\n") }

// Became is what 0.38 and later have made of docker options from before.
type Became struct {
	// Stay are those that are docker options still, as this version writes them, and
	// are to be in the list.
	Stay []string
	// Moved is how many are in force in another place.
	Moved int
	// Lost are mounts that are in neither.
	Lost []string
	// Restart is the restart policy that is in neither.
	Restart string
}

// BecameOf tells what has become of the docker options that an app had for a phase
// under a Dokku before 0.38. What counts is where an option is now, and not what
// core's installation is known to do; a value that was set in its new place since
// counts as much as the old one.
func BecameOf(s Subject, was []string, phase string) Became {
	var b Became
	now := setOf(app.CanonicalOptions(s.Files.DockerOptions(s.Now.Name, phase)))
	var mounted map[string]bool // read when the first mount comes
	unreadable, policyMoved := false, false
	for _, option := range stored(was, s.To) {
		switch {
		case isIn(now, option):
			b.Stay = append(b.Stay, option)
		case movesMount(option, phase):
			if mounted == nil {
				mounted, unreadable = attached(s, phase)
				for o := range now {
					mounted[mountTarget(o)] = true
				}
			}
			if target := mountTarget(option); target == "" || unreadable || mounted[target] {
				b.Moved++
			} else {
				b.Lost = append(b.Lost, option)
			}
		case movesPolicy(option, phase, s.To) && !policyMoved:
			policyMoved = true         // the first of them alone
			_, policy := policies(was) // and the last was in force
			if set, _ := s.Files.Text("lib/config/ps/" + s.Now.Name + "/restart-policy"); set != "" || policy == defaultPolicy {
				b.Moved++
			} else {
				b.Restart = policy
			}
		default:
			b.Stay = append(b.Stay, option)
		}
	}
	return b
}

// isIn tells whether an option, in whatever form, is among canonical ones.
func isIn(canonical map[string]bool, option string) bool {
	return !slices.ContainsFunc(app.CanonicalOptions([]string{option}), func(o string) bool { return !canonical[o] })
}

// setOf makes a set of a list: an app may have a hundred thousand options.
func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, e := range list {
		set[e] = true
	}
	return set
}

// Missing are the options that are not in a list, however each is written.
func Missing(options, now []string) []string {
	present := setOf(app.CanonicalOptions(now))
	return slices.DeleteFunc(slices.Clone(options), func(o string) bool { return isIn(present, o) })
}

// stored is what the installation of a version makes of the lines of a
// DOCKER_OPTIONS file: the same lines up to 0.38.25, one for each flag later.
func stored(lines []string, dokku string) []string {
	if app.Before(dokku, "0.38.26") {
		return lines
	}
	return app.CanonicalOptions(lines)
}

// movesMount tells whether core's storage plugin takes an option out of the list:
// of those for deploy and run what begins with "-v " and nothing else, so neither
// --volume nor -v=a:b, and no mount without a place in the container (filterMountLines
// and migrateMount in its migrate.go, the same from 0.38.0 to 0.38.27).
func movesMount(option, phase string) bool {
	mount, ok := strings.CutPrefix(option, "-v ")
	parts := strings.Split(mount, ":")
	return ok && phase != "build" && len(parts) > 1 && parts[1] != ""
}

const (
	policyOption  = "--restart="
	defaultPolicy = "on-failure:10"
)

// movesPolicy tells whether core's ps plugin takes an option out of the list: from
// 0.38.9 on the first that begins with "--restart=", of those for deploy. Up to
// 0.38.8 the policy is a docker option like any other.
func movesPolicy(option, phase, dokku string) bool {
	return phase == "deploy" && !app.Before(dokku, "0.38.9") && strings.HasPrefix(option, policyOption)
}

// KeptElsewhere tells the options that 0.38 and later may keep in another place.
func KeptElsewhere(option string) bool {
	return movesMount(option, "deploy") || movesPolicy(option, "deploy", "0.38.9")
}

// RestartPolicy is the step that gives an app a restart policy where ps reads it;
// nil for what Dokku would not take for one, or where one is set.
func RestartPolicy(s Subject, policy string) *plan.Step {
	at := s.Paths.Property("ps", s.Now.Name, "restart-policy")
	if !validPolicy().MatchString(policy) || s.Digest(at) != "" {
		return nil
	}
	return &plan.Step{Mark: plan.Add, Text: "restart policy " + policy, Path: at, Mode: 0o600, Data: []byte(policy)}
}

var validPolicy = pattern.Of(`^(no|always|unless-stopped|on-failure(:[0-9]+)?)$`)

// mountTarget is where an option of docker run mounts something in the container, ""
// for an option that mounts nothing, or more than can be told.
func mountTarget(option string) string {
	words, ok := app.OptionWords(option)
	if !ok || len(words) == 0 {
		return ""
	}
	flag, value, equals := strings.Cut(words[0], "=")
	switch {
	case (flag == "-v" || flag == "--volume" || flag == "--mount") && !equals && len(words) > 1:
		value = words[1]
	case flag == "-v" || flag == "--volume" || flag == "--mount":
	case strings.HasPrefix(flag, "-v"): // -v/a:/b
		value = strings.TrimPrefix(words[0], "-v")
	default:
		return ""
	}
	if flag == "--mount" {
		for _, field := range strings.Split(value, ",") {
			if key, at, _ := strings.Cut(field, "="); slices.Contains([]string{"target", "dst", "destination"}, key) {
				return path.Clean(at)
			}
		}
		return ""
	}
	parts := strings.Split(value, ":")
	return path.Clean(parts[min(1, len(parts)-1)])
}

// attached are the places in the app's containers at which core's storage plugin mounts
// something in a phase. Where not all of its list can be read, anything may be there.
func attached(s Subject, phase string) (targets map[string]bool, unreadable bool) {
	targets = map[string]bool{}
	mounts, ok := s.Files.Mounts(s.Now.Name)
	for _, m := range mounts {
		// Up to 0.38.25 the rest of a line with several options is part of the mount.
		at, _, _ := strings.Cut(m.At, " ")
		if slices.Contains(m.Phases, phase) {
			targets[path.Clean(strings.Trim(at, `'"`))] = true
		}
	}
	return targets, !ok
}

// OptionsOf are docker options from before 0.38 as it keeps them: what stays one, what is
// mounted, and the restart policy that is in force, "" where none is set.
func OptionsOf(options []string, phase string) (stay, mounts []string, policy string) {
	for _, option := range app.CanonicalOptions(options) {
		switch {
		case movesMount(option, phase):
			mounts = append(mounts, strings.TrimPrefix(option, "-v "))
		case movesPolicy(option, phase, app.NewestKnown):
			policy = strings.TrimPrefix(option, policyOption) // docker goes by the last
		default:
			stay = append(stay, option)
		}
	}
	return stay, mounts, policy
}
