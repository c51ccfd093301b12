package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/seal"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// A snapshot leaves this host, and one of another host comes in.

// ExportOptions say what leaves.
type ExportOptions struct {
	ID         string   // as restore takes it; "" for the newest
	Apps       []string // those only; all of the snapshot when empty
	WithGit    bool
	Recipients seal.Recipients
}

// Export writes a snapshot to w. Nothing is written before it is known to be whole.
func (g *Guard) Export(ctx context.Context, w io.Writer, o ExportOptions) error {
	id, err := g.leaving(o)
	if err != nil {
		return err
	}
	about := snapshot.About{Guard: g.Version, Host: host.Name(), ID: id, Time: g.Host.Now()}
	if from := g.Store.Origin(id); from != "" {
		about.Host = from // it only passes through here
	}
	m, size, archive, err := g.Store.Packed(id)
	if err != nil {
		return err
	}
	for _, l := range m.Refused {
		g.Out.Trouble("%s", l)
	}
	for _, name := range o.Apps {
		if !slices.Contains(m.Apps, name) {
			return say.Hint(fmt.Errorf("the snapshot %s does not hold %s", id, name), "It holds: %s.", strings.Join(m.Apps, ", "))
		}
	}
	if len(o.Apps) > 0 && !strings.HasPrefix(id, "live/") {
		size = -1
		if m, archive, err = g.Store.PackedOnly(id, o.Apps); err != nil {
			return err
		}
	}
	about.Apps = m.Apps
	var repositories []snapshot.Repository
	if o.WithGit {
		repositories = g.repositories(ctx, id, m.Apps)
	}
	out, err := seal.Encrypt(w, o.Recipients)
	if err != nil {
		return err
	}
	if err := snapshot.Export(out, about, size, archive, repositories); err != nil {
		return say.Hint(fmt.Errorf("the export is cut off: %w", err), "What was written of it cannot be imported. Remove it.")
	}
	// Where this fails the stream has no end, and no import takes it.
	if err := out.Close(); err != nil {
		return err
	}
	g.Out.Step("Exported %s: %s, %s", id, say.Plural(len(m.Apps), "app"), codeOf(len(repositories)))
	if len(o.Recipients) == 0 {
		g.Out.Detail("It is not encrypted, and holds every variable and private key of these apps. To encrypt it: --recipient")
	}
	return nil
}

func codeOf(repositories int) string {
	switch repositories {
	case 0:
		return "without their code (--with-git)"
	case 1:
		return "the repository of 1"
	}
	return fmt.Sprintf("the repositories of %d", repositories)
}

// leaving is the snapshot that is meant.
func (g *Guard) leaving(o ExportOptions) (string, error) {
	switch {
	case o.ID == "live" && len(o.Apps) != 1:
		return "", say.Hint(errors.New("a live snapshot is of one app, and one has to be named"), "dokku upgrade-guard:export live --app my-app")
	case o.ID == "live":
		return g.named(o.ID, o.Apps[0])
	case o.ID == "":
		o.ID = "latest"
	}
	id, err := g.named(o.ID, "")
	if err == nil && id == "latest" {
		return "", say.Hint(errors.New("there is no snapshot"), "To take one: dokku upgrade-guard:snapshot")
	}
	return id, err
}

// repositories are those of apps, as they are now; of a snapshot from elsewhere those that
// came with it. Who has none is named.
func (g *Guard) repositories(ctx context.Context, id string, apps []string) (list []snapshot.Repository) {
	if g.Store.Origin(id) != "" {
		for _, name := range g.Store.Repositories(id) {
			if slices.Contains(apps, name) {
				list = append(list, snapshot.Repository{App: name, Bundle: func(w io.Writer) error { return g.passOn(w, id, name) }})
			}
		}
		return list
	}
	for _, name := range apps {
		if why := g.withoutCode(ctx, name); why != "" {
			g.Out.Trouble("%s: its repository is not exported: %s", name, why)
			continue
		}
		list = append(list, snapshot.Repository{App: name, Bundle: func(w io.Writer) error {
			return g.Host.Stream(ctx, func(r io.Reader) error {
				_, err := io.Copy(w, r)
				return err
			}, "git", "--git-dir="+g.Host.Paths().App(name), "bundle", "create", "-", "--all")
		}})
	}
	return list
}

// withoutCode says why an app has no repository that can travel; "" where it has one.
func (g *Guard) withoutCode(ctx context.Context, name string) string {
	if !snapshot.Travels(name) {
		return "its name is too long, or none that Dokku takes"
	}
	dir := g.Host.Paths().App(name)
	if _, err := g.Host.Stat(dir + "/HEAD"); errors.Is(err, fs.ErrNotExist) {
		return "it has none"
	}
	if _, err := g.Host.Stat(dir + "/shallow"); err == nil {
		return "it is a part of one only (shallow)"
	}
	// git bundle refuses one without a commit, when the export is half written.
	out, err := g.Host.Run(ctx, "git", "--git-dir="+dir, "rev-list", "-n", "1", "--all")
	switch {
	case err != nil:
		return say.Line(err)
	case strings.TrimSpace(string(out)) == "":
		return "nothing was ever pushed to it"
	}
	return ""
}

func (g *Guard) passOn(w io.Writer, id, name string) error {
	file, err := g.Store.Repository(id, name)
	if err != nil {
		return err
	}
	f, err := g.Host.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// Import keeps what comes in, once all of it was checked. identity is a file of private
// keys, "" for none.
func (g *Guard) Import(ctx context.Context, r io.Reader, identity string) (id string, err error) {
	var keys []byte
	if identity != "" {
		if keys, err = g.Host.ReadFile(identity); err != nil {
			return "", say.Hint(fmt.Errorf("--identity cannot be read: %w", err), "It is read as the Dokku user. Or decrypt it before: age -d -i FILE < file | dokku upgrade-guard:import")
		}
	}
	release, err := state.LockIncoming(ctx, g.Host)
	if err != nil {
		return "", err
	}
	defer release()
	a, err := g.receive(ctx, r, keys)
	if err != nil {
		return "", errors.Join(notKept(err), g.Store.Discard())
	}
	defer func() { err = errors.Join(err, g.Store.Discard()) }()
	var e snapshot.Entry
	known := false
	if err := g.locked(ctx, lockTimeout, func() (err error) {
		e, known, err = g.Store.Keep(a)
		return err
	}); err != nil {
		return "", notKept(err)
	}
	if known {
		g.Out.Step("It is here already: %s", e.ID)
		return e.ID, nil
	}
	for _, l := range fewOf(append(slices.Clone(a.Manifest.Incomplete), a.Manifest.Refused...)) {
		g.Out.Trouble("%s", l)
	}
	from := g.Store.Origin(e.ID)
	g.Out.Step("Snapshot %s of %s from %s kept, %s", e.ID, say.Plural(len(a.Manifest.Apps), "app"), from, cameWith(len(a.About.Repositories)))
	g.Out.Detail("It counts for no upgrade of this host, and is kept until you delete it")
	g.Out.Detail("To see what is in it: %s", say.Command("dokku upgrade-guard:show", e.ID))
	return e.ID, nil
}

// fewOf are the first of many sentences: whoever has made a snapshot says how many it has.
func fewOf(lines []string) []string {
	const few = 25
	if len(lines) <= few {
		return lines
	}
	return append(slices.Clone(lines[:few]), fmt.Sprintf("and %d more like these", len(lines)-few))
}

func cameWith(repositories int) string {
	if repositories == 0 {
		return "without code"
	}
	return "with the code of " + say.Plural(repositories, "app")
}

func notKept(err error) error { return fmt.Errorf("nothing of it is kept: %w", err) }

// receive reads what comes in. Whoever sends it may never end: an interrupt ends it.
func (g *Guard) receive(ctx context.Context, r io.Reader, keys []byte) (*snapshot.Arrival, error) {
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() {
		_, err := io.Copy(pw, r)
		pw.CloseWithError(err)
	}()
	defer context.AfterFunc(ctx, func() { pw.CloseWithError(errors.New("interrupted")) })()
	plain, err := seal.Decrypt(pr, keys)
	if err != nil {
		return nil, err
	}
	return g.Store.Receive(plain)
}
