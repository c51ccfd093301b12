package say

import (
	"strings"
	"unicode/utf8"

	"upgrade-guard/src/pattern"
)

// Columns is how wide lines are, on a terminal, in a pipe and in a log alike, so that all
// of them show the same. UPGRADE_GUARD_COLUMNS is another number of them; 0 breaks no
// line, for whoever greps.
const Columns = 80

// wrapped are the lines of a text for so many columns. It is broken at blanks; what
// belongs to it stands two further in than its own first line, behind the mark of a
// plan's line, and so looks like no line of ours whatever stands in it. A word that is
// longer, an address or an app's name, is left whole, and so is a command: pasted, half of
// one would be another. One that a colon leads to, and that more follows
// or no room is left for, has a line of its own.
func wrapped(text string, columns int) []string {
	if columns <= 0 || utf8.RuneCountInString(text) <= columns {
		return []string{text}
	}
	start := leading().FindString(text)
	hang := strings.Repeat(" ", utf8.RuneCountInString(start)+2)
	var lines []string
	line, empty := start, true
	list := words(text[len(start):])
	for i, w := range list {
		last := i == len(list)-1
		fits := utf8.RuneCountInString(line+w.blanks+w.text) <= columns
		if w.command && strings.HasSuffix(line, ":") && (last && !fits || !last && strings.HasSuffix(w.text, ".")) {
			if !last {
				w.text = strings.TrimSuffix(w.text, ".")
			}
			lines = append(lines, line, hang+"  "+w.text)
			if last {
				return lines
			}
			line, empty = hang, true
			continue
		}
		if !empty && !fits {
			lines = append(lines, strings.TrimRight(line, " "))
			line, empty, w.blanks = hang, true, ""
		}
		if empty {
			w.blanks = ""
		}
		line, empty = line+w.blanks+w.text, false
	}
	return append(lines, line)
}

// leading is what a line begins with: blanks, a mark of Dokku's, one of a plan.
var leading = pattern.Of(`^(?:[=-]{5}> | !     )? *(?:\[(?:ok|[-+~!])\] +|\[[0-9]+/[0-9]+\] )?`)

// A word is not broken. Before it stand blanks.
type word struct {
	blanks, text string
	command      bool
}

// words are the words of a text, a command being one.
func words(text string) []word {
	var list []word
	for text != "" {
		rest := strings.TrimLeft(text, " ")
		w := word{blanks: text[:len(text)-len(rest)]}
		n := commandLength(rest)
		if w.command = n > 0; n == 0 {
			n = wordLength(rest)
		}
		w.text, text = rest[:n], rest[n:]
		list = append(list, w)
	}
	return list
}

func wordLength(text string) int {
	if n := strings.IndexByte(text, ' '); n >= 0 {
		return n
	}
	return len(text)
}

// commandBegins is how the commands begin that our messages tell to type.
var commandBegins = pattern.Of(`^(?:sudo )?(?:dokku (?:--?[a-z]+ )*[a-z-]+(?::|$)|dokku (?:cleanup|report)\b|docker (?:run|start|stop|rm|tag|pull|image|container|network|volume|compose|inspect) |apt-get [a-z]|apt-mark [a-z]|apt (?:install|upgrade|update) |dpkg -|systemctl [a-z]|nginx -|git (?:push|remote|clone) |crontab -|plugn |rsync -|(?:mv|rm|cp|touch|ln|mkdir|chown|chmod|ls|cat|crontab|openssl|tar) (?:-|/|'))`)

// commandLength is how much of a text is a command: up to its end, or to a word that ends
// with a sign. 0 where none begins. What is in quotes is one word.
func commandLength(text string) int {
	if !commandBegins().MatchString(text) {
		return 0
	}
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == '\\' && quote != '\'' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ' ' && i > 0 && strings.IndexByte(".,;:)", text[i-1]) >= 0:
			return i
		}
	}
	return len(text)
}
