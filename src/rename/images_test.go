package rename

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// docker is a host whose docker says what a test has it say.
type docker struct {
	host.Host
	answer func(command string) (string, error)
	ran    []string
}

func (d *docker) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	command := strings.Join(append([]string{name}, args...), " ")
	d.ran = append(d.ran, command)
	out, err := d.answer(command)
	return []byte(out), err
}

func (d *docker) Stream(ctx context.Context, use func(io.Reader) error, name string, args ...string) error {
	out, err := d.Run(ctx, name, args...)
	return errors.Join(err, use(bytes.NewReader(out)))
}

// Of the containers that bear an app's label, those are removed which Dokku has made and
// left. The label alone says nothing: a container has that of its image.
func TestLeftContainers(t *testing.T) {
	for id, c := range map[string]struct {
		line string
		gone bool
	}{
		"extracted":           {"created 0 dokku/blog:latest /sad_turing", true},
		"extracted-tag":       {"created 0 dokku/blog:v2 /sad_turing", true},
		"without a tag":       {"created 0 dokku/blog /sad_turing", true},
		"deployed":            {"created 1 dokku/blog:latest /blog.web.1", true},
		"upcoming":            {"created 0 dokku/blog:latest /blog.web.1.upcoming-1234", true},
		"retired":             {"exited 0 dokku/blog:latest /blog.web.1.1700000000", true},
		"a task":              {"exited 2 dokku/blog:latest /blog.run.1234", true},
		"dead":                {"dead 0 dokku/blog:latest /blog.web.2", true},
		"runs":                {"running 0 dokku/blog:latest /blog.web.1", false},
		"paused":              {"paused 0 dokku/blog:latest /blog.run.77", false},
		"starts again":        {"restarting 0 dokku/blog:latest /blog.cron.77", false},
		"being removed":       {"removing 0 dokku/blog:latest /blog.run.77", false},
		"a person's, has run": {"exited 0 dokku/blog:latest /sad_turing", false},
		"a person's, volume":  {"created 1 dokku/blog:latest /uploads", false},
		"of another app":      {"created 0 dokku/blog2:latest /sad_turing", false},
		"of another image":    {"created 0 postgres:16 /blog.web.1", false},
		"by id":               {"created 0 sha256:0123 /sad_turing", false},
		"another app's name":  {"exited 0 dokku/blog:latest /blog-two.web.1", false},
		"another's with dot":  {"exited 0 dokku/blog:latest /blog.two.web.1", false},
	} {
		var d *docker
		r := newRename(t, func(h host.Host) host.Host {
			d = &docker{Host: h, answer: func(command string) (string, error) {
				switch {
				case strings.HasPrefix(command, "docker ps --all"):
					return "4711\n", nil
				case strings.HasPrefix(command, "docker inspect"):
					return "4711 " + c.line + "\n", nil
				}
				return "", nil
			}}
			return d
		})
		if err := r.discardContainers(context.Background(), "blog"); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if gone := slices.Contains(d.ran, "docker rm 4711"); gone != c.gone {
			t.Errorf("%s: removed is %t", id, gone)
		}
	}
}

// Whatever docker says, an image that stays ends no rename.
func TestAnImageThatStays(t *testing.T) {
	for _, refuses := range []string{"docker images", "docker ps", "docker inspect", "docker rm 4711", "docker rmi", "nothing"} {
		r := newRename(t, func(h host.Host) host.Host {
			return &docker{Host: h, answer: func(command string) (string, error) {
				switch {
				case strings.HasPrefix(command, refuses):
					return "", errors.New("conflict: it is in use")
				case strings.HasPrefix(command, "docker images"):
					return "latest\nv2\n<none>\n", nil
				case strings.HasPrefix(command, "docker ps"):
					return "4711\n", nil
				case strings.HasPrefix(command, "docker inspect"):
					return "4711 created 0 dokku/blog:latest /sad_turing\n", nil
				}
				return "", nil
			}}
		})
		var said bytes.Buffer
		r.Out = &say.Printer{Out: &said, Err: &said}
		if err := r.discardImages(context.Background(), "blog", nil); err != nil {
			t.Errorf("%s: %v", refuses, err)
		}
		if (refuses == "nothing") != (said.Len() == 0) {
			t.Errorf("%s: %q", refuses, &said)
		}
		if refuses == "docker rmi" && strings.Count(said.String(), "It takes room and harms nothing. When nothing needs it: docker rmi dokku/blog:") != 2 {
			t.Errorf("%q", &said)
		}
	}
}

// A link moves along, whichever release of the plugin there is, and what else is in the
// file stays.
func TestLinks(t *testing.T) {
	for _, c := range []struct {
		about, from, to, before string
		linked, gone            bool
		want                    string
	}{
		{"the plugin did nothing", "my_app", "my-app", "blog\nmy_app\n", true, false, "blog\nmy-app\nmy_app\n"},
		{"the plugin did its part", "my_app", "my-app", "blog\nmy-app\nmy_app\n", true, false, "blog\nmy-app\nmy_app\n"},
		{"and the old app has gone", "my_app", "my-app", "blog\nmy-app\n", true, true, "blog\nmy-app\n"},
		{"the old line was all there was", "my_app", "my-app", "", true, true, "my-app\n"},
		{"a dot is any letter to it", "a.b", "a-b", "blog\n", true, true, "a-b\nblog\n"},
		{"a plugin that is switched off", "my_app", "my-app", "blog\nmy_app\n", true, true, "blog\nmy-app\n"},
		{"not linked", "my_app", "my-app", "blog\nmy_app2\nnot-my_app\n", false, true, "blog\nmy_app2\nnot-my_app\n"},
		{"not linked, and no line end", "my_app", "my-app", "zebra\nblog", false, true, "zebra\nblog"},
		{"begun by an earlier release", "my_app", "my-app", "my_app\n", false, false, "my-app\nmy_app\n"},
	} {
		r := newRename(t, func(h host.Host) host.Host { return h })
		file := filepath.Join(r.Host.Paths().LibRoot, "services/postgres/orders/LINKS")
		if err := r.Host.Write(file, 0o640, []byte(c.before)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.Host.Paths().LibRoot, "services/not-a-directory"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		var linked []string
		if c.linked {
			linked = []string{"postgres orders"}
		}
		for range 2 { // done again it is the same
			if denied, err := carryLinks(r.Host, c.from, c.to, linked, c.gone); err != nil || denied != nil {
				t.Errorf("%s: %v, %v", c.about, denied, err)
			}
		}
		if b, _ := os.ReadFile(file); string(b) != c.want {
			t.Errorf("%s: %q", c.about, b)
		}
		if st, _ := os.Stat(file); st.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v", c.about, st.Mode())
		}
	}
}
