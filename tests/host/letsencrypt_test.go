package host_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

// newLetsencrypt is a host whose letsencrypt plugin was updated from 0.9.4 to
// 0.25.1 and whose hook has failed: everything is still where the old one kept it.
// The link of my_app has become a directory besides.
func newLetsencrypt(t *testing.T) host.Host {
	box, h := newHost(t, sandbox.Before)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(box.Letsencrypt("0.9.4"))
	check(box.Issue("blog", "0.9.4", 80))
	check(box.Issue("my_app", "0.9.4", 80))
	certs := h.Paths().App("my_app") + "/letsencrypt/certs/"
	hash, err := h.Readlink(certs + "current")
	check(err)
	check(h.Remove(certs + "current"))
	check(h.Rename(hash, certs+"current"))
	check(h.Write(h.Paths().LibRoot+"/data/letsencrypt/autorenew", 0o644, nil))
	for _, name := range []string{"STABLE_VERSION", "VERSION"} {
		check(h.Write(filepath.Join(h.Paths().LibRoot, name), 0o644, []byte("0.24.10\n")))
	}
	check(quietGuard(h, &strings.Builder{}).Install(context.Background()))
	check(box.Letsencrypt("0.25.1"))
	return h
}

func ofLetsencrypt(op host.Op) bool {
	return op.Kind != "mkdir" && op.Kind != "append" && (strings.Contains(op.Name, "letsencrypt") || strings.HasPrefix(op.Name, "dokku ") || strings.HasPrefix(op.Name, "plugn"))
}

func applyLetsencrypt(h host.Host) error {
	_, err := quietGuard(h, &strings.Builder{}).Apply(context.Background(), false)
	return err
}

// letsencryptSettled says what is wrong with a host on which everything is where
// the installed plugin looks for it.
func letsencryptSettled(t *testing.T, h host.Host) {
	t.Helper()
	files, err := app.Capture(context.Background(), h, app.What{})
	if err != nil {
		t.Fatal(err)
	}
	now := app.Read(files)
	for _, name := range []string{"blog", "my_app"} {
		l := now.Apps[name].Letsencrypt
		wanted, ok := files.LetsencryptDirectory(name)
		if !l.Active || !ok || l.Directory != wanted.Name || len(l.Env) > 0 || l.Properties["email"] == "" {
			t.Errorf("%s: %+v, looked for in %s", name, l, wanted.Name)
		}
		issued := files.Issued(name, l.Directory)
		for _, f := range []string{"fullchain.pem", "key.pem", "config", "docker_options"} {
			if issued[f].SHA256 == "" || issued[f].Mode.Perm() != 0o600 {
				t.Errorf("%s: %s is %v", name, f, issued[f].Mode)
			}
		}
		for f := range issued {
			if strings.HasPrefix(filepath.Base(f), ".") {
				t.Errorf("%s: left behind: %s", name, f)
			}
		}
	}
	if l := now.Global.Letsencrypt; l.AutoRenew != "marker-global" || !l.Scheduled || len(l.Env) > 0 || l.Properties["email"] == "" {
		t.Errorf("the host: %+v", l)
	}
}

// Killed at any change to what is letsencrypt's, the next run ends as one that was
// not killed.
func TestLetsencryptKilledAnywhere(t *testing.T) {
	var ops []host.Op
	h := newLetsencrypt(t)
	err := applyLetsencrypt(&host.Faulty{Host: h, Kill: func(op host.Op) string {
		if ofLetsencrypt(op) {
			ops = append(ops, op)
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	letsencryptSettled(t, h)
	if len(ops) < 15 {
		t.Fatalf("too few changes to be true: %v", ops)
	}
	modes := []string{"before", "during", "after"}
	for n, op := range ops {
		mode := modes[n%len(modes)]
		t.Run(fmt.Sprintf("%s %s %d", mode, op.Kind, n), func(t *testing.T) {
			h := newLetsencrypt(t)
			i := -1
			dies(t, func() error {
				return applyLetsencrypt(&host.Faulty{Host: h, Kill: func(op host.Op) string {
					if !ofLetsencrypt(op) {
						return ""
					}
					if i++; i == n {
						return mode
					}
					return ""
				}})
			})
			if err := os.Unsetenv("UPGRADE_GUARD_FIRED"); err != nil { // the killed process had it
				t.Fatal(err)
			}
			if err := applyLetsencrypt(h); err != nil {
				t.Fatal(err)
			}
			letsencryptSettled(t, h)
		})
	}
}
