package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/recipe"
	"upgrade-guard/src/say"
)

// RecipeOptions say what a recipe is of, and for.
type RecipeOptions struct {
	Apps     []string // those only, and what they need of the host; all of it when empty
	Snapshot string   // an id, latest, live or now; "" for the newest
	Format   string
	Vars     bool // the secrets in it, instead
	// ValidNames gives apps whose names Dokku does not take any more those that are nearest.
	ValidNames bool
}

// Recipe is what a snapshot holds as a recipe, or the secrets of one.
func (g *Guard) Recipe(ctx context.Context, o RecipeOptions) (string, error) {
	from, files, err := g.recipeFiles(ctx, o)
	if err != nil {
		return "", err
	}
	for _, name := range o.Apps {
		switch {
		case name == host.GlobalScope && files.Partial:
			return "", say.Hint(fmt.Errorf("the snapshot %s is of one app, and does not hold this host's own settings", from), "See dokku upgrade-guard:snapshots for those that do.")
		case name != host.GlobalScope && !slices.Contains(files.Apps, name):
			return "", say.Hint(app.NoApp{Name: name}, "It is not in %s, which holds: %s.", from, strings.Join(files.Apps, ", "))
		}
	}
	about := recipe.About{Guard: g.Version, From: from, Dokku: files.Dokku, Again: o.again(from)}
	if o.ValidNames {
		var names map[string]string
		files, names = recipe.ValidNames(files)
		about.Was = map[string]string{}
		for was, name := range names {
			about.Was[name] = was
		}
		for i, name := range o.Apps {
			if names[name] != "" {
				o.Apps[i] = names[name]
			}
		}
	}
	return recipe.Of(files).Only(o.Apps).Write(o.Format, o.Vars, about)
}

// again is the command of a recipe, without --vars, and of the same snapshot: one that is
// taken in between may have other secrets.
func (o RecipeOptions) again(from string) string {
	words := slices.Clone(o.Apps)
	if from == Now || !strings.HasPrefix(from, "live/") {
		words = append(words, "--snapshot", from)
	} else {
		words = append(words, "--snapshot", "live")
	}
	words = append(words, "--format", o.Format)
	if o.ValidNames {
		words = append(words, "--valid-names")
	}
	return say.Command("dokku upgrade-guard:recipe", words...)
}

func (g *Guard) recipeFiles(ctx context.Context, o RecipeOptions) (from string, files *app.Files, err error) {
	id := o.Snapshot
	switch {
	case id == Now:
		files, err = app.Capture(ctx, g.Host, app.What{Entries: true})
		return Now, files, err
	case id == "live" && (len(o.Apps) != 1 || o.Apps[0] == host.GlobalScope):
		return "", nil, say.Hint(errors.New("a live snapshot is of one app, and one has to be named"), "dokku upgrade-guard:recipe my-app --snapshot live")
	case id == "live":
		id, err = g.named(id, o.Apps[0])
	case id == "":
		id = "latest"
		fallthrough
	default:
		id, err = g.named(id, "")
	}
	if err != nil {
		return "", nil, err
	}
	if id == "latest" {
		return "", nil, say.Hint(errors.New("there is no snapshot of this host"), "Of what there is now: dokku upgrade-guard:recipe --snapshot now. Of another host's, by its id: see dokku upgrade-guard:snapshots")
	}
	if files, err = g.Store.Files(id); err != nil {
		return "", nil, err
	}
	for _, l := range files.Refused {
		g.Out.Trouble("%s", l)
	}
	return id, files, nil
}
