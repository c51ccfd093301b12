package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/rename"
	"upgrade-guard/src/say"
)

// Names that the installed Dokku, or the one to come, would not give to a new app.

// RenameDue is an app whose name the installed Dokku would not give to a new one.
type RenameDue struct {
	From, To string
	// Why says why it is left as it is; "" when it can be renamed.
	Why error
}

// RenamesDue are the apps that are due to be renamed under a version of Dokku, where auto-rename is not
// switched off. Nothing forces a rename: Dokku serves such apps up to this day.
func (g *Guard) RenamesDue(files *app.Files, now app.Host, dokku string) []RenameDue {
	var due []RenameDue
	wanted := map[string]int{}
	for _, name := range files.Apps {
		if near := app.NearestName(name); near != name {
			wanted[near]++
		}
	}
	halves := g.halves()
	neighbours := sync.OnceValue(func() rename.Neighbours { return rename.NeighboursOf(g.Host, files, now) })
	for _, name := range files.Apps {
		if halves[name] || app.CreatesName(dokku, name) || !g.is("auto-rename", name) {
			continue
		}
		d := RenameDue{From: name, To: app.NearestName(name)}
		switch {
		case !app.Known(dokku):
			d.Why = errors.New("this release of upgrade-guard does not know that version, and nothing is risked for a name")
		case d.To == "":
			d.Why = fmt.Errorf("no valid name is near %s", name)
		case wanted[d.To] > 1:
			d.Why = fmt.Errorf("%s is the nearest valid name of several apps", d.To)
		default:
			if d.Why = rename.Name(g.Host, files, d.From, d.To); d.Why == nil && now.Apps[name].Running() > 0 {
				d.Why = rename.MayOverlap(files, now.Apps[name])
			}
			if why := hazard.RefusedBuild(g.Host.Paths(), files, now.Apps[name], dokku); d.Why == nil && why != "" {
				d.Why = errors.New(why)
			}
			if d.Why == nil {
				d.Why = neighbours().Bound(g.Host, files, now.Apps[name], d.To)
			}
		}
		due = append(due, d)
	}
	return due
}

// keptNames are the apps that keep a name which Dokku would not give to a new one,
// with the reason.
func (g *Guard) keptNames(files *app.Files, now app.Host) []hazard.Finding {
	var found []hazard.Finding
	for _, d := range g.RenamesDue(files, now, now.Dokku) {
		if d.Why != nil {
			found = append(found, hazard.Finding{Kind: hazard.Notice, What: fmt.Sprintf("it keeps its name: %s", d.Why)}.Of(d.From, hazard.Names))
		}
	}
	return found
}

// renamesForetold are the renames that come after an upgrade, with what they change for
// others, and how to keep a name.
func (g *Guard) renamesForetold(o *Observation, to string) []hazard.Finding {
	var found []hazard.Finding
	for _, d := range g.RenamesDue(o.Files, o.Now, to) {
		f := hazard.Finding{Kind: hazard.Notice, What: fmt.Sprintf("Dokku %s no longer accepts this name for a new app; it keeps it: %s", to, d.Why)}
		if d.Why == nil {
			f = hazard.Finding{
				What: fmt.Sprintf("Dokku %s no longer accepts this name for a new app", to),
				Consequence: fmt.Sprintf("Whoever pushes to it then: git remote set-url dokku %s. To keep the name: %s",
					g.remote(d.To), say.Command("dokku upgrade-guard:set", d.From, "auto-rename", "false")),
				Afterwards: "renamed to " + d.To,
			}
			if !g.autoApply() { // by itself the upgrade renames nobody then, and nothing is lost
				f.Kind, f.Afterwards = hazard.Notice, ""
				f.What += fmt.Sprintf("; dokku upgrade-guard:apply renames it to %s after the upgrade", d.To)
			}
		}
		found = append(found, f.Of(d.From, hazard.Names))
	}
	return found
}

// unfinishedRenames are the renames that were cut off, and those that a process is at,
// a sentence each.
func (g *Guard) unfinishedRenames() (cutOff, underWay []string) {
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []string{err.Error()}, nil
	}
	busy, _ := g.Host.Locked(renameLockName(g.Host)) // one that cannot be looked at is nobody's
	for _, s := range unfinished {
		if busy {
			underWay = append(underWay, fmt.Sprintf("%s is being renamed to %s, since %s", s.From, s.To, s.Began.Format("2006-01-02 15:04:05 UTC")))
		} else {
			cutOff = append(cutOff, fmt.Sprintf("The rename of %s to %s was cut off, and %s serves.%s", s.From, s.To, s.Serving(g.Host), cutOffToDo))
		}
	}
	slices.Sort(cutOff)
	slices.Sort(underWay)
	return cutOff, underWay
}

// CalledNow is the name of an app that was renamed; "" where there is none.
func (g *Guard) CalledNow(name string) string {
	known, err := g.State.Read()
	if err != nil {
		return ""
	}
	return known.Renamed[name]
}

// cutOffToDo is what there is to do about a rename that was cut off, where it is not said by
// the command itself.
const cutOffToDo = " To do: dokku upgrade-guard:apply"

// remote is the address that an app is pushed to.
func (g *Guard) remote(name string) string {
	if b, err := g.Host.ReadFile(filepath.Join(g.Host.Paths().DokkuRoot, "VHOST")); err == nil {
		if first, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n"); first != "" {
			return say.Word("dokku@" + first + ":" + name)
		}
	}
	return "dokku@<this host>:" + say.Word(name)
}
