package hazard

import (
	"fmt"
	"strconv"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// scaleDirty is about the import of 0.25 to 0.29, which stops at lines that all
// earlier versions read or skipped: comments, blanks around the sign, a lost
// newline ("Missing count for process type"). The install triggers of every
// plugin after ps then never run, and dpkg leaves dokku half-configured
// (docs/dokku-versions.md#the-import-of-025-to-029). Going through 0.29, as the guides
// advise, is not safe by itself.
//
// The prevention is to rewrite the file with the same scale in clean lines.
// Lines that say nothing are left out and named; the snapshot keeps the file as
// it was.
var scaleDirty = Hazard{
	Name:    "scale-dirty",
	About:   AboutScale,
	Threads: "dokku/dokku#4769",
	Guide:   "https://dokku.com/docs/appendices/0.25.0-migration-guide/",
	Reads:   []app.Part{app.PartScale},

	Foresee: func(s Subject) []Finding {
		scale := s.Now.Scale.File
		if !app.ScaleInFile(s.From) || !s.Crosses("0.25.0") || !app.Before(s.To, "0.30.0") || scale == nil || !scale.Dirty {
			return nil
		}
		path := s.Paths.App(s.Now.Name) + "/DOKKU_SCALE"
		text, _ := s.Files.Text("root/" + s.Now.Name + "/DOKKU_SCALE")
		f := &Finding{
			What:        fmt.Sprintf("DOKKU_SCALE holds lines at which the import of %s stops", s.To),
			Consequence: "The installation would end there and leave dokku half-configured.",
			Halts:       true,
		}
		if !stopsImport(text) {
			f.What, f.Consequence, f.Halts = fmt.Sprintf("DOKKU_SCALE holds more than one line for each process type, which %s imports as it stands", s.To), "", false
		}
		if scale.Empty() && !f.Halts {
			return nil // it names nothing, before and after
		}
		if scale.Empty() {
			// Nothing in it can be read as a scale, and guessing one is not
			// for us.
			f.What = strings.TrimSuffix(fmt.Sprintf("DOKKU_SCALE holds nothing that is a scale, and the import of %s stops at it: %s", s.To, listed(scale.Malformed)), ": ")
			f.Command = say.Command("rm", path) + " && " + say.Command("dokku ps:scale", s.Now.Name, "web=1")
			return []Finding{*f}
		}
		f.Step = &plan.Step{
			Mark: plan.Change, Text: fmt.Sprintf("DOKKU_SCALE rewritten as clean lines: %s", scale),
			Path: path, Mode: 0o644, Data: scale.Lines(), Was: s.Digest(path),
		}
		if len(scale.Malformed) > 0 {
			f.Step.Text += ", without " + listed(scale.Malformed)
			f.Command = say.Command("dokku ps:scale", s.Now.Name)
		}
		return []Finding{*f}
	},
}

// stopsImport tells whether the import of 0.25 to 0.29 stops at a DOKKU_SCALE: at a line
// that is not blank, and whose text behind the first = is no number.
func stopsImport(text string) bool {
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		_, quantity, _ := strings.Cut(l, "=")
		if _, err := strconv.Atoi(quantity); err != nil {
			return true
		}
	}
	return false
}
