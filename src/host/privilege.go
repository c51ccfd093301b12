package host

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"upgrade-guard/src/say"
)

// BecomeDokku gives up root for good. Dokku and dpkg call plugins as root here
// and as the Dokku user there; everything the guard reads and writes belongs to
// the Dokku user, and what root does in directories of another user is a way to
// root (docs/laws.md, law 6). So it is always done as that user, who is in the docker
// group and needs nothing more.
func BecomeDokku(p Paths) error {
	u, err := user.Lookup(p.User)
	if err != nil {
		return say.Hint(fmt.Errorf("there is no user %s on this host", p.User), "Is Dokku installed? Its user may be set with DOKKU_SYSTEM_USER.")
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	if os.Geteuid() == uid {
		return nil
	}
	if os.Geteuid() != 0 {
		return say.Hint(fmt.Errorf("upgrade-guard works as %s", p.User), "Run it through dokku, as root or as %s.", p.User)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return err
	}
	var groups []int
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			groups = append(groups, n)
		}
	}
	if err := syscall.Setgroups(groups); err != nil {
		return err
	}
	if err := syscall.Setgid(gid); err != nil {
		return err
	}
	if err := syscall.Setuid(uid); err != nil {
		return err
	}
	// docker and git look into HOME and stumble over root's.
	for k, v := range map[string]string{"HOME": p.DokkuRoot, "USER": p.User, "LOGNAME": p.User} {
		if err := os.Setenv(k, v); err != nil {
			return err
		}
	}
	if err := os.Unsetenv("TMPDIR"); err != nil { // root's may be closed to us; plugn works there
		return err
	}
	return os.Chdir("/") // the caller's directory may be closed to us
}
