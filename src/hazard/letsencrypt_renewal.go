package hazard

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// letsencryptRenewal is about renewals that were asked for and stand in no
// crontab any more (docs/letsencrypt.md#renewal). Up to plugin 0.9 they are a line
// there, which core from 0.23 on overwrites at the next deploy. From 0.10 on they are a
// marker file that core asks the plugin for; nobody makes it out of the line, and 0.25
// looks for it elsewhere. And of the triggers that make core write the crontab the
// plugin knows only the one of 0.23.2 to 0.35.
var letsencryptRenewal = Hazard{
	Name:    "letsencrypt-renewal",
	About:   AboutLetsencrypt,
	Threads: "dokku/dokku#7256, dokku/dokku-letsencrypt#215, #225, #234, #300, #386",
	Guide:   "https://github.com/dokku/dokku-letsencrypt#automatic-certificate-renewal",
	Reads:   []app.Part{app.PartLetsencrypt},

	ForeseeHost: func(s HostSubject) []Finding {
		l := s.Now.Global.Letsencrypt
		if !s.Crosses("0.23.0") || l.AutoRenew == "" {
			return nil
		}
		if l.Plugin.IsBefore("0.10.0") {
			return []Finding{{
				What:        fmt.Sprintf("renewals are a line of the crontab with letsencrypt %s, and Dokku from 0.23 on overwrites the crontab", l.Plugin),
				Consequence: "They end with the first deploy. After the upgrade, update the plugin: upgrade-guard then has them scheduled.",
				Command:     updateLetsencrypt,
			}}
		}
		return nil
	},

	DetectHost: func(s HostSubject) []Finding {
		l := s.Now.Global.Letsencrypt
		wanted := l.AutoRenew != "" || s.Before != nil && s.Before.Letsencrypt.AutoRenew != ""
		if !wanted || l.Plugin.From == "" || !cronIsKnown(s.Files) {
			return nil
		}
		marker := "lib/data/letsencrypt/autorenew"
		if l.Plugin.Is("0.25.0") {
			marker = "lib/data/letsencrypt/--global/autorenew"
		}
		_, marked := s.Files.Get(marker)
		path := filepath.Join(s.Paths.LibRoot, strings.TrimPrefix(marker, "lib/"))
		f := Finding{Consequence: "No certificate is renewed; each ends in silence."}
		switch {
		case l.Plugin.IsBefore("0.10.0") && app.Before(s.To, "0.23.0"):
			if l.Scheduled {
				return nil
			}
			f.What = "the letsencrypt plugin's line is gone from the crontab"
			f.Command = "dokku letsencrypt:cron-job --add"
			return []Finding{f}
		case l.Plugin.IsBefore("0.10.0"):
			f.What = fmt.Sprintf("letsencrypt %s keeps its renewals in the crontab, which Dokku %s overwrites at every deploy", l.Plugin, s.To)
			f.Command = updateLetsencrypt
			found := []Finding{f}
			if !marked {
				// What the plugin goes by from 0.10 on, so that updating it is all
				// that is left to do.
				found = append(found, Finding{
					What: "renewals were asked for, and nothing says so to the releases from 0.10 on",
					Step: &plan.Step{
						Mark: plan.Add, Text: "renewals noted where letsencrypt 0.10 and later look",
						Do: func(_ context.Context, h host.Host) error { return h.Write(path, 0o644, nil) },
					},
				})
			}
			return found
		case l.Scheduled && marked:
			return nil
		}
		f.What = "renewals of letsencrypt certificates are not scheduled any more"
		if app.Before(s.To, "0.23.2") {
			// Core does not ask for entries yet, and the plugin's own command
			// empties the crontab from 0.10 to 0.19.
			if l.Scheduled {
				return nil
			}
			f.Command = `(crontab -u dokku -l; echo "@daily dokku letsencrypt:auto-renew") | crontab -u dokku -`
			return []Finding{f}
		}
		if l.Scheduled {
			f.What = "renewals of letsencrypt certificates are scheduled until Dokku writes the crontab again, and not longer"
		}
		kept := foreignLines(s.Now.Global.Crontab)
		if s.From == "" || !app.Before(s.From, "0.23.0") {
			kept = nil // Dokku's own, that is: it knows best
		}
		f.Step = &plan.Step{
			Mark: plan.Add, Text: "renewals of letsencrypt certificates scheduled",
			Do: func(ctx context.Context, h host.Host) error {
				if !marked {
					if err := h.Write(path, 0o644, nil); err != nil {
						return err
					}
				}
				if err := writeCrontab(ctx, h, s.To); err != nil {
					return err
				}
				return addToCrontab(ctx, h, kept)
			},
			Verify: func(ctx context.Context, h host.Host) error {
				lines, err := host.Crontab(ctx, h)
				if err == nil && !slices.ContainsFunc(lines, app.IsRenewal) {
					err = errors.New("Dokku has not put the renewals into the crontab")
				}
				return err
			},
		}
		return []Finding{f}
	},
}

const updateLetsencrypt = "dokku plugin:update letsencrypt"

// writeCrontab makes core write the Dokku user's crontab, from its apps' tasks and
// what the plugins have to add.
func writeCrontab(ctx context.Context, h host.Host, dokku string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	args := []string{"cron-write"}
	if !app.Before(dokku, "0.36.0") {
		args = []string{"scheduler-cron-write", ""} // of every scheduler
	}
	_, err := h.Trigger(ctx, args[0], args[1:]...)
	return err
}

// addToCrontab puts lines back into the crontab that core has just written
// without them. crontabLost tells that they do not last.
func addToCrontab(ctx context.Context, h host.Host, lines []string) error {
	now, err := host.Crontab(ctx, h)
	if err != nil {
		return err
	}
	if lines = without(lines, now); len(lines) == 0 {
		return nil
	}
	file := h.Paths().Data("crontab")
	if err := h.Write(file, 0o600, []byte(strings.Join(append(now, lines...), "\n")+"\n")); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = h.Run(ctx, "crontab", file)
	return errors.Join(err, h.Remove(file))
}

// cronIsKnown tells whether cron has told what is in the crontab.
func cronIsKnown(f *app.Files) bool {
	_, known := f.Text("facts/crontab")
	return known
}
