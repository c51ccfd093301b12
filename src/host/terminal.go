package host

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Terminal tells whether a file is somebody's terminal.
func Terminal(file any) bool {
	f, ok := file.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Name is what this machine calls itself, "" where it cannot say.
func Name() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(name)
}
