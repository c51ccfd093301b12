package app

import (
	"slices"
	"strings"
)

// DockerOptionsPath is where a version keeps an app's docker options for a phase
// (build, deploy, run), among the captured paths: a file of the app's directory up to
// 0.37, a property list from 0.38 on.
func DockerOptionsPath(dokku, app, phase string) string {
	if Before(dokku, "0.38.0") {
		return "root/" + app + "/DOCKER_OPTIONS_" + strings.ToUpper(phase)
	}
	return "lib/config/docker-options/" + app + "/_default_." + phase
}

// DockerOptions are an app's docker options for a phase, a line each, without the
// comments that no version reads. They may hold secrets.
func (f *Files) DockerOptions(app, phase string) []string {
	return f.optionLines(DockerOptionsPath(f.Dokku, app, phase))
}

// LeftDockerOptions are the lines of a file that only Dokku up to 0.37 reads.
func (f *Files) LeftDockerOptions(app, phase string) []string {
	return f.optionLines(DockerOptionsPath("0.37.0", app, phase))
}

// ProcessDockerOptions are the names of the lists for one process type of an app,
// web.deploy, which there are from 0.38 on.
func (f *Files) ProcessDockerOptions(app string) []string {
	var names []string
	dir := "lib/config/docker-options/" + app + "/"
	for _, file := range f.Under(dir) {
		name := strings.TrimPrefix(file.Path, dir)
		if strings.HasSuffix(name, ".deploy") && name != "_default_.deploy" {
			names = append(names, name)
		}
	}
	return names
}

func (f *Files) optionLines(path string) []string {
	return slices.DeleteFunc(f.Lines(path), func(l string) bool { return strings.HasPrefix(l, "#") })
}

// CanonicalOptions are docker options in the form in which 0.38 and later write
// them, so that what is the same option is the same text: one for each flag, its
// words in shell quotes where they need any. From 0.38.26 on core's installation
// brings what it finds into this form (canonicalOptionsFromLine in its plugin
// docker-options).
func CanonicalOptions(lines []string) []string {
	var options []string
	for _, line := range lines {
		words, ok := OptionWords(line)
		if !ok {
			options = append(options, line)
			continue
		}
		option := ""
		for _, w := range words {
			switch {
			case option == "":
				option = quoteWord(w)
			case len(w) > 1 && w[0] == '-': // the next flag
				options = append(options, option)
				option = quoteWord(w)
			default:
				option += " " + quoteWord(w)
			}
		}
		if option != "" {
			options = append(options, option)
		}
	}
	return options
}

func quoteWord(w string) string {
	if w == "" {
		return "''"
	}
	if !strings.ContainsAny(w, " \t\n\"'$`\\*?[]<>|&;(){}!#~") {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// OptionWords splits a line of docker options into words as a shell would, without
// expanding anything: $(...) and the like stay as they stand there. Like core, it
// leaves a line alone, and answers no, that is no list of words to its end: an open
// quote, a comment, an operator of the shell.
func OptionWords(line string) (words []string, ok bool) {
	var word strings.Builder
	open := false // there is a word, if an empty one
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case c == ' ' || c == '\t':
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
			i++
			continue
		case c == '#' && !open, strings.IndexByte(";&|()<>", c) >= 0:
			return nil, false
		case c == '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, false
			}
			word.WriteString(line[i+1 : i+1+end])
			i += end + 2
		case c == '"':
			n, closed := doubleQuoted(line[i+1:], &word)
			if !closed {
				return nil, false
			}
			i += n + 1
		case c == '\\' && i+1 < len(line):
			word.WriteByte(line[i+1])
			i += 2
		default:
			n := expansion(line[i:])
			if n < 0 {
				return nil, false
			}
			word.WriteString(line[i : i+n])
			i += n
		}
		open = true
	}
	if open {
		words = append(words, word.String())
	}
	return words, true
}

// doubleQuoted reads what stands in double quotes, and how long it is with the
// closing one.
func doubleQuoted(text string, word *strings.Builder) (n int, closed bool) {
	for i := 0; i < len(text); {
		switch {
		case text[i] == '"':
			return i + 1, true
		case text[i] == '\\' && i+1 < len(text) && strings.IndexByte("$`\"\\", text[i+1]) >= 0:
			word.WriteByte(text[i+1])
			i += 2
		default:
			n := expansion(text[i:])
			if n < 0 {
				return 0, false
			}
			word.WriteString(text[i : i+n])
			i += n
		}
	}
	return 0, false
}

// expansion is the length of what begins here and is one piece to a shell: $(...),
// ${...}, `...`, or a character; -1 where it does not end.
func expansion(text string) int {
	closing := ""
	switch {
	case strings.HasPrefix(text, "$("):
		closing = "()"
	case strings.HasPrefix(text, "${"):
		closing = "{}"
	case text[0] == '`':
		end := strings.IndexByte(text[1:], '`')
		if end < 0 {
			return -1
		}
		return end + 2
	default:
		return 1
	}
	depth := 0
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case closing[0]:
			depth++
		case closing[1]:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
