package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"upgrade-guard/src/pattern"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
)

// The code of an app that is made anew: what came with the snapshot, beside it.

func (g *Guard) hasCode(id, was string) bool { return slices.Contains(g.Store.Repositories(id), was) }

// branch is the name of a branch as HEAD has it.
var branch = pattern.Of(`^refs/heads/[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// code puts the app's repository in place, where it came with the snapshot, and says how
// the app is deployed.
func (g *Guard) code(ctx context.Context, id, was, name string, r restore.Restoration) (deploy restore.Left, err error) {
	image, head, revision := r.Source()
	if !g.hasCode(id, was) {
		if image != "" {
			return restore.Left{What: "It was deployed from an image, which no snapshot holds.", Command: say.Command("dokku git:from-image", name, image)}, nil
		}
		return restore.Left{What: "Its code is not in the snapshot (export --with-git). It is deployed by a push:", Command: "git push dokku@HOST:" + say.Word(name)}, nil
	}
	bundle, err := g.Store.Repository(id, was)
	if err != nil {
		return deploy, err
	}
	dir := g.Host.Paths().App(name)
	git := func(args ...string) error {
		if _, err := g.Host.Run(ctx, "git", append([]string{"--git-dir=" + dir}, args...)...); err != nil {
			return fmt.Errorf("its repository is not put back: git %s: %w", args[0], err)
		}
		return nil
	}
	if _, err := g.Host.Stat(dir + "/HEAD"); errors.Is(err, fs.ErrNotExist) {
		if err := git("init", "--quiet", "--bare", dir); err != nil {
			return deploy, err
		}
	}
	if err := git("fetch", "--quiet", bundle, "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"); err != nil {
		return deploy, err
	}
	if branch().MatchString(head) {
		if err := git("symbolic-ref", "HEAD", head); err != nil {
			return deploy, err
		}
	}
	deploy = restore.Left{What: "Its code is there. To build and start it:", Command: say.Command("dokku ps:rebuild", name)}
	if revision != "" && git("cat-file", "-e", revision+"^{commit}") != nil {
		deploy.What = "Its code is there, but not the commit that was deployed last. To build and start what is there:"
	}
	return deploy, nil
}
