package hazard

import (
	"strings"
	"testing"

	"upgrade-guard/src/app"
)

// A way back was foretold as "nothing found". What an older Dokku does not read is told
// from where the newer one keeps it.
func TestWayBackIsForetold(t *testing.T) {
	in038 := map[string]string{
		"lib/config/blog/ENV": "A=1\nB=2\n", "lib/config/config/blog/env-migrated": "true",
		"lib/config/docker-options/blog/_default_.deploy": "--memory=1g\n", "lib/config/storage/blog/mounts": "{}\n",
		"lib/config/ps/blog/restart-policy": "always", "lib/config/checks/blog/disabled": "web",
		"lib/config/ports/blog/map": "http:8080:5000\n", "lib/config/ps/blog/scale": "web=3\nworker=0\n",
		"root/blog/CONTAINER.web.1": "abc\n", "root/blog/VHOST": "blog.example.com\n",
	}
	for _, c := range []struct {
		name     string
		from, to string
		more     map[string]string
		want     []string
	}{
		{name: "below 0.38", from: "0.38.27", to: "0.35.5", want: []string{
			"way-back: 0.35.5 does not read where 0.38 keeps of the app: 2 variables of its environment, 1 docker option, 1 mount, the restart policy always, checks disabled web",
		}},
		{name: "below 0.31", from: "0.38.27", to: "0.29.4", want: []string{
			"ports-lost: the port map http:8080:5000 is where 0.29.4 does not read it",
			"way-back: 0.29.4 does not read",
		}},
		{name: "below 0.25", from: "0.38.27", to: "0.24.10", want: []string{
			"scale-lost: 0.24.10 reads the scale from DOKKU_SCALE, which is not there; it was web=3 worker=0",
			"ports-lost: the port map", "way-back: 0.24.10 does not read",
		}},
		{name: "a closed app", from: "0.38.27", to: "0.35.5", more: map[string]string{
			"lib/config/proxy/blog/disabled": "true", "lib/config/blog/ENV": "NO_VHOST=1\n",
		}, want: []string{
			"reopened: 0.35.5 does not find that its proxy is disabled", "reopened: 0.35.5 does not find that its domains are disabled", "way-back: 0.35.5 does not read",
		}},
		{name: "with what 0.38.25 has left", from: "0.38.25", to: "0.29.4", more: map[string]string{
			"root/blog/ENV": "A=1\nDOKKU_PROXY_PORT_MAP='http:8080:5000'\n",
		}, want: []string{"way-back: 0.29.4 does not read where 0.38 keeps of the app: 1 docker option"}},
		{name: "within 0.3x", from: "0.36.11", to: "0.35.5"},
		{name: "up", from: "0.38.8", to: "0.38.27"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := filesOf(c.from, merge(in038, c.more))
			s := between(files, files, false)
			s.Before, s.From, s.To = nil, c.from, c.to
			s.Now = app.Read(files).Apps["blog"]
			var got []string
			for _, f := range Foresee(s) {
				got = append(got, f.Hazard+": "+f.What)
			}
			if len(got) != len(c.want) {
				t.Fatalf("%q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("%q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}
