package host_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/tests/sandbox"
)

// crowd is a healthy host of many apps. Its docker, nginx and Dokku answer without a
// process being started, so that what is measured is ours; reads, listings and programs
// are counted.
type crowd struct {
	*host.Local
	t    testing.TB
	dir  string
	apps []string
	// noBuild tells that Dokku fails to build any configuration of nginx.
	noBuild bool

	mu         sync.Mutex
	counts     map[string]int
	containers map[string]*lodger // by id
}

// lodger is a container of a crowd's docker.
type lodger struct{ id, app, address string }

const lodgers = 3 // containers of each app

// newCrowd makes a host of apps with three containers, a domain and a certificate each.
func newCrowd(t testing.TB, version string, apps int) *crowd {
	t.Helper()
	dir := t.TempDir()
	for _, kv := range (sandbox.Host{Dir: dir}).Env() {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	c := &crowd{Local: host.NewLocal(host.FromEnv()), t: t, dir: dir, counts: map[string]int{}, containers: map[string]*lodger{}}
	root, lib := c.Paths().DokkuRoot, c.Paths().LibRoot
	c.install(version)
	c.put(lib+"/config/upgrade-guard/--global/probe", "false")
	c.put(lib+"/config/upgrade-guard/--global/auto-rename", "false")
	c.put(root+"/ENV", "")
	c.put(c.Paths().Data("stamp"), version+"\n")
	if err := os.MkdirAll(c.Paths().PluginPath+"/enabled", 0o755); err != nil {
		t.Fatal(err)
	}
	crt, key := pair(t)
	for n := range apps {
		name := fmt.Sprintf("app-%05d", n)
		c.apps = append(c.apps, name)
		app := root + "/" + name
		c.put(app+"/HEAD", "ref: refs/heads/master\n")
		c.put(app+"/refs/heads/master", strings.Repeat("0", 40)+"\n")
		c.put(app+"/VHOST", name+".example.com\n")
		c.put(app+"/tls/server.crt", crt)
		c.put(app+"/tls/server.key", key)
		c.put(app+"/nginx.conf.d/hsts.conf", "add_header Strict-Transport-Security \"max-age=15724800\";\n")
		for n := range lodgers {
			l := &lodger{id: fmt.Sprintf("%060x%04x", len(c.containers), n), app: name}
			c.containers[l.id] = l
			c.put(fmt.Sprintf("%s/CONTAINER.web.%d", app, n+1), l.id)
			c.put(fmt.Sprintf("%s/PORT.web.%d", app, n+1), "5000")
		}
		for _, p := range []string{"nginx/client-max-body-size", "logs/max-size", "ps/restart-policy", "checks/wait-to-retire", "builder/detected"} {
			namespace, property, _ := strings.Cut(p, "/")
			c.put(lib+"/config/"+namespace+"/"+name+"/"+property, "60")
		}
		env, scale := `DOKKU_APP_RESTORE="1"`+"\n"+`SECRET="of the app"`+"\n", "web=3\n"
		if version == "0.20.4" {
			c.put(app+"/ENV", env+`DOKKU_PROXY_PORT_MAP="http:80:5000 https:443:5000"`+"\n")
			c.put(app+"/DOKKU_SCALE", scale)
			continue
		}
		c.put(app+"/ENV", env)
		c.put(lib+"/config/ps/"+name+"/scale", scale)
		c.moved(name)
	}
	c.address(0)
	for _, name := range c.apps {
		c.build(name)
	}
	return c
}

// moved is what the installation of a newer Dokku makes of an app, but for its scale.
func (c *crowd) moved(name string) {
	c.put(c.Paths().LibRoot+"/config/ports/"+name+"/map", "http:80:5000\nhttps:443:5000\n")
	for _, dir := range []string{"apps", "app-json", "ps", "logs", "scheduler-docker-local"} {
		if err := os.MkdirAll(filepath.Join(c.Paths().LibRoot, "data", dir, name), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *crowd) install(version string) {
	c.put(c.Paths().LibRoot+"/STABLE_VERSION", version+"\n")
	c.put(c.Paths().LibRoot+"/VERSION", "v"+version+"\n")
}

func (c *crowd) put(name, text string) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// address gives every container an address that none of them had before.
func (c *crowd) address(turn int) {
	ids := make([]string, 0, len(c.containers))
	for id := range c.containers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for n, id := range ids {
		c.containers[id].address = fmt.Sprintf("10.%d.%d.%d", 2*turn+n/(250*250), n/250%250, n%250+1)
	}
}

// build is what Dokku's proxy:build-config does.
func (c *crowd) build(name string) {
	dir := c.Paths().App(name)
	var servers strings.Builder
	for n := range lodgers {
		id, err := os.ReadFile(fmt.Sprintf("%s/CONTAINER.web.%d", dir, n+1))
		if err != nil {
			c.t.Error(err)
			return
		}
		address := c.containers[string(id)].address
		c.put(fmt.Sprintf("%s/IP.web.%d", dir, n+1), address)
		fmt.Fprintf(&servers, "  server %s:5000;\n", address)
	}
	c.put(dir+"/nginx.conf", fmt.Sprintf(`server {
  listen [::]:80;
  listen 80;
  server_name %[1]s.example.com;
  return 301 https://$host:443$request_uri;
}
server {
  listen [::]:443 ssl http2;
  listen 443 ssl http2;
  server_name %[1]s.example.com;
  ssl_certificate %[2]s/tls/server.crt;
  ssl_certificate_key %[2]s/tls/server.key;
  location / {
    gzip on;
    proxy_pass http://%[1]s-5000;
    proxy_set_header Host $http_host;
  }
  include %[2]s/nginx.conf.d/*.conf;
}
upstream %[1]s-5000 {
%[3]s}
`, name, dir, servers.String()))
}

// pair is a certificate with its key.
func pair(t testing.TB) (crt, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.com"}, DNSNames: []string{"*.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: b}))
}

func (c *crowd) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

// counted is what work does, by what is counted.
func (c *crowd) counted(work func()) map[string]int {
	clear(c.counts)
	work()
	return maps.Clone(c.counts)
}

func (c *crowd) ReadFile(name string) ([]byte, error) {
	c.count("read")
	return c.Local.ReadFile(name)
}

func (c *crowd) Open(name string) (io.ReadCloser, error) {
	c.count("open")
	return c.Local.Open(name)
}

func (c *crowd) ReadDir(name string) ([]fs.DirEntry, error) {
	c.count("list")
	if name == c.Paths().DokkuRoot {
		c.count("apps listed")
	}
	return c.Local.ReadDir(name)
}

func (c *crowd) Lstat(name string) (fs.FileInfo, error) {
	c.count("stat")
	return c.Local.Lstat(name)
}

func (c *crowd) Stat(name string) (fs.FileInfo, error) {
	c.count("stat")
	return c.Local.Stat(name)
}

func (c *crowd) Write(name string, mode fs.FileMode, data []byte) error {
	c.count("write")
	return c.Local.Write(name, mode, data)
}

func (c *crowd) Stream(ctx context.Context, use func(io.Reader) error, name string, args ...string) error {
	out, err := c.Run(ctx, name, args...)
	return errors.Join(use(strings.NewReader(string(out))), err)
}

func (c *crowd) Trigger(ctx context.Context, name string, args ...string) ([]byte, error) {
	return c.Run(ctx, "plugn", append([]string{"trigger", name}, args...)...)
}

func (c *crowd) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	words := append([]string{name}, args...)
	c.count(strings.Join(words[:min(2, len(words))], " "))
	is := func(prefix ...string) bool {
		return len(words) >= len(prefix) && slices.Equal(words[:len(prefix)], prefix)
	}
	var out strings.Builder
	switch {
	case is("docker", "ps"):
		_, of, one := strings.Cut(words[len(words)-1], "label=com.dokku.app-name=")
		for _, id := range slices.Sorted(maps.Keys(c.containers)) {
			if l := c.containers[id]; !one || l.app == of {
				fmt.Fprintln(&out, l.id)
			}
		}
	case is("docker", "inspect", "--format"):
		size := 0
		for _, id := range words[4:] {
			size += len(id) + 9 // as the kernel counts them: with their ends, and their addresses
			l := c.containers[id]
			b, err := json.Marshal(map[string]any{"id": id, "running": true, "status": "running", "image": "dokku/" + l.app + ":latest", "image_id": "sha256:" + id,
				"workdir": "/app", "networks": map[string]any{"bridge": map[string]string{"IPAddress": l.address}},
				"labels": map[string]string{"com.dokku.app-name": l.app}, "env": []string{"PATH", "SECRET"}})
			if err != nil {
				return nil, err
			}
			out.Write(append(b, '\n'))
		}
		if size > 100<<10 {
			return nil, errors.New("docker cannot be run: argument list too long")
		}
	case is("docker", "version"):
		return []byte("20.10.24 20.10.24\n"), nil
	case is("docker", "image", "ls"):
		for _, name := range c.apps {
			fmt.Fprintf(&out, "sha256:%064x dokku/%s:latest\n", len(name), name)
		}
	case is("docker", "network", "ls"):
		return []byte("1111 bridge\n2222 host\n3333 none\n"), nil
	case is("crontab", "-l"):
		return nil, errors.New("crontab failed: no crontab for dokku")
	case is("sudo", "-n", "-l"):
		return []byte("    (ALL) NOPASSWD: /usr/bin/systemctl reload nginx, /usr/sbin/nginx -t\n"), nil
	case is("sh", "-c"):
		if refused := c.refused(); refused != "" {
			return []byte("nginx: [emerg] " + refused + "\n"), errors.New("sh failed")
		}
		return nil, nil
	case is("sudo"):
		return nil, nil
	case is("dokku", "proxy:build-config") && c.noBuild:
		return nil, errors.New("dokku failed: invalid scale output stored by dokku")
	case is("dokku", "proxy:build-config"):
		c.build(words[2])
		if refused := c.refused(); refused != "" {
			return nil, errors.New("dokku failed: nginx: [emerg] " + refused)
		}
		return nil, nil
	case is("plugn", "trigger", "ps-current-scale"):
		return os.ReadFile(c.Paths().Property("ps", words[3], "scale"))
	default:
		return nil, errors.New(strings.Join(words, " ") + " is not known here")
	}
	return []byte(out.String()), nil
}

// guard is a guard of the host, and what it prints.
func (c *crowd) guard() (*guard.Guard, *strings.Builder) {
	out := &strings.Builder{}
	return quietGuard(c, out), out
}

// upgraded plays an upgrade to 0.35.5 that has lost the scale of each app, whatever was
// seeded for it.
func (c *crowd) upgraded() {
	c.install("0.35.5")
	for _, name := range c.apps {
		for _, file := range []string{c.Paths().App(name) + "/DOKKU_SCALE", c.Paths().Property("ps", name, "scale")} {
			if err := os.Remove(file); err != nil {
				c.t.Fatal(err)
			}
		}
		c.moved(name)
	}
}

// must fails where work did.
func (c *crowd) must(out *strings.Builder, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%v\n%.3000s", err, out)
	}
}

// takeSnapshot takes one of the host.
func (c *crowd) takeSnapshot() {
	g, out := c.guard()
	_, err := g.Snapshot(context.Background(), "")
	c.must(out, err)
}

func (c *crowd) preUpgrade() {
	g, out := c.guard()
	c.must(out, g.PreUpgrade(context.Background(), "0.20.4", "0.35.5"))
}

func (c *crowd) postUpgrade() string {
	g, out := c.guard()
	c.must(out, g.PostUpgrade(context.Background(), "0.20.4", "0.35.5"))
	return out.String()
}

func (c *crowd) routes() string {
	g, out := c.guard()
	c.must(out, g.Routes(context.Background()))
	return out.String()
}

// refuse gives the first apps a snippet that nginx refuses, and the last one an address
// that nobody has any more: it waits for a reload.
func (c *crowd) refuse(apps int) {
	for _, name := range c.apps[:apps] {
		c.put(c.Paths().App(name)+"/nginx.conf.d/bad.conf", "no_such_directive on;\n")
	}
	last := c.Paths().App(c.apps[len(c.apps)-1]) + "/nginx.conf"
	conf, err := os.ReadFile(last)
	if err != nil {
		c.t.Fatal(err)
	}
	c.put(last, strings.ReplaceAll(string(conf), "server 10.", "server 11."))
}

// refused is what nginx -t says of the first of them that includes its snippet.
func (c *crowd) refused() string {
	for _, name := range c.apps {
		bad := c.Paths().App(name) + "/nginx.conf.d/bad.conf"
		if _, err := os.Stat(bad); err != nil {
			return "" // they are the first
		}
		if conf, err := os.ReadFile(c.Paths().App(name) + "/nginx.conf"); err == nil && strings.Contains(string(conf), "include ") {
			return `unknown directive "no_such_directive" in ` + bad + ":1"
		}
	}
	return ""
}

// mended is what routes prints where not all can be mended.
func (c *crowd) mended() string {
	g, out := c.guard()
	_ = g.Routes(context.Background())
	return out.String()
}

// observe is what every command and hook does once: all that is read and asked, and
// nginx's configurations held to it.
func (c *crowd) observe() {
	files, err := app.Capture(context.Background(), c, app.What{Needs: true})
	if err != nil {
		c.t.Fatal(err)
	}
	now := app.Read(files)
	if found := nginx.Check(files, now, nginx.OwnersOf(now)); len(found) > 0 {
		c.t.Fatal(found)
	}
}

func (c *crowd) refresh() {
	g, out := c.guard()
	c.must(out, g.Refresh(context.Background(), c.apps[len(c.apps)/2]))
}

// deployed plays that every app was deployed since the last snapshot: each has a live one.
func (c *crowd) deployed() {
	g, out := c.guard()
	for _, name := range c.apps {
		c.must(out, g.Refresh(context.Background(), name))
	}
}

// cpu is how long this process has been on the processors.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkUpgrade(b *testing.B) {
	for _, apps := range []int{250, 500, 1000, 2000} {
		timed := func(b *testing.B, prepare func() *crowd, work func(*crowd)) {
			b.ReportAllocs()
			var took time.Duration
			for range b.N {
				b.StopTimer()
				c := prepare()
				b.StartTimer()
				before := cpu()
				work(c)
				took += cpu() - before
			}
			b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "cpu-ms/op")
		}
		healthy := func(version string) func() *crowd {
			return func() *crowd {
				c := newCrowd(b, version, apps)
				c.takeSnapshot()
				c.deployed()
				return c
			}
		}
		b.Run(fmt.Sprintf("observation/%d", apps), func(b *testing.B) {
			timed(b, healthy("0.35.5"), (*crowd).observe)
		})
		b.Run(fmt.Sprintf("pre-upgrade/%d", apps), func(b *testing.B) {
			timed(b, healthy("0.20.4"), (*crowd).preUpgrade)
		})
		b.Run(fmt.Sprintf("post-upgrade/%d", apps), func(b *testing.B) {
			timed(b, func() *crowd {
				c := newCrowd(b, "0.20.4", apps)
				c.deployed()
				c.preUpgrade()
				c.upgraded()
				return c
			}, func(c *crowd) {
				if said := c.postUpgrade(); !strings.Contains(said, "All apps match the baseline") {
					b.Fatalf("%.3000s", said)
				}
			})
		})
		b.Run(fmt.Sprintf("addresses/%d", apps), func(b *testing.B) {
			timed(b, func() *crowd {
				c := healthy("0.35.5")()
				c.address(1)
				return c
			}, func(c *crowd) {
				if said := c.routes(); strings.Count(said, "built by Dokku") != apps {
					b.Fatalf("%.3000s", said)
				}
			})
		})
		b.Run(fmt.Sprintf("fallbacks/%d", apps), func(b *testing.B) {
			timed(b, func() *crowd {
				c := healthy("0.35.5")()
				c.address(1)
				c.noBuild = true
				return c
			}, func(c *crowd) {
				if said := c.routes(); strings.Count(said, ": fallback upstream in its nginx") != apps {
					b.Fatalf("%.3000s", said)
				}
			})
		})
		b.Run(fmt.Sprintf("twenty-refused/%d", apps), func(b *testing.B) {
			timed(b, func() *crowd {
				c := healthy("0.35.5")()
				c.refuse(20)
				return c
			}, func(c *crowd) {
				if said := c.mended(); strings.Count(said, "nginx configuration, quarantined") != 20 {
					b.Fatalf("%.3000s", said)
				}
			})
		})
		b.Run(fmt.Sprintf("refresh/%d", apps), func(b *testing.B) {
			timed(b, healthy("0.35.5"), (*crowd).refresh)
		})
	}
}
