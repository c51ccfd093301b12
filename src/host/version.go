package host

import (
	"path/filepath"
	"strings"

	"upgrade-guard/src/pattern"
)

// DokkuVersion is the version of the Dokku that is on the disk, without a leading v:
// what the package has unpacked, whether or not its installation came to an end. It is
// "" when there is none.
//
// STABLE_VERSION is the release, VERSION what git describe said where it was built: the
// same, or the release with what follows it (0.38.27-5-gabcdef0) in a build from a
// branch. Such a package has a date before its STABLE_VERSION, and make install from a
// branch writes VERSION alone, beside the STABLE_VERSION of a package from before
// (docs/dokku-versions.md#the-version-on-the-disk). So of two that name different
// releases the one that was written later counts.
func DokkuVersion(h Host) string {
	stable, described := versionIn(h, "STABLE_VERSION"), versionIn(h, "VERSION")
	release, _, _ := strings.Cut(described, "-")
	switch {
	case described == "":
		return stable
	case stable == "", stable == release, strings.HasSuffix(stable, "-"+release), later(h, "VERSION", "STABLE_VERSION"):
		return described
	}
	return stable
}

// inVersion is what a version may not have: it stands in names of files, in lists of
// words and in what is printed. ~master (2026-11-23T01:37+00:00) is one of Dokku's own.
var inVersion = pattern.Of(`[^0-9A-Za-z.+]+`)

func versionIn(h Host, name string) string {
	b, err := h.ReadFile(filepath.Join(h.Paths().LibRoot, name))
	if err != nil || len(b) > 200 {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	v := strings.Trim(inVersion().ReplaceAllString(strings.TrimPrefix(line, "v"), "-"), "-")
	if len(v) >= 100 {
		return ""
	}
	return v
}

// later tells whether one of two files was written after the other.
func later(h Host, name, than string) bool {
	a, errA := h.Stat(filepath.Join(h.Paths().LibRoot, name))
	b, errB := h.Stat(filepath.Join(h.Paths().LibRoot, than))
	return errA == nil && errB == nil && a.ModTime().After(b.ModTime())
}
