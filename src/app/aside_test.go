package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upgrade-guard/src/host"
)

// What lego keeps beside a certificate is most of what there is to be held, and no state is
// read from it: it waits on the disk, and is whole whenever somebody asks, whatever has
// become of the file since.
func TestWhatIsOnlyStoredIsSetAside(t *testing.T) {
	h := smallHost(t)
	certificates := "root/blog/letsencrypt/certs/0123/certificates/blog.example.org"
	bundle := []byte(strings.Repeat("the certificate, its key and the issuer\n", 100))
	for path, content := range map[string][]byte{
		certificates + ".pem": bundle, certificates + ".issuer.crt": bundle[:minAside], certificates + ".crt": bundle,
		certificates + ".json": bundle[:10], "root/blog/letsencrypt/certs/0123/fullchain.pem": bundle, "root/blog/tls/server.pem": bundle,
		// Names that look like such a place: an app's, a directory's, and a domain's.
		"root/certificates/ENV": nil, "root/certificates/letsencrypt/certs/0123/fullchain.pem": bundle, "root/blog/letsencrypt/certs/certificates/fullchain.pem": bundle,
		"root/blog/letsencrypt/certs/0123/certificates/shop.issuer.crt": bundle, "root/blog/letsencrypt/certs/0123/certificates/shop.issuer.pem": bundle[:10],
	} {
		if err := h.Write(RealPath(h.Paths(), path), 0o600, content); err != nil {
			t.Fatal(err)
		}
	}
	setAside := map[string]bool{certificates + ".pem": true, certificates + ".issuer.crt": true, "root/blog/letsencrypt/certs/0123/certificates/shop.issuer.crt": true}
	look := func(h host.Host, want map[string]bool) map[string]File {
		t.Helper()
		_, found := capturedPaths(t, h)
		for path, f := range found {
			if f.aside != nil != want[path] || f.aside != nil && f.Data != nil {
				t.Errorf("%s: set aside: %v, held: %d bytes", path, f.aside != nil, len(f.Data))
			}
			if content, err := f.Content(); err != nil || f.SHA256 != "" && (Digest(content) != f.SHA256 || len(content) != f.Size) {
				t.Errorf("%s has another content than it says: %v", path, err)
			}
		}
		if content, _ := found[certificates+".pem"].Content(); !bytes.Equal(content, bundle) {
			t.Errorf("the bundle came back as %q", content)
		}
		return found
	}
	look(h, nil) // there is no data directory yet: it is held
	if err := h.Mkdir(h.Paths().Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	look(&host.Faulty{Host: h, NoAside: true}, nil)
	found := look(h, setAside)
	if left, err := os.ReadDir(h.Paths().Data()); err != nil || len(left) > 0 {
		t.Errorf("there is something left: %v, %v", left, err)
	}

	files, err := Capture(context.Background(), h, What{NoCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(RealPath(h.Paths(), certificates+".pem"), []byte("renewed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, ok := files.Text(certificates + ".pem"); !ok || text != string(bundle) {
		t.Errorf("what was read is %q once it is another (%v)", text, ok)
	}

	// Who asks for a certificate gets one, whatever its domain is called.
	for _, directory := range []string{"0123", "certificates"} {
		issued, ok := files.IssuedIn("blog", directory, Domains{Names: []string{"shop.issuer"}, File: true})
		if !ok || string(issued.Data) != string(bundle) {
			t.Errorf("the certificate in %s has %d bytes (%v)", directory, len(issued.Data), ok)
		}
	}
	if issued, ok := files.IssuedIn("certificates", "0123", Domains{}); !ok || string(issued.Data) != string(bundle) {
		t.Errorf("that of the app certificates has %d bytes (%v)", len(issued.Data), ok)
	}

	// What cannot be had again as it was is no content at all.
	other := found[certificates+".pem"]
	for what, at := range map[string]int64{"another place": other.aside.at + 1, "beyond its end": 1 << 40} {
		f := other
		f.aside = &aside{other.aside.file, at}
		if content, err := f.Content(); err == nil || content != nil || !strings.Contains(err.Error(), filepath.Base(certificates)) {
			t.Errorf("%s: %q, %v", what, content, err)
		}
	}
}

// Contents that are alike are held once, and each file has the digest of its own.
func TestWhatIsAlikeIsHeldOnce(t *testing.T) {
	var same alike
	for n := range 3 * mostAlike {
		own := []byte(fmt.Sprint("of its own ", n))
		if c := same.of(own); c.digest != Digest(own) || !bytes.Equal(c.data, own) {
			t.Fatalf("%q came back as %q", own, c.data)
		}
		for _, text := range []string{"", "true", strings.Repeat("x", maxAlike), strings.Repeat("x", maxAlike+1)} {
			if c := same.of([]byte(text)); c.digest != Digest([]byte(text)) || string(c.data) != text {
				t.Fatalf("%q came back as %q", text, c.data)
			}
		}
	}
	one, two := same.of([]byte("web=1\n")), same.of([]byte("web=1\n"))
	if &one.data[0] != &two.data[0] {
		t.Error("the same is held twice")
	}
	if len(same.seen) > mostAlike {
		t.Errorf("it is looked for among %d", len(same.seen))
	}
}
