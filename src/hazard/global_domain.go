package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
)

// globalDomain is about hosts without a global domain (docs/dokku-versions.md#domains).
// From 0.25 on the package's postinst writes one where it finds none and debconf's
// answer from long ago says so, before core's installation reads it: apps without
// domains then get one below it.
var globalDomain = Hazard{
	Name:    "global-domain",
	Threads: "dokku/dokku#2146, #2927",
	Guide:   "https://dokku.com/docs/configuration/domains/",
	Reads:   []app.Part{app.PartDomains},

	DetectHost: func(s HostSubject) []Finding {
		if s.Before == nil || s.Before.DomainsFile || len(s.Before.Domains) > 0 || len(s.Now.Global.Domains) == 0 {
			return nil
		}
		names := strings.Join(s.Now.Global.Domains, " ")
		path := s.Paths.DokkuRoot + "/VHOST"
		return s.ofInstallation(Finding{
			What:        fmt.Sprintf("the host had no global domain, and the installation of %s has set %s", s.To, names),
			Consequence: "New apps, and those without domains, would be given names below it.",
			Step: &plan.Step{
				Mark: plan.Remove, Text: "global domain " + names + ", set by Dokku's package",
				Do: removeUnchanged(path, s.Digest(path)),
			},
		}, "dokku domains:clear-global")
	},
}
