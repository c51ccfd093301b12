package hazard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// Holds tells whether there is anything to hold of an environment that Dokku has written:
// something held already, or set just now.
func Holds(h host.Host, scope, operation string, names []string) bool {
	files := app.EnvFiles(h, scope)
	return app.ReadsAnew(files.Dokku) && app.Known(files.Dokku) && (len(heldOf(files, scope).Values) > 0 || len(justSet(files, scope, operation, names)) > 0)
}

// justSet are those of the variables set just now that Dokku does not read back. Numbers
// are past finding out.
func justSet(files *app.Files, scope, operation string, names []string) map[string]string {
	if operation != "set" || len(names) == 0 {
		return nil
	}
	text, _ := files.Text(files.EnvPath(scope))
	written, err := app.WrittenEnv(text)
	set := map[string]string{}
	for _, name := range names {
		if value, there := written[name]; err == nil && there && strings.Contains("\n"+text, "\n"+app.WrittenLine(name, value)+"\n") {
			set[name] = value
		}
	}
	unkept := app.Unkept(set, files.Dokku)
	maps.DeleteFunc(set, func(name, _ string) bool { return !slices.Contains(unkept, name) })
	return set
}

// HoldRenamed puts in again what Dokku's own apps:rename has spoilt by writing the old
// app's environment for the new one.
func HoldRenamed(ctx context.Context, h host.Host, from, to string) error {
	old := app.EnvFiles(h, from)
	values, err := old.Environment(from)
	held := heldOf(old, from) // which holds what is in no environment, too
	if names := app.Unkept(values, old.Dokku); err == nil && len(names)+len(held.Values) > 0 {
		if err := h.Write(HeldPath(h.Paths(), to), 0o600, held.with(false, values, names...)); err != nil {
			return err
		}
	}
	return Hold(ctx, h, to, "rename")
}

// DropHeld forgets what is held of an app that was destroyed: a new one of its name has
// no past.
func DropHeld(h host.Host, name string) error { return h.Remove(HeldPath(h.Paths(), name)) }

// PutBack is the step that puts in again what is set aside; nil where nothing is.
func PutBack(c Context, scope string) *plan.Step {
	if heldOf(c.Files, scope).Aside {
		for _, f := range detectValues(c, scope, false) {
			return f.Step
		}
	}
	return nil
}

// Hold is called when Dokku has written an environment: the variables that it does not
// keep are put in again as they were. Those that were set or unset just now are as they
// were set.
func Hold(ctx context.Context, h host.Host, scope, operation string, names ...string) error {
	if !Holds(h, scope, operation, names) {
		return nil
	}
	path, p := HeldPath(h.Paths(), scope), h.Paths()
	files := app.EnvFiles(h, scope)
	held, set := heldOf(files, scope), justSet(files, scope, operation, names)
	if held.Aside {
		return nil // Dokku's installation writes it, and it is not through
	}
	maps.DeleteFunc(held.Values, func(name string, _ []byte) bool { return operation == "clear" || slices.Contains(names, name) })
	if len(held.Values)+len(set) == 0 {
		return h.Remove(path)
	}
	if err := h.Write(path, 0o600, held.with(false, set, slices.Collect(maps.Keys(set))...)); err != nil {
		return err
	}
	files = app.EnvFiles(h, scope)
	c := Context{Paths: p, To: files.Dokku, Files: files, Old: func() *app.Files { return nil }}
	for _, f := range detectValues(c, scope, false) {
		if f.Step != nil {
			if err := h.Write(f.Step.Path, 0o600, f.Step.Data); err != nil {
				return err
			}
			return f.Step.Do(ctx, h)
		}
	}
	return nil
}

// KeptOut are the variables of a scope that are in no environment, because the Dokku of
// these files reads them in no form or was being installed: our property alone has them.
func KeptOut(f *app.Files, scope string) map[string]string {
	held, out := heldOf(f, scope), map[string]string{}
	values, err := f.Environment(scope)
	if err != nil {
		return out // what is there is not known
	}
	for name, value := range held.Values {
		if _, there := values[name]; !there && (held.Aside || !app.Writable(name, string(value), f.Dokku)) {
			out[name] = string(value)
		}
	}
	return out
}

// HoldRestored is the step of a restore that gives a scope an environment: first what Dokku
// does not keep of it is held, then the file is written. The other way round a restore that
// is killed in between would have nothing left to do, and the next config:set spoil them.
// text is what the step says, file is nil where the environment's file is as it should be.
func HoldRestored(s Subject, text string, file *plan.Step, values map[string]string) *plan.Step {
	path, names := HeldPath(s.Paths, s.Now.Name), app.Unkept(values, s.Now.Dokku)
	was := s.Digest(path)
	if len(names) == 0 && was == "" {
		return file
	}
	held := &plan.Step{
		Mark: plan.Change, Text: text,
		Path: path, Mode: 0o600, Data: heldEnv{}.with(false, values, names...), Was: was,
	}
	switch {
	case file == nil && app.Digest(held.Data) == was:
		return nil
	case file != nil:
		held.Mark = file.Mark
		held.Do = func(_ context.Context, h host.Host) error {
			return plan.Put(h, file.Path, file.Mode, file.Data, file.Was)
		}
	}
	return held
}

// holdFirst notes what Dokku is about to spoil by writing an environment.
func holdFirst(h host.Host, scope string) error {
	files := app.EnvFiles(h, scope)
	if !app.ReadsAnew(files.Dokku) {
		return nil
	}
	values, err := files.Environment(scope)
	if err != nil {
		return fmt.Errorf("the environment of %s %w", host.Place(scope), err)
	}
	held := heldOf(files, scope)
	names := app.Unkept(values, files.Dokku)
	if len(names) == 0 {
		return nil
	}
	return h.Write(HeldPath(h.Paths(), scope), 0o600, held.with(held.Aside, values, names...))
}

// Config is a call of Dokku's own config command, which alone knows where and how this
// version keeps an environment. It writes the whole of it anew, so what it does not keep
// is put in again.
func Config(ctx context.Context, h host.Host, command string, args ...string) error {
	scope, names := host.GlobalScope, []string(nil)
	for _, a := range args {
		switch name, _, _ := strings.Cut(a, "="); {
		case a == "--no-restart" || a == host.GlobalScope:
		case scope == host.GlobalScope && !slices.Contains(args, host.GlobalScope):
			scope = a
		default:
			names = append(names, name)
		}
	}
	if err := holdFirst(h, scope); err != nil {
		return err
	}
	_, err := h.Run(ctx, "dokku", append([]string{"--quiet", command}, args...)...)
	return errors.Join(err, Hold(ctx, h, scope, "set", names...))
}

// config is Config as a step does it.
func config(command string, args ...string) func(context.Context, host.Host) error {
	return func(ctx context.Context, h host.Host) error { return Config(ctx, h, command, args...) }
}
