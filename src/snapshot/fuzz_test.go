package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/rawjson"
)

// small is a snapshot of two files and a link, as its manifest, and the tar without it.
func small(t testing.TB, name string) (manifest, rest []byte) {
	t.Helper()
	list := []app.File{
		{Path: "facts/docker", Mode: 0o600, Error: "docker is down"},
		{Path: "root/shop", Mode: fs.ModeDir | 0o755},
		{Path: "root/shop/VHOST", Mode: 0o644, Data: []byte("x\n"), Size: 2, SHA256: app.Digest([]byte("x\n"))},
		{Path: "root/shop/refs/heads/" + name, Mode: 0o644, SHA256: app.Digest(nil)},
		{Path: "root/shop/tls", Mode: fs.ModeSymlink | 0o777, Link: name},
	}
	files := app.NewFiles("0.35.5", []string{"shop"}, nil, list)
	m := Manifest{Format: format, ID: "x", Time: time.Unix(0, 0).UTC(), Reason: Manual, Dokku: "0.35.5", Apps: files.Apps, Host: app.Read(files), Files: files.All()}
	m, e, size, err := m.fit()
	if err != nil {
		t.Fatal(err)
	}
	var out, whole bytes.Buffer
	if err := m.archive(&out, e, size); err != nil {
		t.Fatal(err)
	}
	zr, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := whole.ReadFrom(zr); err != nil {
		t.Fatal(err)
	}
	return whole.Bytes()[512 : 512+size], whole.Bytes()[512+(size+511)/512*512:]
}

// Whatever a manifest says: it is refused, or what it says can be written and read again.
func FuzzManifest(f *testing.F) {
	for _, name := range []string{"master", "caf\xe9"} {
		manifest, _ := small(f, name)
		f.Add(manifest)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var size meter
		m, files, err := decode(bytes.NewReader(text), parts{states: true, files: true})
		if _, bad := size.Write(text); err != nil || bad != nil {
			return
		}
		unescape := func(m *Manifest, files []promised) {
			if m.Escaped {
				rawjson.Unescape(m)
				for i := range files {
					files[i].path = rawjson.UnescapeString(files[i].path)
				}
			}
			m.Escaped = false
		}
		unescape(&m, files)
		written := m
		for _, p := range files {
			written.Files = append(written.Files, app.File{Path: p.path, Mode: p.mode, Size: p.size, SHA256: hex.EncodeToString(p.sum[:])})
		}
		e, err := written.encoding()
		if err != nil {
			return // a year that JSON does not take
		}
		var again bytes.Buffer
		if err := e.write(&again); err != nil {
			t.Fatal(err)
		}
		back, filesBack, err := decode(bytes.NewReader(again.Bytes()), parts{states: true, files: true})
		if err != nil {
			t.Fatalf("%v: %s", err, &again)
		}
		unescape(&back, filesBack)
		for i := range files { // what was odd of them is not written
			files[i].odd, filesBack[i].odd = false, false
		}
		head, _ := m.encoding()
		if plain, err := json.Marshal(m); err == nil && !bytes.HasPrefix(head.head, []byte(`{"format":1,"escaped"`)) && !bytes.Equal(head.head, plain) {
			t.Errorf("%s\nis not what JSON is:\n%s", head.head, plain)
		}
		headBack, err := back.encoding()
		if err != nil || !bytes.Equal(head.head, headBack.head) || !slices.Equal(files, filesBack) || len(m.Files) != len(back.Files) {
			t.Errorf("%v: %s\ncame back as\n%s", err, head.head, headBack.head)
		}
	})
}

// Whatever stands in an archive: it is refused, or each of its files is one that a
// snapshot may hold, once, and with the content that its digest names.
func FuzzArchive(f *testing.F) {
	for _, name := range []string{"master", "caf\xe9"} {
		manifest, rest := small(f, name)
		f.Add(manifest, rest)
	}
	f.Fuzz(func(t *testing.T, manifest, rest []byte) {
		var out bytes.Buffer
		zw, _ := gzip.NewWriterLevel(&out, gzip.NoCompression)
		tw := tar.NewWriter(zw)
		if err := tw.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(manifest))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(manifest); err != nil {
			t.Fatal(err)
		}
		if err := tw.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := zw.Write(rest); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
		m, err := read(&out, func(string) bool { return true })
		if err != nil {
			return
		}
		last := ""
		for _, file := range m.Files {
			switch {
			case !app.Holds(file.Path), file.Path <= last, strings.Contains("/"+file.Path+"/", "/../"):
				t.Errorf("it has %q after %q", file.Path, last)
			case file.SHA256 != "" && (app.Digest(file.Data) != file.SHA256 || len(file.Data) != file.Size || file.Link != "" || file.Error != "" || !file.Mode.IsRegular()):
				t.Errorf("%q is not what it says: %+v", file.Path, file)
			}
			last = file.Path
		}
		if len(m.Refused) > maxNames+1 {
			t.Errorf("it names %d paths", len(m.Refused))
		}
	})
}
