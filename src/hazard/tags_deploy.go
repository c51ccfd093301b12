package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// tagsDeploy is about apps that dokku tags:deploy deployed from an image which was built
// elsewhere. 0.26.0 has no such command and knows no other tag than latest: a restart
// starts what has that tag, if anything has, and the rebuild that the upgrade guide asks
// for builds what is in the repository, an old commit or nothing at all. What takes its
// place is git:from-image, from 0.24.0 on (docs/dokku-versions.md#what-a-container-is-started-with).
var tagsDeploy = Hazard{
	Name:    "tags-deploy",
	Threads: "dokku/dokku#2374, #4940",
	Guide:   "https://dokku.com/docs/appendices/0.26.0-migration-guide/",
	Reads:   []app.Part{app.PartProxy},

	Foresee: func(s Subject) []Finding {
		if !s.Crosses("0.26.0") {
			return nil
		}
		return s.ofTag("The command is for after the upgrade, and before any deploy, ps:restart or ps:rebuild.")
	},
	Detect: func(s Subject) []Finding {
		if app.Before(s.Now.Dokku, "0.26.0") {
			return nil
		}
		return s.ofTag("Type it before any deploy, ps:restart, ps:rebuild or reboot.")
	},
}

// ofTag is the finding about an app whose containers are of another tag than latest.
func (s Subject) ofTag(when string) []Finding {
	if !s.startsHere() || s.ofRegistry() {
		return nil
	}
	tag := ""
	for _, c := range s.Now.Containers {
		if t, ok := strings.CutPrefix(c.Image, "dokku/"+s.Now.Name+":"); ok && c.Running && t != "latest" {
			tag = t
			break
		}
	}
	if tag == "" {
		return nil
	}
	image := "dokku/" + s.Now.Name + ":" + tag
	latest := "dokku/" + s.Now.Name + ":latest"
	restart, rebuild := "starts "+latest+", whatever that is", "builds what is in its repository"
	if s.Has.Images != nil && s.Has.Images[latest] == "" {
		restart = "fails, since there is no " + latest
	}
	if len(s.Now.Git.Refs) == 0 {
		rebuild = "fails, since it has no repository"
	}
	return []Finding{{
		What:        fmt.Sprintf("it runs %s, deployed by tags:deploy, which %s does not have", image, s.To),
		Consequence: fmt.Sprintf("It runs on. With %s the next ps:restart %s, and the next ps:rebuild %s. %s", s.To, restart, rebuild, when),
		Command:     say.Command("dokku git:from-image", s.Now.Name, image),
	}}
}
