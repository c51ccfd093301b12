package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// newHost is a host without a Dokku.
func newHost(t testing.TB) *host.Local {
	dir := t.TempDir()
	return host.NewLocal(host.Paths{DokkuRoot: dir + "/home/dokku", LibRoot: dir + "/var/lib/dokku"})
}

func put(t testing.TB, h host.Host, name, content string) {
	t.Helper()
	if err := h.Write(name, 0o600, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

// names are what somebody may call a branch, a file, an app, a namespace or a property.
var names = []string{
	"master", "hooks", "feature/hooks", "x/hooks/y", "caf\xe9", "\xff", "a\xe9b\xfe", "line\nfeed", "tab\tbed", `back\slash`, `caf\xe9`, "\xe9\\",
	"a b", "-rf", "--global", "$(id)", "a'b\"c", "\x1b[31m", "émigré", "\ufffd", "\u2028", "<&>", "...", "a..b", ".ssh", "index.html~", strings.Repeat("x", 200),
	strings.Repeat("\xe9", 200), "100%", "*", "?", "[a]", "~", "manifest.json", "PaxHeaders.0", "\u202egpj.exe", "con", "HEAD.lock", "\x01\x02\x7f", "b@{", "ENV",
}

// A branch called hooks or feature/hooks, a branch or a file in Latin-1, a name with a
// line feed, and an app, a namespace or a property called hooks: each of these ordinary
// names made every snapshot of the host unusable.
func TestAnyNameIsStoredAndReadBack(t *testing.T) {
	h := newHost(t)
	root, lib := h.Paths().DokkuRoot, h.Paths().LibRoot
	put(t, h, lib+"/STABLE_VERSION", "0.35.5")
	for _, name := range names {
		put(t, h, root+"/shop/refs/heads/"+name, "1e3140184d7fd5de1577b60155b58d55ab073230\n")
		put(t, h, root+"/shop/refs/tags/"+name, "1e3140184d7fd5de1577b60155b58d55ab073230\n")
		if err := h.Link(name, root+"/shop/refs/l/"+name); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "/") {
			continue
		}
		put(t, h, root+"/shop/f-"+name, "a file\n")
		put(t, h, root+"/shop/nginx.conf.d/"+name, "a snippet\n")
		put(t, h, lib+"/config/nginx/shop/"+name, "a value")
		put(t, h, lib+"/config/"+name+"/shop/setting", "a value")
		if name[0] != '.' {
			put(t, h, root+"/"+name+"/ENV", "export A=\"1\"\n")
			put(t, h, root+"/"+name+"/refs/heads/master", "1e3140184d7fd5de1577b60155b58d55ab073230\n")
			put(t, h, lib+"/config/ps/"+name+"/scale", "web=1\n")
		}
	}
	put(t, h, root+"/shop/HEAD", "ref: refs/heads/caf\xe9\n")
	put(t, h, root+"/shop/hooks/pre-receive", "code")
	put(t, h, root+"/VHOST", "caf\xe9.example.org\n")
	files, err := app.Capture(context.Background(), h, app.What{NoCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	if missing := files.Incomplete(); len(missing) > 0 {
		t.Fatalf("incomplete: %q", missing)
	}
	s := New(h)
	m, err := s.Save(files, Manual)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SaveLive(files, "caf\xe9"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{m.ID, "live/caf\xe9"} {
		back, err := s.Files(id)
		if err != nil {
			t.Fatal(err)
		}
		if len(back.Refused) > 0 {
			t.Errorf("refused: %q", back.Refused)
		}
		if diff := cmp.Diff(files.All(), back.All(), cmpopts.IgnoreUnexported(app.File{})); diff != "" {
			t.Errorf("the files of %s came back otherwise:\n%s", id, diff)
		}
		if diff := cmp.Diff(files.Apps, back.Apps); diff != "" {
			t.Error(diff)
		}
		read, err := s.Manifest(id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(app.Read(files), read.Host); diff != "" {
			t.Errorf("the state in %s came back otherwise:\n%s", id, diff)
		}
	}
	if b, err := s.File(m.ID, "root/shop/refs/heads/feature/hooks"); err != nil || !strings.HasPrefix(string(b), "1e31") {
		t.Errorf("the branch feature/hooks is %q, %v", b, err)
	}
	t.Logf("%d names, %d files: all as they were", len(names), len(files.All()))
}

// A snapshot that 939a39f took of a host with such names, and refused ever after, is
// read again: the manifest has lost the names in Latin-1, and tar has not.
func TestOlderSnapshotsAreReadAgain(t *testing.T) {
	h := newHost(t)
	const id = "20261128T104754Z-0.35.5-manual"
	b, err := os.ReadFile("testdata/" + id + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	put(t, h, h.Paths().Data("snapshots", id+".tar.gz"), string(b))
	s := New(h)
	files, err := s.Files(id)
	if err != nil {
		t.Fatal(err)
	}
	if len(files.Refused) > 0 || strings.Join(files.Apps, " ") != "hooks shop" {
		t.Errorf("it has %v, and %q was refused", files.Apps, files.Refused)
	}
	m, err := s.Manifest(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"master", "hooks", "feature/hooks", "caf\xe9", "line\nfeed", "x/hooks/y"} {
		for _, of := range []string{"shop", "hooks"} {
			if text, ok := files.Text("root/" + of + "/refs/heads/" + name); !ok || !strings.HasPrefix(text, "1e31") {
				t.Errorf("the branch %q of %s is not there", name, of)
			}
			if m.Host.Apps[of].Git.Refs["refs/heads/"+name] == "" {
				t.Errorf("the state of %s does not know the branch %q", of, name)
			}
		}
	}
	if crontab := m.Host.Global.Crontab; len(crontab) != 2 || crontab[1] != "0 1 * * * /usr/bin/caf\xe9" {
		t.Errorf("the crontab is %q", crontab)
	}
	if scale := m.Host.Apps["shop"].EffectiveScale().String(); scale != "web=1" {
		t.Errorf("the scale is %q", scale)
	}
}

// The version of a Dokku that was built from a branch is in the name of the file.
func TestAnyVersionIsListed(t *testing.T) {
	h := newHost(t)
	s := New(h)
	for _, version := range []string{"0.35.5", "0.35.5-12-gabc", "my_branch", "a/b c\n", ""} {
		if _, err := s.Save(app.NewFiles(version, nil, nil, nil), Manual); err != nil {
			t.Errorf("%q: %v", version, err)
		}
	}
	if list, err := s.List(); err != nil || len(list) != 5 {
		t.Errorf("it lists %v, %v", list, err)
	}
}

// An empty file whose name begins with 9999 made every later snapshot fail, and apt was
// refused.
func TestADateFromTheFutureCountsForNothing(t *testing.T) {
	h := newHost(t)
	s := New(h)
	files := app.NewFiles("0.35.5", nil, nil, nil)
	first, err := s.Save(files, Manual)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(s.path(first.ID))
	if err != nil {
		t.Fatal(err)
	}
	empty, good := "99991231T235959Z-0.35.5-manual", "20990101T000000Z-0.35.5-pre-upgrade"
	put(t, h, s.path(empty), "")
	put(t, h, s.path(good), string(whole))
	soon := h.Now().Add(23*time.Hour).Format(TimeLayout) + "-0.35.5-manual"
	put(t, h, s.path(soon), string(whole))
	var taken []string
	for range 3 {
		m, err := s.Save(files, PreUpgrade)
		if err != nil {
			t.Fatal(err)
		}
		taken = append([]string{m.ID}, taken...)
	}
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var ids, future []string
	for _, e := range list {
		ids = append(ids, e.ID)
		if e.Future {
			future = append(future, e.ID)
		}
	}
	// What is dated a little ahead is the newest: a clock that has gone back by less than
	// a day is no reason for the wrong order.
	if diff := cmp.Diff(append(taken, soon, first.ID, empty, good), ids); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{empty, good}, future); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Manifest(good); err != nil {
		t.Errorf("its content is as good as any: %v", err)
	}
	// Retention neither counts nor removes them.
	if err := s.Prune(1, nil); err != nil {
		t.Fatal(err)
	}
	if list, _ := s.List(); len(list) != 5 || list[0].ID != ids[0] {
		t.Errorf("left are %v", list)
	}
}

// A pipe in the place of a snapshot was waited for without end.
func TestOnlyFilesAreSnapshots(t *testing.T) {
	h := newHost(t)
	s := New(h)
	if _, err := s.Save(app.NewFiles("0.35.5", nil, nil, nil), Manual); err != nil {
		t.Fatal(err)
	}
	dir := h.Paths().Data("snapshots")
	ids := map[string]func(name string) error{
		"20260101T000000Z-0.35.5-pipe":      func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"20260101T000000Z-0.35.5-directory": func(name string) error { return os.MkdirAll(name+"/x", 0o700) },
		"20260101T000000Z-0.35.5-loop":      func(name string) error { return os.Symlink(name, name) },
		"20260101T000000Z-0.35.5-nowhere":   func(name string) error { return os.Symlink("/does/not/exist", name) },
		"20260101T000000Z-0.35.5-device":    func(name string) error { return os.Symlink("/dev/zero", name) },
		"20260101T000000Z-0.35.5-socket": func(name string) error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			return syscall.Bind(fd, &syscall.SockaddrUnix{Name: name})
		},
	}
	for id, make := range ids {
		name := filepath.Join(dir, id+".tar.gz")
		if strings.Contains(id, "socket") { // the kernel takes no longer name for one
			t.Chdir(dir)
			name = id + ".tar.gz"
		}
		if err := make(name); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	for id := range ids {
		for what, open := range map[string]func(string) error{
			"manifest": func(id string) error { _, err := s.Manifest(id); return err },
			"files":    func(id string) error { _, err := s.Files(id); return err },
			"file":     func(id string) error { _, err := s.File(id, "root/ENV"); return err },
		} {
			if err := open(id); err == nil || !strings.Contains(err.Error(), id) {
				t.Errorf("%s of %s: %v", what, id, err)
			}
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if list, err := s.List(); err != nil || len(list) != len(ids)+1 {
		t.Errorf("it lists %d, %v", len(list), err)
	}
	// And they keep retention from nothing but themselves.
	for range 3 {
		if _, err := s.Save(app.NewFiles("0.35.5", nil, nil, nil), PreUpgrade); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Prune(1, nil); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("of the directory it says %v", err)
	}
	list, _ := s.List()
	if len(list) != 3 { // the newest automatic one, the manual one, the directory
		t.Errorf("left are %v", list)
	}
}

// A snapshot whose writing was killed left half a file for ever, and where nobody deployed
// that app again, each other snapshot left it there.
func TestHalfASnapshotIsSweptAway(t *testing.T) {
	for what, save := range map[string]func(s *Store) error{
		"a snapshot": func(s *Store) error {
			_, err := s.Save(app.NewFiles("0.35.5", nil, nil, nil), Manual)
			return err
		},
		"a live snapshot": func(s *Store) error {
			return s.SaveLive(app.NewFiles("0.35.5", nil, nil, nil), "blog")
		},
	} {
		h := newHost(t)
		for _, name := range []string{"snapshots/.20260101T000000Z-0.35.5-manual.tar.gz123456", "live/.shop.tar.gz42"} {
			put(t, h, h.Paths().Data(name), "half")
		}
		if err := save(New(h)); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"snapshots", "live"} {
			entries, err := os.ReadDir(h.Paths().Data(dir))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if leftover().MatchString(e.Name()) {
					t.Errorf("%s leaves %s", what, e.Name())
				}
			}
		}
	}
}

// Whoever fills one app fills no other's snapshot: an app that is too large is left out
// and named.
func TestTheLargestAppIsLeftOut(t *testing.T) {
	var list []app.File
	names := []string{"blog", "huge", "shop"}
	for _, name := range names {
		list = append(list, app.File{Path: "root/" + name + "/VHOST", Mode: 0o644, Data: []byte("x\n"), Size: 2, SHA256: app.Digest([]byte("x\n"))})
	}
	for n := range maxObjects {
		list = append(list, app.File{Path: fmt.Sprintf("root/huge/refs/heads/%d", n), Mode: fs.ModeSymlink | 0o777, Link: "x"})
	}
	files := app.NewFiles("0.35.5", names, nil, list)
	s := New(newHost(t))
	m, err := s.Save(files, Manual)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"root/huge/: it is too large for a snapshot"}, m.Incomplete); diff != "" {
		t.Error(diff)
	}
	back, err := s.Manifest(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"blog", "shop"}, back.Apps); diff != "" {
		t.Error(diff)
	}
	if !back.Host.Apps["huge"].Scale.Unreadable || back.Host.Apps["blog"].Scale.Unreadable || !slices.Equal(back.Incomplete, m.Incomplete) {
		t.Errorf("its states are %+v, and missing are %v", back.Host.Apps, back.Incomplete)
	}
}

// A host of so many apps that no snapshot holds them all has one of most of them: what is said
// of those that are left out takes room too.
func TestAHostThatIsTooLargeHasASnapshot(t *testing.T) {
	var list []app.File
	var names []string
	const apps, each = 12_000, maxObjects / 11_000
	for i := range apps {
		name := fmt.Sprintf("app%05d", i)
		names = append(names, name)
		list = append(list, app.File{Path: "root/" + name + "/VHOST", Mode: 0o644, Data: []byte("x\n"), Size: 2, SHA256: app.Digest([]byte("x\n"))})
		for n := range each {
			list = append(list, app.File{Path: fmt.Sprintf("root/%s/refs/heads/%d", name, n), Mode: fs.ModeDir | 0o755})
		}
	}
	s := New(newHost(t))
	m, err := s.Save(app.NewFiles("0.38.27", names, nil, list), Manual)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.Incomplete); n < 500 || n > 4000 {
		t.Errorf("%d apps are left out", n)
	}
	back, err := s.Manifest(m.ID)
	if err != nil || len(back.Apps) != apps-len(m.Incomplete) || len(back.Host.Apps) != apps {
		t.Errorf("it has %d apps, and %d states, %v", len(back.Apps), len(back.Host.Apps), err)
	}
}

// A path that cannot be stored, whoever has made it up, is named, and all else is stored.
func TestWhatCannotBeStoredIsNamed(t *testing.T) {
	var list []app.File
	for _, path := range []string{"facts/image/../Procfile", "root/shop/VHOST", "root/shop/hooks/pre-receive", "root/shop/nul\x00", "root/shop/twice", "root/shop/twice"} {
		list = append(list, app.File{Path: path, Mode: 0o644, Data: []byte("x\n"), Size: 2, SHA256: app.Digest([]byte("x\n"))})
	}
	large := bytes.Repeat([]byte("x"), maxFact+1)
	list = append(list, app.File{Path: "facts/docker", Mode: 0o600, Data: large, Size: len(large), SHA256: app.Digest(large)})
	large = large[:app.MaxFile+1] // it has grown since it was looked at
	list = append(list, app.File{Path: "root/shop/ENV", Mode: 0o600, Data: large, Size: len(large), SHA256: app.Digest(large)})
	s := New(newHost(t))
	m, err := s.Save(app.NewFiles("0.35.5", []string{"shop"}, nil, list), Manual)
	if err != nil {
		t.Fatal(err)
	}
	back, err := s.Files(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range back.All() {
		got = append(got, f.Path)
	}
	if diff := cmp.Diff([]string{"root/shop/VHOST", "root/shop/twice"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"facts/docker: it has more than 33554432 bytes", "facts/image/../Procfile: no snapshot holds a file there", "root/shop/ENV: it has more than 1048576 bytes",
		"root/shop/hooks/pre-receive: no snapshot holds a file there", "root/shop/nul\x00: no snapshot holds a file there",
	}, m.Incomplete); diff != "" {
		t.Error(diff)
	}
}

// A file stands in a manifest as encoding/json writes it, whatever it is called.
func TestFilesAreWrittenAsJSON(t *testing.T) {
	for _, text := range []string{"", "root/blog/ENV", `a"b`, `a\b`, "a<b>&c", "caf\u00e9", "caf\xe9", "\u2028", "a\nb", "a\x7fb", "~", " "} {
		for _, f := range []app.File{
			{Path: text}, {Path: "x", Link: text}, {Path: "x", Error: text, Mode: 0o600}, {Path: text, SHA256: app.Digest(nil), Mode: 0o100644, Size: 12345}, {Path: text, Mode: 1 << 31},
		} {
			want, err := json.Marshal(f)
			got, gotErr := appendFile(nil, &f)
			if err != nil || gotErr != nil || string(got) != string(want) {
				t.Errorf("%s, and it is %s: %v %v", got, want, gotErr, err)
			}
		}
	}
}
