// Package seal encrypts what leaves a host, and opens what comes in: age
// (filippo.io/age), for age's own keys and ssh's.
package seal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"upgrade-guard/src/say"
)

const intro = "age-encryption.org/"

// Recipients are those who can read what is encrypted.
type Recipients []age.Recipient

// ParseRecipients reads public keys: age1..., ssh-ed25519 ..., ssh-rsa ...
func ParseRecipients(keys []string) (list Recipients, err error) {
	for _, key := range keys {
		var found []age.Recipient
		if strings.HasPrefix(key, "ssh-") {
			r, parseErr := agessh.ParseRecipient(key)
			found, err = []age.Recipient{r}, parseErr
		} else {
			found, err = age.ParseRecipients(strings.NewReader(key))
		}
		if err != nil || len(found) == 0 {
			// What was given may be the other half of a pair.
			return nil, say.Hint(errors.New("--recipient is no public key of age's or ssh's"), "It looks like age1..., ssh-ed25519 AAAA... or ssh-rsa AAAA...")
		}
		list = append(list, found...)
	}
	return list, nil
}

// Encrypt writes to w what only the recipients can read; with none it is written as it is.
// What is closed is whole.
func Encrypt(w io.Writer, recipients Recipients) (io.WriteCloser, error) {
	if len(recipients) == 0 {
		return open{w}, nil
	}
	return age.Encrypt(w, recipients...)
}

type open struct{ io.Writer }

func (open) Close() error { return nil }

// Decrypt is what r holds, decrypted where that is encrypted. identity is what a file of
// private keys holds, nil where none was named.
func Decrypt(r io.Reader, identity []byte) (io.Reader, error) {
	in := bufio.NewReader(r)
	head, _ := in.Peek(len(armor.Header))
	encrypted := io.Reader(in)
	switch {
	case string(head) == armor.Header:
		encrypted = armor.NewReader(in)
	case !bytes.HasPrefix(head, []byte(intro)):
		return in, nil
	}
	if identity == nil {
		return nil, say.Hint(errors.New("it is encrypted"), "Name the file with the key: --identity FILE. Or decrypt it before: age -d -i FILE < file | dokku upgrade-guard:import")
	}
	identities, err := identitiesIn(identity)
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(encrypted, identities...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, errors.New("it is encrypted for others: no key of --identity opens it")
	case err != nil:
		return nil, fmt.Errorf("it cannot be decrypted: %w", err)
	}
	return plain, nil
}

func identitiesIn(text []byte) ([]age.Identity, error) {
	if !bytes.Contains(text, []byte("-----BEGIN")) {
		if list, err := age.ParseIdentities(bytes.NewReader(text)); err == nil {
			return list, nil
		}
		return nil, say.Hint(errors.New("--identity holds no private key of age's or ssh's"), "It is a file that age-keygen or ssh-keygen has made.")
	}
	identity, err := agessh.ParseIdentity(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, say.Hint(errors.New("the key of --identity has a passphrase, and nobody can be asked for it here"), "Decrypt it before: age -d -i FILE < file | dokku upgrade-guard:import")
	}
	if err != nil {
		return nil, errors.New("--identity holds no private key of age's or ssh's")
	}
	return []age.Identity{identity}, nil
}
