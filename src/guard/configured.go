package guard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// configured tells whether the package manager has brought Dokku's installation
// to its end. Before that, half of it is still to come, and closing an app would
// close it too early. A host without dpkg, or without a package, says nothing.
func (g *Guard) configured(ctx context.Context) error {
	status := g.packageStatus(ctx)
	if status == "" || status == "installed" || removed(status) {
		return nil
	}
	return say.Hint(fmt.Errorf("the installation of Dokku has not come to its end (dpkg says %s)", status),
		"First: dpkg --configure -a. Then: dokku upgrade-guard:apply")
}

// packageStatus is dpkg's word on the package of Dokku, "" where it knows of none.
func (g *Guard) packageStatus(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := g.Host.Run(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", "dokku")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// removed tells that the package is gone, and at most its settings are left.
func removed(status string) bool { return status == "not-installed" || status == "config-files" }

// overtaken tells that another upgrade was unpacked during a run: what was observed may
// be either's, and what the new one's installation loses is still to come.
func (g *Guard) overtaken(ctx context.Context, disk string, out outcome) error {
	if out.cutOff {
		return nil
	}
	if now := host.DokkuVersion(g.Host); now != disk || out.Now.Dokku != disk {
		return say.Hint(fmt.Errorf("Dokku %s has been replaced by %s meanwhile", disk, now), "The work after both is done when that is installed, or by: dokku upgrade-guard:apply")
	}
	return g.configured(ctx)
}

// checkVersions refuses what cannot be two Dokku versions. What is on the disk, or was,
// is one whatever it calls itself.
func checkVersions(from, to, disk, lastSeen string) error {
	for _, v := range []string{from, to} {
		if !app.ValidVersion(v) && (v == "" || v != disk && v != lastSeen) {
			return say.Hint(fmt.Errorf("%q is not a Dokku version", v), "A version looks like 0.35.5; the trigger takes two, the old and the new one.")
		}
	}
	return nil
}
