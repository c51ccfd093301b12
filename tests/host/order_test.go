package host_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"upgrade-guard/tests/sandbox"
)

// Until the file that nginx refuses is built, no build of another app is loaded: it is
// built first, whatever the apps are called.
func TestWhatNginxRefusesIsBuiltFirst(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	var out strings.Builder
	g := quietGuard(h, &out)
	if err := errors.Join(g.Install(ctx), h.Remove(h.Paths().App("blog")+"/nginx.conf"),
		h.Write(h.Paths().App("my_app")+"/nginx.conf", 0o644, []byte("server {\n  listen 80;\n"))); err != nil {
		t.Fatal(err)
	}
	if err := g.Routes(ctx); err != nil {
		t.Error(err)
	}
	if mine, other := strings.Index(out.String(), "my_app: nginx configuration, built"), strings.Index(out.String(), "blog: nginx configuration, built"); mine < 0 || other < mine {
		t.Errorf("%s", &out)
	}
}
