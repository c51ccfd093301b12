// Command godotenv records how godotenv 1.2, which Dokku goes by up to 0.37.7, reads and
// writes ENV files: for src/app, which has that grammar written anew, because no program
// can hold two such releases of one module. It is a module of its own.
//
//	cd tests/godotenv && go run . > ../../src/app/testdata/godotenv-1.2.json
package main

import (
	"encoding/json"
	"math/rand"
	"os"
	"sort"
	"strings"

	"github.com/joho/godotenv"
)

// Case is a text, or a value that the library has written as one, and what it reads.
// They are bytes: a text need not be UTF-8.
type Case struct {
	Value  []byte   `json:"value,omitempty"`
	Text   []byte   `json:"text"`
	Values [][]byte `json:"values,omitempty"` // name, value, name, value
	Failed bool     `json:"failed,omitempty"`
}

var pieces = []string{
	`"`, `"`, `"`, `'`, `'`, `\`, `\`, "#", "#", " ", " ", "\t", "\n", "\n", "\r", "$", "${A}", "=", "=", ":", "A", "B=", "export ", "export",
	"n", "r", "x", "0042", "+1", "%", "!", "`", "{", "}", "\u00fc", "\U0001f389", "\xe9", "\u00a0", `A="b"` + "\n", `C='d'` + "\n", "# e\n", `\n`, `\"`, `\$`,
}

func main() {
	r := rand.New(rand.NewSource(1))
	text := func(most int) string {
		var b strings.Builder
		for n := r.Intn(most); n >= 0; n-- {
			b.WriteString(pieces[r.Intn(len(pieces))])
		}
		return b.String()
	}
	var cases []Case
	read := func(c Case) {
		values, err := godotenv.Unmarshal(string(c.Text))
		c.Failed = err != nil
		if err == nil {
			names := make([]string, 0, len(values))
			for name := range values {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				c.Values = append(c.Values, []byte(name), []byte(values[name]))
			}
		}
		cases = append(cases, c)
	}
	for range make([]bool, 1200) {
		read(Case{Text: []byte(text(14))})
	}
	for range make([]bool, 600) { // lines that are sure to be some
		read(Case{Text: []byte("A=" + text(8) + "\nB: \"" + text(8) + "\"\n")})
	}
	for range make([]bool, 600) {
		value := text(8)
		line, err := godotenv.Marshal(map[string]string{"A": value})
		if err != nil {
			panic(err)
		}
		read(Case{Value: []byte(value), Text: []byte(line)})
	}
	out := json.NewEncoder(os.Stdout)
	for _, c := range cases {
		if err := out.Encode(c); err != nil {
			panic(err)
		}
	}
}
