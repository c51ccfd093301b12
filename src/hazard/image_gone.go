package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/say"
)

// imageGone is about an app whose image is gone while its containers run on: taken by
// Dokku's retiring after a deploy that failed, by somebody's docker image prune, or with
// the whole of docker's data. The next restart, or start after a reboot, has nothing to
// start (docs/dokku-versions.md#what-a-container-is-started-with). Where only the name is
// gone, as docker image rm --force takes it, the image itself has the code that runs, and
// gets its name back; else it is built anew.
var imageGone = Hazard{
	Name:    "image-gone",
	Threads: "dokku/dokku#5702, #6998, #9034",
	Guide:   "https://dokku.com/docs/processes/process-management/",
	Reads:   []app.Part{app.PartProxy},

	Detect: func(s Subject) []Finding {
		image := s.nextImage()
		if image == "" || s.Has.Images == nil || s.Has.Images[image] != "" {
			return nil
		}
		if !app.Before(s.Now.Dokku, "0.26.0") && len(s.ofTag("")) > 0 {
			return nil // what is in its repository is not what runs: tags-deploy tells it
		}
		f := Finding{
			What:        fmt.Sprintf("the image %s is gone, from which its next containers are made", image),
			Consequence: fmt.Sprintf(`What runs goes on, as long as nobody stops it. The next ps:restart, ps:start, or start after a reboot ends with "App image (%s) not found".`, image),
			Command:     say.Command("dokku ps:rebuild", s.Now.Name),
		}
		source := len(s.Now.Git.Refs) > 0
		i := slices.IndexFunc(s.Now.Containers, func(c app.Container) bool { return c.Image == image && s.Has.ImageIDs[c.ImageID] })
		switch {
		case i >= 0:
			id := strings.TrimPrefix(s.Now.Containers[i].ImageID, "sha256:")
			tag := say.Command("docker image tag", id[:min(12, len(id))], image)
			if f.Command = tag; source {
				f.Command = say.Command("dokku ps:rebuild", s.Now.Name)
				f.Consequence += " The image itself is still there: " + tag + " gives it its name back, without a build."
			}
		case !source:
			f.Command = say.Command("dokku git:from-image", s.Now.Name) + " <image>, or push it anew"
			if app.Before(s.Now.Dokku, "0.24.0") {
				f.Command = "git push dokku@<this host>:" + say.Word(s.Now.Name)
			}
		}
		return []Finding{f}
	},
}

// nextImage is the image from which Dokku makes the app's next containers without a build,
// "" where that is not known: a registry's is fetched when it is wanted.
func (s Subject) nextImage() string {
	if !s.startsHere() || s.ofRegistry() {
		return ""
	}
	latest := "dokku/" + s.Now.Name + ":latest"
	for _, c := range s.Now.Containers {
		switch {
		case c.Image == "":
		case !strings.HasPrefix(c.Image, "dokku/"):
			return ""
		case app.Before(s.Now.Dokku, "0.26.0") && strings.HasPrefix(c.Image, "dokku/"+s.Now.Name+":"):
			return c.Image // the tag that runs: tags:deploy
		default:
			return latest
		}
	}
	return latest
}

// ofRegistry tells whether the app's images are, or may be, in a registry, or are named by
// somebody's plugin.
func (s Subject) ofRegistry() bool {
	names := func(p plugins.Plugin) bool {
		return p.Hook("deployed-app-image-tag") || p.Hook("deployed-app-image-repo") || p.Hook("deployed-app-repository")
	}
	if s.Plugins.Installed != nil && slices.ContainsFunc(s.Plugins.Installed(), names) {
		return true
	}
	for _, scope := range []string{s.Now.Name, host.GlobalScope} {
		for _, name := range []string{"image-repo", "push-on-release", "server", "tag-version"} {
			file, there := s.Files.Get("lib/config/registry/" + scope + "/" + name)
			if value := strings.TrimSpace(string(file.Data)); there && (file.Error != "" || value != "" && value != "false") {
				return true
			}
		}
	}
	return false
}
