package nginx

import (
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
)

// Template reads an app's own template (nginx.conf.sigil) as the configuration that comes
// of it when all of its conditions hold. What stands for one of Dokku's variables,
// {{ $.NAME }}, is the word $.NAME; sigil's other actions are taken out.
func Template(text string) ([]Directive, error) {
	text = templateVariable().ReplaceAllString(text, "$$.$1")
	return Parse(templateAction().ReplaceAllString(text, " "))
}

var (
	templateVariable = pattern.Of(`\{\{-?\s*\$?\.([A-Za-z0-9_]+)\s*-?\}\}`)
	templateAction   = pattern.Of(`\{\{[^}]*\}\}`)
)

// OnceInServer are directives that people put into snippets and that nginx takes once in a
// server (tests/nginx asks it).
var OnceInServer = strings.Fields(`absolute_redirect auth_basic auth_basic_user_file auth_request autoindex charset
	client_body_buffer_size client_body_timeout client_header_buffer_size client_header_timeout client_max_body_size default_type
	etag expires gzip gzip_buffers gzip_comp_level gzip_min_length gzip_static gzip_vary http2_push_preload ignore_invalid_headers keepalive_requests
	keepalive_timeout large_client_header_buffers limit_conn limit_rate limit_req limit_req_status lingering_close lingering_time
	lingering_timeout log_not_found merge_slashes port_in_redirect proxy_buffer_size proxy_buffering proxy_buffers
	proxy_busy_buffers_size proxy_cache proxy_cache_key proxy_cache_lock proxy_connect_timeout proxy_http_version
	proxy_ignore_client_abort proxy_intercept_errors proxy_max_temp_file_size proxy_read_timeout proxy_request_buffering
	proxy_send_timeout proxy_ssl_server_name proxy_ssl_verify real_ip_header real_ip_recursive reset_timedout_connection resolver
	resolver_timeout root satisfy send_timeout server_name_in_redirect server_tokens ssl_buffer_size ssl_ciphers ssl_dhparam
	ssl_ecdh_curve ssl_prefer_server_ciphers ssl_session_tickets ssl_session_timeout ssl_stapling ssl_stapling_verify sub_filter_once tcp_nodelay tcp_nopush
	try_files underscores_in_headers`)

// Once tells whether nginx is known to take a directive once in a server.
func Once(d Directive) bool {
	if d.Name == "location" {
		return len(d.Args) == 1 && strings.HasPrefix(d.Args[0], "/") || len(d.Args) == 2 && d.Args[0] == "="
	}
	return slices.Contains(OnceInServer, d.Name)
}
