package hazard

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// certificateLost is about an app whose certificate or key is gone
// (docs/dokku-versions.md#certificates): https stops at the next build of nginx's
// configuration. It makes no difference who issued it. Both are put back byte for byte,
// and none is ever ordered.
var certificateLost = Hazard{
	Name:    CertificateLost,
	InNginx: true,
	Threads: "dokku/dokku#7253, #7967",
	Guide:   "https://dokku.com/docs/configuration/ssl/",
	Reads:   []app.Part{app.PartCertificate, app.PartDomains, app.PartEnv},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || s.Before.Certificate == nil || !s.Before.Certificate.KeyFits {
			return nil
		}
		before, now := s.Before.Certificate, s.Now.Certificate
		if now != nil && (now.KeyFits || now.Fingerprint != before.Fingerprint) {
			return nil // it has one, or another one, which is for whoever put it there
		}
		f := Finding{
			What:        fmt.Sprintf("the certificate of %s, recorded in %s, is gone", strings.Join(before.Names, " "), s.Baseline),
			Consequence: "At the next build of its nginx configuration the app stops answering to https.",
		}
		if now != nil {
			f.What = fmt.Sprintf("the key of the certificate of %s, recorded in %s, is gone", strings.Join(before.Names, " "), s.Baseline)
		}
		switch {
		case before.NotAfter.Before(s.Time):
			f.What += fmt.Sprintf("; it has expired on %s", before.NotAfter.Format(time.DateOnly))
			f.Command = say.Command("dokku upgrade-guard:restore", s.Now.Name, "--only", "certs")
		case len(s.Now.Domains.Effective()) > 0 && len(before.Uncovered(s.Now.Domains.Effective())) == len(s.Now.Domains.Effective()):
			f.What += ", and it is for none of the app's domains"
			f.Command = say.Command("dokku upgrade-guard:restore", s.Now.Name, "--only", "certs")
		case s.tlsLink() != "":
			f.What += ": tls leads nowhere"
			f.Command = say.Command("ls -l", s.Paths.App(s.Now.Name))
		default:
			f.Step = PutCertificate(s)
		}
		return []Finding{f}
	},
}

// PutCertificate is the step that gives an app the files in tls/ that the baseline
// has and it has not; nil where the baseline's files cannot be read.
func PutCertificate(s Subject) *plan.Step {
	puts := tlsFiles(s)
	puts = slices.DeleteFunc(puts, func(p put) bool { return p.was != "" })
	if len(puts) == 0 {
		return nil
	}
	before := s.Before.Certificate
	return &plan.Step{
		Mark: plan.Add, Text: fmt.Sprintf("certificate of %s, until %s", strings.Join(before.Names, " "), before.NotAfter.Format(time.DateOnly)) + s.asLinks(),
		Do: func(_ context.Context, h host.Host) error { return s.putTLS(h, puts) },
	}
}

// tlsFiles are the baseline's files in tls/, as they are to be: the certificate
// itself where it was a link to it.
func tlsFiles(s Subject) []put {
	old := s.Old()
	if old == nil {
		return nil
	}
	var puts []put
	for _, name := range []string{"server.key", "server.crt", "server.letsencrypt.crt"} {
		file, ok := old.TLS(s.Now.Name, name)
		if name == "server.crt" {
			file, ok = old.Served(s.Now.Name)
		}
		if ok && file.SHA256 != "" {
			puts = append(puts, s.put(filepath.Join("tls", name), file, 0o640))
		}
	}
	return puts
}

// RestoreCertificate are the steps that give an app the baseline's certificate
// because a person asked for it, whatever it has now.
func RestoreCertificate(s Subject) plan.Plan {
	var steps plan.Plan
	puts := tlsFiles(s)
	if s.asLinks() != "" && slices.ContainsFunc(puts, func(p put) bool { return p.was != p.file.SHA256 }) {
		before := s.Before.Certificate
		return plan.Plan{{
			Mark: plan.Change, Text: fmt.Sprintf("certificate of %s, until %s", strings.Join(before.Names, " "), before.NotAfter.Format(time.DateOnly)) + s.asLinks(),
			Do: func(_ context.Context, h host.Host) error { return s.putTLS(h, puts) },
		}}
	}
	for _, p := range puts {
		if p.was != p.file.SHA256 {
			mark := plan.Change
			if p.was == "" {
				mark = plan.Add
			}
			steps = append(steps, plan.Step{
				Mark: mark,
				Text: fmt.Sprintf("tls/%s of %s, until %s", filepath.Base(p.path), strings.Join(s.Before.Certificate.Names, " "), s.Before.Certificate.NotAfter.Format(time.DateOnly)),
				Do:   func(_ context.Context, h host.Host) error { return putAll(h, []put{p}) },
			})
		}
	}
	return steps
}

// put is a file in an app's directory that is to hold something. Was is the
// digest of what it held when the plan was made.
type put struct {
	path string
	mode fs.FileMode
	file app.File
	was  string
}

// put is a file of the app as it is to be, with the mode it had, but none beyond
// most, and one under which Dokku reads it.
func (s Subject) put(name string, file app.File, most fs.FileMode) put {
	path := filepath.Join(s.Paths.App(s.Now.Name), name)
	was := s.Digest(path)
	if _, shared, ok := s.Files.LinkOf(s.Now.Name, filepath.Base(name)); ok && filepath.Dir(name) == "tls" {
		was = shared.SHA256
	}
	return put{path, file.Mode.Perm()&most | 0o600, file, was}
}

// putAll writes files, each read back. One that has been changed since the plan
// was made ends it (law 2); one that is as it is to be is left alone, which makes
// the second run of a killed one go on.
func putAll(h host.Host, puts []put) error {
	for _, p := range puts {
		dir := filepath.Dir(p.path)
		if to, err := h.Readlink(dir); err == nil {
			return fmt.Errorf("%s is a link to %s, and what it leads to may be other apps': nothing is written there", dir, to)
		}
		if err := h.Mkdir(dir, privateDir(dir)); err != nil {
			return err
		}
		data, err := p.file.Content()
		if err == nil && p.file.SHA256 != "" && app.Digest(data) != p.file.SHA256 {
			err = fmt.Errorf("%s: what is to be written there is not what was read", p.path)
		}
		if err == nil {
			err = plan.Put(h, p.path, p.mode, data, p.was)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// privateDir is the mode that Dokku and the ACME clients give to a directory with
// keys in it.
func privateDir(dir string) fs.FileMode {
	switch filepath.Base(dir) {
	case "tls":
		return 0o750
	case "certificates", "accounts", "keys":
		return 0o700
	}
	return 0o755
}

// unreadable is a file below one of an app's directories that the Dokku user may
// not read, "" for none: what is in it is not known to be lost.
func unreadable(s Subject, dir string) string {
	for _, file := range s.Files.Under("root/" + s.Now.Name + "/" + dir + "/") {
		if file.Error != "" && !file.LeftOut() {
			return file.Path
		}
	}
	return ""
}
