package nginx

import (
	"strings"
	"testing"
)

// What nginx refuses as a duplicate is left out of the servers, and nothing else.
func TestWithout(t *testing.T) {
	for _, c := range []struct{ name, text, directive, want string }{
		{"in each server", "server {\n  send_timeout 5s;\n  root /a;\n}\nserver { send_timeout 6s; }\n", "send_timeout", "server {\n  \n  root /a;\n}\nserver {  }\n"},
		{"not in a location", "server {\n  location / { client_max_body_size 5m; }\n  client_max_body_size 1m;\n}\n", "client_max_body_size", "server {\n  location / { client_max_body_size 5m; }\n  \n}\n"},
		{"not in an upstream", "upstream a { keepalive 5; }\n", "keepalive", ""},
		{"the second include", "server {\n  include /x/*.conf;\n  location / { }\n  include /x/*.conf;\n}\n", "expires", "server {\n  include /x/*.conf;\n  location / { }\n  \n}\n"},
		{"two includes", "server {\n  include /x/*.conf;\n  include /y/*.conf;\n}\n", "expires", ""},
		{"none of them", "server { root /a; }\n", "expires", ""},
		{"not nginx's grammar", "server { expires 1h;\n", "expires", ""},
	} {
		got, ok := Without(c.text, c.directive)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: %v %q", c.name, ok, got)
		}
	}
	for complaint, want := range map[string]string{
		`"client_max_body_size" directive is duplicate in /home/dokku/blog/nginx.conf.d/upload.conf:1`: "client_max_body_size",
		`duplicate location "…" in /home/dokku/blog/nginx.conf:5`:                                      "",
		`duplicate upstream "blog-5000" in /home/dokku/blog/nginx.conf:5`:                              "",
		"": "",
	} {
		if got := Duplicate(complaint); got != want {
			t.Errorf("%s: %q", complaint, got)
		}
	}
}

func TestTemplate(t *testing.T) {
	list, err := Template(`{{ range $m := .PROXY_PORT_MAP | split " " }}
{{ if eq $scheme "https" }}
server {
  listen [{{ $.NGINX_BIND_ADDRESS_IP6 }}]:{{ $listen_port }};
  {{ if $.CLIENT_MAX_BODY_SIZE }}client_max_body_size {{ $.CLIENT_MAX_BODY_SIZE }};{{ end }}
  include {{ $.DOKKU_ROOT }}/{{ $.APP }}/nginx.conf.d/*.conf;
}
{{ end }}{{ end }}`)
	if err != nil || len(list) != 1 || len(list[0].Block) != 3 {
		t.Fatalf("%v %+v", err, list)
	}
	if d := list[0].Block[1]; d.Name != "client_max_body_size" || strings.Join(d.Args, " ") != "$.CLIENT_MAX_BODY_SIZE" {
		t.Errorf("%+v", d)
	}
	if d := list[0].Block[2]; strings.Join(d.Args, " ") != "$.DOKKU_ROOT/$.APP/nginx.conf.d/*.conf" {
		t.Errorf("%+v", d)
	}
	if _, err := Template("server { {{ if x }}"); err == nil {
		t.Error("a block without an end is read")
	}
}
