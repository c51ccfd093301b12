package hazard

import (
	"strings"
	"testing"

	"upgrade-guard/src/app"
)

// Which restart policy was in force among several, and what becomes of it.
func TestSeveralRestartPolicies(t *testing.T) {
	for _, c := range []struct {
		options, to string
		property    string // what ps has after the upgrade
		foreseen    string
		found       string
	}{
		{options: "--restart=on-failure:10", to: "0.38.27"},
		{options: "--restart=always", to: "0.38.27", property: "always"},
		{options: "--restart=on-failure:10\n--restart=unless-stopped", to: "0.38.27", foreseen: "unless-stopped is in force, and on-failure:10 will be", found: "the restart policy unless-stopped, recorded in"},
		{options: "--restart=on-failure:10\n--restart=on-failure:3 --label a=b", to: "0.38.27", foreseen: "on-failure:3 is in force", found: "the restart policy on-failure:3"},
		{options: "--restart=on-failure:10\n--restart unless-stopped", to: "0.38.9", foreseen: "unless-stopped is in force", found: "the restart policy unless-stopped"},
		{options: "--restart=on-failure:10\n--restart=unless-stopped", to: "0.38.8"},
		{options: "--restart=on-failure:10\n--restart=unless-stopped", to: "0.38.27", property: "no", foreseen: "unless-stopped is in force"}, // a person's
		{options: "--restart=always\n--restart=on-failure:10", to: "0.38.27", property: "always", foreseen: "on-failure:10 is in force, and always will be", found: "on-failure:10 was in force, and always is"},
		{options: "--restart=on-failure:10\n--restart=$(reboot)", to: "0.38.27", found: "the restart policy $(reboot), recorded in"}, // no step: ps would not take it
	} {
		before := filesOf("0.35.5", map[string]string{"root/blog/DOCKER_OPTIONS_DEPLOY": c.options + "\n", "root/blog/CONTAINER.web.1": "abc\n"})
		_, last := policies(strings.Split(c.options, "\n"))
		content := map[string]string{"lib/config/docker-options/blog/_default_.deploy": "--restart=" + last + "\n"}
		if app.Before(c.to, "0.38.9") {
			content["lib/config/docker-options/blog/_default_.deploy"] = c.options + "\n"
		}
		if c.property != "" {
			content["lib/config/ps/blog/restart-policy"] = c.property
		}
		after := filesOf(c.to, content)
		s := between(before, before, false)
		s.Before, s.From, s.To = nil, "0.35.5", c.to
		s.Now = app.Read(before).Apps["blog"]
		told := func(found []Finding) (text string) {
			for _, f := range found {
				text += f.What + "; "
			}
			return text
		}
		if got := told(restartPolicy.Foresee(s)); (got == "") != (c.foreseen == "") || !strings.Contains(got, c.foreseen) {
			t.Errorf("%+v: foreseen %q", c, got)
		}
		s = between(before, after, false)
		s.From, s.To = "0.35.5", c.to
		if got := told(append(dockerOptionsMoved.Detect(s), restartPolicy.Detect(s)...)); (got == "") != (c.found == "") || !strings.Contains(got, c.found) {
			t.Errorf("%+v: found %q", c, got)
		}
	}
}
