package hazard

import (
	"fmt"
	"slices"

	"upgrade-guard/src/app"
)

// dockerClient is about Debian's docker.io, which from 26.1.4+dfsg1-7 on, in Debian 13, is
// the daemon alone: the program docker is in docker-cli, and docker.io only recommends it.
// Where apt installs no recommended packages, as on many servers, an upgrade to Debian 13
// takes the program away: the apps go on, and nothing of Dokku's works
// (docs/dokku-versions.md#what-dokku-asks-of-docker).
var dockerClient = Hazard{
	Name: "docker-client",

	Ground: func(g Ground) []Finding {
		if !app.Before(g.From("docker.io"), clientApart) || !slices.Contains(g.Recommends, "docker-cli") || g.HasClient || g.To("docker-cli") != "" {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("docker.io %s, which apt would install, is without the program docker: that is in the package docker-cli, which nobody would install", g.To("docker.io")),
			Consequence: "What runs goes on. Every deploy and every command of Dokku's that asks docker fails, until it is there. Right after the upgrade:",
			Command:     "apt-get install docker-cli",
		}}
	},
}

// clientApart is the first docker.io that comes without it.
const clientApart = "26.1.4"
