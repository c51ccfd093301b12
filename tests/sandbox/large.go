package sandbox

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// NewLarge makes a sandbox of a host with many apps, of which nothing is wrong: Dokku
// 0.38.27 and for each app what it keeps there of one with a domain, a certificate and
// three containers, some fifty files. What no compression makes smaller on a real host
// (keys, certificates) is not made smaller here either.
func NewLarge(dir string, apps int) (Host, error) {
	h, err := New(dir, "issue7253-0.38.27-rebuilt")
	if err != nil {
		return h, err
	}
	h.forgetApps()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return h, err
	}
	containers := make([]any, 0, 3*apps)
	for n := range apps {
		name, upstream := fmt.Sprintf("app%05d", n), ""
		for _, process := range []string{"web.1", "web.2", "worker.1"} {
			c := len(containers)
			id, address := fmt.Sprintf("%064x", c), fmt.Sprintf("172.%d.%d.%d", 17+c/62500, c/250%250, c%250+2)
			for file, content := range map[string]string{"CONTAINER": id, "IP": address, "PORT": "5000"} {
				if err := h.put("home/dokku/"+name+"/"+file+"."+process, []byte(content)); err != nil {
					return h, err
				}
			}
			if process != "worker.1" {
				upstream += "  server " + address + ":5000;\n"
			}
			containers = append(containers, map[string]any{
				"Id": id, "Name": "/" + name + "." + process, "Image": "sha256:" + idOf(name),
				"State": map[string]any{"Running": true, "Status": "running"},
				"Config": map[string]any{"Image": "dokku/" + name + ":latest", "WorkingDir": "/app", "Labels": map[string]string{
					"com.dokku.app-name": name, "com.dokku.container-type": "deploy", "com.dokku.dyno": process,
				}, "Env": []string{"GIT_REV=1e3140184d7fd5de1577b60155b58d55ab073230", "NAME=" + name}},
				"NetworkSettings": map[string]any{"Networks": map[string]any{"bridge": map[string]string{"IPAddress": address}}},
			})
		}
		files, err := h.largeApp(name, upstream, int64(n), key)
		if err != nil {
			return h, err
		}
		for path, content := range files {
			if err := h.put(path, []byte(content)); err != nil {
				return h, err
			}
		}
	}
	inspect, err := json.Marshal(containers)
	if err != nil {
		return h, err
	}
	return h, h.put("docker-inspect.json", inspect)
}

// forgetApps takes the recorded apps away.
func (h Host) forgetApps() {
	for _, name := range h.apps() {
		for _, pattern := range []string{"home/dokku/%s", "var/lib/dokku/config/*/%s", "var/lib/dokku/data/*/%s", "var/lib/dokku/config/%s", "var/lib/dokku/data/*/app-%s"} {
			found, _ := filepath.Glob(h.path(fmt.Sprintf(pattern, name)))
			for _, path := range found {
				_ = os.RemoveAll(path)
			}
		}
	}
}

// largeApp are the files of one of the apps of a large host, but those of its containers,
// by their paths; directories end in a slash.
func (h Host) largeApp(name, upstream string, n int64, key *rsa.PrivateKey) (map[string]string, error) {
	random := mathrand.New(mathrand.NewPCG(uint64(n), 1))
	pemOf := func(kind string, size int) string {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	domain := name + ".example.org"
	leaf := &x509.Certificate{SerialNumber: big.NewInt(n + 1), Subject: pkix.Name{CommonName: domain}, DNSNames: []string{domain}, NotBefore: time.Now(), NotAfter: time.Now().AddDate(0, 3, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	secret := base64.StdEncoding.EncodeToString([]byte(pemOf("x", 30)))
	at, files := "home/dokku/"+name+"/", map[string]string{}
	for file, content := range map[string]string{
		"HEAD": "ref: refs/heads/master\n", "config": "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
		"refs/heads/master": "1e3140184d7fd5de1577b60155b58d55ab073230\n", "URLS": "https://" + domain + "\n", "VHOST": domain + "\n",
		"htpasswd": "ops:" + secret[:30] + "\n", "nginx.conf.d/hsts.conf": "add_header Strict-Transport-Security \"max-age=15724800; includeSubdomains\" always;\n",
		"nginx.conf": largeConf(name, domain, upstream), "tls/server.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"tls/server.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		"letsencrypt/certs/0123/certificates/" + domain + ".issuer.crt": pemOf("CERTIFICATE", 2800), "letsencrypt/certs/0123/certificates/" + domain + ".pem": pemOf("PRIVATE KEY", 5600),
	} {
		files[at+file] = content
	}
	lib := "var/lib/dokku/"
	for property, value := range map[string]string{
		"ps/%s/scale": "web=2\nworker=1\n", "ps/%s/can-scale": "true", "ps/%s/restore": "true", "ps/%s/restart-policy": "on-failure:10", "network/%s/bind-all-interfaces": "false",
		"common/%s/deployed": "true", "builder/%s/detected": "dockerfile", "apps/%s/created-at": "1795398769", "ports/%s/map": "http:80:5000\nhttps:443:5000\n",
		"ports/%s/map-detected": "http:5000:5000\n", "proxy/%s/proxy-port": "80", "proxy/%s/proxy-ssl-port": "443", "config/%s/env-migrated": "true",
		"docker-options/%s/_default_.deploy": "--memory 256m\n", "docker-options/%s/_default_.build": "", "docker-options/%s/migrated-deploy": "true", "%s/ENV": "GIT_REV=\"1e3140184d7fd5de1577b60155b58d55ab073230\"\nNAME=\"" + name + "\"\nSECRET=\"" + secret + "\"\n",
		"git/%s/deploy-branch": "master", "git/%s/rev-env-var": "GIT_REV", "checks/%s/wait-to-retire": "60", "logs/%s/max-size": "10m", "nginx/%s/client-max-body-size": "50m", "nginx/%s/hsts": "true",
		"app-json/%s/appjson-path": "app.json", "letsencrypt/%s/graceperiod": "2592000",
	} {
		files[lib+"config/"+fmt.Sprintf(property, name)] = value
	}
	files[lib+"data/ps/"+name+"/Procfile"] = "web: /web\nworker: /bin/busybox sleep 100000\n"
	files[lib+"data/scheduler-docker-local/"+name+"/CHECKS"] = "/ ok\n"
	files[lib+"data/storage-registry/entries/legacy-"+name+".json"] = "{}"
	for _, ns := range []string{"apps", "app-json", "logs", "builds", "scheduler-k3s"} {
		files[lib+"data/"+ns+"/"+name+"/"] = ""
	}
	return files, nil
}

// largeConf is an app's nginx.conf as Dokku's template writes it, that is, with as much in it.
func largeConf(name, domain, upstream string) string {
	return strings.NewReplacer("NAME", name, "DOMAIN", domain, "UPSTREAM", upstream, "ERRORS", "/var/lib/dokku/data/nginx-vhosts/dokku-errors").Replace(`
server {
  listen      [::]:80;
  listen      80;
  server_name DOMAIN;
  access_log  /var/log/nginx/NAME-access.log;
  error_log   /var/log/nginx/NAME-error.log;

  return 301 https://$host:443$request_uri;
}

server {
  listen      [::]:443 ssl;
  listen      443 ssl;
  http2 on;
  server_name DOMAIN;
  access_log  /var/log/nginx/NAME-access.log;
  error_log   /var/log/nginx/NAME-error.log;

  ssl_certificate           /home/dokku/NAME/tls/server.crt;
  ssl_certificate_key       /home/dokku/NAME/tls/server.key;
  ssl_protocols             TLSv1.2 TLSv1.3;
  ssl_prefer_server_ciphers off;

  keepalive_timeout   70;

  location    / {

    gzip on;
    gzip_min_length  1100;
    gzip_buffers  4 32k;
    gzip_types    text/css text/javascript text/xml text/plain text/x-component application/javascript application/x-javascript application/json application/xml  application/rss+xml font/truetype application/x-font-ttf font/opentype application/vnd.ms-fontobject image/svg+xml;
    gzip_vary on;
    gzip_comp_level  6;

    proxy_pass  http://NAME-5000;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header X-Request-Start $msec;
  }
  include /home/dokku/NAME/nginx.conf.d/*.conf;

  error_page 400 401 402 403 405 406 407 408 409 410 411 412 413 414 415 416 417 418 420 422 423 424 426 428 429 431 444 449 450 451 /400-error.html;
  location /400-error.html {
    root ERRORS;
    internal;
  }

  error_page 404 /404-error.html;
  location /404-error.html {
    root ERRORS;
    internal;
  }

  error_page 500 501 503 504 505 506 507 508 509 510 511 /500-error.html;
  location /500-error.html {
    root ERRORS;
    internal;
  }

  error_page 502 /502-error.html;
  location /502-error.html {
    root ERRORS;
    internal;
  }
}

upstream NAME-5000 {

UPSTREAM}
`)
}
