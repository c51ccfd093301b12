package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"upgrade-guard/src/app"
)

// createApp plays apps:create: an empty directory, and from 0.25 on a scale. From 0.38.0 on nginx
// has something of it at once, which answers 502.
func (h Host) createApp(name string) error {
	if !app.CreatesName(h.version(), name) {
		return errors.New("App name must begin with lowercase alphanumeric character, and cannot include uppercase characters, colons, or underscores")
	}
	if err := os.Mkdir(h.path("home/dokku", name), 0o755); err != nil {
		return errors.New("Name is already taken")
	}
	if !app.ScaleInFile(h.version()) {
		if err := h.put("var/lib/dokku/config/ps/"+name+"/scale", []byte("web=1\n")); err != nil {
			return err
		}
	}
	if !app.Before(h.version(), "0.38.0") {
		if err := h.put("var/lib/dokku/config/apps/"+name+"/created-at", []byte("1767225600")); err != nil {
			return err
		}
		conf := fmt.Sprintf("server {\n  listen 80;\n  server_name %s.dokku.test;\n  client_max_body_size 1m;\n  location / { return 502; }\n  include %s/nginx.conf.d/*.conf;\n}\n", name, h.path("home/dokku", name))
		if err := h.put("home/dokku/"+name+"/nginx.conf", []byte(conf)); err != nil {
			return err
		}
	}
	return h.plugn([]string{"trigger", "post-create", name})
}

// mountStorage plays storage:mount of 0.38 with a colon: an entry of a made-up name, and a
// line of the app's mounts.
func (h Host) mountStorage(name, mount string) error {
	from, at, ok := strings.Cut(mount, ":")
	if !ok || !strings.HasPrefix(at, "/") {
		return errors.New("Storage path must be two valid paths divided by colon.")
	}
	entry := "legacy-" + idOf(from)[:10]
	said, err := json.Marshal(map[string]any{"name": entry, "scheduler": "docker-local", "host_path": from})
	if err != nil {
		return err
	}
	if err := h.put("var/lib/dokku/data/storage-registry/entries/"+entry+".json", said); err != nil {
		return err
	}
	list := "var/lib/dokku/config/storage/" + name + "/mounts"
	b, _ := os.ReadFile(h.path(list))
	if strings.Contains(string(b), fmt.Sprintf("%q", at)) {
		return errors.New("Mount path already exists.")
	}
	line, err := json.Marshal(map[string]any{"entry_name": entry, "container_path": at, "phases": []string{"deploy", "run"}})
	if err != nil {
		return err
	}
	return h.put(list, append(b, append(line, '\n')...))
}
