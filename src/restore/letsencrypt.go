package restore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// subject is the Restoration as the hazards see it.
func (r Restoration) subject() hazard.Subject {
	s := r.Subject
	s.Before, s.Old = &r.was, func() *app.Files { return r.old }
	return s
}

// certificate puts back certificate and key together, byte for byte. A newer
// certificate is never replaced by an older one, and none is ever ordered: where
// the snapshot's is of no use, that is for a person to decide.
func (r Restoration) certificate() (steps plan.Plan, notes []string) {
	was, now := r.was.Certificate, r.Now.Certificate
	switch {
	case was == nil || now != nil && now.Fingerprint == was.Fingerprint && now.KeyFits:
		return nil, nil
	case !was.KeyFits:
		return nil, []string{"The certificate in the snapshot has no key that fits, and is left there." + r.order()}
	case now != nil && now.KeyFits && now.NotAfter.After(was.NotAfter):
		return nil, []string{fmt.Sprintf("The certificate is newer than the snapshot's (until %s) and stays.", now.NotAfter.Format(time.DateOnly))}
	case was.NotAfter.Before(r.Time):
		return nil, []string{fmt.Sprintf("The certificate in the snapshot has expired on %s, and is left there.", was.NotAfter.Format(time.DateOnly)) + r.order()}
	}
	if link, ok := r.Files.Get("root/" + r.Now.Name + "/tls"); ok && link.Link != "" {
		if was, _, ok := r.old.LinkOf(r.Now.Name, "server.crt"); !ok || was.Path != link.Path {
			return nil, []string{fmt.Sprintf("tls of %s is a link to %s, and what it leads to may be other apps': the certificate is left as it is.", r.Now.Name, link.Link)}
		}
	}
	if steps = hazard.RestoreCertificate(r.subject()); len(steps) == 0 {
		return nil, []string{"The certificate in the snapshot is not whole, and is left there."}
	}
	var uncovered []string
	seen := map[string]bool{"_": true}
	for _, d := range was.Uncovered(append(slices.Clone(r.was.Domains.Effective()), r.Now.Domains.Effective()...)) {
		if !seen[d] {
			seen[d] = true
			uncovered = append(uncovered, d)
		}
	}
	if len(uncovered) > 0 {
		notes = append(notes, fmt.Sprintf("The certificate in the snapshot is not for %s.", strings.Join(uncovered, ", "))+r.order())
	}
	return steps, notes
}

// order is how a person gets another certificate.
func (r Restoration) order() string {
	if !r.was.Letsencrypt.Active && !r.Now.Letsencrypt.Active {
		return " To put another one there: " + say.Command("dokku certs:add", r.Now.Name)
	}
	return " To order another one: " + say.Command("dokku letsencrypt:enable", r.Now.Name)
}

// letsencrypt puts back the letsencrypt plugin's settings of an app, and the files
// by which it knows the app's certificate: the one that is there, or the one that
// is put back with it.
func (r Restoration) letsencrypt(replaced bool) (steps plan.Plan, notes []string) {
	steps, notes = r.letsencryptSettings()
	if !r.was.Letsencrypt.Active || r.Now.Letsencrypt.Active && !replaced {
		return steps, notes
	}
	served, _ := r.Files.Served(r.Now.Name)
	if replaced {
		served, _ = r.old.Served(r.Now.Name)
	}
	step := hazard.ActivateLetsencrypt(r.subject(), served)
	if step == nil {
		return steps, append(notes, "The certificate that is served is not the snapshot's, and the letsencrypt plugin is not given another one."+r.order())
	}
	return append(steps, *step), notes
}

// letsencryptSettings are steps for the settings that the snapshot has, where the
// installed plugin reads properties. Up to 0.19 they are part of the environment.
// Their values are written and not shown: some are credentials.
func (r Restoration) letsencryptSettings() (steps plan.Plan, notes []string) {
	plugin := r.Files.LetsencryptPlugin()
	if !plugin.Is("0.20.0") {
		return nil, nil
	}
	wanted := map[string][]byte{}
	for _, s := range r.old.LetsencryptVariables(r.Now.Name, plugin) {
		wanted[s.Property] = []byte(s.Value)
	}
	dir := "lib/config/letsencrypt/" + r.Now.Name + "/"
	for _, file := range r.old.Under(dir) {
		name := strings.TrimPrefix(file.Path, dir)
		if name == "lego-docker-args" && plugin.Is("0.24.0") {
			name = "lego-args"
		}
		if name != "ENV" && file.SHA256 != "" {
			wanted[name] = file.Data
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		path := r.Paths.Property("letsencrypt", r.Now.Name, name)
		was := r.Digest(path)
		if was == app.Digest(wanted[name]) {
			continue
		}
		step := plan.Step{Mark: plan.Add, Text: "letsencrypt setting " + name, Path: path, Mode: 0o600, Data: wanted[name], Was: was}
		if was != "" {
			step.Mark, step.Text = plan.Change, step.Text+", which has another value now"
		}
		steps = append(steps, step)
	}
	return steps, nil
}
