package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// forceFlag lets a command go on without asking.
func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Usage: "do not ask; nothing is asked either where standard input is no terminal"}
}

// asking is how Dokku's own destructive commands ask: what is to be typed is a word of what
// will happen, so that nobody says yes to another app. Where nobody sits, nobody is asked:
// a restore works in scripts.
func (c commands) asking(ctx *cli.Context) guard.Asking {
	if ctx.Bool("force") || !host.Terminal(os.Stdin) {
		return nil
	}
	return func(word string) error {
		c.out.Result("       To proceed, type \"%s\"", word) // a name is the host's: it moves no cursor
		fmt.Fprint(c.out.Out, "> ")
		answer, err := typed(ctx.Context, os.Stdin)
		if err == nil && answer != word {
			err = fmt.Errorf("that is not %s, so it is not done", word)
		}
		return err
	}
}

// typed is the line that is typed next. An interrupt ends the waiting for it.
func typed(ctx context.Context, in io.Reader) (string, error) {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(in).ReadString('\n')
		line <- strings.TrimSpace(text)
	}()
	select {
	case text := <-line:
		return text, nil
	case <-ctx.Done():
		return "", plan.ErrInterrupted
	}
}
