package sandbox

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Letsencrypt puts a stand-in for a release of the letsencrypt plugin into the
// host: no more of it than it is told by, and the trigger by which core asks it for
// its cron entry. It is not its hook: what that does is told by the scenarios.
func (h Host) Letsencrypt(release string) error {
	dir := h.path("var/lib/dokku/plugins/enabled/letsencrypt")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	files := map[string]string{"commands": "", "functions": "domains/functions", "subcommands/default": "/.."}
	marker := "autorenew"
	if release != "0.9.4" {
		files["cron-entries"] = "@daily"
	}
	switch release {
	case "0.9.4":
	case "0.14.0":
		files["post-app-rename-setup"], files["post-domains-update"] = "", "enable"
	case "0.25.1":
		files["Dockerfile"], marker = "v4.35.2", "--global/autorenew"
		files["internal-functions"] = "needs-issue lego-docker-options cert_timeout=30"
		fallthrough
	case "0.20.4":
		delete(files, "functions")
		files["subcommands/set"], files["post-app-rename-setup"], files["post-domains-update"] = "", "", "dokku_log_warn"
		files["internal-functions"] += " fileSafeDomain"
		files["cron-entries"] = "24 6 * * *"
	default:
		return fmt.Errorf("there is no stand-in for letsencrypt %s", release)
	}
	if schedule, ok := files["cron-entries"]; ok {
		files["cron-entries"] = fmt.Sprintf("#!/bin/sh\n[ ! -f %s ] || echo '%s;dokku letsencrypt:auto-renew;/var/log/dokku/letsencrypt.log'\n",
			h.path("var/lib/dokku/data/letsencrypt", marker), schedule)
	}
	for name, content := range files {
		if err := h.write("var/lib/dokku/plugins/enabled/letsencrypt/"+name, content, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (h Host) write(name, content string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(h.path(name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(h.path(name), []byte(content), mode)
}

// Issue gives an app a certificate of a made-up authority, for the app's domains
// and so many days, where a release of the plugin would have put it.
func (h Host) Issue(name, release string, days int) error {
	vhosts, err := os.ReadFile(h.path("home/dokku", name, "VHOST"))
	if err != nil {
		return err
	}
	domains := strings.Fields(string(vhosts))
	crt, key, issuer, err := certificate(domains, days)
	if err != nil {
		return err
	}
	root := h.path("home/dokku", name)
	hash := h.letsencryptHash(name, release, domains)
	config := h.letsencryptConfig(name, release, domains)
	files := map[string]string{"config": config + "\n"}
	if release == "0.9.4" {
		files["fullchain.pem"], files["key.pem"], files["chain.pem"] = crt+issuer, key, issuer
		files["account_key.json"] = "{}"
	} else {
		d := "certificates/" + strings.Replace(domains[0], "*", "_", 1)
		files[d+".crt"], files[d+".key"], files[d+".issuer.crt"], files[d+".pem"], files[d+".json"] = crt+issuer, key, issuer, key+crt+issuer, "{}"
		files["docker.env"] = ""
	}
	if release == "0.25.1" {
		files["docker_options"] = "\n"
	}
	for file, content := range files {
		if err := h.write(filepath.Join("home/dokku", name, "letsencrypt/certs", hash, file), content, 0o600); err != nil {
			return err
		}
	}
	current := filepath.Join(root, "letsencrypt/certs/current")
	if err := os.RemoveAll(current); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(root, "letsencrypt/certs", hash), current); err != nil {
		return err
	}
	tls := map[string]string{"server.crt": crt + issuer, "server.key": key, "server.letsencrypt.crt": crt + issuer}
	if release == "0.9.4" {
		delete(tls, "server.letsencrypt.crt")
	}
	if err := os.RemoveAll(filepath.Join(root, "tls")); err != nil {
		return err
	}
	for file, content := range tls {
		if err := h.write(filepath.Join("home/dokku", name, "tls", file), content, 0o640); err != nil {
			return err
		}
	}
	return nil
}

// letsencryptSetting is a setting as the plugin reads it, the app's first.
func (h Host) letsencryptSetting(name, release, key string) string {
	for _, scope := range []string{name, "--global"} {
		if release == "0.9.4" || release == "0.14.0" {
			env, _ := h.readEnv(scope)
			if v := env["DOKKU_LETSENCRYPT_"+strings.ToUpper(key)]; v != "" {
				return v
			}
			continue
		}
		if b, err := os.ReadFile(h.path("var/lib/dokku/config/letsencrypt", scope, key)); err == nil && len(b) > 0 {
			return strings.TrimRight(string(b), "\n")
		}
	}
	return map[string]string{"server": "https://acme-v02.api.letsencrypt.org/directory", "graceperiod": "2592000"}[key]
}

// letsencryptConfig are the arguments for the ACME client, release by release, as
// recorded from the plugin's own runs.
func (h Host) letsencryptConfig(name, release string, domains []string) string {
	flag := " --domains "
	if release == "0.9.4" {
		flag = " -d "
	}
	list := ""
	for _, d := range domains {
		list += flag + d
	}
	get := func(key string) string { return h.letsencryptSetting(name, release, key) }
	switch release {
	case "0.9.4":
		return fmt.Sprintf("--server %s --email %s %s", get("server"), get("email"), list)
	case "0.14.0":
		return fmt.Sprintf("--pem --http --accept-tos --cert.timeout %s --path /certs --server %s --email %s %s %s", get("graceperiod"), get("server"), get("email"), get("args"), list)
	case "0.20.4":
		return fmt.Sprintf("--http --http.webroot /webroot --pem --accept-tos --cert.timeout %s --path /certs --server %s --email %s %s %s", get("graceperiod"), get("server"), get("email"), get("lego-docker-args"), list)
	}
	return fmt.Sprintf("--http --http.webroot /webroot --pem --accept-tos --cert.timeout 30 --path /certs --server %s --email %s %s %s", get("server"), get("email"), get("lego-args"), list)
}

func (h Host) letsencryptHash(name, release string, domains []string) string {
	config := h.letsencryptConfig(name, release, domains)
	if release == "0.25.1" {
		config += " " + h.letsencryptSetting(name, release, "lego-docker-options")
	}
	sum := sha1.Sum([]byte(config + "\n"))
	return hex.EncodeToString(sum[:])
}

// letsencryptActive plays letsencrypt:active, which compares bytes.
func (h Host) letsencryptActive(name string) bool {
	root := h.path("home/dokku", name)
	vhosts, _ := os.ReadFile(filepath.Join(root, "VHOST"))
	domains := append(strings.Fields(string(vhosts)), "")
	served, err := os.ReadFile(filepath.Join(root, "tls/server.letsencrypt.crt"))
	if err != nil {
		served, err = os.ReadFile(filepath.Join(root, "tls/server.crt"))
	}
	if _, keyErr := os.Stat(filepath.Join(root, "tls/server.key")); err != nil || keyErr != nil {
		return false
	}
	current := filepath.Join(root, "letsencrypt/certs/current")
	issued, err := os.ReadFile(filepath.Join(current, "certificates", domains[0]+".crt"))
	if _, pemErr := os.Stat(filepath.Join(current, "certificates", domains[0]+".pem")); pemErr != nil {
		issued, err = os.ReadFile(filepath.Join(current, "fullchain.pem"))
	}
	return err == nil && bytes.Equal(issued, served)
}

// enableLetsencrypt plays letsencrypt:enable of 0.25 and later as far as its
// question whether a certificate is to be ordered. Orders are counted in the file
// orders.
func (h Host) enableLetsencrypt(name string) error {
	vhosts, err := os.ReadFile(h.path("home/dokku", name, "VHOST"))
	if err != nil {
		return err
	}
	current, err := os.Readlink(h.path("home/dokku", name, "letsencrypt/certs/current"))
	if err == nil && h.letsencryptActive(name) && filepath.Base(current) == h.letsencryptHash(name, "0.25.1", strings.Fields(string(vhosts))) {
		fmt.Printf("-----> Certificate is still valid for %s, skipping certificate request\n", name)
		return nil
	}
	f, err := os.OpenFile(h.path("orders"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, name)
	return err
}

// certificate makes one, with its key and its issuer's, in PEM.
func certificate(domains []string, days int) (crt, key, issuer string, err error) {
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Sandbox CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-1000 * 24 * time.Hour), NotAfter: time.Now().Add(1000 * 24 * time.Hour),
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", "", err
	}
	end := time.Now().Add(time.Duration(days) * 24 * time.Hour)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: domains, NotBefore: end.Add(-90 * 24 * time.Hour), NotAfter: end,
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", "", err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return "", "", "", err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	if err != nil {
		return "", "", "", err
	}
	keyDER, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		return "", "", "", err
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("CERTIFICATE", leafDER), block("EC PRIVATE KEY", keyDER), block("CERTIFICATE", caDER), nil
}
