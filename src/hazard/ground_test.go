package hazard

import (
	"slices"
	"testing"

	"upgrade-guard/src/packages"
)

func TestGround(t *testing.T) {
	ahead := func(changes ...packages.Change) packages.Ahead {
		a := packages.Ahead{Changes: map[string]packages.Change{}}
		for _, c := range changes {
			a.Changes[c.Package] = c
		}
		return a
	}
	docker26 := packages.Change{Package: "docker.io", From: "20.10.24+dfsg1-1+deb12u1", To: "26.1.5+dfsg1-9+deb13u1"}
	ce := func(to string) packages.Change {
		return packages.Change{Package: "docker-ce", From: "5:20.10.24~3-0~debian-bullseye", To: to}
	}
	cli := packages.Change{Package: "docker-cli", To: "26.1.5+dfsg1-9+deb13u1"}
	apart := func(a packages.Ahead) packages.Ahead { a.Recommends = []string{"apparmor", "docker-cli"}; return a }
	systemd := func(to string) packages.Ahead {
		return ahead(packages.Change{Package: "systemd", From: "252.39-1", To: to})
	}
	nginx := func(name, to string) packages.Ahead {
		return ahead(packages.Change{Package: name, From: "1.22.1-9", To: to})
	}
	ssl := map[string]string{"/etc/nginx/conf.d/tls.conf": "server { listen 443; ssl on; }"}
	conf := func(own string) map[string]string {
		return map[string]string{"/etc/nginx/nginx.conf": "http { " + own + "\n }", "/etc/nginx/conf.d/dokku.conf": "include /home/dokku/*/nginx.conf;\nserver_tokens off;"}
	}
	debian := func(from, to, own string) Ground {
		return Ground{Nginx: from, Ahead: nginx("nginx", to), Confs: conf(own), NginxConf: "/etc/nginx/nginx.conf"}
	}
	is := func(hazard string, kind Kind) []string { return []string{hazard + " " + string(kind)} }
	for about, c := range map[string]struct {
		Ground
		want []string
	}{
		"nothing is known":                   {Ground{}, nil},
		"overlay2":                           {Ground{Driver: "overlay2", Ahead: ahead(docker26), Docker: "26.1.1"}, nil},
		"btrfs, zfs, fuse-overlayfs stay":    {Ground{Driver: "zfs", Ahead: ahead(docker26), Docker: "26.1.1"}, nil},
		"aufs, and no docker ahead":          {Ground{Driver: "aufs"}, is("docker-storage", Notice)},
		"aufs, and 20.10 once more":          {Ground{Driver: "aufs", Docker: "20.10.5", Ahead: ahead(packages.Change{Package: "docker.io", From: "20.10.5", To: "20.10.24+dfsg1"})}, is("docker-storage", Notice)},
		"overlay, by docker's own package":   {Ground{Driver: "overlay", Docker: "23.0.1", Ahead: ahead(ce("5:23.0.6-1~debian.12~bookworm"))}, is("docker-storage", Manual)},
		"devicemapper, installed, not begun": {Ground{Driver: "devicemapper", Docker: "20.10.24", Client: "26.1.5"}, []string{"docker-storage manual", "ground-moves notice"}},
		"docker 28, from 27":                 {Ground{Docker: "27.5.1", Ahead: ahead(ce("5:28.0.1-1~debian.12~bookworm"))}, is("ground-moves", Notice)},
		"a patch of docker's":                {Ground{Docker: "26.1.4", Ahead: ahead(ce("5:26.1.5-1~debian.12~bookworm"))}, nil},
		"no client in 13":                    {Ground{Docker: "26.0.0", Ahead: apart(ahead(docker26))}, is("docker-client", Manual)},
		"a client comes along":               {Ground{Docker: "26.0.0", Ahead: apart(ahead(docker26, cli))}, nil},
		"a client is there":                  {Ground{Docker: "26.0.0", Ahead: apart(ahead(docker26)), HasClient: true}, nil},
		"Ubuntu's docker.io has it":          {Ground{Docker: "26.0.0", Ahead: ahead(docker26)}, nil},
		"it had none before":                 {Ground{Docker: "26.1.5", Ahead: apart(ahead(packages.Change{Package: "docker.io", From: "26.1.5+dfsg1-9", To: "26.1.5+dfsg1-9+deb13u1"}))}, nil},
		"cgroup v1 with systemd 257":         {Ground{CgroupV1: "systemd.unified_cgroup_hierarchy=0", Ahead: systemd("257.13-1~deb13u1")}, is("cgroup-v1", Manual)},
		"cgroup v1 with systemd 252":         {Ground{CgroupV1: "systemd.unified_cgroup_hierarchy=0", Ahead: systemd("252.39-2")}, nil},
		"cgroup v2":                          {Ground{Ahead: systemd("257.13-1~deb13u1")}, nil},
		"ssl on":                             {Ground{Nginx: "1.26.0", Ahead: nginx("nginx", "1.26.3-3"), Confs: ssl}, nil},
		"ssl on, from 1.22":                  {Ground{Nginx: "1.22.1", Ahead: nginx("nginx", "1.26.3-3"), Confs: ssl}, []string{"nginx-ssl manual", "ground-moves notice"}},
		"ssl on, openresty":                  {Ground{Nginx: "1.21.4", Ahead: nginx("openresty", "1.27.1.2-1~bookworm1"), Confs: ssl}, []string{"nginx-ssl manual", "ground-moves notice"}},
		"ssl on, to 1.24":                    {Ground{Nginx: "1.24.0", Ahead: nginx("nginx", "1.24.0-2ubuntu7"), Confs: ssl}, nil},
		"ssl of listen, and others":          {Ground{Nginx: "1.26.0", Ahead: nginx("nginx", "1.26.3-3"), Confs: map[string]string{"x": "server { listen 443 ssl http2; ssl_protocols TLSv1.2; }"}}, nil},
		"a file that is none":                {Ground{Nginx: "1.22.0", Ahead: nginx("nginx", "1.26.3-3"), Confs: map[string]string{"x": "server {"}}, is("ground-moves", Notice)},
		"server_tokens, as Debian 12 has it": {debian("1.22.1", "1.26.3-3+deb13u1", "# server_tokens off;"), []string{"nginx-tokens manual", "ground-moves notice"}},
		"and as Dokku 0.36.7 leaves it":      {debian("1.22.1", "1.26.3-3+deb13u1", ""), []string{"nginx-tokens notice", "ground-moves notice"}},
		"server_tokens, nginx.org's":         {debian("1.24.0", "1.28.0-1~bookworm", "# server_tokens off;"), is("ground-moves", Notice)},
		"server_tokens, Ubuntu's":            {debian("1.18.0", "1.24.0-2ubuntu7", "# server_tokens off;"), is("ground-moves", Notice)},
		"server_tokens, Debian 11 to 12":     {debian("1.18.0", "1.22.1-9", "# server_tokens off;"), is("ground-moves", Notice)},
		"server_tokens, within Debian 13":    {debian("1.26.3", "1.26.3-3+deb13u10", "server_tokens off;"), nil},
		"Dokku goes":                         {Ground{Ahead: ahead(packages.Change{Package: "dokku", From: "0.29.4"}, packages.Change{Package: "herokuish", From: "0.5.41"})}, []string{"apt-removes manual", "apt-removes notice"}},
		"others go":                          {Ground{Ahead: ahead(packages.Change{Package: "libssl3", From: "3.0"}, packages.Change{Package: "usrmerge", From: "1"})}, nil},
	} {
		var got []string
		for _, f := range AskGround(c.Ground) {
			got = append(got, f.Hazard+" "+string(f.Kind))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", about, got, c.want)
		}
	}
}
