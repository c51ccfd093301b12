package seal

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

// What was encrypted is what is read, or an error: cut off anywhere, at the end of one of
// age's own pieces too, with more behind it, with a bit that is another.
func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := ParseRecipients([]string{identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat([]byte("0123456789abcdef"), 3*4096) // three of age's pieces
	var sealed bytes.Buffer
	w, err := Encrypt(&sealed, recipients)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(plain)
	if closed := w.Close(); err != nil || closed != nil {
		t.Fatal(err, closed)
	}
	read := func(in []byte) ([]byte, error) {
		r, err := Decrypt(bytes.NewReader(in), []byte(identity.String()))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	whole := sealed.Bytes()
	if got, err := read(whole); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("whole: %v", err)
	}
	body := len(whole) - 3*(64<<10+16)
	for _, n := range []int{30, body - 1, body, body + 64<<10 + 16, body + 2*(64<<10+16), len(whole) - 1} {
		if _, err := read(whole[:n]); err == nil {
			t.Errorf("cut at %d of %d it is taken", n, len(whole))
		}
	}
	for n := 25; n < len(whole); n += 997 {
		broken := bytes.Clone(whole)
		broken[n] ^= 1
		if _, err := read(broken); err == nil {
			t.Errorf("with another bit at %d it is taken", n)
		}
	}
	if _, err := read(append(bytes.Clone(whole), 'x')); err == nil {
		t.Error("with more behind it it is taken")
	}
	// What is not encrypted is read as it is.
	if got, err := read([]byte("plain")); err != nil || string(got) != "plain" {
		t.Errorf("%q, %v", got, err)
	}
}

// No error shows what was given: it may have been the private half.
func TestNoKeyIsShown(t *testing.T) {
	for _, key := range []string{"", "CANARY", "age1CANARY", "AGE-SECRET-KEY-1CANARY", "ssh-ed25519 CANARY", "ssh-ed25519", "# CANARY", "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY"} {
		if _, err := ParseRecipients([]string{key}); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%q: %v", key, err)
		}
		sealed := []byte("age-encryption.org/v1\n")
		if _, err := Decrypt(bytes.NewReader(sealed), []byte(key)); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%q: %v", key, err)
		}
	}
}
