package plugins

import "strings"

// kind is what sort of thing Dokku has removed, and so how a script names it.
type kind int

const (
	function kind = iota // of the shell files that plugins source
	file                 // such a file itself, as plugin/file
	hook                 // a trigger that core does not fire any more
	trigger              // a trigger that core does not answer any more
	command              // of the dokku program
	variable             // a setting in an app's environment
	state                // a file in DOKKU_ROOT or an app's directory
	field                // of what docker inspect tells
)

// removed is what Dokku has removed in one version. The table was made by
// comparing all versions from 0.20.0 to 0.38.27: the functions of each shell file
// with what it sources, the triggers fired and answered, the commands; and by the
// migration guides. Left out is what only Dokku's own plugins can have used.
type removed struct {
	kind  kind
	names string
	gone  string // the first version without it
	back  string // the first version that has it again, "" for none
	// instead takes its place. A script that has this too knows both.
	instead string
	// with, of a function: it is still there, in the file home, but does not
	// come with this file any more.
	with, home string
	// docker is, of what docker has removed and not Dokku, docker's first version
	// without it; gone is "" then.
	docker int
	// minor: what fails without it is seldom used.
	minor bool
}

var all = []removed{
	{kind: file, gone: "0.22.0", names: "app-json/internal-functions logs/internal-functions logs/help-functions ps/help-functions"},
	{kind: file, gone: "0.22.3", names: "ps/internal-functions"},
	{kind: file, gone: "0.26.0", names: "tar/functions tar/help-functions tags/help-functions"},
	{kind: file, gone: "0.30.0", names: "apps/functions"},
	// dokku-redirect#32, dokku-letsencrypt#305. The file of that name from
	// 0.37.0 on has other functions.
	{kind: file, gone: "0.30.0", back: "0.37.0", names: "proxy/functions"},
	{kind: file, gone: "0.37.5", names: "storage/functions storage/internal-functions storage/help-functions"},
	{kind: file, gone: "0.38.0", names: "docker-options/functions docker-options/internal-functions docker-options/help-functions"},

	{kind: function, gone: "0.21.0", with: "nginx-vhosts/functions", home: "domains/functions", names: `get_app_domains get_default_vhosts
		get_global_vhosts is_app_vhost_enabled is_global_vhost_enabled is_valid_hostname enable_app_vhost disable_app_vhost domains_setup
		domains_add domains_remove domains_set domains_enable domains_disable domains_add_global domains_clear_global domains_remove_global domains_set_global`},
	{kind: function, gone: "0.22.0", with: "nginx-vhosts/functions", home: "ps/functions", names: "fn-ps-app-status fn-ps-is-app-running ps_restore"},
	{kind: function, gone: "0.22.0", with: "ps/functions", home: "config/functions", names: configFunctions},
	{kind: function, gone: "0.38.0", with: "checks/functions", home: "config/functions", names: configFunctions},
	// The datastore plugins' upgrade --restart-apps calls them to this day, so that
	// an update does not help.
	{kind: function, gone: "0.22.0", names: "ps_start ps_stop", minor: true},
	{kind: function, gone: "0.22.0", names: `ps_restart ps_rebuild ps_scale set_scale generate_scale_file print_dokku_scale_file
		extract_procfile remove_procfile get_cmd_from_procfile get_restart_policies get_raw_restart_policies fn-ps-can-scale
		fn-scheduler-docker-local-register-retired-container`},
	{kind: function, gone: "0.28.0", names: "configure_nginx_ports"},
	{kind: function, gone: "0.29.0", names: "get_app_urls internal_get_app_urls internal_get_app_url_with_vhost", instead: "domains-urls"},
	{kind: function, gone: "0.30.0", names: "is_container_running", instead: "is_container_status"},
	{kind: function, gone: "0.30.0", names: "is_app_running", instead: "fn-ps-is-app-running"},
	{kind: function, gone: "0.30.0", names: "apps_create", instead: "app-create"},
	{kind: function, gone: "0.30.0", names: "apps_destroy", instead: "app-destroy"},
	{kind: function, gone: "0.30.0", names: "apps_exists", instead: "app-exists"},
	{kind: function, gone: "0.30.0", names: "apps_maybe_create", instead: "app-maybe-create"},
	{kind: function, gone: "0.30.0", names: "git_deploy_branch", instead: "git-deploy-branch"},
	{kind: function, gone: "0.30.0", names: "is_app_proxy_enabled", instead: "proxy-is-enabled"},
	{kind: function, gone: "0.30.0", names: "get_app_proxy_type", instead: "proxy-type"},
	{kind: function, gone: "0.30.0", names: "is_spdy_enabled use_git_worktree"},
	{kind: function, gone: "0.30.2", names: "fn-git-use-worktree fn-git-setup-build-dir-old"},
	{kind: function, gone: "0.31.0", names: "get_app_raw_tcp_ports", instead: "ports-get"},
	{kind: function, gone: "0.32.0", names: "get_available_port", instead: "ports-get-available"},
	{kind: function, gone: "0.32.0", names: "get_dockerfile_exposed_ports get_exposed_ports_from_image"},
	{kind: function, gone: "0.33.4", names: "fn-nginx-hsts-is-enabled"},
	{kind: function, gone: "0.37.1", names: "is_grpc_enabled is_http2_enabled is_tls13_available"},
	{kind: function, gone: "0.38.6", names: "fn-git-deploy-branch", instead: "git-deploy-branch"},
	{kind: function, gone: "0.38.6", names: "fn-git-keep-git-dir"},
	{kind: function, gone: "0.38.7", names: "get_cmd_from_image get_entrypoint_from_image"},
	{kind: function, gone: "0.38.22", names: `fn-report-emit-json fn-report-filter-global fn-report-parse-args fn-report-validate-format
		fn-ssl-enabled fn-ssl-expires-at fn-ssl-hostnames fn-ssl-issuer fn-ssl-starts-at fn-ssl-subject fn-ssl-verified`},

	{kind: hook, gone: "0.24.0", names: "pre-build-cnb", instead: "pre-build-pack"},
	{kind: hook, gone: "0.24.0", names: "post-build-cnb", instead: "post-build-pack"},
	{kind: hook, gone: "0.24.0", names: "pre-release-cnb", instead: "pre-release-pack"},
	{kind: hook, gone: "0.24.0", names: "post-release-cnb", instead: "post-release-builder"},
	{kind: hook, gone: "0.26.0", names: "deploy-source", instead: "deploy-source-set"},
	{kind: hook, gone: "0.30.0", names: "post-release-buildpack post-release-dockerfile post-release-pack", instead: "post-release-builder"},
	{kind: hook, gone: "0.31.1", names: "post-release-lambda", instead: "post-release-builder"},
	{kind: hook, gone: "0.36.0", names: "cron-write", instead: "scheduler-cron-write"},

	{kind: trigger, gone: "0.25.0", names: "scheduler-docker-cleanup"},
	{kind: trigger, gone: "0.26.0", names: "deploy-source"},
	{kind: trigger, gone: "0.29.0", names: "domains-setup procfile-extract procfile-remove"},
	{kind: trigger, gone: "0.31.0", names: "network-compute-ports network-get-port", instead: "ports-get"},
	{kind: trigger, gone: "0.32.0", names: "proxy-configure-ports", instead: "ports-configure"},
	{kind: trigger, gone: "0.36.0", names: "cron-write", instead: "scheduler-cron-write"},

	{kind: command, gone: "0.22.0", names: "ps:rebuildall", instead: "ps:rebuild"},
	{kind: command, gone: "0.22.0", names: "ps:restartall", instead: "ps:restart"},
	{kind: command, gone: "0.22.0", names: "ps:startall", instead: "ps:start"},
	{kind: command, gone: "0.22.0", names: "ps:stopall", instead: "ps:stop"},
	{kind: command, gone: "0.22.0", names: "ps:set-restart-policy", instead: "ps:set"},
	{kind: command, gone: "0.22.0", names: "ps:restart-policy", instead: "ps:report"},
	{kind: command, gone: "0.26.0", names: "tags tags:create tags:deploy tags:destroy", instead: "git:from-image"},
	{kind: command, gone: "0.26.0", names: "tar tar:from tar:in", instead: "git:from-archive"},
	{kind: command, gone: "0.30.0", names: "nginx:build-config", instead: "proxy:build-config"},
	// ansible-dokku#168
	{kind: command, gone: "0.32.0", names: "proxy:ports", instead: "ports:list"},
	{kind: command, gone: "0.32.0", names: "proxy:ports-add", instead: "ports:add"},
	{kind: command, gone: "0.32.0", names: "proxy:ports-clear", instead: "ports:clear"},
	{kind: command, gone: "0.32.0", names: "proxy:ports-remove", instead: "ports:remove"},
	{kind: command, gone: "0.32.0", names: "proxy:ports-set", instead: "ports:set"},
	{kind: command, gone: "0.34.0", names: "git:unlock"},

	{kind: variable, gone: "0.26.0", names: "DOKKU_SCHEDULER", instead: "scheduler-detect"},
	{kind: variable, gone: "0.29.0", names: "DOKKU_WAIT_TO_RETIRE"},
	{kind: variable, gone: "0.31.0", names: "DOKKU_PROXY_PORT_MAP", instead: "ports-get"},
	{kind: variable, gone: "0.31.0", names: "DOKKU_DOCKERFILE_PORTS", instead: "ports-get"},
	{kind: variable, gone: "0.38.0", names: "DOKKU_APP_PROXY_TYPE", instead: "proxy-type"},
	{kind: variable, gone: "0.38.0", names: "DOKKU_DISABLE_PROXY", instead: "proxy-is-enabled"},
	{kind: variable, gone: "0.38.0", names: `DOKKU_PROXY_PORT DOKKU_PROXY_SSL_PORT DOKKU_APP_RESTORE DOKKU_SKIP_DEPLOY DOKKU_START_CMD
		DOKKU_DOCKERFILE_START_CMD DOKKU_APP_SHELL DOKKU_SKIP_CLEANUP DOKKU_CHECKS_DISABLED DOKKU_CHECKS_SKIPPED DOKKU_CHECKS_WAIT
		DOKKU_CHECKS_TIMEOUT DOKKU_CHECKS_ATTEMPTS DOKKU_DEFAULT_CHECKS_WAIT`, minor: true}, // few apps have them

	{kind: state, gone: "0.22.0", names: "DOKKU_PROCFILE"},
	{kind: state, gone: "0.25.0", names: "DOKKU_SCALE", instead: "ps-current-scale"},
	{kind: state, gone: "0.38.0", names: "ENV"},
	{kind: state, gone: "0.38.0", names: "DOCKER_OPTIONS_BUILD DOCKER_OPTIONS_DEPLOY DOCKER_OPTIONS_RUN"},

	// By comparing docker/cli from 20.10 to 29.7: docker inspect ends with "map has no
	// entry for key" at a field that is not there (dokku-posteio#9).
	{kind: field, docker: 26, names: ".ContainerConfig"},
	{kind: field, docker: 29, instead: ".NetworkSettings.Networks", names: `.NetworkSettings.IPAddress .NetworkSettings.Gateway .NetworkSettings.MacAddress
		.NetworkSettings.IPPrefixLen .NetworkSettings.EndpointID .NetworkSettings.GlobalIPv6Address .NetworkSettings.GlobalIPv6PrefixLen
		.NetworkSettings.IPv6Gateway`},
	{kind: field, docker: 29, names: `.NetworkSettings.Bridge .NetworkSettings.HairpinMode .NetworkSettings.LinkLocalIPv6Address
		.NetworkSettings.LinkLocalIPv6PrefixLen .NetworkSettings.SecondaryIPAddresses .NetworkSettings.SecondaryIPv6Addresses`},
}

const configFunctions = "config_get config_set config_unset config_export config_all config_keys config_bundle config_clear"

// brings are the files of core that a file of core sources, as far as a function
// of the table can come that way.
var brings = map[string]string{
	"domains/functions": "domains/internal-functions",
	"ps/functions":      "ps/internal-functions",
	"config/functions": `nginx-vhosts/functions nginx-vhosts/command-functions domains/functions domains/internal-functions git/functions
		builder-herokuish/functions scheduler-docker-local/internal-functions apps/functions proxy/functions tar/functions`,
}

// from are the files that bring the functions of a file, itself included.
func from(home string) []string { return append(strings.Fields(brings[home]), home) }

// CorePlugins are the plugins that have become part of Dokku since 0.20, with the
// version of each. Where somebody else's plugin has the name, Dokku never enables
// its own.
var CorePlugins = map[string]string{
	"cron": "0.23.0", "builder": "0.24.0", "builder-pack": "0.24.0", "registry": "0.25.0", "run": "0.25.0",
	"builder-null": "0.25.0", "scheduler-null": "0.25.0", "scheduler": "0.26.0", "builder-lambda": "0.28.0", "caddy-vhosts": "0.28.0",
	"traefik-vhosts": "0.28.0", "haproxy-vhosts": "0.30.0", "openresty-vhosts": "0.31.0", "ports": "0.31.0", "builder-nixpacks": "0.32.0",
	"scheduler-k3s": "0.33.0", "builder-railpack": "0.37.0", "builds": "0.38.0",
}
