package host_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/tests/sandbox"
)

// The benchmarks run the real binary on a host with a thousand apps, each as
// large as my_app of the recording and with the properties that 0.38 keeps, and
// print time and peak memory. Aims, on two cores: a snapshot in 2 s, a report
// in 3 s, a trigger with nothing to do in 10 ms, 64 MiB.

const benchApps = 1000

// upstreamServers are the recorded containers in my_app's nginx.conf.
var upstreamServers = regexp.MustCompile(`(?m)(^\s*server [0-9.]+:[0-9]+;\n\s*)+`)

func benchHost(b *testing.B) (binary string) {
	b.Helper()
	dir := b.TempDir()
	box, err := sandbox.New(filepath.Join(dir, "host"), sandbox.Before)
	if err != nil {
		b.Fatal(err)
	}
	h := enter(b, box)
	root, lib := h.Paths().DokkuRoot, h.Paths().LibRoot
	conf, err := os.ReadFile(root + "/my_app/nginx.conf")
	if err != nil {
		b.Fatal(err)
	}
	var containers []map[string]any
	put := func(path, content string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for n := range benchApps {
		name := fmt.Sprintf("app%04d", n)
		app := root + "/" + name + "/"
		if err := os.CopyFS(root+"/"+name, os.DirFS(root+"/my_app")); err != nil {
			b.Fatal(err)
		}
		var servers strings.Builder
		put(app+"letsencrypt/certs/0123/certificates/example.crt", strings.Repeat("c", 4000))
		put(app+"letsencrypt/certs/0123/certificates/example.pem", strings.Repeat("p", 8000))
		for _, dir := range []string{"apps", "app-json", "ps", "logs", "builds", "scheduler-docker-local", "scheduler-k3s"} {
			if err := os.MkdirAll(filepath.Join(lib, "data", dir, name), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		put(fmt.Sprintf("%s/data/ps/%s/Procfile", lib, name), "web: x\n")
		put(fmt.Sprintf("%s/data/storage-registry/entries/legacy-%s.json", lib, name), "{}")
		put(app+"htpasswd", "x")
		for n := range 25 {
			put(fmt.Sprintf("%s/config/plugin%02d/%s/property", lib, n, name), "value")
		}
		for n := range 3 {
			id := fmt.Sprintf("%060d%04d", n, len(containers))
			address := fmt.Sprintf("10.1.%d.%d", len(containers)/250, len(containers)%250+1)
			fmt.Fprintf(&servers, "  server %s:5000;\n", address)
			put(fmt.Sprintf("%sCONTAINER.web.%d", app, n+1), id)
			containers = append(containers, map[string]any{
				"Id": id, "Name": "/" + name, "State": map[string]any{"Running": true},
				"Config":          map[string]any{"Image": "dokku/" + name, "Labels": map[string]string{"com.dokku.app-name": name}},
				"NetworkSettings": map[string]any{"Networks": map[string]any{"bridge": map[string]string{"IPAddress": address}}},
			})
		}
		put(app+"nginx.conf", strings.ReplaceAll(upstreamServers.ReplaceAllString(string(conf), servers.String()), "my_app", name))
	}
	inspect, err := json.Marshal(containers)
	if err != nil {
		b.Fatal(err)
	}
	put(box.Dir+"/docker-inspect.json", string(inspect))

	tree := filepath.Join(dir, "upgrade-guard")
	binary = tree + "/bin/upgrade-guard"
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", binary, "./src").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	measure(b, binary, "trigger", "install")
	return binary
}

// measure runs the binary once and returns its peak memory in MiB and its own time on the
// processors, which does not hang on who else is at work.
func measure(b *testing.B, binary string, args ...string) (float64, time.Duration) {
	b.Helper()
	cmd := exec.Command(binary, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v: %v\n%s", args, err, &out)
	}
	return float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func BenchmarkThousandApps(b *testing.B) {
	binary := benchHost(b)
	for name, args := range map[string][]string{
		"snapshot":        {"snapshot"},
		"report":          {"report"},
		"diff":            {"diff"},
		"idle-trigger":    {"trigger", "post-extract", "app0001"},
		"unknown-trigger": {"trigger", "nginx-pre-reload"},
		"refresh":         {"trigger", "post-deploy", "app0001"},
	} {
		b.Run(name, func(b *testing.B) {
			peak, cpu := 0.0, time.Duration(0)
			for range b.N {
				mib, took := measure(b, binary, args...)
				peak, cpu = max(peak, mib), cpu+took
			}
			b.ReportMetric(peak, "peak-MiB")
			b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/op")
		})
	}
}
