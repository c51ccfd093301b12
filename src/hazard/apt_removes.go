package hazard

import "strings"

// aptRemoves is about packages that apt would take away to upgrade all others. As long as
// Dokku stays, so does what its package depends on; the rest nobody holds.
var aptRemoves = Hazard{
	Name: "apt-removes",

	Ground: func(g Ground) []Finding {
		var found []Finding
		if g.Removes("dokku") {
			found = append(found, Finding{
				What:        "apt would remove Dokku, to upgrade other packages",
				Consequence: "What runs goes on, and nothing can be deployed until it is installed again; its apps and settings stay on the disk. Something that its package needs is not to be had from the sources that apt has now.",
				Command:     "apt-get --simulate dist-upgrade",
			})
		}
		var beside []string
		for _, c := range g.Sorted() {
			if g.Removes(c.Package) && (c.Package == "herokuish" || strings.HasPrefix(c.Package, "libnginx-mod-")) {
				beside = append(beside, c.Package)
			}
		}
		if len(beside) > 0 {
			found = append(found, Finding{
				Kind:        Notice,
				What:        "apt would remove " + strings.Join(beside, ", "),
				Consequence: "What is built with herokuish, or served by such a module of nginx, needs them: nginx refuses directives of a module that is gone.",
			})
		}
		return found
	},
}
