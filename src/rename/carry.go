package rename

import (
	"fmt"
	"path/filepath"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// Carry is for a rename that a person makes with Dokku's own apps:rename. It is
// called when Dokku's plugins and letsencrypt have carried over what they do, and
// before the old app is destroyed, and carries over the rest: on 0.34.0 to 0.36.5
// that is the whole directory with code and certificates, on every version what
// letsencrypt deletes of the copy, its properties, those of checks, and more
// (docs/dokku-versions.md#appsrename). An error must keep Dokku from destroying the old
// app.
//
// What has been carried over is overwritten by the same, which the old app still
// has; its properties in the namespaces that Dokku does carry are gone by now.
func Carry(h host.Host, files *app.Files, from, to string, keepDomains bool) error {
	p := h.Paths()
	var mounts []string
	for _, name := range []string{from, to} { // Dokku has given some of its settings to the new app by now
		dirs, err := mountsOf(files, name)
		if err != nil {
			return err
		}
		mounts = append(mounts, dirs...)
	}
	parts, _, err := partsOf(h, from, to, mounts)
	if err != nil {
		return err
	}
	if err := mountGoes(h, from, parts, mounts); err != nil {
		return err
	}
	old, new := p.App(from), p.App(to)
	carriedOver := carried(func(rel string) bool {
		// The environment is merged by Dokku's config plugin.
		return rel == "ENV" && exists(h, filepath.Join(new, "ENV"))
	})
	carriedOver.Merge = true
	if err := h.CopyTree(old, new, carriedOver); err != nil {
		return err
	}
	inside := insideOf(h, from, to, parts)
	if err := inside.rename(new); err != nil {
		return err
	}
	names, err := inside.missing(old, new, carriedOver.Skip)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if part.Old == "" || filepath.Base(filepath.Dir(part.Old)) == "config" && part.Old == filepath.Join(p.LibRoot, "config", from) {
			continue
		}
		// Whether the new app is deployed is for Dokku to find out.
		skip := func(rel string) bool {
			return skipLock(rel) || rel == "deployed" && strings.HasSuffix(part.New, "/common/"+to)
		}
		if err := h.CopyTree(part.Old, part.New, host.Copy{Merge: true, Skip: skip}); err != nil {
			return err
		}
		inside := inside.of(part)
		if err := inside.rename(part.New); err != nil {
			return err
		}
		more, err := inside.missing(part.Old, part.New, skip)
		if err != nil {
			return err
		}
		names = append(names, more...)
	}
	if len(names) > 0 {
		return fmt.Errorf("the copy is not whole: %s", strings.Join(names, ", "))
	}
	return carryDomains(h, files, from, to, keepDomains)
}

// carryDomains writes the new app's VHOST, which 0.34.0 to 0.37 lose or rewrite by
// half, and 0.26 and earlier change the old name's letters in wherever they stand.
func carryDomains(h host.Host, files *app.Files, from, to string, keepDomains bool) error {
	now := app.Read(files)
	s := now.Apps[from]
	if why := s.Unknown[app.PartDomains]; why != "" {
		return fmt.Errorf("the domains of %s are not known (%s)", from, why)
	}
	if !s.Domains.File {
		return nil
	}
	var taken []string
	for name, other := range now.Apps {
		if name != from && name != to {
			taken = append(taken, other.Domains.Effective()...)
		}
	}
	// Dokku gives the new app its own default domain, with a certificate or without.
	domains := domainsOf(s.Dokku, s.Domains.Names, from, to, now.Global.Domains, taken, keepDomains, false)
	return h.Write(filepath.Join(h.Paths().App(to), "VHOST"), 0o644, vhost(domains))
}

func exists(h host.Host, name string) bool {
	_, err := h.Lstat(name)
	return err == nil
}
