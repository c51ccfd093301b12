package guard

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// Where the machine stands: the hook points at which apt, dpkg and Dokku call us, how far
// a package manager is with Dokku, and whether Dokku is starting its apps.

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

// Hook points at which the package manager lets us look before an upgrade, in the
// order in which they come. Not all of them come on every way of upgrading.
const (
	BeforeApt   = "apt"          // apt knows what it will do and has touched nothing
	BeforePrerm = "prerm"        // the old package's last act; everything is still old
	BeforeCore  = "core-install" // unpacked, and no install trigger has run
)

// Hook points after it.
const (
	AfterDpkg  = "dpkg"  // dpkg has run
	AfterApt   = "apt"   // apt has run
	AfterTimer = "timer" // Dokku's timer, for where neither of them has run
)

// ErrNotYet says that dpkg has not configured what it has unpacked: it comes again.
var ErrNotYet = errors.New("dpkg is not through with it")

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

// justInstalled tells that Dokku was installed within the last hour: by the time of its
// list of files, which dpkg writes as it unpacks, or of its version.
func (g *Guard) justInstalled() bool {
	recent := func(name string) (recent, there bool) {
		st, err := g.Host.Stat(name)
		return err == nil && g.recent(st.ModTime(), time.Hour), err == nil
	}
	if just, _ := recent("/var/lib/dpkg/info/dokku.list"); just {
		return true
	}
	just, there := recent(filepath.Join(g.Host.Paths().LibRoot, "STABLE_VERSION"))
	if !there { // built from a branch
		just, _ = recent(filepath.Join(g.Host.Paths().LibRoot, "VERSION"))
	}
	return just
}

// underWay tells that an upgrade, or another run of Dokku's installation, has not
// been looked after yet.
func (g *Guard) underWay(disk string) bool {
	stamp := g.State.LastSeen()
	return stamp != "" && stamp != disk || g.State.Phase() != ""
}

const (
	// settleTime is how long a restart of all apps is waited for.
	settleTime = 15 * time.Minute
	// breath is how long after docker systemd may begin with it, and how often it is
	// asked.
	breath = 2 * time.Second
)

// installing tells that an upgrade of Dokku is under way. One that nobody has heard
// of for an hour was given up.
func (g *Guard) installing() bool {
	st, err := g.Host.Stat(g.Host.Paths().Data("pending"))
	return err == nil && g.recent(st.ModTime(), time.Hour)
}

// settle waits until Dokku has restarted its apps. Its dokku-redeploy.service
// runs ps:restore whenever docker is started, which up to 0.37 takes every
// nginx.conf away first: whatever is built meanwhile is of no use. Where there is
// no such service there is nothing to wait for. It also waits for an upgrade of
// Dokku that is under way: unattended-upgrades may come to docker first.
func (g *Guard) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		if g.Host.Sleep(ctx, breath) != nil {
			return
		}
		if !g.restoring(ctx) && !g.installing() {
			return
		}
	}
}

// restoring tells that Dokku restarts its apps, because docker was started.
func (g *Guard) restoring(ctx context.Context) bool {
	// It ends with 0 for one of these states only.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, _ := g.Host.Run(ctx, "systemctl", "is-active", "dokku-redeploy.service")
	is := strings.TrimSpace(string(out))
	return is == "active" || is == "activating"
}

// installTime is how long core's installation may take. It takes seconds; a
// large host's, or one on a slow disk, a minute.
const installTime = 4 * time.Minute

// installed tells, for where no package manager can be asked, whether core's
// installation has had its time since it was begun. What apt or the old package
// has announced is theirs to end.
func (g *Guard) installed() bool {
	if g.State.Phase() != BeforeCore {
		return false
	}
	st, err := g.Host.Stat(g.Host.Paths().Data("pending"))
	return err == nil && !g.recent(st.ModTime(), installTime)
}
