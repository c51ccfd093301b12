package snapshot

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/rawjson"
)

// The bounds of a snapshot are about eleven times what a host with a thousand apps has
// (50,000 files, a manifest of 9 MiB, 18 MiB in the files, 75 MiB unpacked), so that one of
// ten thousand has room, and hold for storing as for reading: what is stored can be read, and
// a file that somebody has made takes no more memory and time than a large host's.
const (
	maxManifest = 100 << 20
	maxDepth    = 32
	maxObjects  = 780_000 // a file is one, and an app's state some twenty
	maxBare     = 200_000 // of these links and files that were not read: each is named to its app
	maxValues   = 4_000_000
	maxApps     = 50_000
	maxContent  = 208 << 20 // of all files together
	maxTogether = 288 << 20 // with the manifest
	maxFact     = 32 << 20  // of what one command answered; of a file it is app.MaxFile
	maxNames    = 20        // refused paths that are named; the others are counted
)

// mostOf is how large a file may be.
func mostOf(path string) int {
	if strings.HasPrefix(path, "facts/") {
		return maxFact
	}
	return app.MaxFile
}

func tooMuch(what string, most int) error {
	return fmt.Errorf("it has more than %d %s, which no snapshot of ours has", most, what)
}

// meter measures JSON that is written to it, and ends the writing where it is out of
// bounds. It knows strings from the rest and no more, so it is linear and holds
// nothing.
type meter struct {
	unbounded              bool // it only measures
	bytes, objects, values int
	sum                    hash.Hash // of it all, where that is wanted
	// lost tells that a name was lost by who wrote it: see rawjson.
	lost bool

	depth            int
	inText, inEscape bool
	ofLost           int // how much of rawjson.Lost the last bytes are
}

func (m *meter) Write(p []byte) (int, error) {
	m.bytes += len(p)
	if m.sum != nil {
		m.sum.Write(p)
	}
	for i := 0; i < len(p); i++ {
		if m.inText {
			if i = m.text(p, i); i == len(p) {
				break
			}
		}
		switch p[i] {
		case '"':
			m.inText = !m.inText
		case '{':
			m.objects++
			m.depth++
		case '[':
			m.depth++
		case '}', ']':
			m.depth--
		case ',':
			m.values++
		}
		if m.depth > maxDepth && !m.unbounded {
			return 0, tooMuch("levels", maxDepth)
		}
	}
	switch {
	case m.unbounded:
	case m.bytes > maxManifest:
		return 0, tooMuch("bytes in its manifest", maxManifest)
	case m.objects > maxObjects:
		return 0, tooMuch("files and states", maxObjects)
	case m.values > maxValues:
		return 0, tooMuch("values", maxValues)
	}
	return len(p), nil
}

// text goes on from i to the quote at the end of a string, or to the end of p.
func (m *meter) text(p []byte, i int) int {
	for ; i < len(p); i++ {
		for !m.inEscape && m.ofLost == 0 && i < len(p)-1 && p[i] != '"' && p[i] != '\\' {
			i++ // what stands as it is, which is nearly all
		}
		c := p[i]
		switch {
		case m.inEscape:
			m.inEscape, m.ofLost = false, 0
			if c == 'u' {
				m.ofLost = 2
			}
		case c == '\\':
			m.inEscape = true
		case c == '"':
			m.ofLost = 0
			return i
		case m.ofLost > 0 && c == rawjson.Lost[m.ofLost]:
			if m.ofLost++; m.ofLost == len(rawjson.Lost) {
				m.lost, m.ofLost = true, 0
			}
		default:
			m.ofLost = 0
		}
	}
	return i
}

// bounded ends the reading of what unpacks to more than it may.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		// At its end there may still be the end.
		if n, err := b.r.Read(p[:min(1, len(p))]); n == 0 {
			return 0, err
		}
		return 0, errUnpacks
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

var errUnpacks = errors.New("it unpacks to more than its manifest says")
