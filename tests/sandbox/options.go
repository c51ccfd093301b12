package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"upgrade-guard/src/app"
)

// moveOptions plays what the installation of 0.38 makes of an app's DOCKER_OPTIONS
// files, line by line as its plugins docker-options, ps and storage read them. The
// recorded hosts have none but the default restart policy, which goes.
func (h Host) moveOptions(name, to string) error {
	if app.Before(to, "0.38.0") {
		return nil
	}
	type mount struct {
		EntryName     string   `json:"entry_name"`
		ContainerPath string   `json:"container_path"`
		Phases        []string `json:"phases"`
	}
	var mounts []mount
	for _, phase := range []string{"build", "deploy", "run"} {
		file := h.path("home/dokku", name, "DOCKER_OPTIONS_"+strings.ToUpper(phase))
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if err := remove(file); err != nil {
			return err
		}
		list, taken := "", app.Before(to, "0.38.9")
		for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			paths := strings.Split(strings.TrimPrefix(l, "-v "), ":")
			policy, restart := strings.CutPrefix(l, "--restart=")
			switch {
			case strings.HasPrefix(l, "-v ") && phase != "build" && len(paths) > 1:
				mounts = append(mounts, mount{"legacy-0000000000", paths[1], []string{phase}})
			case restart && phase == "deploy" && !taken:
				if taken = true; policy == "on-failure:10" {
					continue
				}
				if err := h.put("var/lib/dokku/config/ps/"+name+"/restart-policy", []byte(policy)); err != nil {
					return err
				}
			default:
				list += l + "\n"
			}
		}
		if err := h.put(fmt.Sprintf("var/lib/dokku/config/docker-options/%s/_default_.%s", name, phase), []byte(list)); err != nil {
			return err
		}
	}
	text := ""
	for _, m := range mounts {
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		text += string(line) + "\n"
	}
	if text == "" {
		return nil
	}
	return h.put("var/lib/dokku/config/storage/"+name+"/mounts", []byte(text))
}
