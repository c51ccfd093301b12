package app

// Domains are an app's vhosts. The file VHOST has been their place in every
// version; what its absence means has not (docs/dokku-versions.md#domains).
type Domains struct {
	// Names are the lines of the app's VHOST file.
	Names []string `json:"names,omitempty"`
	// File tells that there is such a file, if an empty one.
	File bool `json:"file,omitempty"`
	// Disabled is domains:disable, kept as NO_VHOST=1 in the app's
	// environment to this day.
	Disabled bool `json:"disabled,omitempty"`
	// Inherited are the names an app without a VHOST file answers to: the
	// host's up to 0.21, its HOSTNAME up to 0.24, none later.
	Inherited []string `json:"inherited,omitempty"`
}

// Effective are the names that nginx serves the app under.
func (d Domains) Effective() []string {
	switch {
	case d.Disabled:
		return nil
	case d.File:
		return d.Names
	}
	return d.Inherited
}

func readDomains(f *Files, app string, e env) Domains {
	d := Domains{Names: f.Lines("root/" + app + "/VHOST"), Disabled: e.values["NO_VHOST"] == "1"}
	_, d.File = f.Get("root/" + app + "/VHOST")
	if d.File {
		return d
	}
	if _, ok := f.Get("root/VHOST"); ok && Before(f.Dokku, "0.22.0") {
		d.Inherited = f.Lines("root/VHOST")
	} else if Before(f.Dokku, "0.25.0") {
		d.Inherited = f.Lines("root/HOSTNAME")
	}
	return d
}
