package rename

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// lock keeps deploys of the old app out, as a deploy does.
func (r *Rename) lock(ctx context.Context, resumed bool) (unlock func(), err error) {
	name := app.DeployLock(r.Host.Paths(), r.Dokku, r.From)
	if _, err := r.Host.Lstat(filepath.Dir(name)); errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil // destroyed already
	}
	l := host.NewLock(name, 0o644)
	_, statErr := r.Host.Lstat(name)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ok, err := l.TryLockContext(ctx, 100*time.Millisecond)
	switch {
	case errors.Is(err, context.DeadlineExceeded), err == nil && !ok:
		return nil, say.Hint(fmt.Errorf("%s is being deployed", r.From), "Try again when it is done.")
	case err != nil:
		return nil, fmt.Errorf("the deploy lock of %s cannot be taken: %w", r.From, err)
	case statErr == nil && !resumed:
		_ = l.Unlock()
		return nil, say.Hint(fmt.Errorf("deploys of %s are locked", r.From), "%s, if it may be renamed.", say.Command("dokku apps:unlock", r.From))
	}
	return func() {
		_ = r.Host.Remove(name) // Dokku takes the file's being there for a lock
		_ = l.Unlock()
	}, nil
}
