package host_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

// dockerRestarted is a host whose docker has just been started again, and notes
// which containers it is told to start.
type dockerRestarted struct {
	host.Host
	started *[]string
}

func (h dockerRestarted) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	switch {
	case name == "systemctl":
		return nil, errors.New("there is none")
	case name == "docker" && args[0] == "start":
		*h.started = append(*h.started, args[1:]...)
		return nil, nil
	}
	return h.Host.Run(ctx, name, args...)
}

// apt upgrades docker and Dokku in one run: docker starts while the old package has
// taken dokku-redeploy.service away (seen from 0.20.4 to 0.38.27: every worker
// stayed down). The workers are started again, but for those of an app that a person
// has stopped.
func TestWorkersThatDockerTookDown(t *testing.T) {
	box, local := newHost(t, sandbox.Before)
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(local.Paths().DokkuRoot + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	first, second := read("jobs_only/CONTAINER.worker.1"), read("jobs_only/CONTAINER.worker.2")
	stopped := read("my_app/CONTAINER.worker.1")
	// Every container has ended, as docker tells it.
	inspect := box.Dir + "/docker-inspect.json"
	b, err := os.ReadFile(inspect)
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.NewReplacer(`"Status": "running"`, `"Status": "exited"`, `"Running": true`, `"Running": false`).Replace(string(b)))
	if err := os.WriteFile(inspect, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := local.Append(local.Paths().App("my_app")+"/ENV", []byte(`DOKKU_APP_RESTORE="0"`)); err != nil {
		t.Fatal(err)
	}

	var started []string
	h := dockerRestarted{local, &started}
	var out strings.Builder
	g := quietGuard(h, &out)
	if err := g.Install(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := g.QueueRoutes(context.Background()); err != nil {
		t.Fatal(err)
	}
	_ = g.RunQueue(context.Background(), false) // of its other half there is more to say than here
	if !slices.Contains(started, first) || !slices.Contains(started, second) || slices.Contains(started, stopped) {
		t.Errorf("started were %v\n%s", started, &out)
	}
}
