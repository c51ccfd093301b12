package app

import (
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Certificate is what nginx serves for an app: tls/server.crt. Nothing of the
// key is kept but whether it fits.
type Certificate struct {
	Names       []string  `json:"names"`
	Issuer      string    `json:"issuer"`
	NotAfter    time.Time `json:"not_after"`
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the certificate
	KeyFits     bool      `json:"key_fits"`
}

// readCertificate reads an app's certificate. fs.ErrNotExist means that there
// is none.
func readCertificate(f *Files, app string) (*Certificate, error) {
	crt := "root/" + app + "/tls/server.crt"
	file, ok := f.Served(app)
	if !ok {
		return nil, fs.ErrNotExist
	}
	if file.Link != "" {
		return nil, fmt.Errorf("%s is a link", crt)
	}
	k, _ := f.TLS(app, "server.key")
	return ReadPair(file.Data, k.Data, crt)
}

// ReadPair reads a certificate and whether a key fits it. What is wrong with it is told of
// the file that is named.
func ReadPair(certificate, key []byte, crt string) (*Certificate, error) {
	// 0.11.0 to 0.11.4 of letsencrypt put the key into the same file.
	var leaf *x509.Certificate
	for rest := certificate; leaf == nil; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, fmt.Errorf("%s holds no certificate", crt)
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		var err error
		if leaf, err = x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("%s holds no certificate that can be read", crt)
		}
	}
	if len(leaf.DNSNames) > maxNames {
		return nil, fmt.Errorf("%s names more than %d domains, and is not looked at", crt, maxNames)
	}
	c := &Certificate{
		Names: leaf.DNSNames, Issuer: leaf.Issuer.CommonName,
		NotAfter: leaf.NotAfter.UTC(), Fingerprint: Digest(leaf.Raw),
	}
	if len(c.Names) == 0 && leaf.Subject.CommonName != "" {
		c.Names = []string{leaf.Subject.CommonName}
	}
	c.KeyFits = keyFits(leaf, key)
	return c, nil
}

// maxNames is fifty times as many as Let's Encrypt certifies at once. maxKey is two and
// a half times an RSA key of 16384 bits: to look at one of a MiB takes minutes.
const (
	maxNames = 5000
	maxKey   = 32 << 10
)

// Uncovered are those of some domains that the certificate is not for.
func (c *Certificate) Uncovered(domains []string) []string {
	names := make(map[string]bool, len(c.Names))
	for _, n := range c.Names {
		names[n] = true
	}
	return slices.DeleteFunc(slices.Clone(domains), func(d string) bool {
		_, parent, _ := strings.Cut(d, ".")
		return names[d] || names["*."+parent]
	})
}

func keyFits(leaf *x509.Certificate, keyPEM []byte) bool {
	if len(keyPEM) > maxKey {
		return false
	}
	if fitsRSA(leaf, keyPEM) {
		return true
	}
	pair, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), keyPEM)
	if err != nil {
		return false
	}
	_, ok := pair.PrivateKey.(crypto.Signer)
	return ok
}

// fitsRSA tells that an RSA key, as Dokku and certificate authorities write one, is the
// certificate's: that its parts are what they have to be to one another, and the public
// ones those of the certificate. Go's own reading of a key also makes it ready to sign with,
// which takes ten times as long; it has the last word where this one does not say yes.
func fitsRSA(leaf *x509.Certificate, keyPEM []byte) bool {
	public, ok := leaf.PublicKey.(*rsa.PublicKey)
	block, _ := pem.Decode(keyPEM)
	if !ok || block == nil {
		return false
	}
	der := block.Bytes
	switch block.Type {
	case "RSA PRIVATE KEY":
	case "PRIVATE KEY":
		var pkcs8 struct {
			Version   int
			Algorithm pkix.AlgorithmIdentifier
			Key       []byte
		}
		if rest, err := asn1.Unmarshal(der, &pkcs8); err != nil || len(rest) > 0 || !pkcs8.Algorithm.Algorithm.Equal(oidRSA) {
			return false
		}
		der = pkcs8.Key
	default:
		return false
	}
	var key struct {
		Version         int
		N               *big.Int
		E               int
		D, P, Q         *big.Int
		Dp, Dq, Inverse *big.Int
	}
	if rest, err := asn1.Unmarshal(der, &key); err != nil || len(rest) > 0 || key.Version != 0 || key.E != public.E || key.N.BitLen() < 1024 || key.N.Cmp(public.N) != 0 {
		return false
	}
	one := big.NewInt(1)
	if key.P.Cmp(one) <= 0 || key.Q.Cmp(one) <= 0 || new(big.Int).Mul(key.P, key.Q).Cmp(key.N) != 0 {
		return false
	}
	// Raised to E and then to D, a number is itself again, for both primes.
	product := new(big.Int).Mul(key.D, big.NewInt(int64(key.E)))
	for _, half := range []struct{ prime, d *big.Int }{{key.P, key.Dp}, {key.Q, key.Dq}} {
		less := new(big.Int).Sub(half.prime, one)
		if new(big.Int).Mod(product, less).Cmp(one) != 0 || new(big.Int).Mod(key.D, less).Cmp(half.d) != 0 {
			return false
		}
	}
	inverse := new(big.Int).Mul(key.Q, key.Inverse)
	return inverse.Mod(inverse, key.P).Cmp(one) == 0
}

// oidRSA is what PKCS #8 calls an RSA key.
var oidRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
