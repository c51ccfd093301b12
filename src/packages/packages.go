// Package packages understands what the package manager says of an upgrade: the
// list that apt hands to its Pre-Install-Pkgs hooks, and the command line of the
// maintainer script that called us.
package packages

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"upgrade-guard/src/host"
)

// Change is what is about to happen to one package. A version is "" where there
// is none: nothing installed before, nothing left afterwards.
type Change struct{ Package, From, To string }

const (
	// maxLine is far more than a line about a package is long. The lines of apt's
	// configuration, which come before, may be longer, and say nothing to us.
	maxLine = 64 << 10
	maxList = 16 << 20
)

var errTooLarge = errors.New("apt's list is larger than 16 MiB, and was not read to its end")

// Read reads what apt's list says of one package, in protocol version 1, 2 or 3
// (apt.conf(5), DPkg::Tools::Options::cmd::Version). Version 1 is a list of archives
// and names no versions, so it says nothing. Other packages' lines are passed over,
// whatever they look like.
func Read(r io.Reader, name string) ([]Change, error) {
	bounded := &io.LimitedReader{R: r, N: maxList}
	lines := lines{bufio.NewReaderSize(bounded, maxLine), bounded}
	first, err := lines.next()
	version, ok := strings.CutPrefix(first, "VERSION ")
	if err != nil || !ok {
		return nil, lines.ended(err)
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 2 || n > 3 {
		return nil, fmt.Errorf("apt's list is in protocol version %q, which upgrade-guard does not know", version)
	}
	for line := "-"; line != ""; { // apt's configuration, ended by a blank line
		if line, err = lines.next(); err != nil {
			return nil, lines.ended(err)
		}
	}
	var changes []Change
	for {
		line, err := lines.next()
		if err != nil {
			return changes, lines.ended(err)
		}
		if before, _, _ := strings.Cut(line, " "); before != name {
			continue
		}
		// The path of the archive is the last, and may hold blanks.
		f := strings.SplitN(line, " ", map[int]int{2: 5, 3: 9}[n])
		var c Change
		switch {
		case n == 2 && len(f) == 5: // name old < new file
			c = Change{f[0], f[1], f[3]}
		case n == 3 && len(f) == 9: // name old arch multiarch < new arch multiarch file
			c = Change{f[0], f[1], f[5]}
		default:
			return changes, fmt.Errorf("apt's list has a line about %s that cannot be read: %.200q", name, line)
		}
		if f[len(f)-1] == "**CONFIGURE**" {
			continue // said again of a package that is unpacked in the same run
		}
		c.From, c.To = strings.TrimPrefix(c.From, "-"), strings.TrimPrefix(c.To, "-")
		changes = append(changes, c)
	}
}

// lines reads lines. Of one that is too long only the beginning is returned.
type lines struct {
	r       *bufio.Reader
	bounded *io.LimitedReader
}

func (l lines) next() (string, error) {
	line, long, err := l.r.ReadLine()
	text := string(line)
	for long && err == nil {
		_, long, err = l.r.ReadLine()
	}
	return text, err
}

// ended makes no error of a list's end, unless it is ours.
func (l lines) ended(err error) error {
	switch {
	case l.bounded.N == 0:
		return errTooLarge
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// Configured tells whether dpkg is through with these packages: none of them is
// unpacked only, or waits for a trigger.
func Configured(ctx context.Context, h host.Host, names []string) bool {
	if len(names) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// It fails where one of them is not known, and answers for the others.
	out, _ := h.Run(ctx, "dpkg-query", append([]string{"-W", "-f", "${db:Status-Status}\n"}, names...)...)
	return !slices.ContainsFunc(strings.Fields(string(out)), func(status string) bool {
		return status == "unpacked" || status == "half-installed" || status == "half-configured" || strings.HasPrefix(status, "triggers-")
	})
}

// PrermTarget is the version that dokku is being upgraded to, as its old
// package's prerm was told by dpkg ("dokku.prerm upgrade 0.35.5"): found among
// the processes that called us. It is "" where no such process is.
func PrermTarget() string {
	for pid := os.Getppid(); pid > 1; {
		cmdline, err := host.Proc(pid, "cmdline")
		if err != nil {
			return ""
		}
		args := strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
		for i := range args {
			if strings.HasSuffix(args[i], "/dokku.prerm") && i+2 < len(args) && args[i+1] == "upgrade" {
				return args[i+2]
			}
		}
		if pid = parent(pid); pid == 0 {
			return ""
		}
	}
	return ""
}

// parent is a process's parent; 0 when that cannot be read.
func parent(pid int) int {
	stat, err := host.Proc(pid, "stat")
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	f := strings.Fields(rest)
	if len(f) < 2 {
		return 0
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		return 0
	}
	return n
}
