package hazard

import (
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plugins"
)

// running is the app blog with one web container that runs.
func running(dokku, image string, files map[string]string) Subject {
	s := subject(dokku, files)
	s.Now.Containers = []app.Container{{Type: "web", Running: true, Image: image, ImageID: "sha256:0123456789abcdef"}}
	return s
}

func only(t *testing.T, h Hazard, s Subject) Finding {
	t.Helper()
	found := ask("blog", func(o Hazard) []Finding {
		if o.Name != h.Name {
			return nil
		}
		return call(o, o.Detect, s)
	})
	switch len(found) {
	case 0:
		return Finding{}
	case 1:
		return found[0]
	}
	t.Errorf("%+v", found)
	return found[0]
}

// The image that Dokku starts next, by version, tag, registry, and what docker has.
func TestImageGone(t *testing.T) {
	const latest = "dokku/blog:latest"
	refs := map[string]string{"root/blog/refs/heads/master": "0123456789012345678901234567890123456789\n"}
	for _, c := range []struct {
		name, dokku, image string
		files              map[string]string
		has                []string // nil: docker did not answer
		id                 bool     // the image is there without its name
		want               string   // the command, "" for no finding
	}{
		{"there", "0.35.5", latest, refs, []string{latest}, false, ""},
		{"not known", "0.35.5", latest, refs, nil, false, ""},
		{"gone", "0.35.5", latest, refs, []string{}, false, "dokku ps:rebuild blog"},
		{"its name gone", "0.35.5", latest, refs, []string{}, true, "dokku ps:rebuild blog"},
		{"its name gone, no source", "0.35.5", latest, nil, []string{}, true, "docker image tag 0123456789ab dokku/blog:latest"},
		{"gone, no source", "0.35.5", latest, nil, []string{}, false, "dokku git:from-image blog <image>, or push it anew"},
		{"containers gone too", "0.35.5", "", refs, []string{}, false, "dokku ps:rebuild blog"},
		{"another tag, which 0.25 starts", "0.25.7", "dokku/blog:v12", refs, []string{"dokku/blog:v12"}, false, ""},
		{"another tag, gone", "0.25.7", "dokku/blog:v12", refs, []string{latest}, false, "dokku ps:rebuild blog"},
		{"another tag, which 0.26 does not know", "0.26.0", "dokku/blog:v12", refs, []string{latest}, false, ""},
		{"another tag, and no latest, which tags-deploy tells", "0.26.0", "dokku/blog:v12", refs, []string{"dokku/blog:v12"}, false, ""},
		{"of its old name, after a rename", "0.35.5", "dokku/old:latest", refs, []string{latest}, false, ""},
		{"a registry's", "0.35.5", "registry.example.com/dokku/blog:5", refs, []string{}, false, ""},
		{"a registry's, by the host's setting", "0.35.5", latest, map[string]string{"lib/config/registry/--global/server": "registry.example.com"}, []string{}, false, ""},
		{"a cluster's", "0.35.5", latest, map[string]string{"lib/config/scheduler/blog/selected": "k3s"}, []string{}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := running(c.dokku, c.image, c.files)
			if c.has != nil {
				s.Has.Images, s.Has.ImageIDs = map[string]string{}, map[string]bool{"sha256:0123456789abcdef": c.id}
				for _, name := range c.has {
					s.Has.Images[name] = "sha256:ff"
				}
			}
			if f := only(t, imageGone, s); f.Command != c.want {
				t.Errorf("%+v", f)
			}
		})
	}
	if f := only(t, imageGone, subject("0.35.5", nil)); f.What != "" {
		t.Errorf("never deployed: %+v", f)
	}
}

// What is named and is not there, and whether that ends deploys, builds, or dokku run
// alone. No option that holds more than a name is told.
func TestNamedAndGone(t *testing.T) {
	has := app.DockerHas{
		Networks: map[string]string{"bridge": "aa"}, Volumes: map[string]bool{}, Missing: map[string]bool{"/srv/gone": true},
		Containers: map[string]app.ContainerHas{"dokku.redis.cache": {Running: false}}, Services: map[string]bool{"postgres/orders": true},
	}
	const deploy, build, run = "root/blog/DOCKER_OPTIONS_DEPLOY", "root/blog/DOCKER_OPTIONS_BUILD", "root/blog/DOCKER_OPTIONS_RUN"
	for _, c := range []struct {
		hazard        Hazard
		file, text    string
		kind          Kind
		what, command string
	}{
		{networkGone, "lib/config/network/blog/attach-post-create", "backbone", Manual, "backbone does not exist (network property attach-post-create)", "dokku network:create backbone"},
		{networkGone, deploy, "--network backbone", Manual, "(docker option --network for deploy)", "dokku network:create backbone"},
		{networkGone, deploy, "--network bridge", "", "", ""},
		{linkGone, deploy, "--link dokku.postgres.orders:db", Manual, "dokku.postgres.orders does not exist", "dokku postgres:start orders"},
		{linkGone, deploy, "--link dokku.mysql.old:db", Manual, "dokku.mysql.old does not exist", "dokku docker-options:remove blog deploy '--link dokku.mysql.old:db'"},
		{linkGone, build, "--link dokku.mysql.old:db", Manual, "(docker option --link for build)", "dokku docker-options:remove blog build '--link dokku.mysql.old:db'"},
		{linkGone, run, "--link dokku.mysql.old:db", Notice, "(docker option --link for run)", "dokku docker-options:remove blog run '--link dokku.mysql.old:db'"},
		{linkGone, deploy, "--link dokku.mysql.old:db -e PASSWORD=CANARY", Manual, "dokku.mysql.old", "dokku docker-options:report blog, then docker-options:remove"},
		{linkGone, deploy, "--link dokku.redis.cache:cache", Manual, "dokku.redis.cache does not run", "docker start dokku.redis.cache"},
		{linkGone, deploy, "--volumes-from dokku.redis.cache", "", "", ""},
		{linkGone, deploy, "--volumes-from gone", Manual, "gone does not exist (docker option --volumes-from for deploy)", "dokku docker-options:remove blog deploy '--volumes-from gone'"},
		{mountGone, deploy, "-v /srv/gone:/x", Notice, "what it mounts is not there: /srv/gone (docker option -v for deploy)", ""},
		{mountGone, deploy, "-v /srv/here:/x", "", "", ""},
		{mountGone, deploy, "--mount type=bind,source=/srv/gone,target=/x", Manual, "/srv/gone", "mkdir -p /srv/gone"},
		{mountGone, deploy, "-v media:/x", Notice, "volumes that it mounts do not exist: media", ""},
		{dockerVersion, deploy, "--mount type=bind,source=/a,target=/x,bind-nonrecursive", Manual, "which docker 29 refuses", "dokku docker-options:report blog, then docker-options:remove and docker-options:add"},
	} {
		s := running("0.35.5", "", map[string]string{c.file: c.text + "\n"})
		s.Has = has
		s.Has.Server = "29.0.0"
		f := only(t, c.hazard, s)
		if f.Kind != c.kind || !strings.Contains(f.What, c.what) || f.Command != c.command || strings.Contains(f.What+f.Consequence+f.Command, "CANARY") {
			t.Errorf("%s: %+v", c.text, f)
		}
		// docker did not answer, or the app is not deployed, or another's.
		s.Has = app.DockerHas{}
		if f := only(t, c.hazard, s); f.What != "" && c.hazard.Name != dockerVersion.Name {
			t.Errorf("%s, not known: %+v", c.text, f)
		}
		if s.Has, s.Now.Containers = has, nil; only(t, c.hazard, s).What != "" {
			t.Errorf("%s, not deployed", c.text)
		}
	}
}

// Dokku from 0.35.3 on with a docker before 23.
func TestDockerVersion(t *testing.T) {
	const attach = "lib/config/network/blog/attach-post-create"
	for _, c := range []struct {
		from, to, docker string
		files            map[string]string
		foretold         bool
		command          string
	}{
		{"0.20.4", "0.35.2", "20.10.24+dfsg1", map[string]string{attach: "a"}, false, ""},
		{"0.20.4", "0.35.3", "20.10.24+dfsg1", map[string]string{attach: "a"}, true, "dokku network:set blog initial-network a && dokku network:set blog attach-post-create"},
		{"0.20.4", "0.38.27", "18.09.1", map[string]string{attach: "a"}, true, "dokku network:set blog initial-network a && dokku network:set blog attach-post-create"},
		{"0.20.4", "0.38.27", "23.0.0", map[string]string{attach: "a"}, false, ""},
		{"0.20.4", "0.38.27", "29.7.2", map[string]string{attach: "a"}, false, ""},
		{"0.20.4", "0.38.27", "", map[string]string{attach: "a"}, false, ""},
		{"0.20.4", "0.38.27", "20.10.24", nil, false, ""},
		{"0.25.0", "0.38.27", "20.10.24", map[string]string{"lib/config/network/blog/initial-network": "a"}, false, ""},
		{"0.25.0", "0.38.27", "20.10.24", map[string]string{"lib/config/network/--global/attach-post-deploy": "a"}, true, "dokku network:set --global initial-network a && dokku network:set --global attach-post-deploy"},
		{"0.25.0", "0.38.27", "20.10.24", map[string]string{attach: "a", "root/blog/DOCKER_OPTIONS_DEPLOY": "--link db:db\n"}, true, "install docker 23 or later: https://docs.docker.com/engine/install/"},
		{"0.35.5", "0.38.27", "20.10.24", map[string]string{attach: "a"}, false, ""}, // it is so at present
	} {
		s := running(c.from, "", c.files)
		s.From, s.To, s.Has.Client = c.from, c.to, c.docker
		found := dockerVersion.Foresee(s)
		if (len(found) == 1) != c.foretold || c.foretold && found[0].Command != c.command {
			t.Errorf("%+v: %+v", c, found)
		}
	}
	s := running("0.35.5", "", map[string]string{attach: "a"})
	s.Has.Client = "20.10.24"
	if f := only(t, dockerVersion, s); f.Kind != Manual {
		t.Errorf("%+v", f)
	}
}

// tags:deploy, before 0.26 and behind it.
func TestTagsDeploy(t *testing.T) {
	for image, found := range map[string]bool{"dokku/blog:v12": true, "dokku/blog:latest": false, "dokku/other:v12": false, "registry.example.com/dokku/blog:v12": false} {
		s := running("0.20.4", image, nil)
		s.From, s.To = "0.20.4", "0.35.5"
		before := tagsDeploy.Foresee(s)
		s.To = "0.25.7"
		if (len(before) == 1) != found || len(tagsDeploy.Foresee(s)) > 0 || len(tagsDeploy.Detect(s)) > 0 {
			t.Errorf("%s: %+v", image, before)
		}
		if f := only(t, tagsDeploy, running("0.26.0", image, nil)); (f.Command == "dokku git:from-image blog dokku/blog:v12") != found {
			t.Errorf("%s: %+v", image, f)
		}
	}
}

// A builder, a scheduler, a proxy whose plugin is not there.
func TestPluginGone(t *testing.T) {
	for _, c := range []struct{ file, value, enabled, available, command string }{
		{"builder/blog/selected", "pack", "common", "", "dokku builder:set blog selected <one that is there>"},
		{"builder/--global/selected", "railpack", "common", "builder-railpack", "dokku plugin:enable builder-railpack"},
		{"builder/blog/selected", "pack", "common builder-pack", "", ""},
		{"builder/blog/selected", "mine", "common", "", ""}, // whose plugin that is nobody knows
		{"builder/blog/selected", "pack", "", "", ""},       // no plugin was seen
		{"scheduler/blog/selected", "nomad", "common", "", "dokku scheduler:set blog selected <one that is there>"},
		{"proxy/blog/type", "caddy", "common", "caddy-vhosts", "dokku plugin:enable caddy-vhosts"},
		{"proxy/blog/type", "haproxy", "common haproxy-vhosts", "", ""},
	} {
		s := running("0.38.27", "", map[string]string{"lib/config/" + c.file: c.value})
		names := func(list string) func() map[string]bool {
			return func() map[string]bool {
				set := map[string]bool{}
				for _, name := range strings.Fields(list) {
					set[name] = true
				}
				return set
			}
		}
		s.Plugins = plugins.Facts{Enabled: names(c.enabled), Available: names(c.available)}
		if f := only(t, pluginGone, s); f.Command != c.command {
			t.Errorf("%+v: %+v", c, f)
		}
	}
}

// The traefik of Dokku up to 0.36 and docker 29, and a docker without compose.
func TestProxiesOfDocker(t *testing.T) {
	for _, c := range []struct {
		dokku, docker, kind, image string
		compose                    bool
		want                       Kind
	}{
		{"0.36.11", "28.5.2", "traefik", "", true, Notice},
		{"0.36.11", "29.0.0", "traefik", "", true, Manual},
		{"0.36.11", "29.0.0", "traefik", "traefik:v3.6.14", true, ""},
		{"0.37.0", "29.0.0", "traefik", "", true, ""},
		{"0.36.11", "29.0.0", "caddy", "", true, ""},
		{"0.36.11", "28.5.2", "caddy", "", false, Notice},
		{"0.36.11", "29.0.0", "nginx", "", false, ""},
	} {
		s := running(c.dokku, "", map[string]string{"lib/config/traefik/--global/image": c.image})
		s.Now.Proxy.Type = c.kind
		h := HostSubject{Context: s.Context, Now: app.Host{Dokku: c.dokku, Apps: map[string]app.State{"blog": s.Now}, Has: app.DockerHas{Server: c.docker, Plugins: map[string]bool{"compose": c.compose}}}}
		kind := Kind("")
		for _, f := range dockerVersion.DetectHost(h) {
			kind = f.Of("--global", "").Kind
		}
		if kind != c.want {
			t.Errorf("%+v: %s", c, kind)
		}
	}
}

// 0.29.0 to 0.29.3 need a directory that they do not make.
func TestPsDirectory(t *testing.T) {
	for to, found := range map[string]bool{"0.28.4": false, "0.29.0": true, "0.29.3": true, "0.29.4": false, "0.35.5": false} {
		s := subject("0.20.4", nil)
		s.From, s.To = "0.20.4", to
		if got := psDirectory.Foresee(s); (len(got) == 1) != found {
			t.Errorf("%s: %+v", to, got)
		}
		if got := psDirectory.Detect(subject(to, nil)); (len(got) == 1) != found {
			t.Errorf("%s: %+v", to, got)
		}
	}
	s := subject("0.29.3", nil)
	s.Files = app.NewFiles("0.29.3", []string{"blog"}, nil, []app.File{{Path: "lib/data/ps/", Error: "permission denied"}})
	if got := psDirectory.Detect(s); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// Tools that apt-get install dokku leaves as they are.
func TestToolsOld(t *testing.T) {
	for _, c := range []struct {
		from, to, checker, labeler string
		foretold, present          int
	}{
		{"0.31.4", "0.35.5", "0.6.5", "0.6.1", 1, 0},
		{"0.31.4", "0.31.5", "0.6.5", "0.6.1", 0, 0},
		{"0.30.11", "0.35.5", "", "0.5.0", 1, 0},
		{"0.35.5", "0.38.27", "0.6.5", "0.5.0", 0, 2},
		{"0.35.5", "0.38.27", "0.11.3", "0.9.0", 0, 0},
		{"0.31.4", "0.35.5", "", "", 0, 0}, // not from packages
	} {
		h := HostSubject{Context: Context{From: c.from, To: c.to}, Now: app.Host{Dokku: c.from, Has: app.DockerHas{Tools: map[string]string{"docker-container-healthchecker": c.checker, "docker-image-labeler": c.labeler}}}}
		if got := toolsOld.ForeseeHost(h); len(got) != c.foretold {
			t.Errorf("%+v: %+v", c, got)
		}
		h.Context = Context{To: c.from}
		if got := toolsOld.DetectHost(h); len(got) != c.present {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}
