// Package hazard knows the ways in which an upgrade of Dokku loses something,
// a file each: which versions, what it will do to an app, what it has done, and
// what is done about it. How to add one is in docs/adding-a-hazard.md.
package hazard

import (
	"fmt"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plugins"
)

// Names of hazards that are spoken of elsewhere.
const (
	PortsLost        = "ports-lost"
	ProxyPortLost    = "proxy-port-lost"
	DomainsLost      = "domains-lost"
	DomainsRewritten = "domains-rewritten"
	CertificateLost  = "certificate-lost"
	Names            = "names"
	ScaleZero        = "scale-zero"
	UnknownVersion   = "unknown-version"
	EnvValues        = "env-values"
)

// Subjects by which some occasions choose what they do.
const (
	AboutScale       = "scale"       // a deploy: it would stop the app for it
	AboutLetsencrypt = "letsencrypt" // an update of the letsencrypt plugin
	AboutNginx       = "nginx"       // docker or nginx were restarted
)

// Hazard is one known way to lose something. Its functions look at one app, or
// at what belongs to the host as a whole, and change nothing: what is to be
// changed is a step of the finding, so that a person can be shown it first.
type Hazard struct {
	// Name is what reports and journals call it.
	Name string
	// Threads are where it hurt people.
	Threads string
	// Guide is the part of Dokku's documentation that is about it.
	Guide string
	// About is the subject it belongs to, where an occasion chooses by that.
	About string
	// Undone tells that a way back that undoes the upgrade ends it too, so that it has
	// nothing of its own to foretell.
	Undone bool
	// InNginx tells that its repair must show in nginx's configuration.
	InNginx bool
	// Reads are the parts of the state that it goes by. Where one of them is not
	// known, in the baseline or at present, it is not asked (notKnown). What goes by
	// single files needs none: Files.Get and Context.Digest tell what is not known from
	// what is not there.
	Reads []app.Part
	// Foresee says, from the state before an upgrade, what the upgrade will do
	// to the app; a finding's step, if any, prevents it.
	Foresee func(Subject) []Finding
	// Detect says, after an upgrade, what it has done; a finding's step, if
	// any, repairs it.
	Detect func(Subject) []Finding
	// ForeseeHost and DetectHost are the same for what belongs to no app: global
	// settings, stray directories, plugins.
	ForeseeHost func(HostSubject) []Finding
	DetectHost  func(HostSubject) []Finding
	// Ground says what stands in the way where apt upgrades what Dokku stands on: docker,
	// nginx, the system.
	Ground func(Ground) []Finding
}

// All are the hazards the guard knows, in the order in which their steps are
// done.
var All = []Hazard{
	unknownVersion,
	notKnown,
	names,
	scaleDirty,
	scaleUnknownType,
	scaleLost,
	scaleDefault,
	scaleMalformed,
	scaleZero,
	scaleDrift,
	scaleFromRepository,
	imageFiles,
	dataDirs,
	psDirectory,
	deployedFalse,
	globalDomain,
	globalLost,
	reopened,
	domainsLost,
	domainsRewritten,
	portsLost,
	proxyPortLost,
	domainsGuessed,
	portsGuessed,
	bindAll,
	envValues,
	envFlags,
	envRewound,
	dockerOptionsMoved,
	dockerOptionsLeft,
	restartPolicy,
	storageEntries,
	k3sLists,
	k3sIngress,
	percent,
	letsencryptSettings,
	certificateLost,
	letsencryptLost,
	letsencryptUnreadable,
	letsencryptReorder,
	letsencryptRenewal,
	letsencryptPlugin,
	crontabLost,
	pluginsOutdated,
	pluginsSameName,
	triggersStray,
	linksDangling,
	imageGone,
	tagsDeploy,
	networkGone,
	linkGone,
	mountGone,
	pluginGone,
	dockerVersion,
	toolsOld,
	aptRemoves,
	dockerStorage,
	dockerClient,
	cgroupV1,
	nginxSSL,
	nginxTokens,
	groundMoves,
	waypoints,
	wayBack,
	pluginsSince,
	snippetDuplicate,
	snippetOverruled,
	containerStopped,
	nginxRefused,
	nginxUpstreamMissing,
	nginxUpstreamStale,
	nginxMissing,
	nginxOutdated,
	nginxNotRunning,
	nginxAnswer,
	nginxFallback,
	nginxQuarantined,
	nginxNotClosed,
	nginxNotRead,
	nginxOthers,
	answersLost,
	drift,
}

// Named is the hazard of a name; the zero value for none.
func Named(name string) Hazard {
	for _, h := range All {
		if h.Name == name {
			return h
		}
	}
	return Hazard{}
}

// Context is what all hazards look at: two Dokku versions, and the host's files.
type Context struct {
	Paths host.Paths
	// Time is when the host was observed.
	Time time.Time
	// From and To are the Dokku versions of the upgrade. Before it, the state is
	// From's; after it, it is To's, and From is "" when nothing of an upgrade is
	// known.
	From, To string
	// Baseline is the baseline that the state before the upgrade comes from, "" when
	// there is none, or when it is resolved. NoBaseline tells that there can be none:
	// the guard has seen no upgrade yet, and came after the one that counts.
	Baseline   string
	NoBaseline bool
	// JustInstalled tells that Dokku's installation has run just now: only then can
	// what it has put somewhere be told from what a person has set since.
	JustInstalled bool
	// Files are the host's files at present. Old are those of the baseline, whole;
	// they are read when they are first asked for, and nil where there is no
	// baseline or it cannot be read.
	Files *app.Files
	Old   func() *app.Files
	// Hops are the upgrades that a way back undoes, the last one first. Where they are not
	// known, NoHops says why, and nothing is undone.
	Hops   []Hop
	NoHops string
	// Disputed is where Dokku's own commands do not confirm what the files are read to
	// say, under a version that this release does not know.
	Disputed []app.Disagreement
	// Plugins are the host's plugins, read when they are first asked for.
	Plugins plugins.Facts
	// Shown is what is printed in place of a value that may be a secret, by its
	// fingerprint in the state; "" where nothing can be.
	Shown func(fingerprint string) string
	// Seeded tells whether the guard itself put this content into this file
	// ahead of an upgrade.
	Seeded func(path, digest string) bool
}

// Subject is what a hazard looks at: one app in a jump between versions.
type Subject struct {
	Context
	Now app.State
	// Before is the app as it was recorded before the jump; nil when it was
	// not, or when the baseline is closed.
	Before *app.State
	// NoDocker tells that nothing is known of running containers.
	NoDocker bool
	// Has is what docker has of what its next containers are started with.
	Has app.DockerHas
	// Routing is how nginx serves the app; nil where that was not observed.
	Routing *Routing
	// created tells that the app has just been made, and was never deployed.
	created bool
}

// HostSubject is the host itself in a jump between versions.
type HostSubject struct {
	Context
	Now    app.Host
	Before *app.Global
	// NotListening are the ports on which nginx accepts no connection of any app; Run is
	// never nil where there are some.
	NotListening string
	Run          *Run
	// Refused is what nginx says of a file that is no app's and that it does not take.
	Refused string
}

// Crosses tells whether the jump passes a version: it comes from below it and
// ends at it or above.
func (c Context) Crosses(version string) bool {
	return c.From != "" && app.Before(c.From, version) && !app.Before(c.To, version)
}

// Back tells whether the jump is a way back over a version: it comes from there or above
// and ends below it.
func (c Context) Back(version string) bool {
	return c.From != "" && !app.Before(c.From, version) && app.Before(c.To, version)
}

// Digest is the digest of a file as the present state was read from it, "" for
// none.
func (c Context) Digest(path string) string { return c.Files.DigestAt(c.Paths, path) }

// both shows two values that differ by their fingerprints, in brackets; nothing where
// they cannot be shown.
func (c Context) both(was, now string) string {
	was, now = c.Shown(was), c.Shown(now)
	if was == "" || now == "" {
		return ""
	}
	return fmt.Sprintf(" (fingerprints %s, and now %s)", was, now)
}

// Foresee asks every hazard what the upgrade will do to an app.
func Foresee(s Subject) []Finding {
	return ask(s.Now.Name, s.unlessDisputed(func(h Hazard) []Finding {
		if h.Undone && len(s.Hops) > 0 {
			return nil
		}
		return call(h, h.Foresee, s)
	}))
}

// Detect asks every hazard of upgrades what has happened to an app. Where a way back can be
// undone to the end, it is, and what the others would hold against it is the newer version's.
func Detect(s Subject) []Finding {
	if len(s.Hops) > 0 && s.Before != nil {
		if found := ask(s.Now.Name, s.unlessDisputed(onlyWayBack(func(h Hazard) []Finding { return call(h, h.Detect, s) }))); len(found) > 0 {
			return found
		}
		s.Before, s.Context = nil, s.alone()
	}
	return ask(s.Now.Name, s.unlessDisputed(unlessNginx(func(h Hazard) []Finding { return call(h, h.Detect, s) })))
}

// Route asks nginx's hazards what is wrong with how an app is served. They need no
// baseline.
func Route(s Subject) []Finding {
	return ask(s.Now.Name, s.unlessDisputed(onlyNginx(func(h Hazard) []Finding { return call(h, h.Detect, s) })))
}

// ForeseeHost asks every hazard what the upgrade will do to the host itself.
func ForeseeHost(s HostSubject) []Finding {
	return ask(host.GlobalScope, s.unlessDisputed(func(h Hazard) []Finding { return call(h, h.ForeseeHost, s) }))
}

// DetectHost asks every hazard of upgrades what has happened to the host itself.
func DetectHost(s HostSubject) []Finding {
	if len(s.Hops) > 0 && s.Before != nil {
		if found := ask(host.GlobalScope, s.unlessDisputed(onlyWayBack(func(h Hazard) []Finding { return call(h, h.DetectHost, s) }))); len(found) > 0 {
			return found
		}
		s.Before, s.Context = nil, s.alone()
	}
	return ask(host.GlobalScope, s.unlessDisputed(unlessNginx(func(h Hazard) []Finding { return call(h, h.DetectHost, s) })))
}

// RouteHost asks nginx's hazards what is wrong with what is no app's.
func RouteHost(s HostSubject) []Finding {
	return ask(host.GlobalScope, onlyNginx(func(h Hazard) []Finding { return call(h, h.DetectHost, s) }))
}

// alone is the context without anything from before.
func (c Context) alone() Context {
	c.From, c.Baseline, c.Hops, c.Old = "", "", nil, func() *app.Files { return nil }
	return c
}

func onlyWayBack(look func(Hazard) []Finding) func(Hazard) []Finding {
	return func(h Hazard) []Finding {
		if h.Name != wayBackName {
			return nil
		}
		return look(h)
	}
}

func onlyNginx(look func(Hazard) []Finding) func(Hazard) []Finding {
	return func(h Hazard) []Finding {
		if h.About != AboutNginx {
			return nil
		}
		return look(h)
	}
}

func unlessNginx(look func(Hazard) []Finding) func(Hazard) []Finding {
	return func(h Hazard) []Finding {
		if h.About == AboutNginx {
			return nil
		}
		return look(h)
	}
}

func call[S interface{ knows(...app.Part) bool }](h Hazard, look func(S) []Finding, s S) []Finding {
	if look == nil || !s.knows(h.Reads...) {
		return nil
	}
	return look(s)
}

// safely asks one hazard. What it cannot cope with ends neither the others nor the
// upgrade, and is told.
func safely(h Hazard, look func(Hazard) []Finding) (found []Finding) {
	defer func() {
		if r := recover(); r != nil {
			found = []Finding{{Kind: Notice, What: fmt.Sprintf("check failed: %v", r), Consequence: "This is a bug in upgrade-guard; please report it."}}
		}
	}()
	return look(h)
}

func ask(name string, look func(Hazard) []Finding) []Finding {
	var found []Finding
	for _, h := range All {
		for _, f := range safely(h, look) {
			f.Guide = h.Guide
			found = append(found, f.Of(name, h.Name))
		}
	}
	return found
}
