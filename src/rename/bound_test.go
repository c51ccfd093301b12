package rename

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// What an app mounts is in its docker options to 0.37, and from 0.38 on in an entry that its
// mounts name: a directory of the app's own in there went with the old name.
func TestWhatAnAppMounts(t *testing.T) {
	const mounts, entry = "lib/config/storage/blog/mounts", "lib/data/storage-registry/entries/uploads.json"
	line := `{"entry_name":"uploads","container_path":"/uploads"}` + "\n"
	for about, c := range map[string]struct {
		files map[string]string
		want  []string
		fails bool
	}{
		"an option":                 {map[string]string{"root/blog/DOCKER_OPTIONS_DEPLOY": "-v /home/dokku/blog/up:/up\n"}, []string{"/home/dokku/blog/up"}, false},
		"an entry":                  {map[string]string{mounts: line, entry: `{"name":"uploads","scheduler":"docker-local","host_path":"/home/dokku/blog/up/"}`}, []string{"/home/dokku/blog/up"}, false},
		"a volume":                  {map[string]string{mounts: line, entry: `{"name":"uploads","scheduler":"docker-local","host_path":"uploads"}`}, []string{"uploads"}, false},
		"another scheduler's":       {map[string]string{mounts: line, entry: `{"name":"uploads","scheduler":"k3s","host_path":"/home/dokku/blog/up"}`}, nil, false},
		"an entry that is gone":     {map[string]string{mounts: line}, nil, false},
		"mounts that nobody reads":  {map[string]string{mounts: "{"}, nil, true},
		"mounts that are not read":  {map[string]string{mounts: "unreadable"}, nil, true},
		"options that are not read": {map[string]string{"lib/config/docker-options/blog/_default_.deploy": "unreadable"}, nil, true},
		"nothing":                   {nil, nil, false},
	} {
		var list []app.File
		for path, text := range c.files {
			f := app.File{Path: path, Data: []byte(text), SHA256: app.Digest([]byte(text))}
			if text == "unreadable" {
				f = app.File{Path: path, Error: "permission denied"}
			}
			list = append(list, f)
		}
		got, err := mountsOf(app.NewFiles("0.38.27", []string{"blog"}, nil, list), "blog")
		if !slices.Equal(got, c.want) || (err != nil) != c.fails {
			t.Errorf("%s: %q, %v", about, got, err)
		}
	}
}

type unreadableServices struct{ host.Host }

func (h unreadableServices) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == h.Paths().LibRoot+"/services/redis" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EACCES}
	}
	return h.Host.ReadDir(name)
}

// What is not ours to read hid that the disk was full: it was said that the service was not
// ours to write, and nobody tried again.
func TestWhatIsDeniedHidesNothing(t *testing.T) {
	r := newRename(t, func(h host.Host) host.Host { return h })
	for _, dir := range []string{"postgres/orders", "redis/cache"} {
		if err := r.Host.Write(r.Host.Paths().LibRoot+"/services/"+dir+"/LINKS", 0o640, []byte("my_app\n")); err != nil {
			t.Fatal(err)
		}
	}
	full := &host.Faulty{Host: unreadableServices{r.Host}, Before: func(op host.Op) error {
		if op.Kind == "write" {
			return syscall.ENOSPC
		}
		return nil
	}}
	denied, err := carryLinks(full, "my_app", "my-app", nil, false)
	if !errors.Is(denied, fs.ErrPermission) || !errors.Is(err, syscall.ENOSPC) || errors.Is(err, fs.ErrPermission) {
		t.Errorf("denied %v, failed %v", denied, err)
	}
	services, unread := app.Services(unreadableServices{r.Host})
	if !slices.Equal(services, []string{"postgres/orders"}) || len(unread) != 1 {
		t.Errorf("%q, unread %v", services, unread)
	}
}
