package app

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// A key fits where Go's own reading of it says so, and where it does for an RSA key is
// known without that.
func TestKeyFits(t *testing.T) {
	must := func(key crypto.Signer, err error) crypto.Signer {
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	one, other := must(rsa.GenerateKey(rand.Reader, 2048)).(*rsa.PrivateKey), must(rsa.GenerateKey(rand.Reader, 2048)).(*rsa.PrivateKey)
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	pkcs1 := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}) }
	// spoilt is the first key with one of its nine numbers another one.
	spoilt := func(n int) []byte {
		var numbers []*big.Int
		if _, err := asn1.Unmarshal(x509.MarshalPKCS1PrivateKey(one), &numbers); err != nil {
			t.Fatal(err)
		}
		numbers[n].Add(numbers[n], big.NewInt(2))
		der, err := asn1.Marshal(numbers)
		if err != nil {
			t.Fatal(err)
		}
		return pkcs1(der)
	}
	certificates := map[string]crypto.Signer{"one": one, "ec": ec, "ed": ed}
	keys := map[string][]byte{
		"one": pkcs8(one), "one, PKCS #1": pkcs1(x509.MarshalPKCS1PrivateKey(one)), "other": pkcs8(other), "ec": pkcs8(ec), "ed": pkcs8(ed),
		"none": nil, "no PEM": []byte("x"), "cut off": pkcs8(one)[:900], "longer": pkcs1(append(x509.MarshalPKCS1PrivateKey(one), 0)),
		"behind another": append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), pkcs8(one)...),
	}
	for n := range 9 {
		keys["with another "+[]string{"version", "n", "e", "d", "p", "q", "dp", "dq", "inverse"}[n]] = spoilt(n)
	}
	for of, signer := range certificates {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"a.example.org"}}
		der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, signer.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		for name, key := range keys {
			_, wrong := tls.X509KeyPair(crt, key)
			c, err := ReadPair(crt, key, "crt")
			if err != nil || c.KeyFits != (wrong == nil) {
				t.Errorf("%s for %s: %v, and Go says %v", name, of, c, wrong)
			}
			parsed, _ := x509.ParseCertificate(der)
			if fast := fitsRSA(parsed, key); fast != (of == "one" && (name == "one" || name == "one, PKCS #1")) {
				t.Errorf("%s for %s is known without Go: %v", name, of, fast)
			}
		}
	}
}
