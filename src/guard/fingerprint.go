package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
)

// A report is posted where people ask for help. By a plain digest in it a weak
// password could be guessed; so a fingerprint is printed under a key of the host's
// own: the same value has the same one in every report of a host, and another on every
// other host. States and snapshots keep plain ones (app.Fingerprint). They are as
// closed as the values that lie beside them, and so can be compared for ever.

// keySize is that of the key, keyPath where it is: as one line, in hexadecimal.
const keySize = 32

func (g *Guard) keyPath() string { return g.Host.Paths().Data("key") }

// makeKey makes the host's key where there is none. It is never replaced. The caller
// holds the lock.
func (g *Guard) makeKey() error {
	if _, err := g.Host.Lstat(g.keyPath()); !errors.Is(err, fs.ErrNotExist) {
		return nil // what cannot be read or is none makes the fingerprints go away, and nothing else
	}
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	if err := g.Host.Mkdir(g.Host.Paths().Data(), 0o700); err != nil {
		return err
	}
	if err := g.Host.Write(g.keyPath(), 0o600, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return fmt.Errorf("the key of the fingerprints cannot be written, and there are none without it: %w", err)
	}
	return nil
}

// readKey is the host's key, nil where there is none.
func (g *Guard) readKey() []byte {
	if st, err := g.Host.Lstat(g.keyPath()); err != nil || !st.Mode().IsRegular() || st.Size() > 4*keySize {
		return nil
	}
	b, err := g.Host.ReadFile(g.keyPath())
	if err != nil {
		return nil
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != keySize {
		return nil
	}
	return key
}

// fingerprint is what is printed in place of a value, by its plain fingerprint; ""
// where there is no key.
func (g *Guard) fingerprint(plain string) string {
	if g.key == nil {
		g.key = g.readKey()
	}
	if g.key == nil || plain == "" {
		return ""
	}
	sum := hmac.New(sha256.New, g.key)
	sum.Write([]byte(plain))
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// settings are letsencrypt's of an app as they may be printed.
func (g *Guard) settings(l app.Letsencrypt) app.Letsencrypt {
	shown := func(settings map[string]string) map[string]string {
		settings = maps.Clone(settings)
		for key, value := range settings {
			if app.PlainSetting(key) {
				continue
			}
			if settings[key] = g.fingerprint(value); settings[key] == "" {
				settings[key] = "set"
			}
		}
		return settings
	}
	l.Env, l.Properties = shown(l.Env), shown(l.Properties)
	return l
}

// journalText is the text of a journal's line as it may be printed: one that was
// written before there was a key has plain fingerprints in it.
func (g *Guard) journalText(text string) string {
	if g.fingerprint("any") == "" {
		return plainValue().ReplaceAllString(plainPair().ReplaceAllString(text, ""), "that is not shown")
	}
	keyed := func(found string) string { return plainFingerprint().ReplaceAllStringFunc(found, g.fingerprint) }
	return plainValue().ReplaceAllStringFunc(plainPair().ReplaceAllStringFunc(text, keyed), keyed)
}

// Plain ones have twelve digits, ours sixteen.
var (
	plainPair        = pattern.Of(` \(fingerprints [0-9a-f]{12}, and now [0-9a-f]{12}\)`)
	plainValue       = pattern.Of(`with the fingerprint [0-9a-f]{12}\b`)
	plainFingerprint = pattern.Of(`[0-9a-f]{12}`)
)
