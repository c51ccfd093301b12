package probe

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// An app that does not come back has been away until the end, however well it
// answered before: with apps:rename on 0.35.5 it is gone for good.
func TestGapLastsToTheEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("app=blog\n")) }))
	url := server.URL
	time.AfterFunc(300*time.Millisecond, server.Close)
	ctx, end := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer end()
	r := Run(ctx, []Target{{URL: url, App: "blog"}}, 20)[0]
	if r.Asked == r.Bad() || r.Gap < 700*time.Millisecond {
		t.Errorf("%s: the app was away for more than a second", r)
	}
}
