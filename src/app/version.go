package app

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"

	"upgrade-guard/src/pattern"
)

// NewestKnown is the newest Dokku whose upgrade the guard was tried with, and up to
// which the readers of this package are known to be right.
const NewestKnown = "0.38.27"

// release is what a release of Dokku calls itself.
var release = pattern.Of(`^[0-9]+\.[0-9]+\.[0-9]+$`)

// Known tells whether this release of upgrade-guard knows a Dokku: a release that is
// no newer than the newest it was tried with. A build from a branch may keep anything
// anywhere, whatever release it goes back to.
func Known(version string) bool {
	return release().MatchString(version) && !Before(NewestKnown, version)
}

// WhyNotKnown says of a Dokku that this release does not know why it does not.
func WhyNotKnown(version string) string {
	if release().MatchString(version) {
		return fmt.Sprintf("Dokku %s is newer than this release of upgrade-guard knows (%s)", version, NewestKnown)
	}
	return fmt.Sprintf("Dokku %s is a build from a branch, and this release of upgrade-guard knows releases of Dokku up to %s", version, NewestKnown)
}

// Before tells whether a Dokku version is older than another. A build from a branch
// that names its release (0.38.27-5-gabcdef0: five commits after 0.38.27) counts as
// that release; one that names none is newer than everything.
func Before(version, than string) bool {
	v, t := asRelease(version), asRelease(than)
	switch {
	case !semver.IsValid(v):
		return false
	case !semver.IsValid(t):
		return than != ""
	}
	return semver.Compare(v, t) < 0
}

// asRelease is a version without what follows the release in it, which semver would
// take for what comes before the release.
func asRelease(version string) string {
	core, _, _ := strings.Cut(version, "-")
	return "v" + core
}

// ValidVersion tells whether text is a Dokku version like 0.35.5.
func ValidVersion(text string) bool {
	return semver.IsValid("v"+text) && strings.Count(text, ".") >= 2
}
