// Package nginx_test plays with a real nginx and a real Docker, both started for
// it on paths and ports of their own: what only they can judge. Dokku is the
// sandbox's. Without them, or without root, it is skipped, except where
// UPGRADE_GUARD_REAL_NGINX=yes says that it must run (.ci/run).
package nginx_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"upgrade-guard/src/cli"
	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/tests/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main() // dokku and plugn are links to this program
	os.Exit(m.Run())
}

const (
	httpPort, httpsPort = "18980", "18943"
	network             = "upgrade-guard-test"
	subnet              = "10.203.77."
)

// machine is a host with a real nginx and a real docker.
type machine struct {
	t    testing.TB
	dir  string
	host *host.Local
	next int // the next container's address
}

// need skips the test, or fails it where it must run.
func need(t testing.TB, programs ...string) {
	t.Helper()
	missing := ""
	if os.Geteuid() != 0 {
		missing = "root"
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = p
		}
	}
	switch {
	case missing != "" && os.Getenv("UPGRADE_GUARD_REAL_NGINX") == "yes":
		t.Fatalf("this must run, and %s is missing", missing)
	case missing != "":
		t.Skipf("without %s", missing)
	}
}

// newMachine makes one. Without a real docker it has the sandbox's.
func newMachine(t testing.TB, withDocker bool) *machine {
	need(t, "nginx")
	if withDocker {
		need(t, "dockerd", "docker")
	}
	// The ports and the network are there once.
	turn := flock.New(filepath.Join(os.TempDir(), "upgrade-guard-nginx.lock"))
	if err := turn.Lock(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { turn.Unlock() })
	// Sockets' paths must be short.
	dir, err := os.MkdirTemp("/tmp", "guard-nginx-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &machine{t: t, dir: dir, next: 10}
	m.mkdir("home/dokku")
	if withDocker {
		m.startDocker()
	}
	m.startNginx()

	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := m.path("bin")
	if err := sandbox.InstallCommands(bin, exe); err != nil {
		t.Fatal(err)
	}
	if withDocker {
		os.Remove(filepath.Join(bin, "docker"))
	}
	os.Remove(filepath.Join(bin, "sudo"))
	// What Dokku's user may do as root, with nginx where it is here.
	m.write("bin/sudo", fmt.Sprintf(`#!/bin/sh
case "$*" in
  "-n -l") echo "    (ALL) NOPASSWD: /usr/bin/systemctl reload nginx, /usr/sbin/nginx -t, /usr/sbin/nginx -t -c *" ;;
  "-n /usr/sbin/nginx -t") exec nginx -t -c %[1]s/nginx.conf ;;
  "-n /usr/bin/systemctl reload nginx") echo reload >>%[1]s/reloads; exec nginx -s reload -c %[1]s/nginx.conf ;;
  *) exit 1 ;;
esac
`, dir))
	if err := os.Chmod(m.path("bin/sudo"), 0o755); err != nil {
		t.Fatal(err)
	}
	m.write("var/lib/dokku/STABLE_VERSION", "0.35.5")
	m.mkdir("var/lib/dokku/plugins/enabled")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, kv := range (sandbox.Host{Dir: dir}).Env() {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	m.host = host.NewLocal(host.FromEnv())
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) mkdir(name string) {
	if err := os.MkdirAll(m.path(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	m.mkdir(filepath.Dir(name))
	if err := os.WriteFile(m.path(name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(name string) string {
	b, _ := os.ReadFile(m.path(name))
	return string(b)
}

func (m *machine) run(name string, args ...string) string {
	m.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// start starts a daemon, which ends with the test, and waits until ready.
func (m *machine) start(ready func() bool, name string, args ...string) {
	log, err := os.Create(m.path(filepath.Base(name) + ".log"))
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	m.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
		}
	})
	for n := 0; !ready(); n++ {
		select {
		case err := <-ended:
			ended <- err
			m.t.Fatalf("%s has ended: %v\n%s", name, err, m.read(filepath.Base(name)+".log"))
		case <-time.After(200 * time.Millisecond):
		}
		if n > 300 {
			m.t.Fatalf("%s does not get ready:\n%s", name, m.read(filepath.Base(name)+".log"))
		}
	}
}

func (m *machine) startDocker() {
	socket := "unix://" + m.path("docker.sock")
	m.t.Setenv("DOCKER_HOST", socket)
	// A network of its own, so that no other Docker's bridge or rule is touched.
	m.start(func() bool { return exec.Command("docker", "version").Run() == nil },
		"dockerd", "--host", socket, "--data-root", m.path("docker"), "--exec-root", m.path("docker-run"), "--pidfile", m.path("docker.pid"),
		"--storage-driver", "vfs", "--bridge", "none", "--iptables=false", "--ip6tables=false")
	m.run("docker", "network", "create", "--subnet", subnet+"0/24", "--opt", "com.docker.network.bridge.name=guardtest0", network)
	m.t.Cleanup(func() {
		if ids := m.run("docker", "ps", "--all", "--quiet"); ids != "" {
			m.run("docker", append([]string{"rm", "--force"}, strings.Fields(ids)...)...)
		}
		m.run("docker", "network", "rm", network)
	})
	build := exec.Command("go", "build", "-o", m.path("image/answer"), "./answer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	m.write("image/Dockerfile", "FROM scratch\nCOPY answer /answer\nENTRYPOINT [\"/answer\"]\n")
	m.run("docker", "build", "--quiet", "--tag", "answer", m.path("image"))
}

func (m *machine) startNginx() {
	m.mkdir("log")
	m.write("nginx.conf", fmt.Sprintf(`
daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/log/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[1]s/log; proxy_temp_path %[1]s/log; fastcgi_temp_path %[1]s/log; uwsgi_temp_path %[1]s/log; scgi_temp_path %[1]s/log;
  server_names_hash_bucket_size 512;
  server { listen 127.0.0.1:18999; return 204; }
  include %[1]s/home/dokku/*/nginx.conf;
}
`, m.dir))
	m.start(func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:18999", time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, "nginx", "-c", m.path("nginx.conf"))
}

// create makes an app that was never deployed.
func (m *machine) create(name string, withTLS bool) {
	ports := "http:" + httpPort + ":5000\n"
	if withTLS {
		ports += "https:" + httpsPort + ":5000\n"
		m.certificate(name)
	}
	m.write("home/dokku/"+name+"/VHOST", name+".test\n")
	m.write("home/dokku/"+name+"/ENV", "")
	for _, dir := range []string{"apps", "app-json", "ps"} {
		m.mkdir("var/lib/dokku/data/" + dir + "/" + name)
	}
	m.write("var/lib/dokku/config/ps/"+name+"/scale", "web=1\n")
	m.write("var/lib/dokku/config/ports/"+name+"/map", ports)
}

// deploy makes an app with one web container, as Dokku leaves it.
func (m *machine) deploy(name string, withTLS bool) {
	m.t.Helper()
	m.create(name, withTLS)
	ip := fmt.Sprint(subnet, m.next)
	m.next++
	id := m.run("docker", "run", "--detach", "--network", network, "--ip", ip, "--env", "APP="+name, "--name", name+".web.1",
		"--label", "com.dokku.app-name="+name, "--label", "com.dokku.process-type=web", "answer")
	m.record(name, id, ip)
	m.build(name)
}

// record writes the files in which Dokku keeps where a container listens.
func (m *machine) record(name, id, ip string) {
	m.write("home/dokku/"+name+"/CONTAINER.web.1", id)
	m.write("home/dokku/"+name+"/IP.web.1", ip)
	m.write("home/dokku/"+name+"/PORT.web.1", "5000")
}

func (m *machine) build(name string) { m.run("plugn", "trigger", "proxy-build-config", name) }

func (m *machine) container(name string) string { return name + ".web.1" }

// readdress gives a container another address, as a restart of Docker does.
func (m *machine) readdress(name, ip string) {
	m.run("docker", "network", "connect", "--ip", ip, network, m.container(name))
}

func (m *machine) withdraw(name string) {
	m.run("docker", "network", "disconnect", network, m.container(name))
}

func (m *machine) certificate(name string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name + ".test"}, DNSNames: []string{name + ".test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		m.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write("home/dokku/"+name+"/tls/server.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	m.write("home/dokku/"+name+"/tls/server.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})))
}

// get asks nginx for a domain and returns the status and the body.
func get(scheme, domain string) (int, string, error) {
	port := map[string]string{"http": httpPort, "https": httpsPort}[scheme]
	r, err := client.Get(scheme + "://" + domain + ":" + port + "/")
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, 1000))
	return r.StatusCode, strings.TrimSpace(string(b)), err
}

var client = &http.Client{
	Timeout: 5 * time.Second,
	Transport: &http.Transport{
		MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	},
}

// answers is what a domain must answer, with patience for nginx's old workers.
func (m *machine) answers(scheme, name string, status int) {
	m.t.Helper()
	var got int
	var body string
	var err error
	for range 20 {
		got, body, err = get(scheme, name+".test")
		if err == nil && got == status && (status != http.StatusOK || body == "app="+name) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	m.t.Errorf("%s://%s.test answers %d %q (%v), not %d", scheme, name, got, body, err, status)
}

func (m *machine) guard(out *bytes.Buffer) *guard.Guard {
	return guard.New(m.host, &say.Printer{Out: out, Err: out})
}

// check is what upgrade-guard:check prints.
func (m *machine) check() string {
	var out bytes.Buffer
	cli.Run(context.Background(), m.host, &say.Printer{Out: &out, Err: &out}, []string{"upgrade-guard:check", "--to", "0.35.5"})
	return out.String()
}

// routes is what a hook has done after an upgrade of docker or nginx.
func (m *machine) routes() (string, error) {
	var out bytes.Buffer
	err := m.guard(&out).Routes(context.Background())
	return out.String(), err
}

func (m *machine) reloads() int { return strings.Count(m.read("reloads"), "reload") }
