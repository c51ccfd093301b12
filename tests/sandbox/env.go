package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/joho/godotenv"

	"upgrade-guard/src/app"
)

// readEnv reads an environment as this host's Dokku does, by godotenv itself from 0.37.8
// on. A file that is not there is an empty one.
func (h Host) readEnv(scope string) (map[string]string, error) {
	b, err := os.ReadFile(h.envFile(scope))
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	if app.ReadsAnew(h.version()) {
		return godotenv.UnmarshalBytes(b)
	}
	return app.ParseEnv(string(b), h.version())
}

// writeEnv writes it as this host's Dokku does, whether it can read that again or not.
func (h Host) writeEnv(scope string, env map[string]string) error {
	if app.ReadsAnew(h.version()) {
		return godotenv.Write(env, h.envFile(scope))
	}
	text, _ := app.WriteEnv(env, h.version())
	return os.WriteFile(h.envFile(scope), []byte(text), 0o600)
}

// moveEnv is the recorded ENV of 0.38, with what this host's old one says beside the
// recording's. It is written twice: by the move, and as settings are taken out of it.
func (h Host) moveEnv(scope string, before tree, recorded []byte) ([]byte, error) {
	old := filepath.Join("home/dokku", scope, "ENV")
	if scope == "--global" {
		old = "home/dokku/ENV"
	}
	b, err := os.ReadFile(h.path(old))
	if err != nil {
		return recorded, nil // it has none
	}
	env, err := godotenv.UnmarshalBytes(recorded)
	if err != nil {
		return nil, err
	}
	now, err := godotenv.UnmarshalBytes(b)
	if err != nil {
		return nil, fmt.Errorf("Unable to migrate environment for %s: Unable to load old environment: %w", scope, err)
	}
	was, err := godotenv.UnmarshalBytes(before[old])
	if err != nil {
		return nil, err
	}
	for name, value := range now {
		if was[name] != value {
			env[name] = value
		}
	}
	// An ENV that was set aside or emptied has nothing of the recording's.
	for _, name := range slices.Collect(maps.Keys(was)) {
		if _, there := now[name]; !there && env[name] == was[name] {
			delete(env, name)
		}
	}
	text := ""
	for range 2 {
		if text, err = godotenv.Marshal(env); err != nil {
			return nil, err
		}
		if env, err = godotenv.Unmarshal(text); err != nil {
			return nil, fmt.Errorf("Unable to migrate environment for %s: Unable to load app environment: %w", scope, err)
		}
	}
	return []byte(text + "\n"), nil
}
