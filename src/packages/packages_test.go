package packages

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// As apt 2.6 sent it to a hook on the way from Dokku 0.20.4 to 0.35.5.
const protocol3 = `VERSION 3
APT::Architecture=amd64
DPkg::Pre-Install-Pkgs::=/usr/local/lib/upgrade-guard/packages preflight

netrc - - none < 0.11.1 amd64 none /var/cache/apt/archives/netrc_0.11.1_amd64.deb
dokku 0.20.4 amd64 none < 0.35.5 amd64 none /var/cache/apt/archives/dokku_0.35.5_amd64.deb
dokku 0.20.4 amd64 none < 0.35.5 amd64 none **CONFIGURE**
oldlib 1.0 amd64 same > - - none **REMOVE**
`

func TestRead(t *testing.T) {
	for name, want := range map[string][]Change{"netrc": {{"netrc", "", "0.11.1"}}, "dokku": {{"dokku", "0.20.4", "0.35.5"}}, "oldlib": {{"oldlib", "1.0", ""}}, "nginx": nil} {
		got, err := Read(strings.NewReader(protocol3), name)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(name, diff, err)
		}
	}
	want := []Change{{"dokku", "0.20.4", "0.35.5"}}
	for about, list := range map[string]string{
		"protocol 2":                       "VERSION 2\nA=b\n\ndokku 0.20.4 < 0.35.5 /x.deb\n",
		"as the hook hands it on":          "VERSION 3\n\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x.deb\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none **CONFIGURE**\n",
		"a blank in its own path":          "VERSION 3\n\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /a b/ c.deb\n",
		"a blank in another's path":        "VERSION 3\n\nnetrc - - none < 0.11.1 amd64 none /a b/netrc.deb\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x.deb\n",
		"a line of another's that is none": "VERSION 3\n\nnetrc\n\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x.deb\n",
		"a long line of apt's settings":    "VERSION 3\nA=" + strings.Repeat("b", 3<<20) + "\n\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x.deb\n",
		"a long line of another's":         "VERSION 3\n\nnetrc " + strings.Repeat("b", 3<<20) + "\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x.deb\n",
		"no end of the last line":          "VERSION 2\n\ndokku 0.20.4 < 0.35.5 /x.deb",
	} {
		got, err := Read(strings.NewReader(list), "dokku")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(about, diff, err)
		}
	}
}

func TestReadSaysWhatItCannotRead(t *testing.T) {
	for list, about := range map[string]string{
		"VERSION 4\n\ndokku 1 < 2 x\n": "protocol version",
		"VERSION 3\n\ndokku 0.20.4\n":  "a line about dokku that cannot be read",
	} {
		if _, err := Read(strings.NewReader(list), "dokku"); err == nil || !strings.Contains(err.Error(), about) {
			t.Errorf("%q: %v", list, err)
		}
	}
	for _, list := range []string{"", "/var/cache/apt/archives/dokku_0.35.5_amd64.deb\n", "VERSION 3\nA=b\n"} {
		if got, err := Read(strings.NewReader(list), "dokku"); len(got) > 0 || err != nil {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
}

// yes is a list without end.
type yes struct{}

func (yes) Read(p []byte) (int, error) { return copy(p, strings.Repeat("A=b\n", 1+len(p)/4)), nil }

func TestAListWithoutEnd(t *testing.T) {
	for _, beginning := range []string{"VERSION 3\n", "VERSION 3\n\n", "VERSION 3\n\ndokku 1.0 amd64 none < 2.0 amd64 none /x.deb\n"} {
		began := time.Now()
		got, err := Read(io.MultiReader(strings.NewReader(beginning), yes{}), "dokku")
		if !errors.Is(err, errTooLarge) || strings.Contains(beginning, "dokku") != (len(got) == 1) {
			t.Errorf("%q: %v, %v", beginning, got, err)
		}
		t.Logf("16 MiB read in %s", time.Since(began))
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{protocol3, "VERSION 2\nA=b\n\ndokku 0.20.4 < 0.35.5 /x.deb\n", "VERSION 3\n\ndokku 1\n", "VERSION 9\n", "\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		got, err := Read(strings.NewReader(list), "dokku")
		for _, c := range got {
			if c.Package != "dokku" {
				t.Fatalf("%q: %+v", list, c)
			}
		}
		// What stands beside Dokku's lines changes nothing.
		head, rest, ok := strings.Cut(list, "\n\n")
		if !ok || strings.Contains(head, "\r") {
			return
		}
		again, err2 := Read(strings.NewReader(head+"\n\nnetrc x\n"+rest), "dokku")
		if diff := cmp.Diff(got, again); diff != "" || (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %s (%v, %v)", list, diff, err, err2)
		}
	})
}
