package app

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"upgrade-guard/src/host"
)

// No state is read from what lego keeps beside a certificate: the same once more with its
// key, and whose it is. On a host with a thousand apps that is most of all there is to be
// held. It waits on the disk until somebody asks for it, and is held to its digest then.

// minAside is the length of the smallest that is worth it.
const minAside = 1 << 10

// isAside tells of a path among the captured ones that its content is set aside: one in
// root/<app>/letsencrypt/certs/<directory>/certificates. The certificate itself may be
// called so too, where its first domain ends in .issuer: who reads that has it held.
func isAside(path string) bool {
	if !strings.HasSuffix(path, ".pem") && !strings.HasSuffix(path, ".issuer.crt") {
		return false
	}
	in := strings.Split(path, "/")
	return len(in) == 7 && in[0] == "root" && in[2] == "letsencrypt" && in[3] == "certs" && in[5] == "certificates"
}

// aside is where a content waits.
type aside struct {
	file *host.Aside
	at   int64
}

// asides is where a capture sets contents aside.
type asides struct {
	once sync.Once
	file *host.Aside // nil where there can be none
}

// set sets a content aside; nil where that cannot be done, and it is held.
func (a *asides) set(h host.Host, data []byte) *aside {
	a.once.Do(func() { a.file, _ = h.Aside() })
	if a.file == nil {
		return nil
	}
	at, err := a.file.Keep(data)
	if err != nil {
		return nil
	}
	return &aside{a.file, at}
}

// held is the file with its content, or with an error where that cannot be had.
func (f File) held() File {
	data, err := f.Content()
	if f.aside = nil; err != nil {
		return File{Path: f.Path, Mode: f.Mode, Error: err.Error()}
	}
	f.Data = data
	return f
}

// Content is what the file holds. Whoever writes it anywhere asks here, and not for Data,
// which is empty where the content was set aside.
func (f File) Content() ([]byte, error) {
	if f.aside == nil {
		return f.Data, nil
	}
	data, err := f.aside.file.Read(f.aside.at, f.Size)
	if err == nil && Digest(data) != f.SHA256 {
		err = errors.New("it is not what was read before")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Shown(f.Path), err)
	}
	return data, nil
}
