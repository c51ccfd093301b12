package torture_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// archive is a snapshot in its parts, which a test may change before it is put together
// again.
type archive struct {
	manifest map[string]any
	files    []map[string]any // of the manifest
	entries  []entry
	raw      []byte                      // instead of the manifest
	last     func(tarball []byte) []byte // what is done to the tar
	endless  []byte                      // what stands before a gigabyte of noughts at its end
	sealed   func(gz []byte) []byte      // what is done to the gzip
}

type entry struct {
	head tar.Header
	data []byte
}

func open(t *testing.T, data []byte) *archive {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{}
	for tr := tar.NewReader(zr); ; {
		head, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return a
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if head.Name != "manifest.json" {
			a.entries = append(a.entries, entry{*head, content})
			continue
		}
		if err := json.Unmarshal(content, &a.manifest); err != nil {
			t.Fatal(err)
		}
		for _, f := range a.manifest["files"].([]any) {
			a.files = append(a.files, f.(map[string]any))
		}
		delete(a.manifest, "files")
	}
}

// add puts a file into the archive, as the snapshot itself would.
func (a *archive) add(path, content string) map[string]any {
	sum := sha256.Sum256([]byte(content))
	f := map[string]any{"path": path, "mode": 0o644, "size": len(content), "sha256": hex.EncodeToString(sum[:])}
	a.files = append(a.files, f)
	a.entries = append(a.entries, entry{tar.Header{Name: path, Mode: 0o600, Size: int64(len(content)), Typeflag: tar.TypeReg}, []byte(content)})
	return f
}

// entry is the last entry that was added.
func (a *archive) entry() *entry { return &a.entries[len(a.entries)-1] }

// json is the manifest.
func (a *archive) json(t *testing.T) []byte {
	t.Helper()
	if a.raw != nil {
		return a.raw
	}
	// In the order in which ours are: the format first, the files last.
	var out bytes.Buffer
	out.WriteString("{")
	keys := slices.SortedFunc(maps.Keys(a.manifest), func(x, y string) int {
		if x == "format" {
			return -1
		} else if y == "format" {
			return 1
		}
		return strings.Compare(x, y)
	})
	m := maps.Clone(a.manifest)
	m["files"] = a.files
	for i, k := range append(keys, "files") {
		v, err := json.Marshal(m[k])
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString(`"` + k + `":` + string(v))
	}
	out.WriteString("}\n")
	return out.Bytes()
}

func (a *archive) tar(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	a.writeTar(t, &out)
	if a.last != nil {
		return a.last(out.Bytes())
	}
	return out.Bytes()
}

func (a *archive) writeTar(t *testing.T, w io.Writer) {
	t.Helper()
	tw := tar.NewWriter(w)
	manifest := a.json(t)
	for _, e := range append([]entry{{tar.Header{Name: "manifest.json", Mode: 0o600, Size: int64(len(manifest)), Typeflag: tar.TypeReg}, manifest}}, a.entries...) {
		e.head.Format = tar.FormatUnknown
		if err := tw.WriteHeader(&e.head); err != nil {
			t.Fatalf("%q: %v", e.head.Name, err)
		}
		if _, err := tw.Write(e.data); err != nil {
			t.Fatalf("%q: %v", e.head.Name, err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
}

// write writes the archive to a file, the large ones in pieces.
func (a *archive) write(t *testing.T, name string) {
	t.Helper()
	if a.sealed != nil {
		if err := os.WriteFile(name, a.sealed(zip(t, a.tar(t))), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zw := gzip.NewWriter(f)
	if a.last == nil && a.endless == nil {
		a.writeTar(t, zw)
	} else if _, err := zw.Write(a.tar(t)); err != nil {
		t.Fatal(err)
	}
	for n := 0; a.endless != nil && n < 1024; n++ {
		if n == 0 {
			_, err = zw.Write(a.endless)
		}
		if _, more := zw.Write(make([]byte, 1<<20)); err != nil || more != nil {
			t.Fatal(err, more)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
}

func zip(t *testing.T, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	if _, err := zw.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// block is a tar header made by hand, with its checksum.
func block(name string, size string, flag byte) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000600\x000000000\x000000000\x00")
	copy(b[124:], size)
	copy(b[136:], "00000000000\x00        ")
	b[156] = flag
	copy(b[257:], "ustar\x0000")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	return b
}

// beforeEnd puts something before the end of a tar.
func beforeEnd(more []byte) func([]byte) []byte {
	return func(t []byte) []byte { return slices.Concat(t[:len(t)-1024], more, make([]byte, 1024)) }
}

// What is to become of an archive that somebody has made.
const (
	refused = "damaged"  // it is not used at all
	leftOut = "left out" // a path of it is refused and named; the rest is used
	taken   = "whole"
)

// archives are those, by what is odd about them.
var archives = []struct {
	name, becomes string
	craft         func(t *testing.T, a *archive)
}{
	{"nothing is odd", taken, func(*testing.T, *archive) {}},

	// Paths.
	{"a path with ..", leftOut, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/../../../outside", "x") }},
	{"a path that is ..", leftOut, func(_ *testing.T, a *archive) { a.add("root/my_app/..", "x") }},
	{"an absolute path", leftOut, func(_ *testing.T, a *archive) { a.add("/outside", "x") }},
	{"a path with two slashes", leftOut, func(_ *testing.T, a *archive) { a.add("root/my_app//nginx.conf.d/x", "x") }},
	{"a path with a dot", leftOut, func(_ *testing.T, a *archive) { a.add("root/my_app/./nginx.conf.d/x", "x") }},
	{"git's hooks", leftOut, func(_ *testing.T, a *archive) { a.add("root/my_app/hooks/pre-receive", "#!/bin/sh\n") }},
	{"git's hooks, by way of a snippet", leftOut, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/../hooks/pre-receive", "#!/bin/sh\n") }},
	{".ssh", leftOut, func(_ *testing.T, a *archive) { a.add("root/.ssh/authorized_keys", "key") }},
	{".dokkurc", leftOut, func(_ *testing.T, a *archive) { a.add("root/.dokkurc/x", "code") }},
	{"the plugins", leftOut, func(_ *testing.T, a *archive) { a.add("lib/plugins/enabled/x/install", "code") }},
	{"our own data directory", leftOut, func(_ *testing.T, a *archive) { a.add("lib/data/upgrade-guard/my_app/ledger.json", "x") }},
	{"what apps store", leftOut, func(_ *testing.T, a *archive) { a.add("lib/data/storage/my_app/db", "x") }},
	{"a checkout", leftOut, func(_ *testing.T, a *archive) { a.add("lib/data/git/my_app/.git/config", "x") }},
	{"another app's file", taken, func(_ *testing.T, a *archive) { a.add("root/blog/htpasswd", "x") }},
	{"a plugin's data of another app", taken, func(_ *testing.T, a *archive) { a.add("lib/data/plugin/blog/x", "x") }},
	{"a plugin's data of no app", taken, func(_ *testing.T, a *archive) { a.add("lib/data/traefik/my_app", "x") }},
	{"a program among an app's files", taken, func(_ *testing.T, a *archive) { a.add("root/my_app/maintenance/x", "x")["mode"] = 0o40000000 | 0o4777 }},
	{"storage entries that no mount names", taken, func(_ *testing.T, a *archive) {
		a.add("lib/data/storage-registry/entries/my-app.json", `{"name":"my-app","scheduler":"docker-local"}`)
		a.add("lib/data/storage-registry/entries/my_app/x.json", "x")
	}},
	{"a mount that names what is no entry", taken, func(_ *testing.T, a *archive) {
		a.add("lib/config/storage/my_app/mounts", `{"entry_name":"../../../../outside","container_path":"/x"}`+"\n")
		a.add("lib/data/storage-registry/entries/x.json", "{}")
	}},
	{"a certificate that is a link to what it is not", taken, func(_ *testing.T, a *archive) {
		a.add("facts/linked/my_app/server.crt", "x")
		a.add("facts/linked/my_app/server.key", "x")
	}},
	{"a property above all properties", leftOut, func(_ *testing.T, a *archive) { a.add("lib/config/nginx/my_app/../../../outside", "x") }},
	{"a namespace that is ..", leftOut, func(_ *testing.T, a *archive) { a.add("lib/config/../my_app/outside", "x") }},
	{"nowhere of ours", leftOut, func(_ *testing.T, a *archive) { a.add("etc/passwd", "x") }},
	{"a path that is longer than any", leftOut, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/"+strings.Repeat("x/", 3000)+"x", "x") }},
	{"what an escaped name hides", leftOut, func(_ *testing.T, a *archive) {
		a.manifest["escaped"] = true
		a.add("root/my_app/nginx.conf.d/../../outside", "x")["path"] = `root/my_app/nginx.conf.d/\x2e\x2e/\x2e\x2e/outside`
	}},
	{"a name with control characters", taken, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/\x1b[2J\n !     To do: x", "x") }},
	{"a name with a nought", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")["path"] = "root/my_app/nginx.conf.d/\x00x"
	}},
	{"a name that is not UTF-8", taken, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/caf\xe9", "x") }},
	{"a name that tar has otherwise", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")["path"] = "root/my_app/nginx.conf.d/y"
	}},
	{"a file twice", leftOut, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")
		a.add("root/my_app/nginx.conf.d/x", "y")
	}},
	{"a directory with a content", leftOut, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")["mode"] = 0o20000000000 | 0o755
	}},
	{"a link with a content", leftOut, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/x", "x")["link"] = "/outside" }},
	{"a link to outside", taken, func(_ *testing.T, a *archive) {
		a.files = append(a.files, map[string]any{"path": "root/my_app/nginx.conf.d", "mode": 1<<27 | 0o777, "link": "/outside"})
	}},
	{"programs", taken, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x.conf", "# x\n")["mode"] = 0o37777777 & 0o7777
	}},

	// Entries of tar.
	{"a symbolic link", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "")
		a.entry().head.Typeflag, a.entry().head.Linkname = tar.TypeSymlink, "/outside"
	}},
	{"a hard link", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "")
		a.entry().head.Typeflag, a.entry().head.Linkname = tar.TypeLink, "/outside"
	}},
	{"a device", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "")
		a.entry().head.Typeflag, a.entry().head.Devmajor, a.entry().head.Devminor = tar.TypeChar, 1, 5
	}},
	{"a pipe", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "")
		a.entry().head.Typeflag = tar.TypeFifo
	}},
	{"a directory", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x/", "")
		a.entry().head.Typeflag = tar.TypeDir
	}},
	{"a file that the manifest does not name", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")
		a.files = a.files[:len(a.files)-1]
	}},
	{"a file that is not there", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")
		a.entries = a.entries[:len(a.entries)-1]
	}},
	{"two files in the wrong order", refused, func(_ *testing.T, a *archive) { a.entries[0], a.entries[1] = a.entries[1], a.entries[0] }},
	{"a header for all that follow", refused, func(_ *testing.T, a *archive) {
		a.entries = slices.Insert(a.entries, 0, entry{tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "/outside"}}, nil})
	}},
	{"a sparse file of a terabyte", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "")
		a.entries = a.entries[:len(a.entries)-1]
		records := "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n" + "35 GNU.sparse.realsize=1099511627776\n"
		a.last = beforeEnd(slices.Concat(block("PaxHeaders.0/x", octal(len(records)), 'x'), pad(records), block("root/my_app/nginx.conf.d/x", octal(512), '0'), pad("0\n")))
	}},
	{"an old sparse file", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")
		a.entries = a.entries[:len(a.entries)-1]
		a.last = beforeEnd(slices.Concat(block("root/my_app/nginx.conf.d/x", octal(0), 'S')))
	}},
	{"GNU's long name", taken, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")
		a.entries = a.entries[:len(a.entries)-1]
		name := "root/my_app/nginx.conf.d/x\x00"
		a.last = beforeEnd(slices.Concat(block("././@LongLink", octal(len(name)), 'L'), pad(name), block("short", octal(1), '0'), pad("x")))
	}},
	{"a size that is none", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")
		a.entries = a.entries[:len(a.entries)-1]
		a.last = beforeEnd(block("root/my_app/nginx.conf.d/x", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", '0'))
	}},
	{"a checksum that is wrong", refused, func(_ *testing.T, a *archive) {
		b := block("root/my_app/nginx.conf.d/x", octal(1), '0')
		b[0] = 'R'
		a.last = beforeEnd(b)
	}},

	// Sizes and digests.
	{"a size that is too large", refused, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/x", "x")["size"] = 2 }},
	{"a size that is too small", refused, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/x", "xx")["size"] = 1 }},
	{"a size below nought", refused, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/x", "x")["size"] = -1 }},
	{"a size beyond all", refused, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/x", "x")["size"] = 1 << 62 }},
	{"another content", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "x")
		a.entry().data = []byte("y")
	}},
	{"a digest that is none", refused, func(_ *testing.T, a *archive) { a.add("root/my_app/nginx.conf.d/x", "x")["sha256"] = "x" }},
	{"a digest in capitals", refused, func(_ *testing.T, a *archive) {
		f := a.add("root/my_app/nginx.conf.d/x", "x")
		f["sha256"] = strings.ToUpper(f["sha256"].(string))
	}},

	// The manifest.
	{"two manifests", refused, func(t *testing.T, a *archive) {
		a.entries = slices.Insert(a.entries, 0, entry{tar.Header{Name: "manifest.json", Mode: 0o600, Size: 2, Typeflag: tar.TypeReg}, []byte("{}")})
	}},
	{"another manifest at the end", refused, func(t *testing.T, a *archive) {
		a.entries = append(a.entries, entry{tar.Header{Name: "manifest.json", Mode: 0o600, Size: 2, Typeflag: tar.TypeReg}, []byte("{}")})
	}},
	{"a key twice", refused, func(t *testing.T, a *archive) {
		a.raw = append(bytes.TrimRight(a.json(t), "}\n"), []byte(`,"files":[]}`)...)
	}},
	{"no manifest", refused, func(_ *testing.T, a *archive) {
		a.last = func(b []byte) []byte { return b[512+(len(a.raw)+511)/512*512:] }
		a.raw = []byte("{}")
	}},
	{"a manifest that is a link", refused, func(_ *testing.T, a *archive) {
		a.raw = []byte{}
		a.last = func(b []byte) []byte { return slices.Concat(block("manifest.json", octal(0), '2'), b[512:]) }
	}},
	{"a manifest that is none", refused, func(_ *testing.T, a *archive) { a.raw = []byte(`"x"`) }},
	{"a manifest of nothing", refused, func(_ *testing.T, a *archive) { a.raw = []byte("null") }},
	{"a manifest that goes on", refused, func(t *testing.T, a *archive) { a.raw = append(a.json(t), "{}"...) }},
	{"another format", refused, func(_ *testing.T, a *archive) { a.manifest["format"] = 2 }},
	{"no format", refused, func(_ *testing.T, a *archive) { delete(a.manifest, "format") }},
	{"files that are none", refused, func(t *testing.T, a *archive) {
		a.raw = bytes.Replace(a.json(t), []byte(`"files":[`), []byte(`"files":[[],"x",1,`), 1)
	}},
	{"keys of a later version", taken, func(_ *testing.T, a *archive) {
		a.manifest["later"], a.manifest["more"] = map[string]any{"x": []any{1, "y", nil, map[string]any{}}}, []int{}
		a.files[0]["later"] = "x"
	}},
	{"another id, and a time in the future", taken, func(_ *testing.T, a *archive) {
		a.manifest["id"], a.manifest["time"] = "live/../../../outside", "9999-12-31T23:59:59Z"
	}},
	{"a state that its files do not have", taken, func(_ *testing.T, a *archive) {
		a.manifest["host"].(map[string]any)["apps"].(map[string]any)["my_app"] = map[string]any{"name": "../outside", "scale": map[string]any{"property": map[string]any{"processes": []any{map[string]any{"type": "web", "quantity": 1000}}}}}
	}},

	// What is packed around it.
	{"bytes after the end", refused, func(_ *testing.T, a *archive) { a.sealed = func(b []byte) []byte { return append(b, "more"...) } }},
	{"two members", refused, func(t *testing.T, a *archive) {
		a.sealed = func([]byte) []byte {
			whole := a.tar(t)
			return append(zip(t, whole[:len(whole)/2]), zip(t, whole[len(whole)/2:])...)
		}
	}},
	{"another archive after it", refused, func(t *testing.T, a *archive) { a.sealed = func(b []byte) []byte { return append(b, b...) } }},
	{"bytes after tar's end", refused, func(_ *testing.T, a *archive) { a.last = func(b []byte) []byte { return append(b, "more"...) } }},
	{"tar's blocks filled up, as GNU tar does", taken, func(_ *testing.T, a *archive) {
		a.last = func(b []byte) []byte { return append(b, make([]byte, 8192)...) }
	}},
	{"no end", refused, func(_ *testing.T, a *archive) { a.last = func(b []byte) []byte { return b[:len(b)-1024-512] } }},
	{"a name and a comment in gzip's header", taken, func(t *testing.T, a *archive) {
		a.sealed = func([]byte) []byte {
			var out bytes.Buffer
			zw := gzip.NewWriter(&out)
			zw.Name, zw.Comment, zw.Extra = "../../outside", "x", []byte("y")
			_, _ = zw.Write(a.tar(t))
			zw.Close()
			return out.Bytes()
		}
	}},
	{"nothing", refused, func(_ *testing.T, a *archive) { a.sealed = func([]byte) []byte { return nil } }},
	{"nothing, packed", refused, func(t *testing.T, a *archive) { a.sealed = func([]byte) []byte { return zip(t, nil) } }},
	{"not packed", refused, func(t *testing.T, a *archive) { a.sealed = func([]byte) []byte { return a.tar(t) } }},
	{"text", refused, func(_ *testing.T, a *archive) {
		a.sealed = func([]byte) []byte { return []byte("#!/bin/sh\nrm -rf /\n") }
	}},

	// What unpacks to more than a machine has.
	{"a manifest of a gigabyte", refused, func(_ *testing.T, a *archive) {
		a.endless = block("manifest.json", octal(1<<30), '0')
		a.last = func([]byte) []byte { return nil }
	}},
	{"a manifest of 98 MiB of names", refused, func(_ *testing.T, a *archive) { a.raw = many(`{"format":1,"apps":[`, `"",`, 98<<20) }},
	{"a manifest of 98 MiB of apps", refused, func(_ *testing.T, a *archive) { a.raw = numbered(`{"format":1,"host":{"apps":{`, `:{},`, 98<<20) }},
	{"a manifest of 98 MiB of containers", refused, func(_ *testing.T, a *archive) {
		a.raw = many(`{"format":1,"host":{"apps":{"my_app":{"containers":[`, `{},`, 98<<20)
	}},
	{"a manifest of 98 MiB of variables", refused, func(_ *testing.T, a *archive) {
		a.raw = numbered(`{"format":1,"host":{"apps":{"my_app":{"env":{`, `:"",`, 98<<20)
	}},
	{"a manifest of 98 MiB of files", refused, func(_ *testing.T, a *archive) { a.raw = many(`{"format":1,"files":[`, `{},`, 98<<20) }},
	{"a manifest of 98 MiB of depth", refused, func(_ *testing.T, a *archive) { a.raw = many(`{"format":1,"x":`, `[`, 98<<20) }},
	{"a manifest of 98 MiB in one name", refused, func(_ *testing.T, a *archive) { a.raw = many(`{"format":1,"dokku":"`, `x`, 98<<20) }},
	{"a manifest of 98 MiB of a later version", refused, func(_ *testing.T, a *archive) { a.raw = many(`{"format":1,"x":[`, `1,`, 98<<20) }},
	{"a manifest of 98 MiB of paths to nowhere", refused, func(_ *testing.T, a *archive) { a.raw = many(`{"format":1,"files":[`, `{"path":"/"},`, 98<<20) }},
	{"half a million paths to nowhere", leftOut, func(t *testing.T, a *archive) {
		a.raw = bytes.Replace(a.json(t), []byte(`"files":[`), many(`"files":[`, `{"path":"/"},`, 500_000*13), 1)
	}},
	{"a file of a gigabyte", refused, func(_ *testing.T, a *archive) {
		a.add("root/my_app/nginx.conf.d/x", "")["size"] = 1 << 30
		a.entries = a.entries[:len(a.entries)-1]
		a.endless = block("root/my_app/nginx.conf.d/x", octal(1<<30), '0')
		a.last = func(b []byte) []byte { return b[:len(b)-1024] }
	}},
	{"a gigabyte in a thousand files", refused, func(_ *testing.T, a *archive) {
		content := strings.Repeat("x", 1<<20)
		for n := range 1000 {
			a.add("root/my_app/nginx.conf.d/"+octal(n)[:11], content)
		}
	}},
	{"a gigabyte after the end", refused, func(_ *testing.T, a *archive) { a.endless = []byte{} }},
	{"a hundred thousand headers for one file", refused, func(_ *testing.T, a *archive) {
		header := slices.Concat(block("x", octal(512), 'x'), pad("512 comment="+strings.Repeat("x", 499)+"\n"))
		a.add("root/my_app/nginx.conf.d/x", "x")
		a.entries = a.entries[:len(a.entries)-1]
		a.last = beforeEnd(append(bytes.Repeat(header, 100_000), slices.Concat(block("root/my_app/nginx.conf.d/x", octal(1), '0'), pad("x"))...))
	}},
	{"as much as there may be", taken, func(_ *testing.T, a *archive) {
		content := strings.Repeat("x", 1<<20)
		for n := range 206 {
			a.add("root/my_app/nginx.conf.d/"+octal(n)[:11], content)
		}
	}},
	{"as many files as there may be that were not read", taken, func(t *testing.T, a *archive) {
		a.raw = bytes.Replace(a.json(t), []byte(`"files":[`), []byte(`"files":[`+notRead(190_000)), 1)
	}},
	{"more files that were not read", refused, func(t *testing.T, a *archive) {
		a.raw = bytes.Replace(a.json(t), []byte(`"files":[`), []byte(`"files":[`+notRead(700_000)), 1)
	}},
}

// notRead are so many entries of files of an app that could not be read.
func notRead(files int) string {
	var b strings.Builder
	for n := range files {
		fmt.Fprintf(&b, `{"path":"root/my_app/nginx.conf.d/a-snippet-with-a-name-that-is-rather-long-as-names-go-%d.conf","error":"e"},`, n)
	}
	return b.String()
}

func octal(n int) string {
	s := ""
	for range 11 {
		s, n = string(rune('0'+n&7))+s, n>>3
	}
	return s + "\x00"
}

func pad(s string) []byte { return append([]byte(s), make([]byte, (512-len(s)%512)%512)...) }

func many(head, what string, size int) []byte {
	return append([]byte(head), bytes.Repeat([]byte(what), size/len(what))...)
}

// numbered is many with a key before each.
func numbered(head, what string, size int) []byte {
	out := append(make([]byte, 0, size+64), head...)
	for n := 0; len(out) < size; n++ {
		out = append(append(append(out, '"'), octal(n)[:11]...), `"`+what...)
	}
	return out
}

// Archives that somebody has made: none writes where no restore may, none takes the machine
// with it, and --verify says of each exactly what restore says.
func TestCraftedArchives(t *testing.T) {
	const id = "20200101T000000Z-0.35.5-manual"
	template := newBox(t, "issue7253-0.35.5-after")
	template.put(template.h.Paths().Property("ps", "my_app", "scale"), "web=2\nworker=1\n")
	template.must("trigger", "install")
	template.must("apply")
	// Git's hooks, and what stands where the archives would like to write.
	template.put(template.h.Paths().App("my_app")+"/hooks/pre-receive", "ours")
	template.put(template.h.Paths().DokkuRoot+"/.ssh/authorized_keys", "ours")
	good, err := os.ReadFile(template.h.Paths().Data("snapshots", template.whole()[0]+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	slowest, largest, of, large := time.Duration(0), 0, "", ""
	t.Cleanup(func() {
		t.Logf("%d archives: nothing outside, the slowest %.1f s (%s), the largest %d MiB (%s)", len(archives), slowest.Seconds(), of, largest>>10, large)
	})
	for _, c := range archives {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			b := template.copy(t)
			a := open(t, good)
			c.craft(t, a)
			file := b.h.Paths().Data("snapshots", id+".tar.gz")
			a.write(t, file)
			before := b.tree("/reloads") // the sandbox's nginx

			verified := b.run("snapshots", "--verify")
			restored := b.run("restore", "my_app", "--snapshot", id)
			if restored.rss > 64<<10 {
				t.Logf("%s: --verify %.1f s and %d MiB, restore %.1f s and %d MiB", c.becomes, verified.took.Seconds(), verified.rss>>10, restored.took.Seconds(), restored.rss>>10)
			}
			mu.Lock()
			for _, r := range []ran{verified, restored} {
				if r.took > slowest {
					slowest, of = r.took, c.name
				}
				if r.rss > largest {
					largest, large = r.rss, c.name
				}
				if r.took > 30*time.Second || r.rss > 512<<10 {
					t.Errorf("it took %s and %d MiB", r.took, r.rss>>10)
				}
			}
			mu.Unlock()
			state := regexp.MustCompile(id + ` .*(whole|damaged)`).FindStringSubmatch(verified.out)
			if want := map[string]string{refused: "damaged", leftOut: "whole", taken: "whole"}[c.becomes]; len(state) < 2 || state[1] != want {
				t.Errorf("--verify says:\n%s", verified.out)
			}
			if (restored.code == 0) != (c.becomes != refused) || strings.Contains(verified.out, "no snapshot of ours holds") && c.becomes != leftOut {
				t.Errorf("restore ended with %d:\n%s", restored.code, restored.out)
			}
			// Both say of the snapshot the same.
			said := func(out string) (lines []string) {
				for _, l := range strings.Split(out, "\n") {
					if l = strings.TrimPrefix(l, " !     "); strings.HasPrefix(strings.ToLower(l), "the snapshot ") && !strings.Contains(l, "left as it is") { // that is restore's alone
						lines = append(lines, l)
					}
				}
				return lines
			}
			if one, other := said(verified.out), said(restored.out); !slices.Equal(one, other) || len(one) == 0 && c.becomes != taken {
				t.Errorf("--verify says %q, and restore %q", one, other)
			}
			// Nothing is written where no restore may write.
			now := b.tree("/reloads")
			for path := range now {
				mine := strings.HasPrefix(path, "/home/dokku/my_app/") && !strings.HasPrefix(path, "/home/dokku/my_app/hooks") ||
					regexp.MustCompile(`^/var/lib/dokku/(config|data)/[^/]+/(app-)?my_app(/|$)`).MatchString(path) || strings.HasPrefix(path, ours)
				if now[path] != before[path] && !(mine && (c.becomes != refused || strings.HasPrefix(path, ours))) {
					t.Errorf("%s was written: %.100q, %.100q", path, before[path], now[path])
				}
				if strings.HasSuffix(path, "/.deploy.lock") {
					t.Errorf("the app is locked")
				}
				if (strings.HasPrefix(path, "/home/dokku/my_app/nginx.conf.d/") || strings.HasPrefix(path, "/home/dokku/my_app/maintenance/")) && strings.Contains(now[path][:10], "x") {
					t.Errorf("%s is a program: %.20q", path, now[path])
				}
			}
			for path := range before {
				if _, there := now[path]; !there {
					t.Errorf("%s is gone", path)
				}
			}
		})
	}
}
