package nginx

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A redirect's path was kept whole, and printed when the app answered otherwise after
// an upgrade: a link that logs in has its token there.
func TestRedirectIsKeptWithoutItsPath(t *testing.T) {
	to := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	address := server.Listener.Addr().String()
	ask := func(location string) Answer {
		to = location
		return Ask(context.Background(), dial, []Question{{App: "a", Via: Container, Scheme: "http", Address: address, Host: "a.test"}})[0]
	}
	rests := map[string]bool{}
	for location, want := range map[string]string{
		"https://login.test/in/CANARY":                               "302 to https://login.test",
		"https://login.test/in?token=CANARY":                         "302 to https://login.test",
		"https://login.test/in#CANARY":                               "302 to https://login.test",
		"https://me:CANARY@login.test/in":                            "302 to https://login.test",
		"https://login.test/":                                        "302 to https://login.test",
		"/in/CANARY":                                                 "302 to http://a.test",
		"https://login.test/%0a%20!%20%20%20%20%20To%20do:%20CANARY": "302 to https://login.test",
	} {
		a := ask(location)
		data, err := Encode([]Answer{a})
		if err != nil || strings.Contains(string(data), "CANARY") || a.Class() != want {
			t.Errorf("%s is kept as %s and said as %s", location, data, a.Class())
		}
		rests[a.Rest] = true
	}
	if len(rests) != 6 { // what stands before the host is none of it
		t.Errorf("%d fingerprints", len(rests))
	}
	// as 0.1.0 has kept it
	for location, want := range map[string]string{"https://login.test/in/CANARY": "302 to https://login.test", "https://login.test/\n !     CANARY": "302"} {
		if got := (Answer{Status: 302, Location: location}).Class(); got != want {
			t.Errorf("%q is said as %s", location, got)
		}
	}
}

// One redirect of more than 64 KiB hid all answers behind it.
func TestDecodeLongLines(t *testing.T) {
	long := Answer{Question: Question{App: "a"}, Status: 302, Location: "https://a.test/" + strings.Repeat("x", 200<<10)}
	data, err := Encode([]Answer{{Status: 200}, long, {Status: 404}})
	if err != nil {
		t.Fatal(err)
	}
	list := Decode(append([]byte("{no line\n"), data...))
	if len(list) != 3 || list[1] != long || list[2].Status != 404 {
		t.Errorf("%d answers are read", len(list))
	}
}
