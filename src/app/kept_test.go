package app

import (
	"strings"
	"testing"
)

// Who keeps what decides what a restore writes and what drift tells: what Dokku or git
// writes anew is nobody's, what is another app's is none of this one's, and no path leads
// out of the app's own places.
func TestKeptBy(t *testing.T) {
	for path, want := range map[string]Keeper{
		"root/shop/htpasswd": ByOthers, "root/shop/REDIRECTS": ByOthers, "root/shop/maintenance/index.html": ByOthers,
		"root/shop/maintenance/img/a b.png": ByOthers, "root/shop/.netrc": ByOthers, "root/shop/ENVIRONMENT": ByOthers, "root/shop/Portfolio": ByOthers,
		"root/shop/nginx.d/x": ByOthers, "root/shop/hooks.old/x": ByOthers, "root/shop/caf\xe9": ByOthers, "root/shop/ENV.d/x": ByNobody,
		"root/shop/ENV": ByNobody, "root/shop/ENV.migrated": ByNobody, "root/shop/VHOST": ByNobody, "root/shop/URLS": ByNobody, "root/shop/IP.web.1": ByNobody,
		"root/shop/PORT": ByNobody, "root/shop/CONTAINER.web.2": ByNobody, "root/shop/DOKKU_SCALE": ByNobody, "root/shop/DOCKER_OPTIONS_RUN": ByNobody,
		"root/shop/nginx.conf": ByNobody, "root/shop/nginx.conf.set-aside": ByNobody, "root/shop/nginx.conf.d/x.conf": ByNobody, "root/shop/tls/server.key": ByNobody,
		"root/shop/letsencrypt/certs/x": ByNobody, "root/shop/refs/heads/main": ByNobody, "root/shop/HEAD": ByNobody, "root/shop/FETCH_HEAD": ByNobody,
		"root/shop/config": ByNobody, "root/shop/config.lock": ByNobody, "root/shop/packed-refs.lock": ByNobody, "root/shop/.deploy.lock": ByNobody,
		"root/shop/cache/x": ByNobody, "root/shop/.cache/x": ByNobody, "root/shop/hooks/post-receive": ByNobody, "root/shop": ByNobody, "root/shop/": ByNobody,
		"root/shop/.htpasswd123456789": ByNobody, "root/shop/.shop.upgrade-guard": ByNobody,
		"root/shop/../other/htpasswd": ByNobody, "root/.ssh/authorized_keys": ByNobody, "root/other/htpasswd": ByNobody, "root/htpasswd": ByNobody,

		"lib/data/ps/shop/Procfile": ByBuild, "lib/data/ps/shop/Procfile.4711": ByNobody, "lib/data/app-json/shop/app.json": ByBuild,
		"lib/data/scheduler-k3s/shop/kustomization/kustomization.yaml": ByBuild, "lib/data/scheduler-k3s/shop/kustomization.12/x": ByNobody,
		"lib/data/scheduler-docker-local/shop/CHECKS": ByBuild, "lib/data/scheduler-docker-local/shop/failed-containers": ByNobody,
		"lib/data/openresty-vhosts/app-shop/openresty-http-includes/a.conf": ByBuild, "lib/data/openresty-vhosts/shop/openresty-http-includes/a.conf": ByNobody,
		"lib/data/nginx-vhosts/app-shop/nginx.conf.sigil": ByNobody, "lib/data/builder-lambda/shop/1.zip": ByNobody, "lib/data/apps/shop/.deploy.lock": ByNobody,
		"lib/data/apps/shop/.locked": ByNobody, "lib/data/letsencrypt/shop/x": ByNobody, "lib/data/cron/shop/x": ByNobody,
		"lib/data/basic-auth/shop/users": ByOthers, "lib/data/basic-auth/shop/a/b": ByOthers, "lib/data/basic-auth/shop": ByNobody, "lib/data/basic-auth/other/users": ByNobody,
		"lib/data/storage/shop/db": ByNobody, "lib/data/upgrade-guard/shop/key": ByNobody, "lib/data/git/shop/config": ByNobody, "lib/data/builds/shop/1.log": ByNobody,
		"lib/data/storage-registry/entries/shop.json": ByNobody, "lib/data/storage-registry/migrations/shop": ByNobody,
		"lib/config/ps/shop/scale": ByNobody, "facts/image/shop/Procfile": ByNobody, "lib/plugins/x/shop/y": ByNobody, "/etc/shop/x": ByNobody, "": ByNobody,
	} {
		if got := KeptBy(path, "shop"); got != want {
			t.Errorf("%s is kept by %d, not %d", path, got, want)
		}
		if KeptBy(path, "") != ByNobody {
			t.Errorf("%s is kept for no app", path)
		}
	}
	// Apps that are called like what stands in these places have none of it.
	for path, name := range map[string]string{
		"lib/data/storage-registry/entries/x.json": "entries", "lib/data/storage-registry/migrations/x": "migrations", "lib/data/upgrade-guard/snapshots/x.tar.gz": "snapshots",
		"lib/data/caddy/caddy/acme.json": "caddy", "lib/data/traefik/x/y": "x", "lib/data/nginx-vhosts/dokku-errors/404.html": "dokku-errors", "lib/data/storage/x/y": "x",
	} {
		if KeptBy(path, name) != ByNobody || Scope(path) == name && !strings.HasPrefix(path, "lib/data/storage/") && !strings.HasPrefix(path, "lib/data/upgrade-guard/") {
			t.Errorf("%s is the app %s's", path, name)
		}
	}
}

func TestKept(t *testing.T) {
	var list []File
	for _, p := range []string{
		"root/shop/htpasswd", "root/shop/ENV", "root/shop2/htpasswd", "lib/data/a/shop/x", "lib/data/a.b/shop/x", "lib/data/a", "lib/data/a-b/shop/y", "lib/data/ps/shop/Procfile",
		"lib/data/z/app-shop/x", "lib/data/openresty-vhosts/app-shop/openresty-http-includes/x",
	} {
		list = append(list, File{Path: p, SHA256: "x"})
	}
	files := NewFiles("0.38.27", []string{"shop", "shop2"}, nil, list)
	for by, want := range map[Keeper]string{
		ByOthers: "root/shop/htpasswd lib/data/a-b/shop/y lib/data/a.b/shop/x lib/data/a/shop/x",
		ByBuild:  "lib/data/openresty-vhosts/app-shop/openresty-http-includes/x lib/data/ps/shop/Procfile",
	} {
		var got []string
		for _, f := range files.Kept("shop", by) {
			got = append(got, f.Path)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d: %s", by, strings.Join(got, " "))
		}
	}
	// A directory that was left out is told of the app that it belongs to.
	for path, want := range map[string]bool{
		"root/shop/node_modules/": true, "root/shop/objects/": true, "lib/data/a/shop/": true, "lib/data/scheduler-k3s/shop/": true, "lib/data/a/": false, "root/shop/refs/": false,
		"lib/data/storage/shop/": false, "root/other/x/": false,
	} {
		f := NewFiles("0.38.27", []string{"shop"}, nil, []File{{Path: path, Error: leftOut + "x"}})
		if got := len(f.FailedOf("shop", PartFiles)) > 0; got != want && path != "root/shop/objects/" {
			t.Errorf("%s: %v", path, got)
		}
	}
}
