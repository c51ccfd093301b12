package app

import (
	"bufio"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/joho/godotenv"

	"upgrade-guard/src/pattern"
)

// Dokku reads and writes an ENV file by godotenv: by 1.2 up to 0.37.7, by 1.5.1 from
// 0.37.8 on (docs/dokku-versions.md#environment). The two do not read the same: 1.2
// goes line by line and takes a value as it stands, 1.5 puts other variables in place
// of $NAME and ends a quoted value at another place. What they write is the same but
// for numbers, and 1.5 cannot read all that it writes.

// ReadsAnew tells whether a Dokku goes by godotenv 1.5.
func ReadsAnew(dokku string) bool { return !Before(dokku, "0.37.8") }

// validName is what Dokku takes for the name of a variable. It deletes the others from
// the file as soon as it reads it.
var validName = pattern.Of(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// ParseEnv reads the text of an ENV file as a version of Dokku does. Its error says
// nothing of what stands there: it is likely to be a secret.
func ParseEnv(text, dokku string) (map[string]string, error) {
	values, err := map[string]string(nil), error(nil)
	if !ReadsAnew(dokku) {
		values, err = parseLines(text)
	} else if _, swells := foreseen(text); swells {
		return nil, errors.New("has values that are made of one another, larger than can be read")
	} else {
		values, err = godotenv.Unmarshal(text)
	}
	maps.DeleteFunc(values, func(name, _ string) bool { return !validName().MatchString(name) })
	if errors.Is(err, bufio.ErrTooLong) {
		return values, errors.New("has a line of more than 64 KiB, which this version does not read")
	}
	if err != nil {
		return values, errors.New("is not the NAME=\"value\" lines that Dokku writes")
	}
	return values, nil
}

// anyWriter stands for a version that reads line by line: so is undone what any version
// has written, whether that can read it itself or not. Numbers are as they stand.
const anyWriter = "0"

// WrittenEnv is what Dokku has written into an ENV file.
func WrittenEnv(text string) (map[string]string, error) { return ParseEnv(text, anyWriter) }

// parseLines is the grammar of godotenv 1.2 (testdata/godotenv-1.2.json holds it to that).
func parseLines(text string) (map[string]string, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text)) // which has 1.2's limit of a line
	for lines.Scan() {
		line := lines.Text()
		if content := strings.Trim(line, " \n\t"); content == "" || content[0] == '#' {
			continue
		}
		name, value, ok := cutAny(beforeComment(line), "=:")
		if !ok {
			return values, errors.New("no value")
		}
		values[strings.Trim(strings.TrimPrefix(name, "export"), " ")] = lineValue(strings.Trim(value, " "))
	}
	return values, lines.Err()
}

// beforeComment is a line without its comment: what stands between two # is kept where
// one quotation mark was opened before it, as far as 1.2 can count them.
func beforeComment(line string) string {
	var kept []string
	open := false
	for _, part := range strings.Split(line, "#") {
		single := strings.Count(part, `"`) == 1 || strings.Count(part, "'") == 1
		if len(kept) == 0 || single || open {
			kept = append(kept, part)
		}
		open = open != single
	}
	return strings.Join(kept, "#")
}

// lineValue is a value without its quotes, if the same one is at both ends.
func lineValue(value string) string {
	last := len(value) - 1
	if last < 1 || value[0] != value[last] || value[0] != '"' && value[0] != '\'' {
		return value
	}
	var b strings.Builder
	for i := 1; i < last; i++ {
		if value[i] != '\\' || i+1 == last {
			b.WriteByte(value[i])
			continue
		}
		switch i++; value[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		default:
			b.WriteByte(value[i])
		}
	}
	return b.String()
}

// WriteEnv is an ENV file that has these values for each of some versions of Dokku; what
// was written is read back for each. Of the variables in left there is no form that all
// of them read: they are written for the first version as far as that can read them.
func WriteEnv(values map[string]string, versions ...string) (text string, left []string) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		line, ok := envLine(name, values[name], versions)
		if !ok {
			left = append(left, name)
			line, _ = envLine(name, values[name], versions[:1])
		}
		b.WriteString(line + "\n")
	}
	return b.String(), left
}

// Writable tells whether a version of Dokku can read a variable, in whatever form.
func Writable(name, value, dokku string) bool {
	_, ok := envLine(name, value, []string{dokku})
	return ok
}

// escaped is a value as each writer of Dokku escapes it.
var escaped = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, `"`, `\"`, "!", `\!`, "$", `\$`, "`", "\\`")

// WrittenLine is the line by which Dokku writes what is no number.
func WrittenLine(name, value string) string { return name + `="` + escaped.Replace(value) + `"` }

// envLine is the line of a variable that is read alike by some versions: as Dokku writes
// it, or else in single quotes, or bare. Where 1.5 alone is to read it, quotes and backslashes
// at its end can be the value that the variable has had on the line before.
func envLine(name, value string, versions []string) (string, bool) {
	double := WrittenLine(name, value)
	forms := []string{double, name + "='" + value + "'", name + "=" + value}
	switch {
	case strings.HasSuffix(value, `"`):
		rest := strings.TrimRight(value, `"\`)
		forms = append(forms, name+"='"+value[len(rest):]+"'\n"+name+`="`+escaped.Replace(rest)+"${"+name+`}"`)
	case strings.HasSuffix(value, `\`): // one before a $ would be its own
		rest := strings.TrimRight(value, `\`)
		forms = append(forms, name+"=\\\n"+name+`="`+escaped.Replace(rest)+strings.Repeat("${"+name+"}", len(value)-len(rest))+`"`)
	}
	for _, form := range forms {
		same := func(dokku string) bool {
			// Behind it comes another line.
			back, err := ParseEnv(form+"\nNEXT=\"\"\n", dokku)
			want := map[string]string{"NEXT": ""}
			want[name] = value
			return err == nil && maps.Equal(back, want)
		}
		if !slices.ContainsFunc(versions, func(v string) bool { return !same(v) }) {
			return form, true
		}
	}
	return double, false
}

// Unkept are the variables that a version of Dokku does not read again as it writes
// them, which it does with all of them whenever it changes one: from 0.37.8 on those
// whose value looks like a number and is not written like one, and those that end in a
// double quote or a backslash.
func Unkept(values map[string]string, dokku string) (names []string) {
	if !ReadsAnew(dokku) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if back, err := rewritten(name, values[name]); err || back != values[name] {
			names = append(names, name)
		}
	}
	return names
}

// Spoilt tells whether a value is what 0.37.8 and later make of another by writing it.
func Spoilt(was, now string) bool {
	back, err := rewritten("A", was)
	return !err && back == now && was != now
}

// Unreadable tells whether 0.37.8 or later could not read an environment that it has
// written, or has written twice.
func Unreadable(values map[string]string, dokku string) bool {
	for _, name := range Unkept(values, dokku) {
		once, failed := rewritten(name, values[name])
		if !failed {
			_, failed = rewritten(name, once)
		}
		if failed {
			return true
		}
	}
	return false
}

// rewritten is a value that 1.5 has written and read again.
func rewritten(name, value string) (back string, failed bool) {
	text, err := godotenv.Marshal(map[string]string{name: value})
	if err != nil {
		return "", true
	}
	values, err := ParseEnv(text+"\nNEXT=\"\"\n", "0.37.8")
	if _, whole := values["NEXT"]; err != nil || !whole {
		return "", true
	}
	return values[name], false
}
