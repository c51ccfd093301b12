package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// bindAll is about apps that are opened to the network
// (docs/dokku-versions.md#network-and-proxy). Since 0.20.0 core's installation means to
// set bind-all-interfaces for apps whose proxy is disabled, asks for it by an exit code
// that is always 0, and so sets it for every app without the property: those made under
// 0.38.8 and later, or before 0.20. At its next deploy the container's port is
// published on all interfaces, past nginx and its certificates.
var bindAll = Hazard{
	Name:  "bind-all-interfaces",
	Guide: "https://dokku.com/docs/networking/network/",
	Reads: []app.Part{app.PartProxy},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || s.Before.Proxy.BindAll != "" || s.Before.Proxy.Disabled || s.Now.Proxy.BindAll != "true" {
			return nil
		}
		path := s.Paths.Property("network", s.Now.Name, "bind-all-interfaces")
		return s.ofInstallation(Finding{
			What:        fmt.Sprintf("the installation of %s has set bind-all-interfaces, which was not set", s.To),
			Consequence: "At its next deploy the app would be published on all interfaces of the host.",
			Step: &plan.Step{
				Mark: plan.Change, Text: "bind-all-interfaces true -> false",
				Path: path, Mode: 0o600, Data: []byte("false"), Was: s.Digest(path),
			},
		}, say.Command("dokku network:set", s.Now.Name, "bind-all-interfaces", "false"))
	},
}
