package hazard

import (
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plugins"
)

// What people have in nginx.conf.d, and what Dokku's template sets by itself from some
// version on. That these are the directives, and no others, was held to Dokku's templates
// of 0.20.0 to 0.38.27, built for each kind of server and read by nginx -t.
func TestSnippetDuplicate(t *testing.T) {
	const upload = "upload.conf"
	template := `{{ range $port_map := .PROXY_PORT_MAP | split " " }}
server {
  listen {{ $listen_port }};
  server_name {{ .NOSSL_SERVER_NAME }};
  location / { proxy_pass http://{{ $.APP }}-{{ $upstream_port }}; }
  {{ if $.CLIENT_MAX_BODY_SIZE }}client_max_body_size {{ $.CLIENT_MAX_BODY_SIZE }};{{ end }}
  OWN
  include {{ $.DOKKU_ROOT }}/{{ $.APP }}/nginx.conf.d/*.conf;
}
{{ end }}`
	for _, c := range []struct {
		name     string
		snippet  string
		file     string // upload.conf
		from, to string
		ports    string // http:80:5000
		tls      bool
		more     map[string]string
		proxy    string
		want     string // in the finding; "" for none
		command  string
	}{
		{name: "an upload's size", snippet: "client_max_body_size 50m;\n", from: "0.20.4", to: "0.33.4",
			want:    "nginx.conf.d/upload.conf sets client_max_body_size 50m, which Dokku's own template sets from 0.33.4 on",
			command: "dokku nginx:set blog client-max-body-size 50m && sed -i '/^[[:space:]]*client_max_body_size 50m;/d' /home/dokku/blog/nginx.conf.d/upload.conf && dokku proxy:build-config blog"},
		{name: "right before it", snippet: "client_max_body_size 50m;\n", from: "0.20.4", to: "0.33.3"},
		{name: "by the property", snippet: "client_max_body_size 50m;\n", from: "0.22.0", to: "0.23.0", more: map[string]string{"lib/config/nginx/blog/client-max-body-size": "5m"},
			want: "because its property client-max-body-size is set", command: "sed -i"},
		{name: "it was so before", snippet: "client_max_body_size 50m;\n", from: "0.33.4", to: "0.38.27"},
		{name: "a way back", snippet: "client_max_body_size 50m;\n", from: "0.38.27", to: "0.29.4"},
		{name: "two with others between", snippet: "# ours\nadd_header A b;\nsend_timeout 5m;\n\tkeepalive_timeout 30s 20s; # why\n", from: "0.29.4", to: "0.38.27",
			want:    "sets send_timeout 5m, which Dokku's own template sets from 0.35.6 on; nginx.conf.d/upload.conf sets keepalive_timeout 30s 20s, which",
			command: "dokku nginx:set blog send-timeout 5m && dokku nginx:set blog keepalive-timeout '30s 20s' && sed -i '/^[[:space:]]*send_timeout 5m;/d' /home/dokku/blog/nginx.conf.d/upload.conf && sed -i '/^[[:space:]]*keepalive_timeout 30s 20s;/d' "},
		{name: "not alone on its line", snippet: "send_timeout 5m; lingering_timeout 9s;\n", from: "0.29.4", to: "0.35.6",
			want: "sets lingering_timeout 9s", command: "dokku nginx:set blog send-timeout 5m && dokku nginx:set blog lingering-timeout 9s"},
		{name: "the same within a location", snippet: "client_max_body_size 50m;\nlocation /a {\n  client_max_body_size 50m;\n}\n", from: "0.29.4", to: "0.38.27",
			want: "client_max_body_size 50m", command: "dokku nginx:set blog client-max-body-size 50m"},
		{name: "within a location alone", snippet: "location /a {\n  client_max_body_size 50m;\n}\n", from: "0.29.4", to: "0.38.27"},
		{name: "what Dokku sets in a location", snippet: "proxy_read_timeout 5m;\nproxy_buffer_size 8k;\ngzip off;\n", from: "0.20.4", to: "0.38.27"},
		{name: "what nginx repeats", snippet: "add_header A b;\nerror_page 404 /x;\naccess_log off;\nproxy_set_header A b;\n", from: "0.20.4", to: "0.38.27"},
		{name: "underscores", snippet: "underscores_in_headers on;\n", from: "0.30.11", to: "0.33.8", want: "underscores_in_headers on", command: "dokku nginx:set blog underscore-in-headers on"},
		{name: "underscores, before", snippet: "underscores_in_headers on;\n", from: "0.30.11", to: "0.33.7"},
		{name: "keepalive with https was so before", snippet: "keepalive_timeout 5s;\n", tls: true, ports: "http:80:5000 https:443:5000", from: "0.30.11", to: "0.38.27"},
		{name: "http2 by nginx's own directive", snippet: "http2 on;\n", tls: true, ports: "https:443:5000", from: "0.36.9", to: "0.36.10", want: "sets http2 on", command: "sed -i"},
		{name: "http2 without https", snippet: "http2 on;\n", from: "0.36.9", to: "0.36.10"},
		{name: "grpc has no timeouts", snippet: "send_timeout 5m;\n", ports: "grpc:50051:5000", from: "0.30.11", to: "0.38.27"},
		{name: "grpc has a size", snippet: "client_max_body_size 50m;\n", ports: "grpc:50051:5000", from: "0.30.11", to: "0.38.27", want: "client_max_body_size"},
		{name: "the server that redirects has no size", snippet: "client_max_body_size 50m;\n", tls: true, from: "0.30.11", to: "0.38.27", ports: "http:80:5000"},
		{name: "twice in 0.27.9", snippet: "auth_basic x;\n", tls: true, ports: "http:80:5000 https:443:5000", from: "0.24.10", to: "0.27.9",
			want: "and 0.27.9 includes the file twice in the server that redirects to https", command: "apt-get install dokku=0.27.10"},
		{name: "twice, and nginx takes that", snippet: "add_header A b;\n", tls: true, ports: "http:80:5000 https:443:5000", from: "0.24.10", to: "0.27.9"},
		{name: "once in 0.27.10", snippet: "auth_basic x;\n", tls: true, ports: "http:80:5000 https:443:5000", from: "0.24.10", to: "0.27.10"},
		{name: "nothing redirects", snippet: "auth_basic x;\n", from: "0.24.10", to: "0.27.9"},
		{name: "not what nginx includes", file: "upload.conf.bak", snippet: "client_max_body_size 50m;\n", from: "0.20.4", to: "0.38.27"},
		{name: "hidden from nginx", file: ".upload.conf", snippet: "client_max_body_size 50m;\n", from: "0.20.4", to: "0.38.27"},
		{name: "in a directory below", file: "more/upload.conf", snippet: "client_max_body_size 50m;\n", from: "0.20.4", to: "0.38.27"},
		{name: "not nginx's grammar", snippet: "client_max_body_size 50m\n", from: "0.20.4", to: "0.38.27"},
		{name: "another proxy", proxy: "caddy", snippet: "client_max_body_size 50m;\n", from: "0.20.4", to: "0.38.27"},
		{name: "a value that is not shown", snippet: "client_max_body_size CANARY-secret;\n", from: "0.20.4", to: "0.38.27", want: "sets client_max_body_size, which"},
		{name: "a template of its own", snippet: "client_max_body_size 50m;\n", from: "0.29.4", to: "0.38.27", more: map[string]string{"lib/data/nginx-vhosts/app-blog/nginx.conf.sigil": "server { include x/nginx.conf.d/*.conf; }"}},
		{name: "an earlier one of Dokku's", snippet: "client_max_body_size 50m;\n", from: "0.29.4", to: "0.38.27", more: map[string]string{"lib/data/nginx-vhosts/app-blog/nginx.conf.sigil": strings.Replace(template, "OWN", "", 1)},
			want: "which the app's own nginx.conf.sigil sets, too, from 0.33.4 on, when Dokku hands it CLIENT_MAX_BODY_SIZE", command: "dokku nginx:set blog client-max-body-size 50m && sed -i"},
		{name: "one with a line of its own", snippet: "add_header A b;\n", from: "0.29.4", to: "0.38.27", more: map[string]string{"lib/data/nginx-vhosts/app-blog/nginx.conf.sigil": strings.Replace(template, "OWN", "client_max_body_size 20m;", 1)},
			want: "its nginx.conf.sigil sets client_max_body_size 20m, which the app's own", command: "dokku nginx:set blog client-max-body-size 20m"},
		{name: "one in its image", snippet: "client_max_body_size 50m;\n", from: "0.24.10", to: "0.38.27", more: map[string]string{app.ImageFacts + "blog/nginx.conf.sigil": "server { }"}},
		{name: "one that is not used", snippet: "client_max_body_size 50m;\n", from: "0.29.4", to: "0.38.27", want: "from 0.33.4 on", more: map[string]string{
			"lib/data/nginx-vhosts/app-blog/nginx.conf.sigil": "server { }", "lib/config/nginx/blog/disable-custom-config": "true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.file == "" {
				c.file = upload
			}
			if c.ports == "" {
				c.ports = "http:80:5000"
			}
			files := map[string]string{"root/blog/nginx.conf.d/" + c.file: c.snippet}
			for path, text := range c.more {
				files[path] = text
			}
			s := subject(c.from, files)
			s.From, s.To = c.from, c.to
			s.Now.Ports.Map, s.Now.Proxy.Type = strings.Fields(c.ports), c.proxy
			if c.tls {
				s.Now.Certificate = &app.Certificate{NotAfter: time.Now()}
			}
			found := snippetDuplicate.Foresee(s)
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("%+v", found)
			case c.want == "":
			case len(found) != 1 || !strings.Contains(found[0].What, c.want) || !strings.Contains(found[0].Command, c.command) || strings.Contains(found[0].What+found[0].Command, "CANARY"):
				t.Errorf("%+v", found)
			}
			// As long as it stands there it is found after the upgrade, too.
			if after := subject(c.to, files); c.want != "" {
				after.Now.Ports.Map, after.Now.Certificate, after.To = s.Now.Ports.Map, s.Now.Certificate, c.to
				if found := snippetDuplicate.Detect(after); len(found) != 1 || !strings.Contains(found[0].What, c.want) {
					t.Errorf("after the upgrade: %+v", found)
				}
			}
		})
	}

	// A plugin may write the file at each build.
	s := subject("0.38.27", map[string]string{"root/blog/nginx.conf.d/upload.conf": "client_max_body_size 2M;\n"})
	s.Plugins = plugins.Facts{Installed: func() []plugins.Plugin { return nil }}
	if found := snippetDuplicate.Detect(s); len(found) != 1 || strings.Contains(found[0].Consequence, "plugin") {
		t.Errorf("%+v", found)
	}
	// What cannot be read is not known to be wrong.
	s.Files = app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{{Path: "root/blog/nginx.conf.d/upload.conf", Error: "permission denied"}})
	if found := snippetDuplicate.Detect(s); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	s.Files = app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{{Path: "root/blog/nginx.conf.d/", Error: "permission denied"}})
	if found := snippetDuplicate.Detect(s); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	s = subject("0.38.27", map[string]string{"root/blog/nginx.conf.d/upload.conf": "client_max_body_size 2M;\n"})
	s.Files = app.NewFiles("0.38.27", []string{"blog"}, nil, append(s.Files.All(), app.File{Path: "lib/data/nginx-vhosts/app-blog/nginx.conf.sigil", Error: "permission denied"}))
	if found := snippetDuplicate.Detect(s); len(found) > 0 {
		t.Errorf("by a template that cannot be read: %+v", found)
	}
}
