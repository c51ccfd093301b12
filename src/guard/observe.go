package guard

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
)

// askingAgain is how long it may take to ask again whoever answered wrongly at once.
const askingAgain = 15 * time.Second

// notAllAsked says of an app that its addresses were too many.
const notAllAsked = "not all of its addresses were asked for: there was no time"

// observe looks at the host, or at some of its apps. Nothing is asked by requests: see
// ask.
func (g *Guard) observe(ctx context.Context, apps ...string) (*Observation, error) {
	return g.observeWhat(ctx, app.What{Apps: apps})
}

// observeWhat is observe, with what else is wanted of the files.
func (g *Guard) observeWhat(ctx context.Context, what app.What) (*Observation, error) {
	what.Needs = true
	counting, end := g.Out.Counting(ctx, "apps read")
	defer end()
	files, err := g.read(counting, what)
	if err != nil {
		return nil, err
	}
	return g.observed(ctx, files, app.Read(files))
}

// observed is what there is to be seen of a host by its files, and by asking nginx.
func (g *Guard) observed(ctx context.Context, files *app.Files, now app.Host) (*Observation, error) {
	o := &Observation{Files: files, Now: now, renaming: g.halves(), locked: map[string]bool{}}
	g.confirm(ctx, o, o.scopes()...)
	if o.Now.DockerMissing != "" {
		o.dockerCommand = g.dockerCommand(o.Now.DockerMissing)
		g.askNginx(ctx, o)
		return o, nil // nothing can be said of what leads to a container
	}
	o.owners = nginx.OwnersOf(o.Now)
	o.routing = nginx.Check(files, o.Now, o.owners)
	for name := range o.routing {
		if o.wrong(name, nginx.Stopped) {
			_, err := g.Host.Lstat(app.DeployLock(g.Host.Paths(), o.Now.Dokku, name))
			o.locked[name] = err == nil
		}
	}
	g.askNginx(ctx, o)
	if o.culprit != "" && !o.wrong(o.culprit, nginx.NoUpstream, nginx.Certificate) { // that is why, else, and it is said
		o.routing[o.culprit] = append(o.routing[o.culprit], nginx.Finding{App: o.culprit, Kind: nginx.Refused, What: "nginx refuses to load its configuration: " + o.refused})
	}
	return o, nil
}

// askNginx asks nginx whether it takes its configuration, where an app has one.
func (g *Guard) askNginx(ctx context.Context, o *Observation) {
	if !slices.ContainsFunc(o.Files.Apps, func(name string) bool { _, has := o.Files.Text(nginx.ConfPath(name)); return has }) {
		return
	}
	if why := g.holdsNginx(o.Files); why != "" {
		o.nginxUnknown = host.ErrNoNginx.Error() + ": " + why
		return
	}
	complaint, err := host.TestNginx(ctx, g.Host)
	if err != nil {
		o.nginxUnknown = err.Error()
		return
	}
	o.tested = true
	o.culprit = nginx.Culprit(complaint, g.Host.Paths().DokkuRoot, o.Files.Apps)
	if o.culprit != "" || !o.Files.Partial { // of another app nothing is said here
		o.refused = complaint
	}
}

// holdsNginx names what nginx would wait for, or read for ever, in reading its
// configuration: an app's owner, or the Dokku user, decides what stands there. "" for nothing.
func (g *Guard) holdsNginx(files *app.Files) string {
	for _, name := range files.Apps {
		for _, f := range slices.Concat(files.Under("root/"+name+"/nginx.conf"), files.Under("root/"+name+"/tls/")) {
			if f.SHA256 != "" || f.Mode.IsDir() {
				continue
			}
			real := app.RealPath(g.Host.Paths(), f.Path)
			switch st, err := g.Host.Stat(real); {
			case err != nil || st.IsDir():
			case !st.Mode().IsRegular():
				return real + " is " + host.Kind(st.Mode())
			case st.Size() > host.MaxFile:
				return real + " is too large"
			}
		}
	}
	return ""
}

// observeAndAsk is observe, and ask.
func (g *Guard) observeAndAsk(ctx context.Context, apps ...string) (*Observation, error) {
	o, err := g.observe(ctx, apps...)
	if err == nil {
		g.ask(ctx, o)
	}
	return o, err
}

// wrong tells whether anything of these kinds, or anything at all, is known to be wrong
// with how an app is served.
func (o *Observation) wrong(name string, kinds ...nginx.Kind) bool {
	return slices.ContainsFunc(o.routing[name], func(f nginx.Finding) bool {
		return len(kinds) == 0 && f.Kind != nginx.Large || slices.Contains(kinds, f.Kind)
	})
}

// ask makes the requests. Whose files are wrong is not asked: nothing is learnt by
// waiting for an address that nobody has.
func (g *Guard) ask(ctx context.Context, o *Observation) {
	o.asked = true
	if o.Now.DockerMissing != "" {
		return
	}
	counting, end := g.Out.Counting(ctx, "addresses asked")
	defer end()
	o.answers = nginx.Ask(counting, g.Host.Dial, g.questions(o, slices.DeleteFunc(slices.Clone(o.Files.Apps), func(name string) bool { return o.wrong(name) })))
	o.unasked = nil
	asked := map[string]int{}
	for _, a := range o.answers {
		if asked[a.App]++; (a.Error == nginx.NotAsked || asked[a.App] == nginx.MaxQuestions) && !slices.Contains(o.unasked, a.App) {
			o.unasked = append(o.unasked, a.App)
		}
	}
	o.judged, o.answered = g.judge(ctx, o), map[string][]nginx.Answer{}
	for _, a := range o.answers {
		o.answered[a.App] = append(o.answered[a.App], a)
	}
}

// judge finds the apps whose files are right and whose answers are not. For a moment
// after a reload nginx's old workers answer too, so whoever answers at once is asked
// again.
func (g *Guard) judge(ctx context.Context, o *Observation) map[string][]nginx.Finding {
	ctx, cancel := context.WithTimeout(ctx, askingAgain)
	defer cancel()
	for n := 0; ; n++ {
		var suspects []string
		found, suspected := map[string][]nginx.Finding{}, map[string]bool{}
		for _, f := range nginx.Judge(o.Now, o.answers) {
			if o.wrong(f.App) {
				continue
			}
			found[f.App] = append(found[f.App], f)
			if !f.Slow && !suspected[f.App] {
				suspected[f.App] = true
				suspects = append(suspects, f.App)
			}
		}
		if len(suspects) == 0 || n == 5 || ctx.Err() != nil {
			return found
		}
		_ = g.Host.Sleep(ctx, 300*time.Millisecond)
		again := nginx.Ask(ctx, g.Host.Dial, g.questions(o, suspects))
		if ctx.Err() != nil {
			return found // not all were asked
		}
		o.answers = append(slices.DeleteFunc(o.answers, func(a nginx.Answer) bool { return suspected[a.App] }), again...)
	}
}

// questions are what there is to ask of these apps, as far as they may be asked.
func (g *Guard) questions(o *Observation, names []string) []nginx.Question {
	var questions []nginx.Question
	for _, name := range names {
		if g.probes(name) {
			questions = append(questions, nginx.Questions(o.Files, o.Now.Apps[name])...)
		}
	}
	return questions
}

// probes tells whether an app may be asked.
func (g *Guard) probes(name string) bool {
	return !g.NoProbe && g.is("probe", name)
}

// dockerCommand is what a person types where docker could not be asked, by what it failed
// with. Debian has the program docker apart from its daemon, from 13 on, and docker's own
// packages have it apart too.
func (g *Guard) dockerCommand(failure string) string {
	if strings.Contains(failure, exec.ErrNotFound.Error()) {
		for _, of := range []struct{ daemon, client string }{{"docker.io", "docker-cli"}, {"docker-ce", "docker-ce-cli"}} {
			if g.hasPackage(of.daemon) && !g.hasPackage(of.client) {
				return "apt-get install " + of.client
			}
		}
	}
	return dockerStatus
}

const dockerStatus = "systemctl status docker"

// hasPackage tells whether dpkg has a package's files.
func (g *Guard) hasPackage(name string) bool {
	_, err := g.Host.Stat("/var/lib/dpkg/info/" + name + ".list")
	return err == nil
}
