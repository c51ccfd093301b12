package packages

import (
	"strings"
	"testing"

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
	want := []Change{{"netrc", "", "0.11.1"}, {"dokku", "0.20.4", "0.35.5"}, {"oldlib", "1.0", ""}}
	got, err := Read(strings.NewReader(protocol3))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	got, err = Read(strings.NewReader("VERSION 2\nA=b\n\ndokku 0.20.4 < 0.35.5 /x.deb\n"))
	if diff := cmp.Diff([]Change{{"dokku", "0.20.4", "0.35.5"}}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestReadSaysWhatItCannotRead(t *testing.T) {
	for list, about := range map[string]string{
		"VERSION 4\n\ndokku 1 < 2 x\n": "protocol version",
		"VERSION 3\n\ndokku 0.20.4\n":  "cannot be read",
	} {
		if _, err := Read(strings.NewReader(list)); err == nil || !strings.Contains(err.Error(), about) {
			t.Errorf("%q: %v", list, err)
		}
	}
	for _, list := range []string{"", "/var/cache/apt/archives/dokku_0.35.5_amd64.deb\n"} {
		if got, err := Read(strings.NewReader(list)); len(got) > 0 || err != nil {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
}
