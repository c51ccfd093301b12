package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// The readers of this package know where the versions up to NewestKnown keep a thing.
// Where a later one keeps it only its own commands know: so of such a version what the
// readers make of the files is held to what the commands print
// (docs/dokku-versions.md#what-dokkus-own-commands-say).

// Disagreement is something of an app, or of the host, of which a command of Dokku's
// says something else than the readers do, or nothing that can be read.
type Disagreement struct {
	Part    Part
	Command string // ps:scale
	// Says is what the command says, Reads what the readers do.
	Says, Reads string
	// Error says why it is not known what the command says.
	Error string
}

func (d Disagreement) String() string {
	if d.Error != "" {
		return fmt.Sprintf("Dokku's own %s gives no answer that this release can read (%s)", d.Command, d.Error)
	}
	return fmt.Sprintf("Dokku's own %s says %s where upgrade-guard reads %s", d.Command, orNone(d.Says), orNone(d.Reads))
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// question is one thing that a command is asked.
type question struct {
	part Part
	// command takes the app, and prints the value of flag alone where there is one;
	// without an app it prints those of all apps, a line each.
	command, flag string
	// reads is what the readers make of it; says what a command's output does, and
	// whether it is anything of the kind. What is not is never shown.
	reads func(f *Files, s State) string
	says  func(output string) (string, bool)
}

var questions = []question{
	{PartScale, "ps:scale", "", scaleByReaders, scaleByDokku},
	{PartDomains, "domains:report", "--domains-app-enabled", func(_ *Files, s State) string { return strconv.FormatBool(!s.Domains.Disabled) }, yesOrNo},
	{PartDomains, "domains:report", "--domains-app-vhosts", func(_ *Files, s State) string { return sorted(s.Domains.Names) }, words(domainWord)},
	{PartPorts, "ports:report", "--ports-map", func(_ *Files, s State) string { return sorted(s.Ports.Map) }, words(portWord)},
	{PartCertificate, "certs:report", "--ssl-enabled", certificateByReaders, yesOrNo},
}

// questionsOfHost are asked of what belongs to no app.
var questionsOfHost = []question{
	{PartDomains, "domains:report", "--domains-global-vhosts", func(f *Files, _ State) string { return sorted(globalDomains(f)) }, words(domainWord)},
}

var (
	domainWord = pattern.Of(`^[0-9A-Za-z_.*-]+$`)
	portWord   = pattern.Of(`^[a-z]{1,20}:[0-9]{1,5}:[0-9]{1,5}$`)
	// scaleSaid is a line of ps:scale: with marks and a heading on a terminal, without
	// them in a script.
	scaleSaid    = pattern.Of(`^(?:-----> *)?([A-Za-z0-9_-]+): +([0-9]{1,9})$`)
	scaleHeading = pattern.Of(`^(?:-----> *)?(?:Scaling for .*|proctype: +qty|-+: +-+)$`)
)

func sorted(list []string) string {
	list = strings.Fields(strings.Join(list, " "))
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

func words(of pattern.Pattern) func(string) (string, bool) {
	return func(output string) (string, bool) {
		list := strings.Fields(output)
		return sorted(list), !slices.ContainsFunc(list, func(w string) bool { return !of().MatchString(w) })
	}
}

func yesOrNo(output string) (string, bool) {
	text := strings.TrimSpace(output)
	return text, text == "true" || text == "false"
}

// scaleByReaders is the scale as ps:scale has it: with the types that the last deploy
// has taken out, which Dokku keeps apart until the next has come to its end.
func scaleByReaders(f *Files, s State) string {
	lines := strings.Fields(s.EffectiveScale().String())
	if t, ok := property(f, "ps", s.Name, "scale.old"); ok {
		for _, p := range parseScaleList(t).Processes {
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, p.Type+"=") }) {
				lines = append(lines, p.Type+"="+strconv.Itoa(p.Quantity))
			}
		}
	}
	return sorted(lines)
}

func scaleByDokku(output string) (string, bool) {
	var lines []string
	for _, l := range strings.Split(output, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || scaleHeading().MatchString(l) {
			continue
		}
		m := scaleSaid().FindStringSubmatch(l)
		if m == nil {
			return "", false
		}
		n, _ := strconv.Atoi(m[2])
		lines = append(lines, m[1]+"="+strconv.Itoa(n))
	}
	return sorted(lines), true
}

// certificateByReaders tells whether there is a certificate with a key: that they are
// any good is no question of Dokku's.
func certificateByReaders(f *Files, s State) string {
	_, crt := f.Served(s.Name)
	_, key := f.TLS(s.Name, "server.key")
	return strconv.FormatBool(crt && key)
}

// globalDomains are the host's; where none of them is a host name Dokku says that there
// are none.
func globalDomains(f *Files) []string {
	names := f.Lines("root/VHOST")
	if !anyHostName(f.Dokku, names) {
		return nil
	}
	return names
}

// asked is what there is to ask of a scope; nothing of a part that the files do not
// hold, of which nobody claims anything.
func asked(f *Files, now Host, scope string) []question {
	list, unknown := questions, now.Apps[scope].Unknown
	if scope == host.GlobalScope {
		list, unknown = questionsOfHost, now.Global.Unknown
	}
	return slices.DeleteFunc(slices.Clone(list), func(q question) bool { return unknown[q.part] != "" })
}

// Reading is all that is asked of a scope, as the readers have it.
func Reading(f *Files, now Host, scope string) string {
	var all []string
	for _, q := range asked(f, now, scope) {
		all = append(all, q.flag+" "+q.reads(f, now.Apps[scope]))
	}
	return strings.Join(all, "\n")
}

// compare holds what a command has printed to what the readers say; nil where they
// agree.
func (q question) compare(f *Files, s State, output string, err error) *Disagreement {
	d := Disagreement{Part: q.part, Command: q.command, Reads: q.reads(f, s)}
	if err != nil {
		d.Error = err.Error()
		return &d
	}
	said, ok := q.says(output)
	switch {
	case said == d.Reads && (ok || said != ""):
		return nil
	case !ok:
		d.Error = "it prints something else than was asked for"
	default:
		d.Says = said
	}
	return &d
}

// askers is how many commands of Dokku's are run at a time, fewApps of how many apps
// each is asked by itself.
const (
	askers  = 4
	fewApps = 2
)

// Ask asks Dokku's own commands about apps, or the host (GlobalScope), and returns
// where they disagree with the readers. One call answers for all apps where Dokku has
// one; what it does not confirm is asked of the app alone before anything is said.
func Ask(ctx context.Context, h host.Host, f *Files, now Host, scopes []string) map[string][]Disagreement {
	type about struct {
		scope   string
		command string
		flag    string
	}
	var mu sync.Mutex
	confirmed := map[about]bool{}
	if len(scopes) > fewApps {
		list, err := host.Dokku(ctx, h, "apps:list")
		names := strings.Fields(list)
		each(questions, func(q question) {
			if q.flag == "" || err != nil {
				return
			}
			output, err := host.Dokku(ctx, h, q.command, q.flag)
			lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
			if err != nil || len(lines) != len(names) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i, name := range names {
				if s, there := now.Apps[name]; there && q.compare(f, s, lines[i], nil) == nil {
					confirmed[about{name, q.command, q.flag}] = true
				}
			}
		})
	}
	type asking struct {
		question
		scope string
	}
	var open []asking
	for _, scope := range scopes {
		for _, q := range asked(f, now, scope) {
			if !confirmed[about{scope, q.command, q.flag}] {
				open = append(open, asking{q, scope})
			}
		}
	}
	found := map[string][]Disagreement{}
	each(open, func(a asking) {
		args := []string{a.command, a.scope}
		if a.flag != "" {
			args = append(args, a.flag)
		}
		output, err := host.Dokku(ctx, h, args...)
		if d := a.compare(f, now.Apps[a.scope], output, err); d != nil {
			mu.Lock()
			defer mu.Unlock()
			found[a.scope] = append(found[a.scope], *d)
		}
	})
	for _, list := range found { // in the order of the questions, whoever answered first
		slices.SortFunc(list, func(a, b Disagreement) int {
			return strings.Compare(string(a.Part)+a.Command+a.Reads, string(b.Part)+b.Command+b.Reads)
		})
	}
	return found
}

// each does something with all of a list, a few at a time. A panic is carried over to
// the goroutine that called: in another it would end whoever called us.
func each[T any](list []T, do func(T)) {
	var g errgroup.Group
	g.SetLimit(askers)
	var panicked atomic.Value
	for _, v := range list {
		g.Go(func() error {
			defer func() {
				if r := recover(); r != nil {
					panicked.Store(fmt.Sprint(r))
				}
			}()
			do(v)
			return nil
		})
	}
	_ = g.Wait()
	if r := panicked.Load(); r != nil {
		panic(r)
	}
}
