// Package packages understands what the package manager says of an upgrade: the
// list that apt hands to its Pre-Install-Pkgs hooks, and the command line of the
// maintainer script that called us.
package packages

import (
	"bufio"
	"context"
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

// Read reads apt's list, in protocol version 1, 2 or 3 (apt.conf(5),
// DPkg::Tools::Options::cmd::Version). Version 1 is a list of archives and names
// no versions, so it says nothing.
func Read(r io.Reader) ([]Change, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20) // configuration lines may be long
	if !sc.Scan() {
		return nil, sc.Err()
	}
	version, ok := strings.CutPrefix(sc.Text(), "VERSION ")
	if !ok {
		return nil, nil
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 2 || n > 3 {
		return nil, fmt.Errorf("apt's list is in protocol version %q, which upgrade-guard does not know", version)
	}
	for sc.Scan() && sc.Text() != "" {
		// apt's configuration, ended by a blank line
	}
	var changes []Change
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		var c Change
		var file string
		switch {
		case n == 2 && len(f) == 5: // name old < new file
			c, file = Change{f[0], f[1], f[3]}, f[4]
		case n == 3 && len(f) == 9: // name old arch multiarch < new arch multiarch file
			c, file = Change{f[0], f[1], f[5]}, f[8]
		default:
			return changes, fmt.Errorf("apt's list has a line that cannot be read: %q", sc.Text())
		}
		if file == "**CONFIGURE**" {
			continue // said again of a package that is unpacked in the same run
		}
		c.From, c.To = strings.TrimPrefix(c.From, "-"), strings.TrimPrefix(c.To, "-")
		changes = append(changes, c)
	}
	return changes, sc.Err()
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
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
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
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
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
