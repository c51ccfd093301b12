package packages

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// Ahead is what apt would do with the packages at present, were all of them upgraded: its
// own plan for that, by the lists of its last update. It is one for apt as it is set up:
// by other options, or other lists, it may do something else.
type Ahead struct {
	Changes map[string]Change // by package; nil where it is not known
	// Recommends are those of the docker.io that would be installed.
	Recommends []string
}

// AskAhead asks apt. Any user may, and nothing is locked, fetched or written.
func AskAhead(ctx context.Context, h host.Host) (Ahead, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := h.Run(ctx, "apt-get", "--simulate", "-qq", "dist-upgrade")
	if err != nil {
		return Ahead{}, err
	}
	a := Ahead{Changes: simulated(string(out))}
	if a.To("docker.io") != "" {
		if out, err = h.Run(ctx, "apt-cache", "show", "--no-all-versions", "docker.io"); err == nil {
			a.Recommends = recommended(string(out))
		}
	}
	return a, nil
}

// To is the version that the first of these packages would get which gets another, "" for
// none: the upstream's, without what the distribution adds to it.
func (a Ahead) To(names ...string) string {
	for _, name := range names {
		if c, ok := a.Changes[name]; ok && c.To != "" {
			return Upstream(c.To)
		}
	}
	return ""
}

// From is the version that the first of these packages has which would get another.
func (a Ahead) From(names ...string) string {
	for _, name := range names {
		if c, ok := a.Changes[name]; ok {
			return Upstream(c.From)
		}
	}
	return ""
}

// Removes tells whether a package would be removed.
func (a Ahead) Removes(name string) bool {
	c, ok := a.Changes[name]
	return ok && c.To == ""
}

var (
	simulatedLine = pattern.Of(`(?m)^(Inst|Remv) (\S+?)(?::\S+)?(?: \[(\S+)\])?(?: \((\S+) |$| )`)
	recommendLine = pattern.Of(`(?m)^Recommends: (.*)$`)
	upstream      = pattern.Of(`^(?:[0-9]+:)?([0-9]+(?:\.[0-9]+){0,2})`)
)

// simulated reads what apt-get --simulate prints: a line for each package.
func simulated(text string) map[string]Change {
	changes := map[string]Change{}
	for _, m := range simulatedLine().FindAllStringSubmatch(text, -1) {
		c := Change{Package: m[2], From: m[3]}
		if m[1] == "Inst" {
			c.To = m[4]
		}
		changes[c.Package] = c
	}
	return changes
}

// recommended are the packages that a record of apt-cache show recommends; of those that
// stand for one another the first.
func recommended(record string) []string {
	m := recommendLine().FindStringSubmatch(record)
	if m == nil {
		return nil
	}
	var names []string
	for _, word := range strings.Split(m[1], ",") {
		if f := strings.Fields(word); len(f) > 0 {
			names = append(names, f[0])
		}
	}
	return names
}

// Upstream is the version of what is packaged, three numbers of it at most:
// 5:26.1.4-1~debian.12~bookworm is 26.1.4, 20.10.24+dfsg1-1+deb12u1 is 20.10.24.
func Upstream(version string) string {
	if m := upstream().FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return ""
}

// Sorted are the changes in the order of their names.
func (a Ahead) Sorted() []Change {
	return slices.SortedFunc(maps.Values(a.Changes), func(x, y Change) int { return strings.Compare(x.Package, y.Package) })
}
