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

// deployLockTimeout is how long a deploy is waited for that is about to end.
const deployLockTimeout = 5 * time.Second

// lock keeps deploys of the old app out, as a deploy does.
func (r *Rename) lock(ctx context.Context, resumed bool) (unlock func(), err error) {
	name := app.DeployLock(r.Host.Paths(), r.Dokku, r.From)
	if _, err := r.Host.Lstat(filepath.Dir(name)); errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil // destroyed already
	}
	_, statErr := r.Host.Lstat(name)
	release, err := r.Host.Lock(ctx, name, 0o644, deployLockTimeout)
	switch {
	case errors.Is(err, host.ErrLocked):
		return nil, say.Hint(fmt.Errorf("%s is being deployed", r.From), "Try again when it is done.")
	case err != nil:
		return nil, fmt.Errorf("the deploy lock of %s cannot be taken: %w", r.From, err)
	case statErr == nil && !resumed:
		release()
		return nil, say.Hint(fmt.Errorf("deploys of %s are locked", r.From), "%s, if it may be renamed.", say.Command("dokku apps:unlock", r.From))
	}
	return func() {
		_ = r.Host.Remove(name) // Dokku takes the file's being there for a lock
		release()
	}, nil
}
