package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/joho/godotenv"

	"upgrade-guard/src/host"
)

// env is an app's or the host's environment with its values. It never leaves
// this package: what the state keeps of it are names and fingerprints.
type env struct {
	values   map[string]string
	problems []string
}

// readEnv reads the ENV file of an app, or of the host for GlobalScope: in the
// app's directory up to 0.37, beside the properties from 0.38 on. A file that
// 0.38.0 to 0.38.25 left in the old place does not count there any more.
func readEnv(f *Files, scope string) env {
	path := f.EnvPath(scope)
	e := env{}
	t, ok := f.Text(path)
	if !ok {
		return e
	}
	values, err := godotenv.Unmarshal(t)
	if err != nil {
		// The parser's error quotes the line, which is likely to be a secret.
		e.problems = append(e.problems, fmt.Sprintf("%s is not the NAME=\"value\" lines that Dokku writes", path))
	}
	e.values = values
	return e
}

// Variable is the value of a variable in the environment of an app, or of the
// host for GlobalScope. It may be a secret: it is for writing it where it belongs,
// never for showing.
func (f *Files) Variable(scope, name string) (value string, ok bool) {
	value, ok = readEnv(f, scope).values[name]
	return value, ok
}

// Environment is the environment of an app, with its values: for writing it where it
// belongs, never for showing.
func (f *Files) Environment(app string) (map[string]string, error) {
	e := readEnv(f, app)
	if len(e.problems) > 0 {
		return nil, errors.New(strings.Join(e.problems, "; "))
	}
	return e.values, nil
}

// EnvPath is where this host keeps a scope's ENV, among the captured paths: in the
// app's directory up to 0.37. What 0.38 has left beside the properties is not read on
// the way back below it; and up to 0.38's own installation the old place counts.
func (f *Files) EnvPath(scope string) string {
	path := "lib/config/" + scope + "/ENV"
	if _, ok := f.lookUp(path); !Before(f.Dokku, "0.38.0") && (ok || EnvMoved(f, scope)) {
		return path
	}
	if scope == host.GlobalScope {
		return "root/ENV"
	}
	return "root/" + scope + "/ENV"
}

// EnvMoved tells whether Dokku has moved this scope's ENV out of the app's
// directory (0.38.0 and later).
func EnvMoved(f *Files, scope string) bool {
	v, _ := property(f, "config", scope, "env-migrated")
	return v == "true"
}

// Fingerprint stands for a value that may be a secret: equal values have equal
// ones, and nothing else can be told from it at a glance.
func Fingerprint(value string) string { return Digest([]byte(value))[:12] }

func (e env) fingerprints() map[string]string {
	if len(e.values) == 0 {
		return nil
	}
	out := make(map[string]string, len(e.values))
	for k, v := range e.values {
		out[k] = Fingerprint(v)
	}
	return out
}
