package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/plan"
)

// Kind is what a finding is, in one word that every reader goes by: what apply does,
// what a dry run prints, an app's status, exit codes.
type Kind string

// The kinds.
const (
	Repair Kind = "repair" // upgrade-guard does it
	Guess  Kind = "guess"  // it does it when told to: apply --guesses
	Manual Kind = "manual" // a person must; the command is given
	Notice Kind = "notice" // only to be known
	Refuse Kind = "refuse" // the upgrade must not begin
)

// Finding is one thing that will be, or was, lost, or is wrong.
type Finding struct {
	// App is an app, or --global for what belongs to the host.
	App    string `json:"app"`
	Hazard string `json:"hazard"`
	Kind   Kind   `json:"kind"`
	Guide  string `json:"guide,omitempty"`
	// What is the evidence, Consequence what comes of it: a sentence each.
	What        string `json:"what"`
	Consequence string `json:"consequence,omitempty"`
	// Does is what upgrade-guard does about it; Next, in their order, is what it
	// does next if that has not ended it.
	Does string   `json:"does,omitempty"`
	Next []string `json:"next,omitempty"`
	// Afterwards is what it does about it after the upgrade.
	Afterwards string `json:"afterwards,omitempty"`
	// Command is what a person types where upgrade-guard does nothing by itself.
	Command string `json:"command,omitempty"`
	// Halts tells that Dokku's installation is certain to end half-way, unless this is
	// prevented.
	Halts bool `json:"halts,omitempty"`
	// Recorded tells that it was found with a baseline at hand: it is unresolved until
	// it is found no more.
	Recorded bool `json:"-"`
	// Step is the first rung of the ladder of remedies, Then are the others: each is
	// tried where the one before has not ended the finding.
	Step *plan.Step  `json:"-"`
	Then []plan.Step `json:"-"`
}

// Ladder are the finding's remedies, the first to be tried first.
func (f Finding) Ladder() []plan.Step {
	if f.Step == nil {
		return nil
	}
	return append([]plan.Step{*f.Step}, f.Then...)
}

// ForYou tells that something of it is left to a person.
func (f Finding) ForYou() bool { return f.Kind == Guess || f.Kind == Manual || f.Kind == Refuse }

// Of is a finding as it is told: whose it is, its kind where the hazard has not said
// it (what has a remedy is a repair, what has none is a person's), and nothing that is
// longer than anybody reads.
func (f Finding) Of(name, hazard string) Finding {
	f.App, f.Hazard = name, hazard
	if f.Kind == "" {
		if f.Kind = Manual; f.Step != nil || f.Afterwards != "" {
			f.Kind = Repair
		}
	}
	f.What, f.Consequence, f.Afterwards = told(f.What), told(f.Consequence), told(f.Afterwards)
	if len(f.Command) > maxTold {
		f.Command, f.Consequence = "", strings.TrimSpace(f.Consequence+" The command for it is too long to be shown.")
	}
	ladder := f.Ladder()
	var next []string
	for i := range ladder {
		ladder[i].App, ladder[i].Hazard, ladder[i].Text = f.App, f.Hazard, told(ladder[i].Text)
		if i > 0 {
			next = append(next, ladder[i].Text)
		}
	}
	// Behind its own rungs stands what the hazard has said of others: a container that
	// was started gets a new address, which is another finding's to repair.
	f.Next = append(next, f.Next...)
	if len(ladder) > 0 {
		f.Step, f.Then, f.Does = &ladder[0], ladder[1:], ladder[0].Text
	}
	return f
}

// maxTold is as much as is told of one thing: an app may have ten thousand domains.
const maxTold = 4000

func told(text string) string {
	if len(text) <= maxTold {
		return text
	}
	return strings.ToValidUTF8(text[:maxTold], "") + " ..."
}

// ofInstallation is a finding about a value that Dokku's installation has put where
// there was none. It is taken back while the installation is fresh; later it may be a
// person's (law 2), and is only told.
func (c Context) ofInstallation(f Finding, command string) []Finding {
	if !c.JustInstalled {
		f.Step, f.Kind, f.Command = nil, Notice, command
	}
	return []Finding{f}
}

// leftAlone is the finding where its repair would make something reachable that was
// not: it is told, with what a person types who wants it so.
func (f Finding) leftAlone(why, command string) []Finding {
	f.Step, f.Kind, f.Command = nil, Notice, command
	f.Consequence = fmt.Sprintf("It is not put back, so that nothing becomes reachable that was not: %s.", why)
	return []Finding{f}
}
