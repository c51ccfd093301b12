package cli

import (
	"slices"
	"testing"
)

func TestKeysIn(t *testing.T) {
	for _, c := range []struct{ keys, args, whole, rest []string }{
		{[]string{"age1x"}, []string{"latest"}, []string{"age1x"}, []string{"latest"}},
		{[]string{"ssh-ed25519 AAAA1 ops@laptop"}, nil, []string{"ssh-ed25519 AAAA1 ops@laptop"}, nil},
		{[]string{"ssh-ed25519"}, []string{"AAAA1"}, []string{"ssh-ed25519 AAAA1"}, nil},
		{[]string{"ssh-ed25519"}, []string{"AAAA1", "ops@laptop", "latest"}, []string{"ssh-ed25519 AAAA1"}, []string{"latest"}},
		{[]string{"ssh-ed25519"}, []string{"latest", "AAAA1", "ops@laptop"}, []string{"ssh-ed25519 AAAA1"}, []string{"latest"}},
		{[]string{"ssh-rsa", "ssh-ed25519"}, []string{"AAAA1", "a@b", "AAAA2", "latest"}, []string{"ssh-rsa AAAA1", "ssh-ed25519 AAAA2"}, []string{"latest"}},
		{[]string{"ssh-rsa"}, []string{"latest"}, []string{"ssh-rsa"}, []string{"latest"}},
	} {
		if whole, rest := keysIn(c.keys, c.args); !slices.Equal(whole, c.whole) || !slices.Equal(rest, c.rest) {
			t.Errorf("%q, %q: %q, %q", c.keys, c.args, whole, rest)
		}
	}
}
