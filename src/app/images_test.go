package app

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"text/template"
)

// Where copy_from_image of plugins/common/functions looks, for kinds of images over the
// versions that take files from there.
func TestImageDirectory(t *testing.T) {
	buildpacks := imageConfig{Stack: "io.buildpacks.stacks.bionic", Workdir: "/workspace"}
	herokuish := imageConfig{User: []string{"", "USER=herokuishuser"}}
	for _, c := range []struct {
		about, versions, user string
		image                 imageConfig
		want                  string
	}{
		{"a Dockerfile's", "0.20.4 0.22.9 0.24.10 0.30.11", "", imageConfig{Workdir: "/srv/app"}, "/srv/app"},
		{"without a working directory", "0.20.4 0.28.4", "", imageConfig{}, "/"},
		{"one that is relative", "0.20.4", "", imageConfig{Workdir: "app"}, "/app"},
		{"herokuish", "0.20.4 0.21.4 0.22.0 0.24.10 0.30.11", "", herokuish, "/app"},
		{"with a working directory all the same", "0.20.4 0.28.4", "", imageConfig{Workdir: "/srv", User: herokuish.User}, "/app"},
		{"the app's user is another", "0.20.4 0.28.4", "u1000", imageConfig{User: []string{"", "USER=u1000"}}, "/app"},
		{"and the image's is not that", "0.20.4 0.28.4", "u1000", herokuish, "/"},
		{"some other user", "0.20.4", "", imageConfig{User: []string{"", "USER=root"}, Workdir: "/code"}, "/code"},
		{"buildpacks, which 0.21 does not know", "0.20.4 0.21.4", "", buildpacks, "/workspace"},
		{"and 0.22 takes for herokuish", "0.22.0 0.22.9 0.23.2", "", buildpacks, "/app"},
		{"buildpacks", "0.23.3 0.24.10 0.30.11", "", buildpacks, "/workspace"},
		{"of a herokuish stack", "0.23.3 0.28.4", "", imageConfig{Stack: "heroku-22", User: herokuish.User}, "/workspace"},
		{"buildpacks without a stack", "0.24.10", "", imageConfig{Workdir: "/workspace"}, "/workspace"},
	} {
		for _, version := range strings.Fields(c.versions) {
			if got := c.image.directory(version, c.user); got != c.want {
				t.Errorf("%s on %s: %s, not %s", c.about, version, got, c.want)
			}
		}
	}
}

// What docker says of an image is JSON whatever it has or has not, and holds no variable
// but the user.
func TestImageFormat(t *testing.T) {
	format := template.Must(template.New("").Funcs(template.FuncMap{"split": strings.Split, "json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(imageFormat))
	for _, c := range []struct {
		config map[string]any
		want   string
	}{
		{map[string]any{"WorkingDir": "/app", "Labels": map[string]string{"io.buildpacks.stack.id": `a "stack"`}, "Env": []string{"PATH=/bin", "USER=herokuishuser", "SECRET=CANARY"}}, "/app,a \"stack\",USER=herokuishuser"},
		{map[string]any{"WorkingDir": "", "Labels": map[string]string(nil), "Env": []string(nil)}, ",,"},
	} {
		var b bytes.Buffer
		var i imageConfig
		err := format.Execute(&b, map[string]any{"Id": "sha256:0", "Config": c.config})
		if err == nil {
			err = json.Unmarshal(b.Bytes(), &i)
		}
		if got := i.Workdir + "," + i.Stack + "," + strings.Join(i.User[min(1, len(i.User)):], " "); err != nil || got != c.want || strings.Contains(b.String(), "CANARY") {
			t.Errorf("%v: %q, not %q: %s", err, got, c.want, b.String())
		}
	}
}
