package packages

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// As apt 2.6 printed it on a Debian 12 whose sources name Debian 13.
const simulation = `Inst libc6 [2.36-9+deb12u14] (2.41-12+deb13u5 Debian:13.8/stable [amd64]) []
Remv libssl3 [3.0.17-1] [nginx:amd64 openssh-client:amd64 ]
Inst libssl3t64 (3.5.4-1 Debian:13.8/stable [amd64])
Inst docker.io [20.10.24+dfsg1-1+deb12u1+b6] (26.1.5+dfsg1-9+deb13u1+b1 Debian:13.8/stable [amd64])
Inst libcap2:i386 [1:2.66-4] (1:2.75-10 Debian:13.8/stable [i386])
Conf docker.io (26.1.5+dfsg1-9+deb13u1+b1 Debian:13.8/stable [amd64])
Remv dokku [0.38.27]
`

func TestSimulated(t *testing.T) {
	a := Ahead{Changes: simulated(simulation)}
	want := []Change{
		{"docker.io", "20.10.24+dfsg1-1+deb12u1+b6", "26.1.5+dfsg1-9+deb13u1+b1"},
		{"dokku", "0.38.27", ""},
		{"libc6", "2.36-9+deb12u14", "2.41-12+deb13u5"},
		{"libcap2", "1:2.66-4", "1:2.75-10"},
		{"libssl3", "3.0.17-1", ""},
		{"libssl3t64", "", "3.5.4-1"},
	}
	if diff := cmp.Diff(want, a.Sorted()); diff != "" {
		t.Error(diff)
	}
	if a.To("docker-ce", "docker.io") != "26.1.5" || a.From("docker.io") != "20.10.24" || a.To("dokku") != "" || !a.Removes("dokku") || a.Removes("nginx") || a.Removes("docker.io") {
		t.Error("what becomes of docker.io and dokku is not read right")
	}
	for _, text := range []string{"", "NOTE: This is only a simulation!\n", "Inst\nRemv\nInst docker.io\n", "E: broken"} {
		if a := (Ahead{Changes: simulated(text)}); a.To("docker.io") != "" {
			t.Errorf("%q: %v", text, a)
		}
	}
}

func TestRecommended(t *testing.T) {
	for record, want := range map[string][]string{
		"Package: docker.io\nDepends: tini\nRecommends: apparmor, docker-cli (>= 26) | docker-ce-cli, needrestart (>= 3.1~)\n": {"apparmor", "docker-cli", "needrestart"},
		"Package: docker.io\nDepends: docker-cli\n": nil,
		"Recommends: \n": nil,
	} {
		if diff := cmp.Diff(want, recommended(record)); diff != "" {
			t.Error(record, diff)
		}
	}
}

func TestUpstream(t *testing.T) {
	for version, want := range map[string]string{
		"5:26.1.4-1~debian.12~bookworm": "26.1.4", "20.10.24+dfsg1-1+deb12u1+b6": "20.10.24", "24.0.9-ubuntu22.04u1": "24.0.9",
		"1.26.3-3+deb13u10": "1.26.3", "1.27.1.2-1~bookworm1": "1.27.1", "257.13-1~deb13u1": "257.13", "252": "252", "29.0.0~rc.1": "29.0.0", "": "", "x": "",
	} {
		if got := Upstream(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}
