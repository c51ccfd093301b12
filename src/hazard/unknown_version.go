package hazard

import (
	"strings"

	"upgrade-guard/src/app"
)

// unknownVersion is about a Dokku that this release does not know. Everything that the
// hazards say hangs on the readers, which know where the versions up to then keep a
// thing; so it is said of what Dokku's own commands confirm (app.Ask). Of what they do
// not confirm nothing is claimed: an app whose scale has moved has lost none, and a
// scale that is put back where nobody reads it is none. What has not been lost yet is a
// person's to wait with: the next release of the plugin may know.
var unknownVersion = Hazard{
	Name: UnknownVersion,

	Detect: func(s Subject) []Finding { return disputed(s.Context) },
	DetectHost: func(s HostSubject) []Finding {
		if app.Known(s.To) {
			return nil
		}
		return append([]Finding{{Kind: Notice, What: app.WhyNotKnown(s.To) + ": an app is touched only where Dokku's own commands confirm what is read of it"}}, disputed(s.Context)...)
	},
}

func disputed(c Context) []Finding {
	if len(c.Disputed) == 0 {
		return nil
	}
	var what []string
	for _, d := range c.Disputed {
		what = append(what, d.String())
	}
	return []Finding{{
		Kind: Manual, What: strings.Join(what, "; "),
		Consequence: app.WhyNotKnown(c.To) + ". Nothing is claimed, and nothing is touched, where Dokku's own commands do not confirm what is read. After an update of the plugin: dokku upgrade-guard:report",
		Command:     "dokku plugin:update upgrade-guard",
	}}
}

// unlessDisputed leaves of what is asked of hazards only this one where Dokku's own
// commands do not confirm what is read.
func (c Context) unlessDisputed(look func(Hazard) []Finding) func(Hazard) []Finding {
	if len(c.Disputed) == 0 {
		return look
	}
	return func(h Hazard) []Finding {
		if h.Name != UnknownVersion {
			return nil
		}
		return look(h)
	}
}
