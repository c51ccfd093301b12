package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"upgrade-guard/src/host"
)

// dokkuSays is a host whose dokku answers from a table; what is not in it fails.
type dokkuSays struct {
	host.Host
	answers map[string]string
	mu      sync.Mutex
	asked   []string
}

func (d *dokkuSays) Stream(_ context.Context, use func(io.Reader) error, name string, args ...string) error {
	command := strings.TrimPrefix(strings.Join(args, " "), "--quiet ")
	d.mu.Lock()
	d.asked = append(d.asked, command)
	d.mu.Unlock()
	answer, ok := d.answers[command]
	if name != "dokku" || !ok {
		return errors.New("dokku failed: no such command")
	}
	return use(strings.NewReader(answer))
}

// confirming are the answers of a Dokku that agrees with the readers.
func confirming() map[string]string {
	return map[string]string{
		"ps:scale a": "web: 2\nworker: 0\nold: 0\n", "domains:report a --domains-app-enabled": "true\n", "domains:report a --domains-app-vhosts": "b.test a.test\n",
		"ports:report a --ports-map": "https:443:5000 http:80:5000\n", "certs:report a --ssl-enabled": "true\n",
	}
}

func oneApp(t *testing.T) (*Files, Host) {
	t.Helper()
	f, _ := state(t, "0.39.0", File{Path: "root/a/VHOST", Data: []byte("a.test\nb.test\n")}, File{Path: "lib/config/ps/a/scale", Data: []byte("web=2\nworker=0\n")},
		File{Path: "lib/config/ps/a/scale.old", Data: []byte("web=7\nold=0\n")}, File{Path: "lib/config/ports/a/map", Data: []byte("http:80:5000\nhttps:443:5000\n")},
		File{Path: "root/a/tls/server.crt", Data: []byte("x")}, File{Path: "root/a/tls/server.key", Data: []byte("x")})
	return f, Read(f)
}

func TestAsk(t *testing.T) {
	f, now := oneApp(t)
	for name, c := range map[string]struct {
		command, answer string // "" leaves the command out
		want            string
	}{
		"all as it is read":   {"ps:scale a", "worker: 0\nold: 0\nweb: 2\n", ""},
		"on a terminal":       {"ps:scale a", "-----> Scaling for a\nproctype: qty\n--------: ---\nweb:  2\nworker: 0\nold: 0\n", ""},
		"another scale":       {"ps:scale a", "web: 3\n", "Dokku's own ps:scale says web=3 where upgrade-guard reads old=0 web=2 worker=0"},
		"no scale":            {"ps:scale a", "", "Dokku's own ps:scale gives no answer that this release can read (dokku failed: no such command)"},
		"another format":      {"ps:scale a", "web 2\nworker 0\nold 0\n", "Dokku's own ps:scale gives no answer that this release can read (it prints something else than was asked for)"},
		"another domain":      {"domains:report a --domains-app-vhosts", "c.test\n", "Dokku's own domains:report says c.test where upgrade-guard reads a.test b.test"},
		"no domains":          {"domains:report a --domains-app-vhosts", "\n", "Dokku's own domains:report says none where upgrade-guard reads a.test b.test"},
		"domains disabled":    {"domains:report a --domains-app-enabled", "false\n", "Dokku's own domains:report says false where upgrade-guard reads true"},
		"another map":         {"ports:report a --ports-map", "http:80:5000\n", "Dokku's own ports:report says http:80:5000 where upgrade-guard reads http:80:5000 https:443:5000"},
		"a secret":            {"ports:report a --ports-map", "PASSWORD=hunter2\n", "Dokku's own ports:report gives no answer that this release can read (it prints something else than was asked for)"},
		"no certificate":      {"certs:report a --ssl-enabled", "false\n", "Dokku's own certs:report says false where upgrade-guard reads true"},
		"no yes and no no":    {"certs:report a --ssl-enabled", "\x1b[31mhunter2\n", "Dokku's own certs:report gives no answer that this release can read (it prints something else than was asked for)"},
		"more than is read":   {"certs:report a --ssl-enabled", strings.Repeat("x", 2<<20), "Dokku's own certs:report gives no answer that this release can read (dokku says more than is read)"},
		"a heading it knows ": {"ps:scale a", "Scaling for a\nweb: 2\nworker: 0\nold: 0\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := &dokkuSays{answers: confirming()}
			if d.answers[c.command] = c.answer; c.answer == "" {
				delete(d.answers, c.command)
			}
			var got []string
			for _, found := range Ask(context.Background(), d, f, now, []string{"a"})["a"] {
				got = append(got, found.String())
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("%q, and not %q", got, c.want)
			}
		})
	}
}

// What could not be captured is claimed by nobody, and is not asked about.
func TestAskNotOfWhatIsNotKnown(t *testing.T) {
	f, now := oneApp(t)
	now.Apps["a"] = func(s State) State { s.Unknown = map[Part]string{PartScale: "permission denied"}; return s }(now.Apps["a"])
	d := &dokkuSays{answers: confirming()}
	if found := Ask(context.Background(), d, f, now, []string{"a"}); len(found) > 0 || slices.Contains(d.asked, "ps:scale a") {
		t.Errorf("%v, asked %q", found, d.asked)
	}
}

// Of many apps one call answers for all; what it does not confirm, or that does not
// answer for each, is asked of the app alone.
func TestAskForAll(t *testing.T) {
	const apps = 5
	var files []File
	var names []string
	answers := map[string]string{}
	for i := range apps {
		name := fmt.Sprintf("app-%d", i)
		names = append(names, name)
		files = append(files, File{Path: "root/" + name + "/VHOST", Data: []byte(name + ".test\n")})
		answers["ps:scale "+name] = "\n"
		answers["domains:report "+name+" --domains-app-vhosts"] = name + ".test\n"
		answers["domains:report "+name+" --domains-app-enabled"] = "true\n"
		answers["certs:report "+name+" --ssl-enabled"] = "false\n"
		answers["ports:report "+name+" --ports-map"] = "\n"
	}
	f := NewFiles("0.39.0", names, nil, files)
	now := Read(f)
	answers["apps:list"] = strings.Join(names, "\n") + "\n"
	answers["domains:report --domains-app-vhosts"] = "app-0.test\napp-1.test\nelsewhere.test\napp-3.test\napp-4.test\n"
	answers["domains:report --domains-app-enabled"] = strings.Repeat("true\n", apps)
	answers["certs:report --ssl-enabled"] = strings.Repeat("false\n", apps-1)
	answers["ports:report --ports-map"] = strings.Repeat("\n", apps)

	d := &dokkuSays{answers: answers}
	if found := Ask(context.Background(), d, f, now, names); len(found) > 0 {
		t.Errorf("%v", found)
	}
	count := map[string]int{}
	for _, command := range d.asked {
		plugin, _, _ := strings.Cut(command, " ")
		count[plugin]++
	}
	// One for all and one app by itself; one for all that is too short; one for all.
	if count["domains:report"] != 1+1+1 || count["certs:report"] != 1+apps || count["ports:report"] != 1 || count["ps:scale"] != apps {
		t.Errorf("asked %v: %q", count, d.asked)
	}
}
