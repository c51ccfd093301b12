package recipe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"
)

var made = sync.OnceValues(func() ([2]string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return [2]string{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "b.example"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"b.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return [2]string{}, err
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(key)
	return [2]string{
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes})),
	}, err
})

// pair is a certificate with its key.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	p, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return p[0], p[1]
}
