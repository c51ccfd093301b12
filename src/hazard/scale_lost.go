package hazard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

const guide030 = "https://dokku.com/docs/appendices/0.30.0-migration-guide/"

// scaleProperty is the first version that keeps the scale in a property.
const scaleProperty = "0.25.0"

// scaleLost is the hazard most people met (docs/dokku-versions.md#scale). Up to 0.24 an
// app's scale is the file DOKKU_SCALE. 0.25 to 0.29 import it into a property;
// 0.30.0 dropped the import (5dcc1cb13) and kept the deletion, so a jump from
// below 0.25 to 0.30 or later deletes every scale unread. The sites go on
// serving until the next deploy, which finds no web process to start.
//
// The prevention is to write the property before the upgrade: versions below
// 0.25 do not read it, 0.25 to 0.29 merge the file over it, 0.30 and later keep
// it. So the apps live even if nothing of the guard ever runs again.
var scaleLost = Hazard{
	Undone:  true,
	Name:    "scale-lost",
	About:   AboutScale,
	Threads: "dokku/dokku#7253, #5931, #5710, #5692, #6066",
	Guide:   guide030,
	Reads:   []app.Part{app.PartScale},

	Foresee: func(s Subject) []Finding {
		scale := s.Now.Scale.File
		if s.Back("0.25.0") {
			found := downgraded(s)
			for i := range found {
				found[i].Consequence += " The command is for after the way back."
			}
			return found
		}
		if !app.ScaleInFile(s.From) || !s.Crosses("0.25.0") || scale.Empty() {
			return nil
		}
		f := &Finding{
			What:        fmt.Sprintf("%s deletes DOKKU_SCALE unread, and with it the scale %s", s.To, scale),
			Consequence: "The app serves until its next deploy or ps:rebuild, which then stops it.",
		}
		if app.Before(s.To, "0.30.0") {
			f.What = fmt.Sprintf("%s imports DOKKU_SCALE with the scale %s and deletes it", s.To, scale)
			f.Consequence = ""
		}
		seedScale(s, f, scale)
		return []Finding{*f}
	},

	Detect: func(s Subject) []Finding {
		if app.ScaleInFile(s.To) {
			return downgraded(s)
		}
		if len(s.Now.Scale.Property.MalformedLines()) > 0 || !s.Now.Scale.Property.Empty() {
			return nil
		}
		before, source := (*app.Scale)(nil), s.Baseline
		if s.Before != nil {
			before = s.Before.EffectiveScale()
		}
		if before.Empty() && s.Now.Scale.File != nil {
			// Where no install trigger has run yet (the Docker image before
			// 0.35) the file is still there.
			before, source = s.Now.Scale.File, "DOKKU_SCALE"
		}
		if before.Empty() {
			if !s.Now.Deployed() {
				return nil // scaleDefault
			}
			f := &Finding{
				What:        "the app is deployed and has no scale, and none was recorded",
				Consequence: "Its next deploy starts no web process; proxy:build-config fails.",
				Command:     say.Command("dokku ps:scale", s.Now.Name, "web=1"),
			}
			if lines := before.MalformedLines(); len(lines) > 0 {
				f.What = "the app has no scale, and recorded was only " + countLines(lines) + " that no version reads"
			}
			if guess := scaleOfContainers(s.Now); !guess.Empty() && !s.NoDocker {
				f.Command = ""
				f.Step = putScale(s, guess)
				f.Kind, f.Step.Text = Guess, f.Step.Text+", guessed from its containers"
			}
			return []Finding{*f}
		}
		return []Finding{{
			What:        fmt.Sprintf("the scale %s, recorded in %s, is gone", before, source),
			Consequence: "The next deploy or ps:rebuild would stop the app.",
			Step:        putScale(s, before),
		}}
	},
}

// scaleOfContainers is the scale that an app's containers show as long as no
// deploy has come since it was lost: what a guard that was installed too late has
// left to go by. Process types at 0 have no container and are not in it.
func scaleOfContainers(s app.State) *app.Scale {
	guess := &app.Scale{}
	for _, c := range s.Containers {
		if !c.Running {
			continue
		}
		i := slices.IndexFunc(guess.Processes, func(p app.Process) bool { return p.Type == c.Type })
		if i < 0 {
			guess.Processes, i = append(guess.Processes, app.Process{Type: c.Type}), len(guess.Processes)
		}
		guess.Processes[i].Quantity++
	}
	return guess
}

// downgraded is about a way back below 0.25, which does not read the property.
// There ps:scale deploys at once, so it is left to a person.
func downgraded(s Subject) []Finding {
	scale := s.Now.Scale.Property
	if s.Before != nil && !s.Before.EffectiveScale().Empty() {
		scale = s.Before.EffectiveScale()
	}
	if s.From == "" || app.ScaleInFile(s.From) || s.Now.Scale.File != nil || scale.Empty() || !s.Now.Deployed() {
		return nil
	}
	return []Finding{{
		What:        fmt.Sprintf("%s reads the scale from DOKKU_SCALE, which is not there; it was %s", s.To, scale),
		Consequence: "The next deploy starts one web process and nothing else.",
		Command:     scaleCommand(s.Now.Name, scale),
	}}
}

// RestoreScale is the step that gives an app a scale because a person asked for
// it, where its Dokku reads it; nil where it has that scale.
func RestoreScale(s Subject, scale *app.Scale) *plan.Step {
	if scale.Empty() || scale.Equal(s.Now.EffectiveScale()) {
		return nil
	}
	step := putScale(s, scale)
	if app.ScaleInFile(s.To) {
		step.Path, step.Mode, step.Verify = s.Paths.App(s.Now.Name)+"/DOKKU_SCALE", 0o644, nil
		step.Was = s.Digest(step.Path)
	}
	return step
}

// putScale is the step that gives an app its scale, and asks Dokku whether it
// reads it as it was meant.
func putScale(s Subject, scale *app.Scale) *plan.Step {
	path, name := s.Paths.Property("ps", s.Now.Name, "scale"), s.Now.Name
	step := &plan.Step{
		Mark: plan.Add, Text: "scale " + scale.String(),
		Path: path, Mode: 0o600, Data: scale.Lines(), Was: s.Digest(path),
		Verify: func(ctx context.Context, h host.Host) error {
			read, err := host.Scale(ctx, h, name)
			if err != nil {
				return err
			}
			for _, p := range scale.Processes {
				if n, ok := read[p.Type]; !ok || int(n) != p.Quantity {
					return fmt.Errorf("Dokku reads the scale it was given (%s) as %v", scale, read)
				}
			}
			return nil
		},
	}
	if step.Was != "" {
		step.Mark = plan.Change
	}
	return step
}

// scaleCommand is how a person sets a scale.
func scaleCommand(name string, scale *app.Scale) string {
	return say.Command("dokku ps:scale", append([]string{name}, strings.Fields(scale.String())...)...)
}

// seedScale adds to a forecast the step that writes the scale where the version
// to come reads it. What is there already and is not ours stays (law 2).
func seedScale(s Subject, f *Finding, scale *app.Scale) {
	path := s.Paths.Property("ps", s.Now.Name, "scale")
	now := s.Digest(path)
	if now == app.Digest(scale.Lines()) {
		f.What = fmt.Sprintf("the scale %s stands where %s reads it", scale, s.To)
		f.Consequence, f.Kind = "", Notice
		return
	}
	if now != "" && !s.Seeded(path, now) && !s.Now.Scale.Property.Empty() {
		f.Kind = Manual
		f.What = fmt.Sprintf("%s will go by a leftover scale property (%s) instead of DOKKU_SCALE (%s)", s.To, s.Now.Scale.Property, scale)
		f.Command = say.Command("rm", path)
		return
	}
	// Domains are set up before the scale is: abortsWithoutScale.
	f.Halts = needsScale(s.To, s.Now, s.Files.Lines("root/VHOST"))
	f.Step = &plan.Step{
		Mark: plan.Add, Text: fmt.Sprintf("scale %s, written where %s reads it", scale, s.To),
		Path: path, Mode: 0o600, Data: scale.Lines(), Was: now, Seed: scaleProperty,
	}
}
