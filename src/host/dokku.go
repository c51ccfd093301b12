package host

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/dokku/dokku/plugins/common"
)

// Scale asks Dokku for the scale it goes by for an app (0.25 and later). An app
// without one is an error, as it is for Dokku.
func Scale(ctx context.Context, h Host, app string) (map[string]int32, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := h.Trigger(ctx, "ps-current-scale", app)
	if err != nil {
		return nil, err
	}
	scale, err := common.ParseScaleOutput([]byte(strings.TrimSpace(string(out))))
	if err != nil { // which quotes the line, whatever stands in it
		return nil, errors.New("Dokku keeps a line that is none among the app's scale")
	}
	return scale, nil
}

// Ports asks Dokku for the port map it goes by for an app (0.31 and later).
func Ports(ctx context.Context, h Host, app string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := h.Trigger(ctx, "ports-get", app)
	return strings.Fields(string(out)), err
}

// maxAnswer is as much as is read of what a command of Dokku's says: ten thousand
// domains are a quarter of it.
const maxAnswer = 1 << 20

// Dokku asks one of Dokku's own commands, which must be one that changes nothing. The
// command is read to its end, and no further than anybody would.
func Dokku(ctx context.Context, h Host, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var answer []byte
	err := h.Stream(ctx, func(r io.Reader) (err error) {
		if answer, err = io.ReadAll(io.LimitReader(r, maxAnswer+1)); err == nil && len(answer) > maxAnswer {
			err = errors.New("dokku says more than is read")
		}
		return err
	}, "dokku", append([]string{"--quiet"}, args...)...)
	return string(answer), err
}

// Config asks Dokku for a variable of an app's environment, or the host's.
func Config(ctx context.Context, h Host, scope, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	args := []string{"config-get", scope, name}
	if scope == GlobalScope {
		args = []string{"config-get-global", name}
	}
	out, err := h.Trigger(ctx, args[0], args[1:]...)
	return strings.TrimSpace(string(out)), err
}

// Crontab asks for the lines of the Dokku user's crontab; without one there are
// none.
func Crontab(ctx context.Context, h Host) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := h.Run(ctx, "crontab", "-l")
	if err != nil && strings.Contains(err.Error(), "no crontab") {
		return nil, nil
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n"), err
}
