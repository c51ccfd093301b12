package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
)

// cgroupV1 is about machines that were told to keep cgroup v1, for an old docker or for
// what runs in old containers: systemd does not boot with it from 256 on, which Debian 13
// has (docs/dokku-versions.md#what-dokku-asks-of-docker).
var cgroupV1 = Hazard{
	Name: "cgroup-v1",

	Ground: func(g Ground) []Finding {
		to := g.To("systemd")
		if g.CgroupV1 == "" || to == "" || app.Before(to, "256") {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("systemd %s, which apt would install, does not boot this machine as it is set up: its kernel is started with %s, which asks for cgroup v1", to, g.CgroupV1),
			Consequence: "Before the upgrade take that word out where the command finds it, run update-grub and boot once: docker has cgroup v2 from 20.10 on.",
			Command:     "grep -rn cgroup /etc/default/grub /etc/default/grub.d",
		}}
	},
}
