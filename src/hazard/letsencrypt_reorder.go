package hazard

import (
	"context"
	"maps"
	"path/filepath"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// letsencryptReorder is about certificates that an update of the plugin makes it
// overlook. The directory they lie in is named by a hash of the client's
// arguments, which have changed in nine releases; what lies under the old name is
// valid, renewed in time, and ordered again by the first letsencrypt:enable
// (docs/letsencrypt.md#orders). From 0.25 on nothing is ordered for a certificate that
// lies under the right name; in 0.11 to 0.24 every letsencrypt:enable is an order and
// no name helps.
//
// The files are copied to the name that the installed release looks for: tried
// from 0.20.4 to 0.25.1, no order, no new account. The old directory stays.
var letsencryptReorder = Hazard{
	Name:    "letsencrypt-reorder",
	About:   AboutLetsencrypt,
	Threads: "dokku/dokku-letsencrypt#256",
	Guide:   "https://letsencrypt.org/docs/rate-limits/",
	Reads:   []app.Part{app.PartCertificate, app.PartLetsencrypt, app.PartDomains, app.PartEnv},

	Detect: func(s Subject) []Finding {
		l := s.Now.Letsencrypt
		if !l.Active || l.Directory == "current" || l.RenewsAt.Before(s.Time) {
			return nil // letsencryptLost, or to be ordered anyway
		}
		issued, _ := s.Files.IssuedIn(s.Now.Name, l.Directory, s.Now.Domains)
		directory, puts := lookedFor(s, s.Files.Issued(s.Now.Name, l.Directory), issued)
		if directory == "" || directory == l.Directory {
			return nil
		}
		name, current := s.Now.Name, filepath.Join(s.Paths.App(s.Now.Name), "letsencrypt/certs/current")
		return []Finding{{
			What:        "the certificate does not lie where the installed letsencrypt plugin looks for one",
			Consequence: "The next letsencrypt:enable orders another one, though this one is valid.",
			Step: &plan.Step{
				Mark: plan.Add, Text: "certificate copied to where the letsencrypt plugin looks for it, so that enabling it again orders none",
				Do: func(_ context.Context, h host.Host) error {
					if err := putAll(h, puts); err != nil {
						return err
					}
					return link(h, directory, current)
				},
				Verify: func(ctx context.Context, h host.Host) error { return activeNow(ctx, h, name) },
			},
		}}
	},
}

// lookedFor is the directory in which the installed plugin looks for an app's
// certificate, and what it must hold: the files of the directory that it lies in,
// with the ones that the plugin writes beside it. It is "" where that cannot be
// told, and where there is a reason to order: other settings or domains than it
// was ordered by, or another certificate that was ordered since and not put in
// place.
func lookedFor(s Subject, files map[string]app.File, issued app.File) (directory string, puts []put) {
	wanted, ok := s.Files.LetsencryptDirectory(s.Now.Name)
	if !ok || !app.SameOrder(files["config"].Data, wanted.Files["config"]) {
		return "", nil
	}
	if options := files["docker_options"]; options.SHA256 != "" && string(options.Data) != string(wanted.Files["docker_options"]) {
		return "", nil
	}
	if there, ok := s.Files.IssuedIn(s.Now.Name, wanted.Name, s.Now.Domains); ok && there.SHA256 != issued.SHA256 {
		return "", nil
	}
	for rel, file := range files {
		if _, ours := wanted.Files[rel]; !ours && file.SHA256 != "" {
			puts = append(puts, s.put(filepath.Join("letsencrypt/certs", wanted.Name, rel), file, 0o600))
		}
	}
	for _, rel := range slices.Sorted(maps.Keys(wanted.Files)) {
		puts = append(puts, s.put(filepath.Join("letsencrypt/certs", wanted.Name, rel), app.File{Mode: 0o600, Data: wanted.Files[rel]}, 0o600))
	}
	return wanted.Name, puts
}
