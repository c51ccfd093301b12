package scenarios

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"upgrade-guard/tests/truth"
)

// realHost is this machine's own Dokku as truth asks it.
type realHost struct{}

const ownDokku = "/usr/bin/dokku"

func (realHost) Data() string { return "/var/lib/dokku/data/upgrade-guard" }
func (realHost) Root() string { return "/home/dokku" }

func (realHost) Ask(args ...string) string {
	out, _ := exec.Command(ownDokku, args...).CombinedOutput()
	return string(out)
}

// Served asks nginx. It reloads in the background, and its old workers answer for a
// moment.
func (realHost) Served(domain, expected string) (app string, err error) {
	for n := 0; n < 5 && (n == 0 || err != nil || app != expected); n++ {
		if n > 0 {
			time.Sleep(300 * time.Millisecond)
		}
		if app, err = request("http", domain); errors.Is(err, errPassword) {
			return expected, nil // that it is asked for is for the scenario to see
		} else if err != nil {
			app, err = request("https", domain)
		}
	}
	return app, err
}

// realDokku is Dokku's own command, with the truth around the plugin's.
func realDokku() {
	run := func() error {
		cmd := exec.Command(ownDokku, os.Args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd.Run()
	}
	err := error(nil)
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "upgrade-guard:") {
		err = truth.Around(realHost{}, os.Args[1:], run)
	} else {
		err = run()
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
