package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
)

// dockerStorage is about the storage drivers that docker has dropped: 23 starts with them
// only where its configuration names them, 24 knows aufs and overlay no more, 25
// devicemapper (docs/dokku-versions.md#what-dokku-asks-of-docker). A host that has come
// along since Debian 8 or Ubuntu 14.04 has one of them still: docker keeps to the driver
// that it was begun with.
var dockerStorage = Hazard{
	Name:  "docker-storage",
	Guide: "https://dokku.com/docs/getting-started/upgrading/",

	Ground: func(g Ground) []Finding {
		gone := map[string]int{"aufs": 24, "overlay": 24, "devicemapper": 25}[g.Driver]
		if gone == 0 {
			return nil
		}
		to, by := g.docker()
		f := Finding{
			Kind: Notice,
			What: fmt.Sprintf("docker's storage driver is %s, which docker 23 does not start with by itself, and docker %d and later not at all", g.Driver, gone),
			Consequence: "Before docker is upgraded so far, it has to have another, overlay2. Images and containers of one driver are not there for another: each app is built anew then, " +
				"and what is in containers alone, and not in volumes or mounts, is gone. See https://docs.docker.com/engine/storage/drivers/select-storage-driver/",
		}
		if app.Major(to) < 23 {
			return []Finding{f}
		}
		f.Kind = Manual
		f.What = fmt.Sprintf("docker %s, %s, does not start with this docker's storage driver %s", to, comes(by), g.Driver)
		if app.Major(to) < gone {
			f.What += ", unless /etc/docker/daemon.json names it"
		}
		f.Consequence = "No app would run. " + f.Consequence
		if by != "" {
			f.Command = "apt-mark hold " + by
		} else {
			f.Consequence = "Do not start docker or the machine anew yet. " + f.Consequence
		}
		return []Finding{f}
	},
}
