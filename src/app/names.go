package app

// Namespaces are the directories below config in which Dokku's plugins, and the
// letsencrypt plugin, keep their properties. From 0.38.0 on an app's environment
// lies at the same level, config/<app>/ENV, and goes with the whole directory when
// the app is destroyed or renamed (ATLAS 4.5).
var Namespaces = []string{
	"app-json", "apps", "builder", "builder-dockerfile", "builder-herokuish", "builder-lambda", "builder-nixpacks", "builder-pack",
	"builder-railpack", "buildpacks", "builds", "caddy", "checks", "common", "config", "cron", "docker-options", "domains", "git", "haproxy",
	"letsencrypt", "logs", "network", "nginx", "openresty", "ports", "proxy", "ps", "registry", "resource", "scheduler",
	"scheduler-docker-local", "scheduler-k3s", "storage", "traefik", "upgrade-guard",
}
