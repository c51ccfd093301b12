package guard

import (
	"fmt"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// Renewals is how the host's letsencrypt certificates stand.
type Renewals struct {
	Plugin app.LetsencryptPlugin `json:"plugin,omitzero"`
	// Active is how many apps the plugin renews, Scheduled whether it is called
	// to do so.
	Active    int  `json:"active"`
	Scheduled bool `json:"scheduled"`
	// First is the app whose certificate ends first, at Expires; it is renewed
	// from RenewsAt on.
	First    string    `json:"first"`
	Expires  time.Time `json:"expires"`
	RenewsAt time.Time `json:"renews_at"`

	now time.Time
}

func renewals(h app.Host, now time.Time) *Renewals {
	r := &Renewals{now: now, Plugin: h.Global.Letsencrypt.Plugin, Scheduled: h.Global.Letsencrypt.Scheduled}
	for name, s := range h.Apps {
		if !s.Letsencrypt.Active || s.Certificate == nil {
			continue
		}
		r.Active++
		if c := s.Certificate.NotAfter; r.First == "" || c.Before(r.Expires) || c.Equal(r.Expires) && name < r.First {
			r.First, r.Expires, r.RenewsAt = name, c, s.Letsencrypt.RenewsAt
		}
	}
	if r.Active == 0 {
		return nil
	}
	return r
}

// String is all of it in a sentence.
func (r Renewals) String() string {
	text := say.Plural(r.Active, "certificate")
	switch p := r.Plugin; {
	case p.From == "":
		text += " of letsencrypt, which is not installed"
	case !r.Scheduled && p.Is("0.10.0") && p.IsBefore("0.20.1"):
		// Its own command empties the crontab.
		text += fmt.Sprintf(" of letsencrypt %s, whose renewal is not scheduled (first dokku plugin:update letsencrypt, then dokku letsencrypt:cron-job --add)", p)
	case !r.Scheduled:
		text += fmt.Sprintf(" of letsencrypt %s, whose renewal is not scheduled (dokku letsencrypt:cron-job --add)", p)
	case p.Is("0.11.0") && p.IsBefore("0.25.0"):
		text += fmt.Sprintf(" renewed by letsencrypt %s, where every letsencrypt:enable orders another", p)
	default:
		text += fmt.Sprintf(" renewed by letsencrypt %s", p)
	}
	return text + fmt.Sprintf("; the first is %s's, until %s, due %s", r.First, r.Expires.Format(time.DateOnly), due(r.RenewsAt, r.now))
}

func due(t, now time.Time) string {
	if t.Before(now) {
		return "now"
	}
	return "from " + t.Format(time.DateOnly)
}

// certificateLine is an app's certificate in a line of its report.
func certificateLine(c *app.Certificate, now time.Time) string {
	if c == nil {
		return ""
	}
	days := int(c.NotAfter.Sub(now).Hours() / 24)
	line := fmt.Sprintf("%s until %s (%s left), issued by %s", strings.Join(c.Names, " "), c.NotAfter.Format(time.DateOnly), say.Plural(days, "day"), c.Issuer)
	if days < 0 || c.NotAfter.Before(now) {
		line = fmt.Sprintf("%s, expired on %s, issued by %s", strings.Join(c.Names, " "), c.NotAfter.Format(time.DateOnly), c.Issuer)
	}
	if !c.KeyFits {
		line += ", and its key does not fit"
	}
	return line
}

// letsencryptLine is what the letsencrypt plugin makes of it.
func letsencryptLine(l app.Letsencrypt, now time.Time) string {
	if !l.Active {
		return "inactive"
	}
	return "active, renewal due " + due(l.RenewsAt, now)
}
