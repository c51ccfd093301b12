package restore

import (
	"fmt"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// A part that the snapshot does not hold is not an empty part: nothing is taken away
// for it, and nothing is put in place of what is not known at present.

// FilesTold is how many of the files that a snapshot does not hold are named.
const FilesTold = 5

// notKnown says why a part is left as it is: a sentence, "" where it is known in the
// snapshot and at present. Parts that are restored file by file are known as far as
// each file is (filesNotKnown).
func (r Restoration) notKnown(p app.Part) string {
	if p == app.PartProperties || p == app.PartNginx || p == app.PartFiles {
		return ""
	}
	if why := r.was.Unknown[p]; why != "" {
		return notHeld(fmt.Sprintf("the %s of %s (%s)", p, host.Place(r.Now.Name), why))
	}
	if why := r.Now.Unknown[p]; why != "" {
		return fmt.Sprintf("The %s of %s is not known at present (%s): left as it is.", p, host.Place(r.Now.Name), why)
	}
	if _, held := r.old.Get(r.old.EnvPath(r.Now.Name)); p == app.PartEnv && !held && len(r.Now.Env) > 0 {
		return fmt.Sprintf("The snapshot has no environment of %s: left as it is.", host.Place(r.Now.Name))
	}
	return ""
}

func notHeld(what string) string {
	return fmt.Sprintf("The snapshot does not hold %s: left as it is.", what)
}

// filesNotKnown are the files of such a part that are left as they are, a sentence
// each and no more than FilesTold of them.
func (r Restoration) filesNotKnown(p app.Part) (notes []string) {
	for _, side := range []struct {
		files *app.Files
		say   func(string) string
	}{
		{r.old, notHeld},
		{r.Files, func(what string) string { return fmt.Sprintf("%s is not known at present: left as it is.", what) }},
	} {
		for _, file := range side.files.FailedOf(r.Now.Name, p) {
			notes = append(notes, side.say(fmt.Sprintf("%s (%s)", app.Shown(file.Path), file.Reason())))
		}
	}
	slices.Sort(notes)
	if n := len(notes); n > FilesTold {
		notes = append(notes[:FilesTold], fmt.Sprintf("%s more are left as they are.", say.Plural(n-FilesTold, "file")))
	}
	return notes
}
