package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/host"
)

// An app with a name in Latin-1 is owed something after an upgrade, and the state knows
// which one.
func TestTheStateKeepsAnyName(t *testing.T) {
	s := New(host.NewLocal(host.Paths{LibRoot: t.TempDir()}))
	l := State{Format: format, Unresolved: map[string]Baseline{}, Seeds: map[string]Seed{}, Renamed: map[string]string{}}
	for _, name := range []string{"blog", "caf\xe9", "it's mine", "a\nb"} {
		l.Unresolved[name] = Baseline{Snapshot: "live/" + name}
		l.Seeds["/var/lib/dokku/config/ps/"+name+"/scale"] = Seed{App: name}
		l.Renamed[name] = name
		l.Queue = append(l.Queue, Job{App: name})
	}
	if err := s.Save(l); err != nil {
		t.Fatal(err)
	}
	back, err := s.Read()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, back); diff != "" {
		t.Error(diff)
	}
}
