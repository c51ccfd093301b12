package scenarios

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"upgrade-guard/src/host"
)

// stage is what was in force at one point of a story.
type stage struct {
	name     string
	settings map[string]string
}

var stages = map[string][]stage{}

// cmdStage notes what is in force now, and who answers where.
func cmdStage(ts *testscript.TestScript, _ bool, args []string) {
	work := ts.Getenv("WORK")
	now := settings(ts)
	asked := now
	if list := stages[work]; len(list) > 0 {
		asked = list[0].settings
	}
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		if name, domain, ok := strings.Cut(key, " domain "); ok {
			answer, _ := realHost{}.Served(domain, name)
			now[name+" site "+domain] = answer
		}
	}
	// What is read out of the files is one thing, and what Dokku makes of them another.
	for name := range scoped(now) {
		for _, variable := range strings.Fields((realHost{}).Ask("config:keys", name)) {
			if ownVariable.MatchString(variable) {
				now[name+" key "+variable] = "yes"
			}
		}
	}
	stages[work] = append(stages[work], stage{strings.Join(args, " "), now})
	lost, first := 0, stages[work][0].settings
	for key, was := range first {
		if now[key] != was {
			lost++
		}
	}
	ts.Logf("stage %s: %d of %d not as at the first", strings.Join(args, " "), lost, len(first))
}

// ownVariable are the variables of the prepared apps: Dokku's own are settings, whose places
// change.
var ownVariable = regexp.MustCompile(`^(API_TOKEN|NAME|QUOTE)$`)

// scoped are the apps that settings are of.
func scoped(settings map[string]string) map[string]bool {
	names := map[string]bool{}
	for key := range settings {
		if name, _, _ := strings.Cut(key, " "); name != host.GlobalScope {
			names[name] = true
		}
	}
	return names
}

// kinds of settings, in the words of the table; the first that fits.
var settingKinds = []struct {
	name string
	key  *regexp.Regexp
}{
	{"sites answer", regexp.MustCompile(`^\S+ site `)},
	{"scale", regexp.MustCompile(`^\S+ scale `)},
	{"domains", regexp.MustCompile(`^\S+ domains?\b`)},
	{"ports, proxy", regexp.MustCompile(`^\S+ (port|proxy|published) `)},
	{"variables", regexp.MustCompile(`^\S+ variable `)},
	{"config:keys", regexp.MustCompile(`^\S+ key `)},
	{"docker options", regexp.MustCompile(`^\S+ (docker option|restart policy)`)},
	{"mounts", regexp.MustCompile(`^\S+ mount `)},
	{"checks", regexp.MustCompile(`^\S+ checks/`)},
	{"nginx properties", regexp.MustCompile(`^\S+ property lib/config/nginx/`)},
	{"certificates", regexp.MustCompile(`^\S+ certificate`)},
	{"letsencrypt", regexp.MustCompile(`^\S+ letsencrypt `)},
	{"others", regexp.MustCompile(``)},
}

// cmdStages prints how many settings of each kind are at each stage as they were at the
// first, and which are not.
func cmdStages(ts *testscript.TestScript, _ bool, _ []string) {
	list := stages[ts.Getenv("WORK")]
	rows := make([][]int, len(settingKinds)+1)
	for i := range rows {
		rows[i] = make([]int, len(list))
	}
	var lost []string
	for _, key := range slices.Sorted(maps.Keys(list[0].settings)) {
		kind := 0
		for !settingKinds[kind].key.MatchString(key) {
			kind++
		}
		was := list[0].settings[key]
		for i, s := range list {
			if s.settings[key] == was {
				rows[kind][i]++
				continue
			}
			rows[len(settingKinds)][i]++
			lost = append(lost, fmt.Sprintf("%s: %s was %q and is %q", s.name, key, was, s.settings[key]))
		}
	}
	var out strings.Builder
	line := func(name string, cells []string) {
		fmt.Fprintf(&out, "%-18s", name)
		for i, c := range cells {
			fmt.Fprintf(&out, " %*s", max(len(list[i].name), 4), c)
		}
		out.WriteString("\n")
	}
	var names []string
	for _, s := range list {
		names = append(names, s.name)
	}
	line("", names)
	for i, row := range rows {
		var cells []string
		for _, n := range row {
			cells = append(cells, fmt.Sprint(n))
		}
		if i < len(settingKinds) {
			line(settingKinds[i].name, cells)
		} else {
			line("lost", cells)
		}
	}
	slices.Sort(lost)
	ts.Logf("%s%s", out.String(), strings.Join(lost, "\n"))
}
