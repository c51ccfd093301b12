package hazard

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// letsencryptReorder is about certificates that an update of the plugin makes it
// overlook. The directory they lie in is named by a hash of the client's
// arguments, which have changed in nine releases; what lies under the old name is
// valid, renewed in time, and ordered again by the first letsencrypt:enable
// (LETSENCRYPT 3.3). From 0.25 on nothing is ordered for a certificate that lies
// under the right name; in 0.11 to 0.24 every letsencrypt:enable is an order and
// no name helps.
//
// The files are copied to the name that the installed release looks for: tried
// from 0.20.4 to 0.25.1, no order, no new account. The old directory stays.
var letsencryptReorder = Hazard{
	Name:    "letsencrypt-reorder",
	Threads: "dokku/dokku-letsencrypt#256",
	Guide:   "https://letsencrypt.org/docs/rate-limits/",

	Detect: func(s Subject) []Finding {
		l := s.Now.Letsencrypt
		wanted, ok := s.Files.LetsencryptDirectory(s.Now.Name)
		if !ok || !l.Active || l.Directory == wanted.Name || l.RenewsAt.Before(time.Now()) || len(s.Files.Issued(s.Now.Name, wanted.Name)) > 0 {
			return nil
		}
		files := s.Files.Issued(s.Now.Name, l.Directory)
		// Other settings or domains than it was ordered by are a reason to
		// order, and so is what cannot be told.
		options := files["docker_options"].Data
		if !app.SameOrder(files["config"].Data, wanted.Files["config"]) || files["docker_options"].SHA256 != "" && string(options) != string(wanted.Files["docker_options"]) {
			return nil
		}
		var puts []put
		for rel, file := range files {
			if _, ours := wanted.Files[rel]; !ours && file.SHA256 != "" {
				puts = append(puts, s.put(filepath.Join("letsencrypt/certs", wanted.Name, rel), file, 0o600))
			}
		}
		for _, rel := range slices.Sorted(maps.Keys(wanted.Files)) {
			puts = append(puts, s.put(filepath.Join("letsencrypt/certs", wanted.Name, rel), app.File{Mode: 0o600, Data: wanted.Files[rel]}, 0o600))
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
					return link(h, wanted.Name, current)
				},
				Verify: func(ctx context.Context, h host.Host) error { return activeNow(ctx, h, name) },
			},
		}}
	},
}
