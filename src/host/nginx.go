package host

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// ErrNoNginx says that nginx cannot be asked about its configuration.
var ErrNoNginx = errors.New("nginx cannot be asked whether it takes its configuration")

// TestNginx has nginx read its whole configuration. The complaint is what it
// refuses and where, "" when it refuses nothing.
func TestNginx(ctx context.Context, h Host) (complaint string, err error) {
	command, err := sudoCommand(ctx, h, func(words []string) bool {
		return len(words) == 2 && words[1] == "-t" && (path.Base(words[0]) == "nginx" || path.Base(words[0]) == "openresty")
	})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoNginx, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// What it says is on standard error, and its last line says least.
	out, err := h.Run(ctx, "sh", "-c", `exec sudo -n "$@" 2>&1`, "sh", command[0], command[1])
	if err == nil {
		return "", nil
	}
	for _, l := range strings.Split(string(out), "\n") {
		l = l[:min(len(l), maxSentence)]
		if m := emergency().FindStringSubmatch(l); m != nil {
			return withoutValues(m[1]), nil
		}
	}
	return "", fmt.Errorf("%w: %w", ErrNoNginx, err)
}

// emergency is a complaint in both ways in which nginx writes it: before and after
// it has read of its error log.
var emergency = pattern.Of(`^(?:nginx:|[0-9/]+ [0-9:]+) \[(?:emerg|crit|alert)\] (?:[0-9]+#[0-9]+: )?(.*)`)

var (
	quotedWord = pattern.Of(`"[^"]*"`)
	// mayQuote are the complaints whose quoted words are names and paths.
	mayQuote = pattern.Of(`^(host not found in upstream|no "|cannot load certificate|BIO_new_file|open\(\)|SSL_CTX|PEM_read|duplicate upstream|directive "|"[a-z_]+" directive)`)
)

// withoutValues leaves out what nginx quotes of a file where it may be a value:
// a header, a password.
func withoutValues(complaint string) string {
	if mayQuote().MatchString(complaint) {
		return complaint
	}
	return quotedWord().ReplaceAllString(complaint, `"…"`)
}

// ReloadNginx has nginx take its configuration, by the command that Dokku may
// use for it on this machine: systemctl, sv, invoke-rc.d or an init script. An
// nginx that does not run is started, where Dokku may do that (0.22 and later).
func ReloadNginx(ctx context.Context, h Host) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var last error
	for _, verb := range []string{"reload", "start"} {
		command, err := sudoCommand(ctx, h, func(words []string) bool {
			// Either order: systemctl reload nginx, invoke-rc.d nginx reload.
			s := " " + strings.Join(words[1:], " ") + " " + path.Base(words[0]) + " "
			return strings.Contains(s, " "+verb+" ") && (strings.Contains(s, " nginx ") || strings.Contains(s, " openresty "))
		})
		if err == nil {
			_, err = h.Run(ctx, "sudo", append([]string{"-n"}, command...)...)
		}
		if err == nil {
			return nil
		}
		if last == nil {
			last = err
		}
	}
	return say.Hint(fmt.Errorf("nginx cannot be reloaded: %w", last), "As root: systemctl reload nginx, or what takes its place on this machine.")
}

// sudoCommand is the first of the commands that the Dokku user may run as root
// for which wanted is true. Which they are is written by each Dokku's installation
// for the machine it finds (/etc/sudoers.d/dokku-nginx), so sudo is asked.
func sudoCommand(ctx context.Context, h Host, wanted func([]string) bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := h.Run(ctx, "sudo", "-n", "-l")
	if err != nil {
		return nil, err
	}
	for _, list := range runAs().Split(strings.Join(strings.Fields(string(out)), " "), -1) {
		for _, command := range strings.Split(list, ", ") {
			if words := strings.Fields(command); len(words) > 0 && strings.HasPrefix(words[0], "/") && wanted(words) {
				return words, nil
			}
		}
	}
	return nil, errors.New("sudo allows the Dokku user no such command")
}

var runAs = pattern.Of(`\([A-Za-z0-9_:, -]+\) (?:[A-Z]+: ?)*`)

// BuildProxy has Dokku write an app's proxy configuration, test and load it: by the
// command, which goes by the host's own settings for Dokku, as a trigger from a hook
// would not.
func BuildProxy(ctx context.Context, h Host, app string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	command := "proxy:build-config"
	if v := DokkuVersion(h); semver.IsValid("v"+v) && semver.Compare("v"+v, "v0.21.0") < 0 {
		command = "nginx:build-config"
	}
	_, err := h.Run(ctx, "dokku", command, app)
	return err
}
