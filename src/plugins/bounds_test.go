package plugins

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// hostile are scripts that are hard to read, each of a size.
func hostile(size int) map[string]string {
	fill := func(text string) string { return "#!/bin/bash\n" + strings.Repeat(text, 1+size/len(text))[:size] }
	return map[string]string{
		"one line of commands":   fill(". ; plugn trigger cron-write; config_get; "),
		"one line of dots":       fill("."),
		"sourced files":          fill(`source "$PLUGIN_AVAILABLE_PATH/config/functions"; `),
		"options":                fill("dokku --a --b --c "),
		"variables":              fill("A=b "),
		"variables in brackets":  fill("(A="),
		"brackets":               fill("("),
		"substitutions":          fill("$("),
		"quotes":                 fill(`"'`),
		"here documents":         fill("<<E "),
		"here documents, ended":  fill("cat <<E\nE\n"),
		"half a redirection":     fill("<<  \t "),
		"comments":               fill("# \n"),
		"empty lines":            fill("\n"),
		"continued lines":        fill("\\\n"),
		"names of the table":     fill("get_available_port is_app_running config_get DOKKU_SCALE "),
		"questions":              fill("[ -f config_get "),
		"states":                 fill("$DOKKU_ROOT/a/ENV "),
		"asked for, one a line":  fill("type get_available_port;\nconfig_get DOKKU_SCALE\n"),
		"defined, one a line":    fill("function\tget_available_port()\n"),
		"sources of its own":     fill(`. "$(dirname "$0")/commands"; `),
		"what no shell would do": fill("then do if ! { `"),
	}
}

// cpu is the time that this process has worked: the machine may have other work.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// One line of 16 kB took 37 s, while apt waited.
func TestAHostileScript(t *testing.T) {
	for _, size := range []int{16 << 10, maxScript - 100} {
		for about, text := range hostile(size) {
			h := installed(t, []txtar.File{{Name: "commands", Data: []byte(text)}})
			began := cpu()
			list, err := Read(h)
			took := cpu() - began
			if took > 3*time.Second || err != nil || len(list) != 1 {
				t.Errorf("%s, %d bytes: %v, %v", about, size, len(list), err)
			}
			t.Logf("%6d bytes in %-12s %s", size, took, about)
		}
	}
}

// A plugin may be anything; what is not looked at is said.
func TestAHostilePlugin(t *testing.T) {
	many := func(n int, name func(int) string, text func(int) string) []txtar.File {
		var files []txtar.File
		for i := range n {
			files = append(files, txtar.File{Name: name(i), Data: []byte(text(i))})
		}
		return files
	}
	number := func(i int) string { return fmt.Sprintf("functions-%d", i) }
	for about, test := range map[string]struct {
		files []txtar.File
		want  string
	}{
		"too large": {many(20, number, func(int) string { return hostile(200 << 10)["names of the table"] }), "its scripts are larger than 2 MiB together"},
		"too many":  {many(maxFiles+1, number, func(int) string { return "#!/bin/sh\n" }), "it has more than 2000 files"},
		"too deep":  {[]txtar.File{{Name: strings.Repeat("d/", maxDepth+5) + "functions", Data: []byte("#!/bin/sh\n")}}, "deep in one another"},
		"each sources all others": {many(200, number, func(i int) string {
			text := "#!/bin/bash\nsource \"$PLUGIN_CORE_AVAILABLE_PATH/config/functions\"\n"
			for j := range 50 {
				text += fmt.Sprintf(". \"$(dirname $0)/functions-%d\"\n", (i+j)%200)
			}
			return text + "config_get; get_available_port\n"
		}), ""},
	} {
		h := installed(t, append(test.files, txtar.File{Name: "pre-deploy", Data: []byte("#!/bin/sh\nget_available_port\n")}))
		began := time.Now()
		_, err := Read(h)
		if took := time.Since(began); took > readTime+time.Second {
			t.Errorf("%s: %s", about, took)
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), "the plugin made-up uses of Dokku was not looked at whole") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", about, err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%s: %s, %d MiB from the system", about, time.Since(began), m.Sys>>20)
	}
}

// What is no regular file is no script.
func TestAPluginOfFIFOs(t *testing.T) {
	h := installed(t, txtar.Parse([]byte("-- commands --\n#!/bin/sh\nget_available_port\n. \"$(dirname $0)/zero\"\n-- functions --\n")).Files)
	dir := filepath.Join(h.Paths().PluginPath, "available", "made-up")
	for _, name := range []string{"zero", "plugin.toml", ".git/HEAD", "install"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/dev/zero", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := Read(h); err != nil || len(list) != 1 || list[0].Git || list[0].Version != "" || list[0].Hook("install") {
		t.Errorf("%+v, %v", list, err)
	}
}
