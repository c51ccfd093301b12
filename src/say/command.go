package say

import (
	"strconv"
	"strings"

	"upgrade-guard/src/pattern"
)

// Command is a command for a person to type or paste: what is ours as it stands, and
// behind it words that a shell takes as they are.
func Command(ours string, words ...string) string {
	for _, w := range words {
		ours += " " + Word(w)
	}
	return ours
}

// Word is a word that a shell takes as it is, whatever stands in it: pasted, it does
// nothing else and begins no new line. What is not printable ASCII is written as
// bytes. bash reads them; in another shell it is a name that does not exist.
func Word(word string) string {
	switch {
	case bareWord().MatchString(word):
		return word
	case strings.IndexFunc(word, func(r rune) bool { return r < ' ' || r > '~' }) < 0 && !ourMarks().MatchString(word):
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	var out strings.Builder
	out.WriteString("$'")
	for i := range len(word) {
		switch b := word[i]; {
		case b == '\'' || b == '\\':
			out.WriteString(`\` + string(rune(b)))
		case b < ' ' || b > '~' || b == '>' || b == '!':
			// Three digits, which no digit behind them can become a part of.
			octal := strconv.FormatUint(uint64(b), 8)
			out.WriteString(`\` + strings.Repeat("0", 3-len(octal)) + octal)
		default:
			out.WriteByte(b)
		}
	}
	return out.String() + "'"
}

// bareWord needs no quotes in any shell.
var bareWord = pattern.Of(`^[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:=@%+,-]*$`)
