package common

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// A property is one file: config/<plugin>/<app or --global>/<property> below
// DOKKU_LIB_ROOT, raw value, no newline, mode 0600, in directories of 0755.

// PropertyDelete removes a property. A missing one is no error.
func PropertyDelete(pluginName, appName, property string) error {
	err := os.Remove(propertyPath(pluginName, appName, property))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("Unable to remove %s property %s.%s", pluginName, appName, property)
	}
	return nil
}

// PropertyExists tells whether a property is set, if only to nothing. Like the
// original it takes any error but "does not exist" for a yes.
func PropertyExists(pluginName, appName, property string) bool {
	_, err := os.Stat(propertyPath(pluginName, appName, property))
	return !errors.Is(err, fs.ErrNotExist)
}

// PropertyGetDefault returns a property's raw content, or def when it is not
// set. A property set to nothing is returned as nothing.
func PropertyGetDefault(pluginName, appName, property, def string) string {
	b, err := os.ReadFile(propertyPath(pluginName, appName, property))
	if errors.Is(err, fs.ErrNotExist) {
		return def
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, " !     Unable to read %s property %s.%s\n", pluginName, appName, property)
		return ""
	}
	return string(b)
}

// PropertySetup makes the directory of a plugin's properties.
func PropertySetup(pluginName string) error {
	dir := filepath.Join(libRoot(), "config", pluginName)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return setPermissions(dir, 0o755)
}

// PropertyWrite sets a property. The write is neither atomic nor locked, and
// the original does not notice a full disk: read back what matters.
func PropertyWrite(pluginName, appName, property, value string) error {
	path := propertyPath(pluginName, appName, property)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("Unable to create %s config directory for %s: %s", pluginName, appName, err)
	}
	if err := setPermissions(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("Unable to write %s config value %s.%s: %s", pluginName, appName, property, err)
	}
	defer f.Close()
	fmt.Fprint(f, value)
	return setPermissions(path, 0o600)
}

// ParseScaleOutput reads what the trigger ps-current-scale prints: one
// type=quantity a line. Nothing at all is an error, because the original splits
// the empty text at "=" too (dokku/dokku#5931).
func ParseScaleOutput(b []byte) (map[string]int32, error) {
	scale := map[string]int32{}
	for _, line := range strings.Split(string(b), "\n") {
		name, quantity, ok := strings.Cut(line, "=")
		if !ok || strings.Contains(quantity, "=") {
			return scale, fmt.Errorf("invalid scale output stored by dokku: %v", line)
		}
		n, err := strconv.ParseInt(quantity, 10, 32)
		if err != nil {
			return scale, err
		}
		scale[name] = int32(n)
	}
	return scale, nil
}

func propertyPath(pluginName, appName, property string) string {
	return filepath.Join(libRoot(), "config", pluginName, appName, property)
}

// libRoot ends the process without DOKKU_LIB_ROOT, as the original does.
func libRoot() string {
	root := os.Getenv("DOKKU_LIB_ROOT")
	if root == "" {
		fmt.Fprintln(os.Stderr, " !     DOKKU_LIB_ROOT not set!")
		os.Exit(1)
	}
	return root
}

// setPermissions gives a file its mode and the Dokku user's ownership. It
// fails where that user does not exist or the caller may not give files away.
func setPermissions(path string, mode fs.FileMode) error {
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	uid, gid, err := systemUser()
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

func systemUser() (uid, gid int, err error) {
	u, err := user.Lookup(envOr("DOKKU_SYSTEM_USER", "dokku"))
	if err != nil {
		return 0, 0, err
	}
	g, err := user.LookupGroup(envOr("DOKKU_SYSTEM_GROUP", "dokku"))
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(g.Gid)
	return uid, gid, err
}

func envOr(key, def string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return def
}
