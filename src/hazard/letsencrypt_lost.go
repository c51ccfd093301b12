package hazard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// letsencryptLost is about an app that has its certificate and is not renewed any
// more: the plugin goes by the files below letsencrypt/ alone, skips in silence
// what it takes for inactive, and https ends with the certificate, up to 90 days
// later (docs/letsencrypt.md#active). The link current points into a directory that is
// gone, after a rename; it has become a directory, after a backup; files are missing;
// or they are root's.
//
// Whatever is there is put in order, and what is missing comes from the baseline. A
// letsencrypt:enable would do it too, at the price of an order (#256: five a week).
var letsencryptLost = Hazard{
	Name:    "letsencrypt-lost",
	About:   AboutLetsencrypt,
	Threads: "dokku/dokku#7253, #7256, #7967, dokku/dokku-letsencrypt#224, #256",
	Guide:   "https://github.com/dokku/dokku-letsencrypt#usage",
	Reads:   []app.Part{app.PartCertificate, app.PartLetsencrypt, app.PartDomains, app.PartEnv},

	Detect: func(s Subject) []Finding {
		// A directory called current is as good as a link, until the plugin puts
		// the next certificate below it.
		if l := s.Now.Letsencrypt; l.Active && l.Directory != "current" {
			return nil
		}
		f := Finding{
			What:        "the certificate is not the letsencrypt plugin's any more",
			Consequence: "It is not renewed: https ends with it, and until then nothing shows.",
		}
		if c := s.Now.Certificate; c != nil {
			f.What = fmt.Sprintf("the certificate (%s, until %s) is not known to the letsencrypt plugin any more", c.Issuer, c.NotAfter.Format(time.DateOnly))
		}
		if f.Step = ActivateLetsencrypt(s, served(s)); f.Step != nil {
			return []Finding{f}
		}
		if s.Before == nil || !s.Before.Letsencrypt.Active || s.Before.Certificate == nil || s.Now.Certificate == nil || len(s.Now.Domains.Effective()) == 0 {
			return nil // nobody's loss, or that of certificateLost or domainsLost
		}
		if s.Now.Certificate.Fingerprint != s.Before.Certificate.Fingerprint {
			return nil // another certificate was put there since
		}
		domains := s.Now.Domains.Effective()
		if uncovered := without(s.Now.Certificate.Uncovered(domains), []string{"_"}); len(uncovered) > 0 {
			f.What = fmt.Sprintf("the app has the domain %s now, which its certificate is not for", uncovered[0])
			f.Command = say.Command("dokku letsencrypt:enable", s.Now.Name) + "    # one order"
			return []Finding{f}
		}
		if was := s.Before.Domains.Effective(); len(was) > 0 && was[0] != domains[0] {
			f.What = fmt.Sprintf("the first domain is %s and was %s, by which the certificate's files are called", domains[0], was[0])
			f.Command = domainsCommand(s, append(was[:1:1], without(domains, was[:1])...))
			if p := s.Files.LetsencryptPlugin(); p.Is("0.14.0") && p.IsBefore("0.18.1") {
				f.Consequence += " Mind that domains:set orders a certificate on this version of the plugin."
			}
			return []Finding{f}
		}
		return nil
	},
}

// letsencryptUnreadable is letsencryptLost where what it goes by is not known: files
// that are root's, since somebody ran the client or a backup as root.
var letsencryptUnreadable = Hazard{
	Name:    letsencryptLost.Name,
	Threads: "dokku/dokku-letsencrypt#224",
	Guide:   "https://github.com/dokku/dokku-letsencrypt#usage",

	Detect: func(s Subject) []Finding {
		if l := s.Now.Letsencrypt; l.Active && l.Directory != "current" {
			return nil
		}
		for _, dir := range []string{"letsencrypt", "tls"} {
			if file := unreadable(s, dir); file != "" && len(s.Files.Under("root/"+s.Now.Name+"/letsencrypt/")) > 0 {
				return []Finding{{
					What:        fmt.Sprintf("the dokku user may not read %s", app.Shown(file)),
					Consequence: "The letsencrypt plugin cannot read it either, and does not renew the certificate.",
					Command:     say.Command("sudo chown -R", s.Paths.User+":"+s.Paths.Group, filepath.Join(s.Paths.App(s.Now.Name), dir)),
				}}
			}
		}
		return nil
	},
}

// served is the certificate that nginx reads for an app, or is about to: where it
// is gone, certificateLost puts it back from the same baseline.
func served(s Subject) app.File {
	served, ok := s.Files.Served(s.Now.Name)
	if _, key := s.Files.TLS(s.Now.Name, "server.key"); ok && key {
		return served
	}
	if s.Before != nil && s.Before.Letsencrypt.Active && s.Old() != nil {
		served, _ = s.Old().Served(s.Now.Name)
	}
	return served
}

// ActivateLetsencrypt is the step that makes the certificate that is served the
// letsencrypt plugin's again, without an order: the directory that holds it gets
// what is missing in it, current becomes a link to it, and tls/ gets the copy that
// the plugin compares. It is nil where no directory, here or in the baseline, holds
// the certificate.
func ActivateLetsencrypt(s Subject, served app.File) *plan.Step {
	name := s.Now.Name
	if served.SHA256 == "" {
		return nil
	}
	first := s.Now.Domains
	if len(first.Effective()) == 0 {
		if s.Before == nil {
			return nil
		}
		first = s.Before.Domains // which domainsLost puts back
	}
	from, directory := s.Files, ""
	for _, d := range s.Files.IssuedDirectories(name) {
		if c, ok := s.Files.IssuedIn(name, d, first); ok && c.SHA256 == served.SHA256 && (directory == "" || d != "current") {
			directory = d
		}
	}
	if directory == "" {
		if s.Before == nil || !s.Before.Letsencrypt.Active {
			return nil
		}
		from, directory = s.Old(), s.Before.Letsencrypt.Directory
		if from == nil {
			return nil
		}
		if c, ok := from.IssuedIn(name, directory, first); !ok || c.SHA256 != served.SHA256 {
			return nil
		}
	}
	// A directory that is called current gives way to the link.
	target := directory
	if target == "current" {
		for target = "restored"; len(s.Files.Issued(name, target)) > 0; {
			target += "-restored"
		}
	}
	certs := filepath.Join(s.Paths.App(name), "letsencrypt/certs")
	var puts []put
	if from != s.Files {
		// Nor is one overwritten that holds another certificate since.
		for {
			if c, ok := s.Files.IssuedIn(name, target, first); !ok || c.SHA256 == served.SHA256 {
				break
			}
			target += "-restored"
		}
		for rel, file := range from.Issued(name, directory) {
			if p := s.put(filepath.Join("letsencrypt/certs", target, rel), file, 0o600); p.was == "" && file.SHA256 != "" {
				puts = append(puts, p)
			}
		}
	}
	issued, _ := from.IssuedIn(name, directory, first)
	linked := target
	if d, more := lookedFor(s, from.Issued(name, directory), issued); d != "" && d != target {
		linked, puts = d, append(puts, more...)
	}
	var after []put
	copied := issued
	copied.Mode = 0o644
	if copyOf := s.put("tls/server.letsencrypt.crt", copied, 0o640); copyOf.was != issued.SHA256 &&
		(copyOf.was != "" || served.SHA256 != issued.SHA256) {
		after = append(after, copyOf)
	}
	return &plan.Step{
		Mark: plan.Change, Text: "certificate made known to the letsencrypt plugin again, so that it is renewed",
		Do: func(_ context.Context, h host.Host) error {
			if st, err := h.Lstat(filepath.Join(certs, "current")); err == nil && st.IsDir() {
				if err := moveAside(h, filepath.Join(certs, "current"), filepath.Join(certs, target)); err != nil {
					return err
				}
			}
			if err := putAll(h, puts); err != nil {
				return err
			}
			if err := link(h, linked, filepath.Join(certs, "current")); err != nil {
				return err
			}
			return putAll(h, after)
		},
		Verify: func(ctx context.Context, h host.Host) error { return activeNow(ctx, h, name) },
	}
}

// moveAside moves a directory to where nothing is yet.
func moveAside(h host.Host, from, to string) error {
	for {
		if _, err := h.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return h.Rename(from, to)
		} else if err != nil {
			return err
		}
		to += "-restored"
	}
}

// link makes current a link to a directory beside it. A relative one survives
// the next rename, and the plugin reads it as well as its own.
func link(h host.Host, target, current string) error {
	if now, err := h.Readlink(current); err == nil && path.Base(now) == target && !path.IsAbs(now) {
		return nil
	}
	return h.Link(target, current)
}

// activeNow asks the files whether the app is active.
func activeNow(ctx context.Context, h host.Host, name string) error {
	files, err := app.Capture(ctx, h, app.What{Apps: []string{name}, NoCommands: true})
	if err != nil {
		return err
	}
	if !app.Read(files).Apps[name].Letsencrypt.Active {
		return errors.New("the letsencrypt plugin does not know the certificate yet")
	}
	return nil
}
