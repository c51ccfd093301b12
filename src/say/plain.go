package say

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"upgrade-guard/src/pattern"
)

// Plain is a text in which nothing is left that a terminal would act on or a reader
// would not see: control characters, line and paragraph separators, marks that turn
// the direction of writing, blanks other than the blank, bytes that are no UTF-8.
// They are written out as \n, \x1b, \u202e; and so is what is made to look like one
// of our own marks.
func Plain(text string) string {
	if strings.IndexFunc(text, unprintable) >= 0 || !utf8.ValidString(text) {
		var out strings.Builder
		for i := 0; i < len(text); {
			r, n := utf8.DecodeRuneInString(text[i:])
			switch {
			case r == utf8.RuneError && n == 1:
				out.WriteString(hexByte(text[i]))
			case unprintable(r):
				quoted := strconv.QuoteRune(r)
				out.WriteString(quoted[1 : len(quoted)-1])
			default:
				out.WriteRune(r)
			}
			i += n
		}
		text = out.String()
	}
	return ourMarks().ReplaceAllStringFunc(text, func(mark string) string {
		if mark[0] == '!' {
			return `!\x20` + mark[2:]
		}
		return mark[:len(mark)-1] + `\x3e`
	})
}

// ourMarks are what our own lines begin with. In a name they stand where a long line
// is broken by the terminal.
var ourMarks = pattern.Of(`[=-]{5}>|! {5}`)

func unprintable(r rune) bool { return !strconv.IsPrint(r) }

const hexDigits = "0123456789abcdef"

func hexByte(b byte) string { return `\x` + string([]byte{hexDigits[b>>4], hexDigits[b&15]}) }

// likenesses are what a few characters look like in ASCII.
var likenesses = strings.NewReplacer("…", "...", "→", "->", "–", "-", "—", "-", "“", `"`, "”", `"`, "‘", "'", "’", "'")

// ascii is a plain text in ASCII.
func ascii(text string) string {
	if strings.IndexFunc(text, notASCII) < 0 {
		return text
	}
	var out strings.Builder
	for _, r := range likenesses.Replace(text) {
		if notASCII(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

func notASCII(r rune) bool { return r >= utf8.RuneSelf }
