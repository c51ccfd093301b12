package app

import (
	"errors"
	"io/fs"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
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
	if e, known := f.envs.Load(path); known {
		return e.(env)
	}
	e := env{}
	if t, ok := f.Text(path); ok {
		values, err := ParseEnv(t, f.envVersion(path))
		if err != nil {
			e.problems = append(e.problems, path+" "+err.Error())
		}
		e.values = values
	}
	f.envs.Store(path, e)
	return e
}

// maxExpanded is as large as all values may be together, with the values of others
// in place of $NAME: a few lines that name one another ten times have no end.
const maxExpanded = 4 << 20

// foreseen is how long the values of an ENV file may come to be, and whether that is
// more than there is any sense in. It takes the file apart as the library does, and
// puts nothing in.
func foreseen(text string) (lengths map[string]int, swells bool) {
	lengths = map[string]int{}
	total, comments := 0, 0
	for text = strings.TrimLeftFunc(text, unicode.IsSpace); text != ""; text = strings.TrimLeftFunc(text, unicode.IsSpace) {
		if text[0] == '#' {
			// For each of them it calls itself once more.
			if comments++; comments > 10_000 {
				return lengths, true
			}
			_, text, _ = strings.Cut(text, "\n")
			continue
		}
		name, value, ok := cutAny(text, "=:")
		if !ok || strings.Contains(name, "\n") {
			return lengths, false // no such line
		}
		if value = strings.TrimLeft(value, " \t\v\f\r\u0085\u00a0"); value == "" {
			return lengths, false
		}
		name = strings.TrimSpace(name)
		if rest, ok := strings.CutPrefix(name, "export"); ok && rest != strings.TrimLeftFunc(rest, unicode.IsSpace) {
			name = strings.TrimSpace(rest)
		}
		switch quote := value[0]; quote {
		case '\'', '"':
			end := closing(value, quote)
			if end < 0 {
				return lengths, false
			}
			value, text = value[1:end], value[end+1:]
			if quote == '\'' { // nothing is put in there
				lengths[name] = max(lengths[name], len(value))
				continue
			}
		default:
			end := strings.IndexAny(value, "\r\n")
			if end < 0 {
				end = len(value)
			}
			value, text = value[:end], value[end:]
		}
		size := expanded(value, lengths)
		if total += size; total > maxExpanded {
			return lengths, true
		}
		lengths[name] = max(lengths[name], size)
	}
	return lengths, false
}

// cutAny is strings.Cut at the first of some characters.
func cutAny(text, at string) (before, after string, ok bool) {
	if i := strings.IndexAny(text, at); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

// closing is where a quoted text ends.
func closing(text string, quote byte) int {
	for i := 1; i < len(text); i++ {
		if text[i] == quote && text[i-1] != '\\' {
			return i
		}
	}
	return -1
}

// expanded is how long a value may come to be.
func expanded(value string, lengths map[string]int) int {
	size := len(value)
	if !utf8.ValidString(value) {
		size *= 3 // what is no character becomes one
	}
	for i := 0; i < len(value); i++ {
		if value[i] != '$' || i > 0 && value[i-1] == '\\' {
			continue
		}
		most, name := 0, []byte{}
		for i++; i < len(value) && len(name) < 200; i++ {
			c := value[i]
			if c == '\\' { // it may go away, and may end the name
				most = max(most, lengths[string(name)])
				continue
			}
			if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (len(name) > 0 || c != '{' && c != '(') {
				break
			}
			if c != '{' && c != '(' {
				name = append(name, c)
			}
		}
		i--
		size += max(most, lengths[string(name)])
	}
	return size
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
	return maps.Clone(e.values), nil
}

// EnvFiles are the files that one scope's environment hangs on, and no others: for where
// Dokku waits.
func EnvFiles(h host.Host, scope string) *Files {
	var list []File
	for _, path := range []string{
		"lib/config/" + host.Plugin + "/" + scope + "/env-held", "lib/config/" + scope + "/ENV", "lib/config/config/" + scope + "/env-migrated",
		"root/" + strings.TrimPrefix(scope+"/", host.GlobalScope+"/") + "ENV",
	} {
		st, err := h.Lstat(RealPath(h.Paths(), path))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		file := File{Path: path}
		if err == nil {
			file.Mode = st.Mode()
			file.Data, err = h.ReadFile(RealPath(h.Paths(), path))
		}
		if err != nil {
			file.Error = err.Error()
		} else {
			file.Size, file.SHA256 = len(file.Data), Digest(file.Data)
		}
		list = append(list, file)
	}
	return NewFiles(host.DokkuVersion(h), nil, nil, list)
}

// EnvPath is where this host keeps a scope's ENV, among the captured paths: in the
// app's directory up to 0.37. What 0.38 has left beside the properties is not read on
// the way back below it; and up to 0.38's own installation the old place counts, where
// there is something: an app that was made since has nothing yet in either.
func (f *Files) EnvPath(scope string) string {
	path, old := "lib/config/"+scope+"/ENV", "root/"+scope+"/ENV"
	if scope == host.GlobalScope {
		old = "root/ENV"
	}
	if Before(f.Dokku, "0.38.0") {
		return old
	}
	_, here := f.lookUp(path)
	if _, left := f.lookUp(old); left && !here && !EnvMoved(f, scope) {
		return old
	}
	return path
}

// envVersion is the version of Dokku whose grammar a scope's ENV is read in: the installed
// one. What 0.38 has not moved yet an older one has written, and it is read as written.
func (f *Files) envVersion(path string) string {
	if !Before(f.Dokku, "0.38.0") && strings.HasPrefix(path, "root/") {
		return anyWriter
	}
	return f.Dokku
}

// EnvMoved tells whether Dokku has moved this scope's ENV out of the app's
// directory (0.38.0 and later).
func EnvMoved(f *Files, scope string) bool {
	v, _ := property(f, "config", scope, "env-migrated")
	return v == "true"
}

// ownVariables are those that Dokku itself sets, reads or moves elsewhere, in any version,
// and the letsencrypt plugin's. Whatever else begins with DOKKU_ is an app's: a service
// plugin calls the second link of its kind DOKKU_POSTGRES_AMBER_URL.
var ownVariables = pattern.Of(`^(DOKKU_(APP_(PROXY_TYPE|RESTORE|SHELL|TYPE|USER)|CHECKS_[A-Z_]+|CNB_[A-Z_]+|DEFAULT_CHECKS_WAIT|DEPLOY_BRANCH|` +
	`DISABLE_[A-Z_]+|DOCKERFILE_[A-Z_]+|DOCKER_(BUILD_OPTS|STOP_TIMEOUT)|IMAGE|KEEP_GIT_DIR|LETSENCRYPT_[A-Z_]+|NGINX_(SSL_)?PORT|` +
	`PROXY_(PORT|PORT_MAP|SSL_PORT|TYPE)|RM_CONTAINER|SCHEDULER|SKIP_[A-Z_]+|START_CMD|WAIT_TO_RETIRE)|NO_VHOST|GIT_REV|PORT)$`)

// OwnVariable tells whether a variable is a setting of Dokku's in an environment.
func OwnVariable(name string) bool { return ownVariables().MatchString(name) }

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
