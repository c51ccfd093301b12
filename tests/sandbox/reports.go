package sandbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// futureScale is where the sandbox's Dokku of a version that nobody has seen keeps the
// scale of an app that has it there: a scenario that moves it there plays a migration
// that upgrade-guard knows nothing of.
const (
	future      = "0.39.0"
	futureScale = "formation"
)

// report plays the commands by which Dokku tells of an app, by plugins/*/report.go of
// 0.38.27: with an app and a flag the flag's value, without an app those of all apps, a
// line each. A file called fails-<plugin> in the sandbox makes the plugin's fail, and
// what is in says-<flag> it says of every app.
func (h Host) report(plugin string, args []string) error {
	if _, err := os.Stat(h.path("fails-" + plugin)); err == nil {
		return errors.New("open /var/lib/dokku/core-plugins: permission denied")
	}
	i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--") && a != "--global" })
	if i < 0 || len(args) > 2 {
		return fmt.Errorf("%w: dokku %s:report %s", errNotRecorded, plugin, strings.Join(args, " "))
	}
	flag, names := args[i], slices.Delete(slices.Clone(args), i, i+1)
	if len(names) == 0 {
		names = h.apps()
	}
	for _, name := range names {
		if _, err := os.Stat(h.path("home/dokku", name)); err != nil && name != "--global" {
			return fmt.Errorf("App %s does not exist", name)
		}
		value, err := h.reported(name, flag)
		if err != nil {
			return err
		}
		fmt.Println(value)
	}
	return nil
}

func (h Host) reported(name, flag string) (string, error) {
	words := func(elem ...string) string {
		b, _ := os.ReadFile(h.path(elem...))
		return strings.Join(strings.Fields(string(b)), " ")
	}
	if b, err := os.ReadFile(h.path("says" + flag[1:])); err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	switch flag {
	case "--domains-app-vhosts":
		return words("home/dokku", name, "VHOST"), nil
	case "--domains-global-vhosts":
		return words("home/dokku/VHOST"), nil
	case "--domains-app-enabled":
		env, _ := h.readEnv(name)
		return fmt.Sprint(env["NO_VHOST"] != "1"), nil
	case "--ports-map":
		return words("var/lib/dokku/config/ports", name, "map"), nil
	case "--ssl-enabled":
		_, crt := os.Stat(h.path("home/dokku", name, "tls/server.crt"))
		_, key := os.Stat(h.path("home/dokku", name, "tls/server.key"))
		return fmt.Sprint(crt == nil && key == nil), nil
	}
	return "", fmt.Errorf("Invalid flag passed, valid flags: --%s", strings.TrimPrefix(flag, "--"))
}

// called notes a command in the file commands of the sandbox, where there is one.
func (h Host) called(args []string) error {
	f, err := os.OpenFile(h.path("commands"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil // nobody wants to know
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, strings.Join(args, " "))
	return err
}

// recordedAs is the recorded version that plays a version: a newer one than any that
// was recorded is played as the newest of them, and calls itself what it is.
func recordedAs(version string) string {
	if app.Before(version, future) {
		return version
	}
	return "0.38.27"
}
