package snapshot

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"upgrade-guard/src/app"
)

// fit makes a snapshot one that can be read: within the bounds, and with no path that
// no snapshot holds. What does not fit is left out and named. Of apps it is the largest,
// so that whoever fills one fills no other's snapshot. It also returns the manifest as it
// is written, and how many bytes that takes.
func (m Manifest) fit() (_ Manifest, e encoding, bytes int, err error) {
	m.Incomplete = slices.Clone(m.Incomplete)
	leave := func(path, why string) { m.Incomplete = append(m.Incomplete, path+": "+why) }
	for i, f := range m.Files {
		if !app.Holds(f.Path) || i > 0 && f.Path == m.Files[i-1].Path || f.Size > mostOf(f.Path) {
			m.Files = m.holdable(leave)
			break
		}
	}
	size, e, err := m.size()
	if size.fits() || err != nil {
		return m, e, size.bytes, err
	}
	apps := m.sizes()
	largest := slices.Clone(m.Apps)
	slices.SortStableFunc(largest, func(a, b string) int { return cmp.Compare(apps[b].share(), apps[a].share()) })
	m.Host.Apps = maps.Clone(m.Host.Apps)
	gone := map[string]bool{}
	for _, name := range largest {
		if size.fits() {
			break
		}
		gone[name] = true
		// Its scale is not known, which is not the same as having none.
		why := "it is too large for a snapshot"
		m.Host.Apps[name] = app.State{Name: name, Dokku: m.Dokku, Scale: app.ScaleState{Unreadable: true}, Unreadable: []string{why}}
		leave("root/"+name+"/", why)
		// What is said of it takes room too: there may be thousands.
		size = size.minus(apps[name]).plus(extentOf(m.Host.Apps[name])).plus(extentOf(m.Incomplete[len(m.Incomplete)-1]))
	}
	m.Apps = slices.DeleteFunc(slices.Clone(m.Apps), func(name string) bool { return gone[name] })
	m.Files = slices.DeleteFunc(slices.Clone(m.Files), func(f app.File) bool { return gone[app.Scope(f.Path)] })
	if size, e, err = m.size(); err == nil && !size.fits() {
		err = errors.New("it is larger than any snapshot may be")
	}
	return m, e, size.bytes, err
}

// holdable are the files without those that no snapshot holds.
func (m Manifest) holdable(leave func(path, why string)) []app.File {
	last := ""
	return slices.DeleteFunc(slices.Clone(m.Files), func(f app.File) bool {
		again := f.Path == last
		last = f.Path
		switch {
		case !app.Holds(f.Path):
			leave(f.Path, "no snapshot holds a file there")
			return true
		case f.Size > mostOf(f.Path): // it has grown since it was looked at
			leave(f.Path, fmt.Sprintf("it has more than %d bytes", mostOf(f.Path)))
			return true
		}
		return again
	})
}

// extent is how much there is of what is bounded.
type extent struct{ bytes, objects, values, content, bare int }

func (e extent) fits() bool { return e.share() <= 1 }

// share is how much of the bounds it takes.
func (e extent) share() float64 {
	return max(float64(e.bytes)/maxManifest, float64(e.objects)/maxObjects, float64(e.values)/maxValues, float64(e.content)/maxContent,
		float64(e.bytes+e.content)/maxTogether, float64(e.bare)/maxBare)
}

func (e extent) minus(o extent) extent {
	return extent{e.bytes - o.bytes, e.objects - o.objects, e.values - o.values, e.content - o.content, e.bare - o.bare}
}

func (e extent) plus(o extent) extent {
	return extent{e.bytes + o.bytes, e.objects + o.objects, e.values + o.values, e.content + o.content, e.bare + o.bare}
}

// extentOf is the extent of a part of a manifest.
func extentOf(what any) extent {
	size := meter{unbounded: true}
	_ = json.NewEncoder(&size).Encode(what) // what cannot be written is told when all of it is
	return extent{bytes: size.bytes, objects: size.objects, values: size.values + 1}
}

// size is the extent of the whole.
func (m Manifest) size() (extent, encoding, error) {
	size, held := meter{unbounded: true, sum: sha256.New()}, sha256.New()
	manifest, err := m.encoding()
	if err == nil {
		_, _ = size.Write(bytes.TrimSuffix(manifest.head, []byte("}")))
		// Without what it is called, and when and why it was taken; with how it is written:
		// what is escaped in the one may stand in the other as it is.
		from, to := bytes.Index(manifest.head, []byte(`,"id":`)), bytes.Index(manifest.head, []byte(`,"dokku":`))
		_, _ = held.Write(manifest.head[:max(from, 0)])
		_, _ = held.Write(manifest.head[max(to, 0):])
		err = manifest.writeFiles(io.MultiWriter(&size, held))
	}
	manifest.sum, manifest.held = digest(size.sum.Sum(nil)), digest(held.Sum(nil))
	e := extent{bytes: size.bytes, objects: size.objects, values: size.values}
	for _, f := range m.Files {
		e = e.plus(stored(f))
	}
	return e, manifest, err
}

// stored is the extent of a file beside what the manifest says of it.
func stored(f app.File) extent {
	e := extent{content: f.Size}
	if isBare(f) {
		e.bare = 1
	}
	return e
}

// isBare tells of a link, and of what was not read.
func isBare(f app.File) bool { return f.SHA256 == "" && (f.Error != "" || f.Link != "") }

// sizes are the extents of the apps.
func (m Manifest) sizes() map[string]extent {
	apps := map[string]extent{}
	for name, s := range m.Host.Apps {
		apps[name] = extentOf(s)
	}
	for i := range m.Files {
		name := app.Scope(m.Files[i].Path)
		apps[name] = apps[name].plus(extentOf(&m.Files[i])).plus(stored(m.Files[i]))
	}
	return apps
}
