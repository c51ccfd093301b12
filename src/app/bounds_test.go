package app

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"upgrade-guard/src/host"
)

// Forty lines of an ENV file, each naming the one before it forty times, are more than
// any memory holds.
func TestAnEnvThatSwells(t *testing.T) {
	text := "A0=\"0123456789\"\n"
	for n := range 40 {
		text += fmt.Sprintf("A%d=\"%s\"\n", n+1, strings.Repeat(fmt.Sprintf("${A%d}", n), 40))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	took := soon(t, len(text), func() {
		_, s := state(t, "0.38.27", File{Path: "lib/config/a/ENV", Data: []byte(text)})
		if len(s.Env) > 0 || len(s.Problems) != 1 || !strings.Contains(s.Problems[0], "larger than can be read") {
			t.Errorf("%d variables, %q", len(s.Env), s.Problems)
		}
	})
	runtime.ReadMemStats(&after)
	t.Logf("%s, %d KiB", took, (after.TotalAlloc-before.TotalAlloc)>>10)
	// What names others as people do is as ever.
	values, err := ParseEnv("HOME=/app\nA=\"$HOME/a:${HOME}/b\"\nB='$A'\nC=\"\\$A\"\n", "0.38.27")
	if err != nil || values["A"] != "/app/a:/app/b" || values["B"] != "$A" || values["C"] != "$A" {
		t.Errorf("%q, %v", values, err)
	}
}

// certificate is a self-signed one for some names, and its key.
func certificate(t testing.TB, names []string) (crt, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// Whatever is in an app's files, each as large as it is read.
func TestHostileState(t *testing.T) {
	fill := func(text string) []byte { return bytes.Repeat([]byte(text), MaxFile/len(text)) }
	numbered := func(format string) []byte {
		var b bytes.Buffer
		for n := 0; b.Len() < MaxFile-100; n++ {
			fmt.Fprintf(&b, format, n)
		}
		return b.Bytes()
	}
	var names []string
	for n := range maxNames + 1 {
		names = append(names, fmt.Sprintf("%d.example.org", n))
	}
	crt, key := certificate(t, names)
	for about, file := range map[string]File{
		"process types":         {Path: "root/a/DOKKU_SCALE", Data: numbered("t%d=1\n")},
		"lines that are none":   {Path: "root/a/DOKKU_SCALE", Data: numbered("t%d\n")},
		"the same process type": {Path: "root/a/DOKKU_SCALE", Data: fill("web=1\n")},
		"variables":             {Path: "root/a/ENV", Data: numbered("V%d=\"x\"\n")},
		"comments":              {Path: "root/a/ENV", Data: fill("#\n")},
		"dollars":               {Path: "root/a/ENV", Data: append([]byte("A=\"xxxxxxxxxxxxxxxxxxxxxxxxx\"\nB=\""), fill("$A")...)},
		"quotes":                {Path: "root/a/ENV", Data: fill("A=\"\"")},
		"domains":               {Path: "root/a/VHOST", Data: numbered("d%d.example\n")},
		"ports":                 {Path: "lib/config/ports/a/map", Data: numbered("http:%d:5000\n")},
		"branches":              {Path: "root/a/packed-refs", Data: numbered("0123456789 refs/heads/%d\n")},
		"beginnings of PEM":     {Path: "root/a/tls/server.crt", Data: fill("-----BEGIN CERTIFICATE-----\n")},
		"blocks of PEM":         {Path: "root/a/tls/server.crt", Data: fill("-----BEGIN X-----\n\n-----END X-----\n")},
		"dashes":                {Path: "root/a/tls/server.crt", Data: fill("-----BEGIN -----END ")},
		"a key":                 {Path: "root/a/tls/server.key", Data: append(fill("-----BEGIN X-----\n\n-----END X-----\n"), key...)},
		"a large certificate":   {Path: "root/a/tls/server.crt", Data: crt},
		"containers":            {Path: dockerFacts, Data: numbered("{\"id\":\"%d\",\"env\":[],\"labels\":{}}\n")},
		"a crontab":             {Path: cronFacts, Data: numbered("* * * * * %d\n")},
	} {
		files := []File{file}
		if strings.HasSuffix(file.Path, ".key") {
			one, _ := certificate(t, []string{"a.test"})
			files = append(files, File{Path: "root/a/tls/server.crt", Data: one})
		}
		took := soon(t, len(file.Data), func() {
			if strings.HasSuffix(file.Path, "/ENV") { // by the other grammar too
				state(t, "0.37.10", files...)
			}
			_, s := state(t, "0.35.5", files...)
			if about == "a large certificate" && (s.Certificate != nil || len(s.Problems) != 1 || !strings.Contains(s.Problems[0], "more than 5000 domains")) {
				t.Errorf("%q", s.Problems)
			}
			if len(s.Problems) > maxMalformed+3 {
				t.Errorf("%s: %d problems", about, len(s.Problems))
			}
		})
		t.Logf("%4d KiB in %-12s %s", len(file.Data)>>10, took, about)
	}
}

// What is no file, too large, too deep or one of too many is named and left out; what
// stands beside it is there.
func TestWhatIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	h := host.NewLocal(host.Paths{DokkuRoot: dir + "/home", LibRoot: dir + "/lib"})
	put := func(name, content string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put("home/a/HEAD", "ref: refs/heads/main\n")
	put("home/a/VHOST", strings.Repeat("x", MaxFile+1))
	put("home/b/HEAD", "x")
	put("lib/config/ps/a/scale", "web=1\n")
	put("home/a/refs/heads/"+strings.Repeat("d/", 60)+"x", "x")
	for n := range maxTree {
		put(fmt.Sprintf("home/a/refs/tags/%d", n), "x")
	}
	if err := errors.Join(syscall.Mkfifo(dir+"/home/a/ENV", 0o600), os.Symlink("/dev/zero", dir+"/home/a/DOKKU_SCALE")); err != nil {
		t.Fatal(err)
	}
	var files *Files
	took := soon(t, maxTree*100, func() {
		var err error
		if files, err = Capture(context.Background(), h, What{NoCommands: true, Dokku: "0.35.5"}); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d files in %s", len(files.All()), took)
	for path, want := range map[string]string{
		"root/a/ENV": "left out: it is a FIFO", "root/a/VHOST": "left out: larger than 1 MiB", "root/a/DOKKU_SCALE": "",
		"root/a/refs/heads/" + strings.Repeat("d/", 50): "left out: directories stand more than 50 deep in one another",
		"root/a/refs/tags/":                             "left out: there are more than 20000 files",
		"root/b/HEAD":                                   "", "lib/config/ps/a/scale": "",
	} {
		if f, ok := files.Get(path); !ok || f.Error != want {
			t.Errorf("%s: %v %q", path, ok, f.Error)
		}
	}
	if missing := files.Incomplete(); len(missing) > 0 {
		t.Errorf("incomplete: %q", missing)
	}
}
