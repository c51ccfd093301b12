package hazard

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// portsLost is about port maps that core's own installation drops (ATLAS 3, 10:
// 24 to 26). On 0.27 to 0.36 it runs domains' set-up for every app, which for an
// app without a VHOST file on a host without a global domain ends in ports:clear:
// the app comes up on a random port at its next build, from 0.35.17 on at once.
// And the step over 0.31, from the environment to a property, drops everything
// from the first entry that it cannot read.
var portsLost = Hazard{
	Name:    PortsLost,
	Threads: "dokku/dokku#7706, #8619",
	Guide:   "https://dokku.com/docs/appendices/0.31.0-migration-guide/",

	Detect: func(s Subject) []Finding {
		if s.Before == nil || slices.Equal(s.Before.Ports.Map, s.Now.Ports.Map) {
			return nil
		}
		before, now := s.Before.Ports.Map, s.Now.Ports.Map
		truncated := s.Crosses("0.31.0") && len(now) < len(before) && slices.Equal(now, before[:len(now)])
		if len(before) == 0 || len(now) > 0 && !truncated {
			return nil
		}
		f := &Finding{
			What:        fmt.Sprintf("the port map %s, recorded in %s, is gone", strings.Join(before, " "), s.Record),
			Consequence: "At the next build of its nginx configuration the app moves to another port.",
		}
		if len(now) > 0 {
			f.What = fmt.Sprintf("of the port map %s, recorded in %s, only %s is left", strings.Join(before, " "), s.Record, strings.Join(now, " "))
		}
		good := slices.DeleteFunc(slices.Clone(before), func(p string) bool { return !portMapping.MatchString(p) })
		switch {
		case app.Before(s.To, "0.31.0"): // in the environment, which is Dokku's to write
			f.Command = fmt.Sprintf("dokku proxy:ports-set %s %s", s.Now.Name, strings.Join(before, " "))
		case len(good) < len(before):
			f.Command = fmt.Sprintf("dokku ports:set %s %s", s.Now.Name, strings.Join(good, " "))
		default:
			f.Step = PutPorts(s, before)
		}
		return []Finding{*f}
	},
}

var portMapping = regexp.MustCompile(`^(http|https|grpc|grpcs|tcp|udp):[0-9]+:[0-9]+$`)

// PutPorts is the step that gives an app its port map, where 0.31 and later keep
// it, and asks Dokku whether it reads it as it was meant.
func PutPorts(s Subject, ports []string) *plan.Step {
	path, name := s.Paths.Property("ports", s.Now.Name, "map"), s.Now.Name
	return &plan.Step{
		Mark: plan.Add, Text: "ports " + strings.Join(ports, " "),
		Path: path, Mode: 0o600, Data: []byte(strings.Join(ports, "\n") + "\n"), Was: s.Digest(path),
		Verify: func(ctx context.Context, h host.Host) error {
			read, err := host.Ports(ctx, h, name)
			if err != nil {
				return err
			}
			for _, p := range ports {
				// https without a certificate is rightly not among them.
				if !slices.Contains(read, p) && !strings.HasPrefix(p, "https:") {
					return fmt.Errorf("Dokku reads the port map it was given (%s) as %s", strings.Join(ports, " "), strings.Join(read, " "))
				}
			}
			return nil
		},
	}
}
