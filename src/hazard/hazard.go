// Package hazard knows the ways in which an upgrade of Dokku loses something,
// a file each: which versions, what it will do to an app, what it has done, and
// what is done about it. To add one, write its file beside scale_lost.go, add it
// to All, and give it a scenario in tests/scenarios.
package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
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
)

// InNginx are the hazards whose repair must show in nginx's configuration.
var InNginx = []string{PortsLost, ProxyPortLost, DomainsLost, DomainsRewritten, CertificateLost}

// Nginx is what reports and journals call what is done about nginx. It is no
// hazard: it is looked at whenever the guard looks at all, and needs no record.
const Nginx = "nginx"

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
	// Reads are the parts of the state that it goes by. Where one of them is not
	// known, in the record or at present, it is not asked (notKnown). What goes by
	// single files needs none: Files.Get and Jump.Digest tell what is not known from
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
}

// All are the hazards the guard knows, in the order in which their steps are
// done.
var All = []Hazard{
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
	deployedFalse,
	globalDomain,
	reopened,
	domainsLost,
	domainsRewritten,
	portsLost,
	proxyPortLost,
	domainsGuessed,
	portsGuessed,
	bindAll,
	envFlags,
	envRewound,
	dockerOptionsMoved,
	dockerOptionsLeft,
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
	waypoints,
	drift,
}

// Jump is what all hazards look at: two Dokku versions, and the host's files.
type Jump struct {
	Paths host.Paths
	// From and To are the Dokku versions of the jump. Before it, the state is
	// From's; after it, it is To's, and From is "" when nothing of an upgrade is
	// known.
	From, To string
	// Record is where the state before the jump comes from, "" when there is
	// none, or when it is closed. Late tells that there can be none: the guard has
	// seen no upgrade yet, and came after the one that counts.
	Record string
	Late   bool
	// Fresh tells that Dokku's installation has run just now: only then can what it
	// has put somewhere be told from what a person has set since.
	Fresh bool
	// Files are the host's files at present. Old are those of the record, whole;
	// they are read when they are first asked for, and nil where there is no
	// record or it cannot be read.
	Files *app.Files
	Old   func() *app.Files
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
	Jump
	Now app.State
	// Before is the app as it was recorded before the jump; nil when it was
	// not, or when the record is closed.
	Before *app.State
	// NoDocker tells that nothing is known of running containers.
	NoDocker bool
}

// HostSubject is the host itself in a jump between versions.
type HostSubject struct {
	Jump
	Now    app.Host
	Before *app.Global
}

// Crosses tells whether the jump passes a version: it comes from below it and
// ends at it or above.
func (j Jump) Crosses(version string) bool {
	return j.From != "" && app.Before(j.From, version) && !app.Before(j.To, version)
}

// ofInstallation is a finding about a value that Dokku's installation has put where
// there was none. It is taken back while the installation is fresh; later it may be a
// person's (law 2), and is only told.
func (j Jump) ofInstallation(f Finding, command string) []Finding {
	if !j.Fresh {
		f.Step, f.Note, f.Command = nil, true, command
	}
	return []Finding{f}
}

// Digest is the digest of a file as the present state was read from it, "" for
// none.
func (j Jump) Digest(path string) string { return j.Files.DigestAt(j.Paths, path) }

// both shows two values that differ by their fingerprints, in brackets; nothing where
// they cannot be shown.
func (j Jump) both(was, now string) string {
	was, now = j.Shown(was), j.Shown(now)
	if was == "" || now == "" {
		return ""
	}
	return fmt.Sprintf(" (fingerprints %s, and now %s)", was, now)
}

// Finding is one thing that will be, or was, lost.
type Finding struct {
	// App is an app, or --global for what belongs to the host.
	App    string `json:"app"`
	Hazard string `json:"hazard"`
	Guide  string `json:"guide,omitempty"`
	// What is the evidence, Consequence what comes of it: a sentence each.
	What        string `json:"what"`
	Consequence string `json:"consequence,omitempty"`
	// Afterwards is what the guard does about it after the upgrade.
	Afterwards string `json:"afterwards,omitempty"`
	// Command is what a person types where the guard does nothing by itself.
	Command string `json:"command,omitempty"`
	// Note tells that it is only to be known; nothing is owed to the app.
	Note bool `json:"note,omitempty"`
	// Recorded tells that it was found with the record at hand: it is owed to the
	// app until it is mended.
	Recorded bool `json:"-"`
	// Step is what the guard does about it; nil when a person must.
	Step *plan.Step `json:"-"`
}

// leftAlone is the finding where its repair would make something reachable that was
// not: it is told, with what a person types who wants it so.
func (f Finding) leftAlone(why, command string) []Finding {
	f.Step, f.Note, f.Command = nil, true, command
	f.Consequence = fmt.Sprintf("It is not put back, so that nothing becomes reachable that was not: %s.", why)
	return []Finding{f}
}

// Foresee asks every hazard what the jump will do to an app.
func Foresee(s Subject) []Finding {
	return ask(s.Now.Name, func(h Hazard) []Finding { return call(h, h.Foresee, s) })
}

// Detect asks every hazard what has happened to an app.
func Detect(s Subject) []Finding {
	return ask(s.Now.Name, func(h Hazard) []Finding { return call(h, h.Detect, s) })
}

// ForeseeHost asks every hazard what the jump will do to the host itself.
func ForeseeHost(s HostSubject) []Finding {
	return ask(host.GlobalScope, func(h Hazard) []Finding { return call(h, h.ForeseeHost, s) })
}

// DetectHost asks every hazard what has happened to the host itself.
func DetectHost(s HostSubject) []Finding {
	return ask(host.GlobalScope, func(h Hazard) []Finding { return call(h, h.DetectHost, s) })
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
			found = []Finding{{What: fmt.Sprintf("this could not be looked at: %v", r), Consequence: "Please report it: a fault of upgrade-guard's.", Note: true}}
		}
	}()
	return look(h)
}

func ask(name string, look func(Hazard) []Finding) []Finding {
	var found []Finding
	for _, h := range All {
		for _, f := range safely(h, look) {
			f.App, f.Hazard, f.Guide = name, h.Name, h.Guide
			f.What, f.Consequence, f.Afterwards = told(f.What), told(f.Consequence), told(f.Afterwards)
			if len(f.Command) > maxTold {
				f.Command, f.Consequence = "", f.Consequence+" (The command for it is too long to be shown.)"
			}
			if f.Step != nil {
				f.Step.App, f.Step.Hazard, f.Step.Text = f.App, f.Hazard, told(f.Step.Text)
			}
			found = append(found, f)
		}
	}
	return found
}

// maxTold is as much as is told of one thing: an app may have ten thousand domains.
const maxTold = 4000

func told(text string) string {
	if len(text) <= maxTold {
		return text
	}
	return strings.ToValidUTF8(text[:maxTold], "") + " ..."
}
