package nginx_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/nginx"
	"upgrade-guard/tests/sandbox"
)

// What can go wrong between nginx and the containers is made to go wrong, is
// found and named, and is repaired, one thing after the other on one machine.
func TestRoutes(t *testing.T) {
	m := newMachine(t, true)
	for _, name := range []string{"alpha", "beta", "gamma"} {
		m.deploy(name, name == "beta")
	}
	ok := func(names ...string) {
		t.Helper()
		for _, name := range names {
			m.answers("http", name, http.StatusOK)
		}
	}
	// said holds what check says, what the repair says and that it went well.
	repaired := func(found string) string {
		t.Helper()
		if said := m.check(); !regexp.MustCompile(found).MatchString(said) {
			t.Errorf("check does not say %q:\n%s", found, said)
		}
		out, err := m.routes()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if said := m.check(); !strings.Contains(said, "nothing found") {
			t.Errorf("still there after the repair:\n%s\n%s", out, said)
		}
		return out
	}
	ok("alpha", "beta", "gamma")
	if said := m.check(); !strings.Contains(said, "nothing found") {
		t.Fatalf("a healthy host is found fault with:\n%s", said)
	}
	// As the installation of the plugin takes one: what nothing is recorded of is not
	// made reachable.
	var said bytes.Buffer
	if _, err := m.guard(&said).Snapshot(t.Context(), ""); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}

	t.Run("nothing to do", func(t *testing.T) {
		before := m.reloads()
		if out, err := m.routes(); err != nil || out != "" || m.reloads() != before {
			t.Errorf("%v %q, %d reloads", err, out, m.reloads()-before)
		}
	})

	t.Run("a stale address", func(t *testing.T) {
		m.withdraw("alpha")
		m.readdress("alpha", subnet+"100")
		before := m.reloads()
		repaired(`alpha: nginx sends its requests to ` + subnet + `10:5000, where no web container of it runs`)
		ok("alpha", "beta", "gamma")
		if n := m.reloads() - before; n != 1 {
			t.Errorf("%d reloads for one app", n)
		}
	})

	t.Run("two apps have swapped addresses", func(t *testing.T) {
		m.withdraw("alpha")
		m.withdraw("gamma")
		m.readdress("alpha", subnet+"12")
		m.readdress("gamma", subnet+"100")
		repaired(`alpha: nginx sends its requests to ` + subnet + `100:5000, which is a container of gamma`)
		ok("alpha", "beta", "gamma")
	})

	t.Run("a configuration without upstream", func(t *testing.T) {
		conf := m.read("home/dokku/gamma/nginx.conf")
		m.write("home/dokku/gamma/nginx.conf", conf[:strings.Index(conf, "upstream ")])
		repaired(`gamma: its nginx configuration passes to gamma-5000, and there is no such upstream`)
		ok("alpha", "beta", "gamma")
	})

	t.Run("Dokku cannot build an upstream", func(t *testing.T) {
		conf := m.read("home/dokku/gamma/nginx.conf")
		m.write("home/dokku/gamma/nginx.conf", conf[:strings.Index(conf, "upstream ")])
		os.Remove(m.path("var/lib/dokku/config/ps/gamma/scale"))
		m.withdraw("alpha") // somebody waits for a reload
		m.readdress("alpha", subnet+"110")
		out, err := m.routes()
		if err != nil || !strings.Contains(out, "fallback upstream") {
			t.Errorf("%v\n%s", err, out)
		}
		ok("alpha", "beta", "gamma")
		if said := m.check(); !strings.Contains(said, "gamma: its nginx configuration has a fallback upstream") {
			t.Errorf("the fallback upstream is not reported:\n%s", said)
		}
		m.write("var/lib/dokku/config/ps/gamma/scale", "web=1\n")
		repaired("gamma: its nginx configuration has a fallback upstream")
		if conf := m.read("home/dokku/gamma/nginx.conf"); strings.Contains(conf, "upgrade-guard") {
			t.Errorf("Dokku has not built it:\n%s", conf)
		}
		ok("gamma")
	})

	t.Run("no configuration and no listener files", func(t *testing.T) {
		for _, f := range []string{"nginx.conf", "IP.web.1", "PORT.web.1"} {
			os.Remove(m.path("home/dokku/gamma/" + f))
		}
		repaired(`gamma: it runs, and nginx has no configuration for it`)
		ok("alpha", "beta", "gamma")
	})

	t.Run("a certificate that is gone", func(t *testing.T) {
		m.answers("https", "beta", http.StatusOK)
		os.RemoveAll(m.path("home/dokku/beta/tls"))
		// What is in every snapshot is told, with the command that puts it back: a build
		// without https would be no repair. nginx serves it from memory meanwhile.
		out, err := m.routes()
		if err != nil || !strings.Contains(out, "beta: nginx is to serve it with tls/server.crt, which is not there") ||
			!strings.Contains(out, "To do: dokku upgrade-guard:restore beta --only certs") || strings.Contains(out, "built by Dokku:") {
			t.Errorf("%v\n%s", err, out)
		}
		ok("alpha", "beta", "gamma")
		m.certificate("beta")
		m.build("beta")
		m.answers("https", "beta", http.StatusOK)
	})

	t.Run("a dead container", func(t *testing.T) {
		m.run("docker", "kill", m.container("gamma"))
		repaired(`gamma: its container web.1 does not run \(exited\)`)
		ok("alpha", "beta", "gamma")
	})

	t.Run("what a person has stopped stays down", func(t *testing.T) {
		m.run("docker", "stop", "--time", "1", m.container("gamma"))
		m.write("home/dokku/gamma/ENV", "DOKKU_APP_RESTORE=\"0\"\n")
		if out, err := m.routes(); err != nil || out != "" {
			t.Errorf("%v\n%s", err, out)
		}
		m.write("home/dokku/gamma/ENV", "")
		m.run("docker", "start", m.container("gamma"))
		m.build("gamma")
		ok("gamma")
	})

	t.Run("nginx has not loaded what is on the disk", func(t *testing.T) {
		conf := m.read("home/dokku/alpha/nginx.conf")
		m.write("home/dokku/alpha/nginx.conf", strings.ReplaceAll(conf, subnet+"110:5000", subnet+"1:9")) // nobody there
		m.run("sudo", "-n", "/usr/bin/systemctl", "reload", "nginx")
		// An earlier reload may still be under way and read this file too; ours, after
		// it, is not to find the good one.
		for range 15 {
			m.answers("http", "alpha", http.StatusBadGateway)
			time.Sleep(100 * time.Millisecond)
		}
		m.write("home/dokku/alpha/nginx.conf", conf)
		repaired(`alpha: http://alpha.test:` + httpPort + ` gets an error from nginx`)
		ok("alpha", "beta", "gamma")
	})

	t.Run("a broken neighbour", func(t *testing.T) {
		m.write("home/dokku/beta/nginx.conf.d/broken.conf", "no_such_directive on;\n")
		// As long as nobody waits, beta is served as nginx has it in memory.
		if out, err := m.routes(); err == nil || !strings.Contains(err.Error(), "beta: nginx refuses to load its configuration") {
			t.Errorf("%v\n%s", err, out)
		}
		ok("alpha", "beta", "gamma")

		m.withdraw("alpha")
		m.readdress("alpha", subnet+"111")
		out, err := m.routes()
		if err != nil || !strings.Contains(out, "beta: nginx configuration, quarantined") {
			t.Errorf("%v\n%s", err, out)
		}
		ok("alpha", "gamma")
		m.answers("http", "beta", http.StatusServiceUnavailable)
		m.answers("https", "beta", http.StatusServiceUnavailable)
		if said := m.check(); !strings.Contains(said, "beta: its nginx configuration is quarantined") {
			t.Errorf("it is not reported:\n%s", said)
		}
		os.Remove(m.path("home/dokku/beta/nginx.conf.d/broken.conf"))
		repaired("beta: its nginx configuration is quarantined")
		ok("alpha", "beta", "gamma")
		m.answers("https", "beta", http.StatusOK)
		if left, _ := filepath.Glob(m.path("home/dokku/*/nginx.conf.set-aside")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})

	t.Run("a build that nginx refuses", func(t *testing.T) {
		m.write("home/dokku/gamma/nginx.conf.d/upload.conf", "client_max_body_size 5m;\n")
		m.withdraw("gamma")
		m.readdress("gamma", subnet+"112")
		if out, err := exec.Command("plugn", "trigger", "proxy-build-config", "gamma").CombinedOutput(); err == nil || !strings.Contains(string(out), `"client_max_body_size" directive is duplicate`) {
			t.Fatalf("nginx takes it: %v\n%s", err, out)
		}
		out, err := m.routes()
		if err != nil || !strings.Contains(out, "gamma: nginx configuration without what a snippet sets, too") || strings.Contains(out, "quarantined") {
			t.Errorf("%v\n%s", err, out)
		}
		ok("alpha", "beta", "gamma")
		if said := m.check(); !strings.Contains(said, "gamma: nginx.conf.d/upload.conf sets client_max_body_size 5m") {
			t.Errorf("it is not reported:\n%s", said)
		}
		os.Remove(m.path("home/dokku/gamma/nginx.conf.d/upload.conf"))
		if said := m.check(); !strings.Contains(said, "gamma: its nginx configuration is upgrade-guard's, because nginx refused what Dokku had built") {
			t.Errorf("it is not reported:\n%s", said)
		}
		m.build("gamma")
		if said := m.check(); !strings.Contains(said, "nothing found") {
			t.Errorf("still there after Dokku's build:\n%s", said)
		}
		ok("alpha", "beta", "gamma")
	})

	t.Run("healthy apps refuse nothing while another is repaired", func(t *testing.T) {
		const total = 10_000
		var asked, refused atomic.Int64
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for n := range 8 {
			wg.Go(func() {
				name := []string{"beta", "gamma"}[n%2]
				for asked.Add(1) <= total {
					if status, body, err := get("http", name+".test"); err != nil || status != http.StatusOK || body != "app="+name {
						refused.Add(1)
						t.Logf("%s: %d %q %v", name, status, body, err)
					}
				}
			})
		}
		repairs := 0
		go func() { wg.Wait(); close(stop) }()
		for n := 0; ; n++ {
			m.withdraw("alpha")
			m.readdress("alpha", fmt.Sprint(subnet, 120+n%100))
			if out, err := m.routes(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			repairs++
			select {
			case <-stop:
			default:
				continue
			}
			break
		}
		ok("alpha")
		if n := refused.Load(); n > 0 {
			t.Errorf("%d of %d requests were refused", n, total)
		}
		t.Logf("%d requests, none refused, during %d repairs", total, repairs)
	})
}

// Every recorded nginx.conf reads to the servers that nginx lists, by its own
// count of the lines of nginx -T.
func TestRecordingsAsNginxReadsThem(t *testing.T) {
	need(t, "nginx")
	for _, recording := range sandbox.Recordings() {
		t.Run(recording, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := sandbox.New(dir, recording); err != nil {
				t.Fatal(err)
			}
			// The recorded paths, in this directory.
			confs, err := filepath.Glob(filepath.Join(dir, "home/dokku/*/nginx.conf"))
			if err != nil {
				t.Fatal(err)
			}
			var files []app.File
			var apps []string
			for _, f := range confs {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				name := filepath.Base(filepath.Dir(f))
				apps = append(apps, name)
				files = append(files, app.File{Path: nginx.ConfPath(name), Data: b})
				text := strings.NewReplacer("/home/dokku/", dir+"/home/dokku/", "/var/log/nginx/", dir+"/").Replace(string(b))
				if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			top := filepath.Join(dir, "nginx.conf")
			if err := os.WriteFile(top, fmt.Appendf(nil, "pid %[1]s/pid;\nerror_log %[1]s/log;\nevents {}\nhttp { server_names_hash_bucket_size 512; include %[1]s/home/dokku/*/nginx.conf; }\n", dir), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("nginx", "-T", "-c", top).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var want, got []string
			for _, m := range regexp.MustCompile(`(?m)^\s*(?:server_name|listen|proxy_pass|upstream|server)\s+([^;{]*[^;{ ]) *[;{]`).FindAllStringSubmatch(string(out), -1) {
				want = append(want, strings.Join(strings.Fields(m[1]), " "))
			}
			set := app.NewFiles("0.35.5", apps, nil, files)
			for _, name := range apps {
				c, err := nginx.Read(set, name)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for _, s := range c.Servers {
					got = append(got, strings.Join(s.Names, " "))
					for _, l := range s.Listens {
						line := strings.Replace(l.Address+":"+l.Port, ":::", "[::]:", 1)
						line = strings.TrimPrefix(line, ":")
						if l.TLS {
							line += " ssl"
						}
						if l.HTTP2 {
							line += " http2"
						}
						got = append(got, line)
					}
					for _, p := range s.Passes {
						got = append(got, p.Scheme+"://"+p.Upstream)
					}
				}
				for _, u := range c.Upstreams {
					got = append(append(got, u.Name), u.Servers...)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("nginx lists\n%q\nand is read as\n%q", want, got)
			}
		})
	}
}

// nginx is the judge of the grammar: what it takes is read, what it refuses for
// its grammar is refused.
func TestGrammarAsNginxReadsIt(t *testing.T) {
	need(t, "nginx")
	dir := t.TempDir()
	for _, text := range []string{
		`set $a "b c";`, `set $a 'd "e"';`, `set $a b"c;`, `set $a "b"c;`, `set $a "b" ;`, `set $a b\;c;`, `set $a "d\"e";`, `set $a ${b}c;`,
		`if ($host ~ "b") { return 502; }`, `if ($host ~ "b"x) { return 502; }`, `set $a b}c;`, `set $a b;}`, `{ }`, `set;;`, `set $a "b`, `# set`, `set $a b#c;`,
		`location ~ \.php$ { }`, `location "/a b" { }`, `location /{ }`, "set\t$a\r\nb;", `set $a b`, `location / {`, `set $a "";`, `set $a '\'';`, `set $a \ b;`,
		`}`, `;`, `set $a "b";set $c "d";`, `set $a ${b};`, `return 200 "{}";`, `return 200 {};`, `return 200 $host{ };`,
	} {
		full := fmt.Sprintf("pid %[1]s/pid;\nerror_log %[1]s/log;\nevents {}\nhttp { server { set $b 1;\n%[2]s\n} }\n", dir, text)
		name := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(name, []byte(full), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("nginx", "-t", "-c", name).CombinedOutput()
		byGrammar := regexp.MustCompile(`unexpected|unterminated|too long parameter`).Match(out)
		_, got := nginx.Parse(full)
		if err == nil && got != nil || byGrammar && got == nil {
			t.Errorf("%s\nnginx: %s\nand it is read with %v", text, out, got)
		}
	}
}

// nginx is the judge of what it takes once in a server, too.
func TestOnceAsNginxTakesIt(t *testing.T) {
	need(t, "nginx")
	dir := t.TempDir()
	arguments := map[string]string{
		"charset": "utf-8", "default_type": "a/b", "etag": "off", "expires": "1h", "gzip_buffers": "4 8k", "large_client_header_buffers": "4 8k",
		"limit_conn": "c 5", "limit_req": "zone=r", "limit_req_status": "429", "lingering_close": "on", "proxy_buffers": "8 8k", "proxy_cache": "off",
		"proxy_http_version": "1.1", "real_ip_header": "X-Real-IP", "resolver": "127.0.0.1", "root": "/tmp", "satisfy": "any", "ssl_ciphers": "HIGH",
		"ssl_ecdh_curve": "auto", "try_files": "/a /b", "auth_request": "/a", "ssl_session_timeout": "1d", "ssl_dhparam": "/a", "auth_basic": "a", "auth_basic_user_file": "/a",
	}
	complains := func(text string) string {
		full := fmt.Sprintf("pid %[1]s/pid;\nerror_log %[1]s/log;\nevents {}\nhttp { limit_req_zone $uri zone=r:1m rate=1r/s; limit_conn_zone $uri zone=c:1m;\nserver {\n%[2]s\n} }\n", dir, text)
		name := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(name, []byte(full), 0o644); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command("nginx", "-t", "-c", name).CombinedOutput()
		return string(out)
	}
	for _, name := range nginx.OnceInServer {
		said := ""
		for _, argument := range append([]string{arguments[name]}, "on", "5", "8k") {
			d := name + " " + argument + ";\n"
			if said = complains(d + d); argument != "" && strings.Contains(said, "is duplicate") {
				break
			}
		}
		if !strings.Contains(said, "is duplicate") && !strings.Contains(said, "unknown directive") { // of another nginx
			t.Errorf("%s: %s", name, said)
		}
	}
	for _, d := range []string{
		"add_header A b;", "access_log off;", "error_page 404 /x;", "allow all;", "deny all;", "return 404;", "rewrite ^/a /b;", "set $a b;", "server_name a;",
		"proxy_set_header A b;", "proxy_hide_header A;", "proxy_cookie_path /a /b;", "gzip_types text/css;", "index a;", "sub_filter a b;", "set_real_ip_from 10.0.0.0/8;",
	} {
		list, err := nginx.Parse(d)
		if said := complains(d + "\n" + d); err != nil || nginx.Once(list[0]) || strings.Contains(said, "duplicate") && !strings.Contains(said, "[warn]") {
			t.Errorf("%s: %v, and nginx says: %s", d, err, said)
		}
	}
}
