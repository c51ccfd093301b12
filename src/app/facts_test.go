package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"upgrade-guard/src/host"
)

// manyContainers is docker with as many containers as are asked for, of which it does not
// know any more those in gone.
type manyContainers struct {
	host.Host
	listed, gone int

	mu    sync.Mutex
	asked []int // how many, in each docker inspect
	down  bool
}

func (d *manyContainers) Run(_ context.Context, _ string, args ...string) ([]byte, error) {
	if args[0] != "ps" || d.down {
		return nil, errors.New("docker failed: Cannot connect to the Docker daemon")
	}
	var out strings.Builder
	for n := range d.listed {
		fmt.Fprintf(&out, "%064x\n", n)
	}
	return []byte(out.String()), nil
}

func (d *manyContainers) Stream(_ context.Context, use func(io.Reader) error, _ string, args ...string) error {
	ids := args[3:]
	d.mu.Lock()
	d.asked = append(d.asked, len(ids))
	d.mu.Unlock()
	if d.down {
		return errors.Join(use(strings.NewReader("")), errors.New("docker failed: Cannot connect to the Docker daemon"))
	}
	size, out, err := 0, strings.Builder{}, error(nil)
	for _, id := range ids {
		if size += len(id) + 1 + 8; size > 100<<10 { // with its end and its address; the kernel takes no less than 128 KiB
			return errors.New("docker cannot be run: argument list too long")
		}
		var n int
		if fmt.Sscanf(id, "%x", &n); n < d.gone {
			err = fmt.Errorf("docker failed: Error: No such object: %s", id)
			continue
		}
		fmt.Fprintf(&out, `{"id":"%s","running":true}`+"\n", id)
	}
	return errors.Join(use(strings.NewReader(out.String())), err)
}

// Docker is asked about any number of containers, in their order. Those that it does not
// know any more cost nobody else the answer; a docker that is down is no docker without
// containers.
func TestDockerIsAskedAboutAnyNumberOfContainers(t *testing.T) {
	for about, c := range map[string]struct {
		docker        *manyContainers
		noted         string // in CONTAINER files, where only some apps are wanted
		asked, answer int
		fails, needs  bool
		app           string
	}{
		"none":                 {docker: &manyContainers{}},
		"some":                 {docker: &manyContainers{listed: 900}, asked: 1, answer: 900},
		"very many":            {docker: &manyContainers{listed: 30_500}, asked: 31, answer: 30_500},
		"a thousand gone":      {docker: &manyContainers{listed: 2500, gone: 1001}, asked: 3, answer: 1499},
		"down":                 {docker: &manyContainers{down: true}, fails: true},
		"of one app":           {docker: &manyContainers{listed: 10}, noted: fmt.Sprintf("%064x\n", 5), asked: 1, answer: 1},
		"of one app, gone":     {docker: &manyContainers{listed: 10, gone: 9}, noted: fmt.Sprintf("%064x\n", 5), asked: 1},
		"of one app, down":     {docker: &manyContainers{down: true}, noted: fmt.Sprintf("%064x\n", 5), asked: 1, fails: true},
		"no id, but an option": {docker: &manyContainers{}, noted: "--size"},
		"never deployed":       {docker: &manyContainers{down: true}, app: "shop"},
		"never deployed, seen": {docker: &manyContainers{down: true}, app: "shop", needs: true, fails: true},
	} {
		h := smallHost(t)
		what := What{Needs: c.needs}
		if c.noted != "" {
			what.Apps = []string{"blog"}
			if err := h.Write(h.Paths().App("blog")+"/CONTAINER.web.1", 0o644, []byte(c.noted)); err != nil {
				t.Fatal(err)
			}
		}
		if c.app != "" {
			what.Apps = []string{c.app}
		}
		c.docker.Host = h
		files, err := Capture(context.Background(), c.docker, what)
		if err != nil {
			t.Fatal(err)
		}
		docker := readDocker(files)
		if len(c.docker.asked) != c.asked || len(docker.byID) != c.answer || (docker.missing != "") != c.fails {
			t.Errorf("%s: asked %d times, %d answered; %q", about, len(c.docker.asked), len(docker.byID), docker.missing)
		}
	}
}
