package nginx

import (
	"net/netip"
	"path"
	"strconv"
	"strings"

	"upgrade-guard/src/pattern"
)

// What the guard itself writes into a configuration. An app's developer sets port maps,
// domains, templates and snippets, and a word that is copied from them unchecked could
// end the directive that it is written into and begin another, for every app of the
// host. So there are no quotes: a word is written if it is of one of these kinds, and
// is not written otherwise.

// portNumber is a port, from 1 to 65535.
func portNumber(text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && n > 0
}

// ipAddress is an address. One with a zone is none: a zone may be any text.
func ipAddress(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a, err == nil && a.Zone() == ""
}

// firstAddress is the first that is one.
func firstAddress(texts []string) (netip.Addr, bool) {
	for _, text := range texts {
		if a, ok := ipAddress(text); ok {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// checked is what a server listens on, as a listen directive has it.
func (l Listen) checked() (string, bool) {
	port, ok := portNumber(l.Port)
	if !ok {
		return "", false
	}
	if l.Address == "" {
		return strconv.Itoa(int(port)), true
	}
	a, ok := ipAddress(l.Address)
	return netip.AddrPortFrom(a, port).String(), ok
}

// hostName tells whether a server_name is a name, or one with a * for its first or
// last part, or _. A pattern (~...) is none.
func hostName(text string) bool { return len(text) <= 253 && hostNames().MatchString(text) }

var hostNames = pattern.Of(`^((\*?\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.\*)$`)

// plainWord tells whether a name needs no quotes and means nothing to nginx.
func plainWord(text string) bool { return plainWords().MatchString(text) }

var plainWords = pattern.Of(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// plainPath tells whether a path is whole, and all its parts are plain words.
func plainPath(text string) bool {
	if !path.IsAbs(text) || path.Clean(text) != text {
		return false
	}
	for part := range strings.SplitSeq(text[1:], "/") {
		if !plainWord(part) {
			return false
		}
	}
	return true
}
