package guard

import (
	"context"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/snapshot"
)

// What is read to be recorded.

// read reads the host, or some of its apps, for what may be recorded.
func (g *Guard) read(ctx context.Context, what app.What) (*app.Files, error) {
	begun := g.Store.Next()
	files, err := app.Capture(ctx, g.Host, what)
	if err == nil {
		files.Time = begun
	}
	return files, err
}

// recordApp reads an app, without the lock: docker may be slow, and another app's deploy must
// not wait for it. Then the lock is taken, and what was read is stored. Where somebody else has
// stored the app's live snapshot meanwhile, that may be of what is newer: then the app is read
// again. After three times what was read last is stored.
func (g *Guard) recordApp(ctx context.Context, name string, wait time.Duration, read func(again bool) (*app.Files, error), store func(*app.Files) error) error {
	for try := 1; ; try++ {
		was := g.Store.LiveFile(name)
		files, err := read(try > 1)
		if err != nil {
			return err
		}
		overtaken := false
		err = g.locked(ctx, wait, func() error {
			if overtaken = try < 3 && !snapshot.SameFile(was, g.Store.LiveFile(name)); overtaken {
				return nil
			}
			return store(files)
		})
		if !overtaken {
			return err
		}
	}
}
