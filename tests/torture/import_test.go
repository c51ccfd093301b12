package torture_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/tests/sandbox"
)

// exported is an export of a recorded host, with a repository.
func exported(t *testing.T) []byte {
	t.Helper()
	b := newBox(t, sandbox.Before)
	b.must("snapshot")
	dir := b.h.Paths().App("blog")
	script := `rm -rf "$1"; git init -q --bare "$1"
		tree=$(git --git-dir="$1" hash-object -w -t tree --stdin </dev/null)
		commit=$(git --git-dir="$1" -c user.name=x -c user.email=x@example.org commit-tree -m one $tree)
		git --git-dir="$1" update-ref refs/heads/master $commit`
	if out, err := exec.Command("sh", "-ec", script, "sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := b.command("export", "--with-git")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || !strings.Contains(said.String(), "the repository of 1") {
		t.Fatalf("%v: %s", err, &said)
	}
	return out
}

// receiving is a host on which a snapshot is about to come in.
func receiving(t *testing.T) *box {
	t.Helper()
	b := newBox(t, "issue7253-0.35.5-after")
	b.must("trigger", "install")
	_, b.in = stored(t, sandbox.Before)
	return b
}

// foreign are the snapshots from elsewhere, and what lies beside them.
func foreign(b *box) (names []string) {
	b.t.Helper()
	found, err := filepath.Glob(b.h.Paths().Data("snapshots", "*-manual--*"))
	if err != nil {
		b.t.Fatal(err)
	}
	more, err := filepath.Glob(b.h.Paths().Data("incoming"))
	if err != nil {
		b.t.Fatal(err)
	}
	return append(found, more...)
}

func nothingKept(t *testing.T, b *box, said string) {
	t.Helper()
	if kept := foreign(b); len(kept) > 0 {
		t.Errorf("kept is %v", kept)
	}
	if !strings.Contains(said, "othing of it is kept") && !strings.Contains(said, "cannot be made") && !strings.Contains(said, "incoming.lock") {
		t.Errorf("it says:\n%s", said)
	}
}

// The crafted archives come in from another host, each alone and as an export's: none that
// is refused is kept, and none of the others writes anything but itself.
func TestCraftedArchivesComeIn(t *testing.T) {
	template := newBox(t, "issue7253-0.35.5-after")
	template.must("trigger", "install")
	_, good := stored(t, sandbox.Before)
	var mu sync.Mutex
	slowest, largest := time.Duration(0), 0
	t.Cleanup(func() {
		t.Logf("%d archives, alone and as an export: the slowest %.1f s, the largest %d MiB", len(archives), slowest.Seconds(), largest>>10)
	})
	for _, c := range archives {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			a := open(t, good)
			c.craft(t, a)
			file := filepath.Join(t.TempDir(), "snapshot")
			a.write(t, file)
			alone, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range [][]byte{alone, wrapped(t, alone)} {
				b := template.copy(t)
				b.in = in
				before := b.tree("/reloads", ours)
				r := b.run("import")
				mu.Lock()
				slowest, largest = max(slowest, r.took), max(largest, r.rss)
				mu.Unlock()
				if r.took > 30*time.Second || r.rss > 512<<10 {
					t.Errorf("it took %s and %d MiB", r.took, r.rss>>10)
				}
				switch kept := foreign(b); {
				case c.becomes == refused && r.code != 1, c.becomes != refused && r.code != 0:
					t.Errorf("import ended with %d:\n%s", r.code, r.out)
				case c.becomes == refused:
					nothingKept(t, b, r.out)
				case len(kept) != 2: // and what lies beside it
					t.Errorf("kept is %v", kept)
				case (c.becomes == leftOut) != strings.Contains(r.out, "it is left out") && !strings.Contains(r.out, "more such paths"):
					t.Errorf("it says:\n%s", r.out)
				}
				if now := b.tree("/reloads", ours); !reflect.DeepEqual(before, now) {
					t.Error("something else was written")
				}
				if strings.ContainsAny(r.out, "\x1b") {
					t.Errorf("it says %q", r.out)
				}
			}
		})
	}
}

// wrapped is an export of a snapshot that somebody has made.
func wrapped(t *testing.T, packed []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	err := snapshot.Export(&out, snapshot.About{Host: "old.example.org", ID: "20200101T000000Z-0.35.5-manual"}, int64(len(packed)), func(w io.Writer) error {
		_, err := w.Write(packed)
		return err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// An export that was cut off is not kept, wherever it was.
func TestExportIsCut(t *testing.T) {
	whole := exported(t)
	random := rand.New(rand.NewPCG(7, 8))
	var lengths []int
	for range rounds(500) {
		lengths = append(lengths, random.IntN(len(whole)))
	}
	for n := max(0, len(whole)-3100); n < len(whole); n += 10 { // and all about its end
		lengths = append(lengths, n)
	}
	s := snapshot.New(newBox(t, sandbox.Before).h)
	for _, n := range lengths {
		if _, err := s.Receive(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("cut at %d of %d it is taken", n, len(whole))
		}
	}
	t.Logf("cut at %d of %d lengths: all found", len(lengths), len(whole))
	if _, err := s.Receive(bytes.NewReader(whole)); err != nil {
		t.Error(err)
	}
}

// Of an export in which a bit is another nothing else is kept than was sent.
func TestExportIsDamaged(t *testing.T) {
	whole := exported(t)
	random := rand.New(rand.NewPCG(9, 10))
	h := newBox(t, sandbox.Before).h
	s := snapshot.New(h)
	read := func() (got [][]byte) {
		for _, name := range []string{"snapshot.tar.gz", "beside/blog.bundle"} {
			b, err := os.ReadFile(h.Paths().Data("incoming", name))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b)
		}
		return got
	}
	first, err := s.Receive(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	want, found, same := read(), 0, 0
	for range rounds(1000) {
		broken := bytes.Clone(whole)
		at := random.IntN(len(broken))
		broken[at] ^= 1 << random.IntN(8)
		a, err := s.Receive(bytes.NewReader(broken))
		if err != nil {
			found++
			continue
		}
		same++
		if !reflect.DeepEqual(read(), want) || !reflect.DeepEqual(a.About, first.About) {
			t.Errorf("the bit at %d makes it another, and it is taken", at)
		}
	}
	t.Logf("%d found, %d changed nothing", found, same)
	if found < 200 { // tar fills up with noughts, that nobody reads
		t.Error("that is too few to be true")
	}
}

func TestImportIsKilled(t *testing.T) {
	template := receiving(t)
	template.in = exported(t)
	before := template.copy(t).dokkus()
	killed(t, template, rounds(40), []string{"import"}, func(t *testing.T, b *box) {
		b.whole()
		b.must("import")
		same(t, before, b.dokkus())
		if kept := foreign(b); len(kept) != 2 {
			t.Errorf("kept is %v", kept)
		}
		for _, e := range mustAll(t, b.h) {
			if e.From == "" {
				continue
			}
			if _, err := snapshot.New(b.h).Repository(e.ID, "blog"); err != nil {
				t.Error(err)
			}
		}
		b.must("snapshot")
		if left := b.leftovers(); len(left) > 0 || len(foreign(b)) != 2 {
			t.Errorf("left behind: %v, %v", left, foreign(b))
		}
	})
}

func mustAll(t *testing.T, h host.Host) []snapshot.Entry {
	t.Helper()
	list, err := snapshot.New(h).All()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// part is an entry of an export.
type part struct {
	head tar.Header
	data []byte
}

func partsOf(t *testing.T, export []byte) (list []part) {
	t.Helper()
	for tr := tar.NewReader(bytes.NewReader(export)); ; {
		head, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, part{*head, data})
	}
}

// together is an export of parts; its digests are made anew where they are the last.
func together(t *testing.T, parts []part, redigest bool) []byte {
	t.Helper()
	if last := &parts[len(parts)-1]; redigest && last.head.Name == "digests.json" {
		digests, whole := map[string]any{}, map[string][]byte{}
		for _, p := range parts[:len(parts)-1] {
			name := p.head.Name
			if i := strings.Index(name, ".bundle/"); i >= 0 {
				name = name[:i+len(".bundle")]
			}
			whole[name] = append(whole[name], p.data...)
		}
		for name, data := range whole {
			sum := sha256.Sum256(data)
			digests[name] = map[string]any{"size": len(data), "sha256": hex.EncodeToString(sum[:])}
		}
		var err error
		if last.data, err = json.Marshal(digests); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	for _, p := range parts {
		p.head.Size, p.head.Format = int64(len(p.data)), tar.FormatUnknown
		if p.head.Typeflag != tar.TypeReg {
			p.head.Size = 0
		}
		if err := tw.WriteHeader(&p.head); err != nil {
			t.Fatal(err)
		}
		if p.head.Size > 0 {
			if _, err := tw.Write(p.data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func named(name string, data string) part {
	return part{tar.Header{Name: name, Mode: 0o600, Typeflag: tar.TypeReg}, []byte(data)}
}

// saying is an export.json in which something else is said.
func saying(p []part, change func(about map[string]any)) []part {
	about := map[string]any{}
	_ = json.Unmarshal(p[0].data, &about)
	change(about)
	p[0].data, _ = json.Marshal(about)
	return p
}

// Exports that somebody has made around a good snapshot. The parts are export.json,
// snapshot.tar.gz, one piece of git/blog.bundle, digests.json.
func TestCraftedExports(t *testing.T) {
	good := exported(t)
	h := newBox(t, sandbox.Before).h
	s := snapshot.New(h)
	for _, c := range []struct {
		name  string
		taken bool
		craft func(p []part) []part
	}{
		{"nothing is odd", true, func(p []part) []part { return p }},
		{"a key of a later version", true, func(p []part) []part {
			return saying(p, func(a map[string]any) { a["later"] = 1 })
		}},
		{"a later format", false, func(p []part) []part {
			return saying(p, func(a map[string]any) { a["format"] = 2 })
		}},
		{"no format", false, func(p []part) []part {
			return saying(p, func(a map[string]any) { delete(a, "format") })
		}},
		{"an id that is none", true, func(p []part) []part {
			return saying(p, func(a map[string]any) { a["snapshot"] = "../../../outside" })
		}},
		{"a host that is a path", true, func(p []part) []part {
			return saying(p, func(a map[string]any) { a["host"] = "../../../\x1b[2J\n !     To do: x" })
		}},
		{"a host of a megabyte", false, func(p []part) []part {
			return saying(p, func(a map[string]any) { a["host"] = strings.Repeat("x", 1<<20) })
		}},
		{"a repository that is a path", false, func(p []part) []part {
			p[2].head.Name = "git/../../../outside.bundle/00000001"
			return saying(p, func(a map[string]any) { a["repositories"] = []string{"../../../outside"} })
		}},
		{"a repository that is hidden", false, func(p []part) []part {
			p[2].head.Name = "git/.ssh.bundle/00000001"
			return saying(p, func(a map[string]any) { a["repositories"] = []string{".ssh"} })
		}},
		{"a repository twice", false, func(p []part) []part {
			p = slices.Insert(p, 3, p[2])
			return saying(p, func(a map[string]any) { a["repositories"] = []string{"blog", "blog"} })
		}},
		{"a repository that is not named", false, func(p []part) []part {
			return saying(p, func(a map[string]any) { delete(a, "repositories") })
		}},
		{"a repository that is not there", false, func(p []part) []part {
			return saying(p, func(a map[string]any) { a["repositories"] = []string{"blog", "my_app"} })
		}},
		{"a repository that is none", false, func(p []part) []part {
			p[2].data = []byte("#!/bin/sh\n")
			return p
		}},
		{"a part of a repository", false, func(p []part) []part {
			p[2].data = bytes.Replace(p[2].data, []byte("\n"), []byte("\n-"+strings.Repeat("0", 40)+" \n"), 1)
			return p
		}},
		{"a piece that is small and not the last", false, func(p []part) []part {
			one, two := p[2], p[2]
			one.data, two.data = p[2].data[:100], p[2].data[100:]
			two.head.Name = "git/blog.bundle/00000002"
			return []part{p[0], p[1], one, two, p[3]}
		}},
		{"a piece of nothing", false, func(p []part) []part {
			p[2].data = nil
			return p
		}},
		{"a piece that is too large", false, func(p []part) []part {
			p[2].data = append(bytes.Clone(p[2].data), make([]byte, 5<<20)...)
			return p
		}},
		{"a piece with another number", false, func(p []part) []part {
			p[2].head.Name = "git/blog.bundle/00000002"
			return p
		}},
		{"a link", false, func(p []part) []part {
			p[2].head.Typeflag, p[2].head.Linkname = tar.TypeSymlink, "/outside"
			return p
		}},
		{"a snapshot that is a link", false, func(p []part) []part {
			p[1].head.Typeflag, p[1].head.Linkname = tar.TypeLink, "/outside"
			return p
		}},
		{"a header of more", false, func(p []part) []part {
			p[1].head.PAXRecords = map[string]string{"UPGRADE.guard": "x"}
			return p
		}},
		{"another order", false, func(p []part) []part { return []part{p[1], p[0], p[2], p[3]} }},
		{"no snapshot", false, func(p []part) []part { return []part{p[0], p[2], p[3]} }},
		{"two snapshots", false, func(p []part) []part { return []part{p[0], p[1], p[1], p[2], p[3]} }},
		{"no digests", false, func(p []part) []part { return p[:3] }},
		{"digests of nothing", false, func(p []part) []part { return append(p[:3:3], named("digests.json ", "{}")) }},
		{"more after them", false, func(p []part) []part { return append(p, named("more", "x")) }},
		{"nothing but what it says", false, func(p []part) []part { return p[:1] }},
		{"a tar of something else", false, func([]part) []part { return []part{named("passwd", "root::0:0")} }},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			export := together(t, c.craft(partsOf(t, good)), true)
			_, err := s.Receive(bytes.NewReader(export))
			if (err == nil) != c.taken {
				t.Errorf("taken: %v", err)
			}
			if err := s.Discard(); err != nil {
				t.Fatal(err)
			}
			outside, _ := filepath.Glob(filepath.Dir(h.Paths().Data()) + "/*/outside*")
			if len(outside) > 0 {
				t.Error(outside)
			}
		})
	}
	for name, in := range map[string][]byte{
		"digests that lie": together(t, func() []part {
			p := partsOf(t, good)
			p[2].data[len(p[2].data)-1] ^= 1
			return p
		}(), false),
		"bytes after the end": append(bytes.Clone(good), "more"...),
		"another after it":    append(bytes.Clone(good), good...),
		"noughts without end": append(bytes.Clone(good), make([]byte, 1<<20)...),
		"nothing":             {},
	} {
		if _, err := s.Receive(bytes.NewReader(in)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	// GNU tar fills up its last record.
	if _, err := s.Receive(bytes.NewReader(append(bytes.Clone(good), make([]byte, 8192)...))); err != nil {
		t.Error(fmt.Errorf("filled up: %w", err))
	}
}
