package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// notKnown is about what cannot be compared: a file that could not be read, or is none
// of the small regular files that a snapshot holds, in the baseline or at present. To
// every other hazard such a part would look empty, and empty is what a loss looks
// like: an app whose environment a snapshot did not hold had nine variables taken
// away by a restore. So the hazards that read a part say so (Hazard.Reads), and are
// not asked where it is not known on both sides; that it is not, is said here.
var notKnown = Hazard{
	Name: "not-known",

	Foresee: func(s Subject) []Finding { return s.presentUnknown("What the upgrade does to it cannot be foretold.") },
	Detect: func(s Subject) []Finding {
		return append(s.presentUnknown(nothingTouched), beforeUnknown(s.Context, s.unknownBefore())...)
	},
	DetectHost: func(s HostSubject) []Finding {
		return append(partsUnknown(s.Now.Global.Unknown, "not known at present", nothingTouched), beforeUnknown(s.Context, s.unknownBefore())...)
	},
}

const nothingTouched = "What of it is lost, if anything, cannot be told, and nothing of it is touched."

func (s Subject) presentUnknown(consequence string) []Finding {
	return partsUnknown(s.Now.Unknown, "not known at present", consequence)
}

func beforeUnknown(j Context, unknown map[app.Part]string) []Finding {
	return partsUnknown(unknown, "not held by the baseline "+j.Baseline, nothingTouched)
}

func partsUnknown(unknown map[app.Part]string, what, consequence string) []Finding {
	var reasons []string
	parts := map[string][]string{}
	for _, p := range app.Parts {
		// Properties are compared one by one, so only some of them are not known.
		why := unknown[p]
		if why == "" || p == app.PartProperties {
			continue
		}
		if parts[why] == nil {
			reasons = append(reasons, why)
		}
		parts[why] = append(parts[why], p.String())
	}
	var found []Finding
	for _, why := range reasons {
		found = append(found, Finding{What: fmt.Sprintf("%s: its %s (%s)", what, strings.Join(parts[why], ", "), why), Consequence: consequence, Kind: Notice})
	}
	return found
}

// unknownBefore are the parts that the baseline does not hold. Its files tell, also
// those of a snapshot from before there was State.Unknown.
func (s Subject) unknownBefore() map[app.Part]string {
	switch {
	case s.Before == nil:
		return nil
	case s.Old() != nil:
		return s.Old().Unknown(s.Now.Name)
	}
	return s.Before.Unknown
}

func (s HostSubject) unknownBefore() map[app.Part]string {
	switch {
	case s.Before == nil:
		return nil
	case s.Old() != nil:
		return s.Old().Unknown(host.GlobalScope)
	}
	return s.Before.Unknown
}

// knows tells whether parts of an app are known, in the baseline, if there is one, and
// at present.
func (s Subject) knows(parts ...app.Part) bool {
	return known(parts, s.Now.Unknown, s.unknownBefore())
}

func (s HostSubject) knows(parts ...app.Part) bool {
	return known(parts, s.Now.Global.Unknown, s.unknownBefore())
}

func known(parts []app.Part, sides ...map[app.Part]string) bool {
	for _, p := range parts {
		for _, unknown := range sides {
			if unknown[p] != "" {
				return false
			}
		}
	}
	return true
}
