package app

import (
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/joho/godotenv"
)

// cpu is the time that this process has worked: the machine may have other work.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// soon fails a test where work takes out of all proportion to what it was given.
func soon(t *testing.T, size int, work func()) (took time.Duration) {
	t.Helper()
	began := cpu()
	work()
	if took = cpu() - began; took > time.Second+time.Duration(size)*5*time.Microsecond {
		t.Fatalf("%d bytes took %s", size, took)
	}
	return took
}

func FuzzEnv(f *testing.F) {
	for _, seed := range []string{
		"A=\"b\"\n", "export A='b'\nB=c # d\n", "A=\"x\"\nB=\"$A${A}\"\nC=$B$B\n", "A=\"\\$B\\\\$C$\\A\"", "# a\n\nA: b\r\nB=\"\n\n\"", "A", "=", "A=\"", "A=\xa0b", "A=$A\\B$(A}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		soon(t, len(text), func() {
			values, err := ParseEnv(text, "0.38.27")
			total := 0
			for _, v := range values {
				total += len(v)
			}
			if total > maxExpanded+len(text) {
				t.Fatalf("%d bytes have become %d", len(text), total)
			}
			sizes, swells := foreseen(text)
			if swells {
				return
			}
			want, wantErr := godotenv.Unmarshal(text)
			maps.DeleteFunc(want, func(name, _ string) bool { return !validName().MatchString(name) })
			if (err == nil) != (wantErr == nil) || err == nil && !cmp.Equal(values, want) {
				t.Fatalf("%q: %v, %v", values, err, wantErr)
			}
			// And it is never more than was foreseen.
			for name, v := range want {
				if wantErr == nil && name != "" && len(v) > sizes[name] {
					t.Fatalf("%q is %d bytes, and %d were foreseen", name, len(v), sizes[name])
				}
			}
		})
	})
}

// state is what is read of an app called a, and of the host, from these files.
func state(t *testing.T, dokku string, files ...File) (*Files, State) {
	size := 0
	for i := range files {
		files[i].Mode, files[i].SHA256 = 0o600, Digest(files[i].Data)
		size += len(files[i].Data)
	}
	f := NewFiles(dokku, []string{"a"}, nil, files)
	var h Host
	soon(t, size, func() { h = Read(f) })
	return f, h.Apps["a"]
}

func FuzzScale(f *testing.F) {
	for _, seed := range []string{"web=2\nworker=1\n", "# x\nweb = 2 # y\r\nweb=3", "web=1worker=0", "web=99999999999999999999", "web=-1\n=\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, s := state(t, "0.20.4", File{Path: "root/a/DOKKU_SCALE", Data: []byte(text)}, File{Path: "lib/config/ps/a/scale", Data: []byte(text)})
		for _, scale := range []*Scale{s.Scale.File, s.Scale.Property} {
			if len(scale.Malformed) > maxMalformed+1 {
				t.Fatalf("%d lines are named", len(scale.Malformed))
			}
			// What is written of it reads as it does.
			if again := parseScaleList(string(scale.Lines())); !again.Equal(scale) || len(again.Malformed) > 0 {
				t.Fatalf("%q reads as %q, which reads as %q", text, scale, again)
			}
		}
	})
}

func FuzzPorts(f *testing.F) {
	for _, seed := range []string{"http:80:5000\nhttps:443:5000\n", "http:80:5000 https:443:5000", ":::\n", "80\nx:y:z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, s := state(t, "0.38.27", File{Path: "lib/config/ports/a/map", Data: []byte(text)}, File{Path: "lib/config/ports/a/map-detected", Data: []byte(text)},
			File{Path: "lib/config/proxy/a/proxy-port", Data: []byte(text)}, File{Path: "root/a/VHOST", Data: []byte(text)})
		for _, p := range append(s.Ports.Map, s.Domains.Names...) {
			if strings.TrimSpace(p) != p || p == "" || strings.Contains(p, "\n") {
				t.Fatalf("%q is an entry", p)
			}
		}
	})
}

func FuzzDocker(f *testing.F) {
	for _, seed := range []string{
		`{"id":"c1","running":true,"status":"running","image":"dokku/a","labels":{"":"","caddy":"a.test"},"workdir":"/app","networks":{"":{},"bridge":{"IPAddress":"172.17.0.2"}},"env":["PATH"]}`,
		`{"id":"c1","networks":{"host":{}},"labels":null,"env":[]}` + "\n" + `{"id":"c1"}`, "{", "null\n[]\n\"x\"",
	} {
		f.Add(seed, "c1")
	}
	f.Fuzz(func(t *testing.T, facts, id string) {
		kept, err := inspectedLines(strings.NewReader(facts), nil)
		if err == nil && len(kept) > len(facts)+2*strings.Count(facts, "\n")+2 {
			t.Fatalf("%d bytes are kept of %d", len(kept), len(facts))
		}
		_, s := state(t, "0.35.5", File{Path: dockerFacts, Data: kept}, File{Path: "root/a/CONTAINER.web.1", Data: []byte(id)},
			File{Path: "root/a/CONTAINER.web." + id, Data: []byte(id)}, File{Path: "root/a/IP.web.1", Data: []byte(id)})
		if len(s.Containers) == 0 {
			t.Fatal("its containers are not there")
		}
	})
}

func FuzzCrontab(f *testing.F) {
	for _, seed := range []string{"# x\nPATH=/bin\n24 6 * * * dokku letsencrypt:auto-renew &>> /x\n", "@daily /var/lib/dokku/plugins/available/letsencrypt/cron-job", "\x00\n#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := NewFiles("0.35.5", nil, nil, []File{{Path: cronFacts, Data: []byte(text)}})
		soon(t, len(text), func() {
			h := Read(files)
			if h.Global.Letsencrypt.Scheduled != strings.Contains(h.Global.Letsencrypt.AutoRenew, "crontab") {
				t.Fatalf("%+v", h.Global.Letsencrypt)
			}
		})
	})
}

// Files below an app's letsencrypt and tls directories, a line each: a path with its
// content, or with > and where a link leads.
func FuzzLetsencrypt(f *testing.F) {
	for _, seed := range []string{
		"letsencrypt/certs/current>/home/dokku/a/letsencrypt/certs/x\nletsencrypt/certs/x/certificates/a.test.crt=c\nletsencrypt/certs/x/certificates/a.test.pem=p\ntls/server.crt=c\ntls/server.key=k",
		"letsencrypt/certs/current/fullchain.pem=c\ntls/server.crt>/home/dokku/a/letsencrypt/certs/current/fullchain.pem\ntls/server.key=k",
		"letsencrypt/certs/current>../../../..\ntls/server.crt>x", "letsencrypt/certs/current>current", "letsencrypt=x\ntls/=",
	} {
		for _, plugin := range []string{"0.1.0", "0.20.2", "0.25.0"} {
			f.Add(seed, "a.test\n*.b.test\n_", plugin)
		}
	}
	f.Fuzz(func(t *testing.T, layout, vhost, plugin string) {
		list := []File{{Path: "root/a/VHOST", Data: []byte(vhost)}, {Path: pluginFact, Data: []byte(plugin)}}
		for _, l := range strings.Split(layout, "\n") {
			if path, data, ok := strings.Cut(l, "="); ok {
				list = append(list, File{Path: "root/a/" + path, Data: []byte(data)})
			} else if path, link, ok := strings.Cut(l, ">"); ok {
				list = append(list, File{Path: "root/a/" + path, Link: link})
			}
		}
		files, s := state(t, "0.35.5", list...)
		soon(t, len(layout)+len(vhost), func() {
			for _, d := range files.IssuedDirectories("a") {
				files.Issued("a", d)
				files.IssuedIn("a", d, s.Domains)
			}
			files.LetsencryptDirectory("a")
			files.Renamed("a", "b")
			// Whom the plugin renews is served what it has issued.
			if served, ok := files.Served("a"); s.Letsencrypt.Active && (!ok || served.SHA256 == "") {
				t.Fatalf("%+v is active", s.Letsencrypt)
			}
		})
	})
}

func FuzzCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))
	crt, key := certificate(f, []string{"a.test", "*.b.test"})
	f.Add(crt, key)
	f.Add(append([]byte("x\n"), crt...), key[:50])
	f.Add([]byte("-----BEGIN X-----\n-----BEGIN CERTIFICATE-----\n"), []byte{})
	f.Fuzz(func(t *testing.T, crt, key []byte) {
		_, s := state(t, "0.35.5", File{Path: "root/a/tls/server.crt", Data: crt}, File{Path: "root/a/tls/server.key", Data: key})
		if s.Certificate != nil && (len(s.Certificate.Names) > maxNames || s.Certificate.KeyFits && len(key) > maxKey) {
			t.Fatalf("%+v", s.Certificate)
		}
	})
}
