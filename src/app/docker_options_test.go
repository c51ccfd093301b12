package app

import (
	"slices"
	"testing"
)

// What 0.38.26 and later write for a line of docker options, held to the function
// of core's that does it (canonicalOptionsFromLine in plugins/docker-options).
func TestCanonicalOptions(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"-v /a:/b", []string{"-v /a:/b"}},
		{"-v\t/a:/b", []string{"-v /a:/b"}},
		{"-v   /a:/b", []string{"-v /a:/b"}},
		{"-v=/a:/b", []string{"-v=/a:/b"}},
		{"-v /a:/a -v /b:/b", []string{"-v /a:/a", "-v /b:/b"}},
		{"--memory=1g -v /a:/b --restart always", []string{"--memory=1g", "-v /a:/b", "--restart always"}},
		{`--label "a b"`, []string{"--label 'a b'"}},
		{`--env X='it'\''s'`, []string{`--env 'X=it'\''s'`}},
		{`--env X=""`, []string{"--env X="}},
		{`--env ""`, []string{"--env ''"}},
		{`-v "/srv/my media:/app"`, []string{"-v '/srv/my media:/app'"}},
		{"--group-add $(getent group docker | cut -d: -f3)", []string{"--group-add '$(getent group docker | cut -d: -f3)'"}},
		{"--env X=${A:-b c}", []string{"--env 'X=${A:-b c}'"}},
		{"--label `a b`", []string{"--label '`a b`'"}},
		{`--label Host(\` + "`a\\`)", []string{`--label Host(\` + "`a\\`)"}}, // an operator of the shell: left alone
		{"--env X=1 # why", []string{"--env X=1 # why"}},                     // so is a comment,
		{`--env "X=1`, []string{`--env "X=1`}},                               // and an open quote
		{"--env X=a#b", []string{"--env 'X=a#b'"}},
		{"", nil},
	} {
		got := CanonicalOptions([]string{c.line})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
		if again := CanonicalOptions(got); !slices.Equal(again, got) {
			t.Errorf("%s: written twice it is %q, once %q", c.line, again, got)
		}
	}
}
