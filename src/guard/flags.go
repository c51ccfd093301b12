package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"upgrade-guard/src/hazard"
)

// Flag is one line of a report, as Dokku's own plugins have them: it is shown in the
// block of an app, by --upgrade-guard-<name> alone, and in the flat JSON.
type Flag struct{ Name, Value string }

// FlagNames are the names of all lines of an app's report.
func FlagNames() []string { return names((AppReport{}).Flags()) }

// GlobalFlagNames are those of report --global.
func GlobalFlagNames() []string { return names(GlobalFlags(nil)) }

func names(flags []Flag) []string {
	var list []string
	for _, f := range flags {
		list = append(list, f.Name)
	}
	return list
}

// GlobalFlags are the lines of report --global: the settings of the host.
func GlobalFlags(settings map[string]Setting) []Flag {
	var flags []Flag
	for _, name := range PropertyNames() {
		flags = append(flags, Flag{"computed-" + name, settings[name].Computed}, Flag{"global-" + name, settings[name].Global})
	}
	return flags
}

// Flags are the lines of an app's report.
func (a AppReport) Flags() []Flag {
	taken := ""
	if !a.BaselineAt.IsZero() {
		taken = a.BaselineAt.Format(time.RFC3339)
	}
	var lost, required []string
	for _, f := range a.Findings {
		switch f.Kind {
		case hazard.Repair:
			lost = append(lost, f.What)
		case hazard.Guess:
			required = append(required, f.What+"; "+f.Does)
		case hazard.Manual, hazard.Refuse:
			required = append(required, f.What)
		}
	}
	flags := []Flag{
		{"status", a.Status},
		{"asked", strconv.FormatBool(a.Asked)},
		{"scale", a.Scale},
		{"baseline-scale", a.BaselineScale},
		{"baseline-at", taken},
		{"baseline", a.Baseline},
		{"domains", strings.Join(a.Domains, " ")},
		{"ports", strings.Join(a.Ports, " ")},
		{"certificate", certificateLine(a.Certificate, a.at)},
		{"letsencrypt", letsencryptLine(a.Letsencrypt, a.at)},
		{"containers", fmt.Sprintf("%d of %d running", a.Running, a.Containers)},
		{"served-by", a.ServedBy},
		{"prevented", strings.Join(a.Prevented, "; ")},
		{"repaired", strings.Join(a.Repaired, "; ")},
		{"lost", strings.Join(lost, "; ")},
		{"action-required", strings.Join(required, "; ")},
		{"drift", strings.Join(a.Drift, "; ")},
		{"to-do", strings.Join(a.ToDo, "; ")},
		{"problems", strings.Join(slices.Concat(a.Unknown, a.Problems), "; ")},
	}
	for _, name := range PropertyNames() {
		set := a.Settings[name]
		flags = append(flags, Flag{name, set.App}, Flag{"computed-" + name, set.Computed}, Flag{"global-" + name, set.Global})
	}
	return flags
}
