package hazard

import (
	"path/filepath"
	"strings"
)

// nginxOthers is a file that is no app's and that nginx does not take.
var nginxOthers = Hazard{
	Name:  "nginx-others",
	About: AboutNginx,

	DetectHost: func(s HostSubject) []Finding {
		if s.Refused == "" {
			return nil
		}
		f := Finding{
			What:        "nginx refuses its configuration: " + s.Refused,
			Consequence: "The file is no app's. Until it is repaired no change of any app takes effect, and nginx would not start again. Then: dokku upgrade-guard:apply",
		}
		if strings.Contains(s.Refused, `"server_tokens" directive is duplicate`) { // see nginxTokens
			f.Command = withoutTokens(filepath.Join(s.Paths.Nginx, "nginx.conf")) + " && dpkg --configure -a"
		}
		return []Finding{f}
	},
}
