package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

const notAllAsked = "not all of its addresses were asked for: there was no time"

// askingAgain is how long it may take to ask again whoever answered wrongly at once.
const askingAgain = 15 * time.Second

// routes is how the apps are served at one moment.
type routes struct {
	files    *app.Files
	now      app.Host
	troubles []nginx.Trouble
	answers  []nginx.Answer
	// foreign is nginx's complaint about a file that is no app's.
	foreign string
	// unknown says why nginx could not be asked.
	unknown string
	// unasked are the apps that have more addresses than there was time to ask for.
	unasked []string

	guard    *Guard
	verdicts map[string]hazard.Verdict // by app, as far as they were asked for
	sides    map[string]*hazard.Side   // and what they go by
}

// routes looks at how nginx serves the apps: by its files, by its own judgement,
// and by asking. The configurations of apps in unbuilt are also held to their
// domains and ports where a template of their own may have its reasons.
func (g *Guard) routes(ctx context.Context, files *app.Files, unbuilt []string) routes {
	r := routes{files: files, now: app.Read(files), guard: g, verdicts: map[string]hazard.Verdict{}, sides: map[string]*hazard.Side{}}
	if r.now.DockerMissing != "" {
		return r // report and check say so
	}
	r.troubles = nginx.Check(files, r.now)
	for _, name := range unbuilt {
		s := r.now.Apps[name]
		if byNginx, _ := s.Proxy.ByNginx(); byNginx && s.Deployed() && s.EffectiveScale().Of("web") > 0 && !r.has(name) && !nginx.Serves(files, s) {
			r.troubles = append(r.troubles, nginx.Trouble{App: name, Kind: nginx.Names, What: "its nginx configuration does not have all of its domains and ports"})
		}
	}
	if slices.ContainsFunc(files.Apps, func(name string) bool { _, has := files.Text(nginx.ConfPath(name)); return has }) {
		complaint, err := host.TestNginx(ctx, g.Host)
		switch culprit := nginx.Culprit(complaint, g.Host.Paths().DokkuRoot, files.Apps); {
		case err != nil:
			r.unknown = err.Error()
		case r.has(culprit, nginx.NoUpstream, nginx.Certificate):
			// That is why, and it is said already.
		case culprit != "":
			r.troubles = append(r.troubles, nginx.Trouble{App: culprit, Kind: nginx.Breaks, What: "nginx refuses to load its configuration: " + complaint})
		default:
			r.foreign = complaint
		}
	}
	// Whose files are wrong is not asked: nothing is learnt by waiting for an
	// address that nobody has.
	r.answers = g.ask(ctx, r.questions(g, slices.DeleteFunc(slices.Clone(files.Apps), r.wrong)))
	asked := map[string]int{}
	for _, a := range r.answers {
		if asked[a.App]++; (a.Error == nginx.NotAsked || asked[a.App] == nginx.MaxQuestions) && !slices.Contains(r.unasked, a.App) {
			r.unasked = append(r.unasked, a.App)
		}
	}
	r.troubles = append(r.troubles, r.judged(ctx, g)...)
	r.troubles = slices.DeleteFunc(r.troubles, func(t nginx.Trouble) bool { return g.halfRenamed(t.App) })
	return r
}

// judged are the apps whose files are right and whose answers are not. For a
// moment after a reload nginx's old workers answer too, so whoever answers at
// once is asked again.
func (r *routes) judged(ctx context.Context, g *Guard) []nginx.Trouble {
	ctx, cancel := context.WithTimeout(ctx, askingAgain)
	defer cancel()
	for n := 0; ; n++ {
		var suspects []string
		found := slices.DeleteFunc(nginx.Judge(r.now, r.answers), func(t nginx.Trouble) bool { return r.wrong(t.App) })
		for _, t := range found {
			if !t.Slow && !slices.Contains(suspects, t.App) {
				suspects = append(suspects, t.App)
			}
		}
		if len(suspects) == 0 || n == 5 || ctx.Err() != nil {
			return found
		}
		_ = g.Host.Sleep(ctx, 300*time.Millisecond)
		again := g.ask(ctx, r.questions(g, suspects))
		if ctx.Err() != nil {
			return found // not all were asked
		}
		r.answers = append(slices.DeleteFunc(r.answers, func(a nginx.Answer) bool { return slices.Contains(suspects, a.App) }), again...)
	}
}

// has tells whether anything is wrong with an app.
func (r routes) has(name string, kinds ...nginx.Kind) bool {
	return slices.ContainsFunc(r.troubles, func(t nginx.Trouble) bool {
		return t.App == name && (len(kinds) == 0 || slices.Contains(kinds, t.Kind))
	})
}

// wrong tells whether anything is known to be wrong with an app.
func (r routes) wrong(name string) bool {
	return slices.ContainsFunc(r.troubles, func(t nginx.Trouble) bool { return t.App == name && t.Kind != nginx.Large })
}

// apps are those with whom something of these kinds is wrong, in the order in
// which it was found.
func (r routes) apps(kinds ...nginx.Kind) []string {
	var names []string
	for _, t := range r.troubles {
		if slices.Contains(kinds, t.Kind) && !slices.Contains(names, t.App) {
			names = append(names, t.App)
		}
	}
	return names
}

// built are the troubles that a build by Dokku may end. Those of an app whose
// file keeps nginx from loading any come first: until then no build is loaded.
var built = []nginx.Kind{nginx.Breaks, nginx.Unreadable, nginx.Roots, nginx.NoUpstream, nginx.Certificate, nginx.Foreign, nginx.NoConfig,
	nginx.Refuses, nginx.Dead, nginx.LeftOut, nginx.Names, nginx.Ours, nginx.Aside}

// unserved are those of them that a stop-gap ends as well: all but the names.
var unserved = slices.DeleteFunc(slices.Clone(built), func(k nginx.Kind) bool { return k == nginx.Names })

// consequences say what comes of a trouble.
var consequences = map[nginx.Kind]string{
	nginx.Foreign:     "Its visitors see the other app.",
	nginx.Breaks:      "Until it is mended no change of any app takes effect, and nginx would not start again.",
	nginx.Roots:       "Whether it serves the app cannot be told; a build by Dokku makes it Dokku's own again.",
	nginx.Large:       "Whether it serves the app cannot be told.",
	nginx.Unreadable:  "nginx would not load it, nor any other.",
	nginx.NoUpstream:  "nginx does not load it, nor any change of any app.",
	nginx.Certificate: "nginx does not load it, nor any change of any app.",
	nginx.NoConfig:    "Its domains are answered by whichever app comes first, or by none.",
	nginx.Refuses:     "Its visitors get an error.",
	nginx.Dead:        "Requests fail or wait there, and another app may come to have the address.",
	nginx.LeftOut:     "The others do its work.",
	nginx.Silent:      "Its visitors get an error.",
	nginx.Open:        "Who can reach this host can reach the app. The command takes the configuration away.",
}

// What is done, in words.
const (
	textBuild   = "nginx configuration, built by Dokku"
	textStart   = "its containers, started again"
	textAside   = "nginx configuration, set aside"
	textStopGap = "nginx upstream, a stop-gap from its containers' addresses"
)

// alive tells whether there is anything to route to.
func (r routes) alive(name string) bool {
	s := r.now.Apps[name]
	return s.Proxy.StaticListener != "" || slices.ContainsFunc(s.Web(), func(c app.Container) bool { return c.Running })
}

// unbuildable tells that Dokku would not build the app's configuration: from 0.25
// on it stops at an app without a scale, and up to 0.37 it deletes the
// configuration of an app without a running web container.
func (r routes) unbuildable(name string) bool {
	s := r.now.Apps[name]
	return !r.alive(name) || s.EffectiveScale().Empty() && !app.ScaleInFile(s.Dokku)
}

// probes tells whether an app may be asked.
func (g *Guard) probes(name string) bool {
	return g.appProperty(name, "probe", "true") == "true"
}

// questions are what there is to ask of these apps, as far as they may be asked.
func (r *routes) questions(g *Guard, names []string) []nginx.Question {
	var questions []nginx.Question
	for _, name := range names {
		if g.probes(name) {
			questions = append(questions, nginx.Questions(r.files, r.now.Apps[name])...)
		}
	}
	return questions
}

func (g *Guard) ask(ctx context.Context, questions []nginx.Question) []nginx.Answer {
	return nginx.Ask(ctx, g.Host.Dial, questions)
}

// addAnswers puts what the apps answer now among the files of a snapshot.
func (g *Guard) addAnswers(ctx context.Context, files *app.Files) {
	r := routes{files: files, now: app.Read(files)}
	answers := g.ask(ctx, r.questions(g, files.Apps))
	if data, err := nginx.Encode(answers); err == nil && len(answers) > 0 {
		files.AddFact(nginx.Facts, data)
	}
}

// worse are the apps that answered when a snapshot was taken and do not now.
func (g *Guard) worse(id string, answers []nginx.Answer) []hazard.Finding {
	if id == "" || len(answers) == 0 {
		return nil
	}
	data, err := g.Store.File(id, nginx.Facts)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			g.Out.Error(err)
		}
		return nil // from before there were such, or nobody answered
	}
	var found []hazard.Finding
	worse := nginx.Worse(nginx.Decode(data), answers)
	for _, name := range slices.Sorted(maps.Keys(worse)) {
		found = append(found, hazard.Finding{
			App: name, Hazard: hazard.Nginx, Note: true, What: strings.Join(worse[name], "; "),
			Consequence: fmt.Sprintf("See %s and %s.", say.Command("dokku logs", name), say.Command("dokku nginx:error-logs", name)),
		})
	}
	return found
}

// Routes sees to it that nginx serves every app from the app's own containers,
// outside of an upgrade of Dokku: after one of docker or nginx, and whenever
// addresses may have changed. It does nothing, and says nothing, where all is
// well.
//
// It does not hold the store's lock while Dokku builds: deploys wait for that.
func (g *Guard) Routes(ctx context.Context) error {
	disk, stamp, err := g.versions()
	if err != nil {
		return err
	}
	if stamp != "" && stamp != disk { // the whole work is owed
		return g.locked(ctx, patience, func() error { return g.postUpgrade(ctx, stamp, disk) })
	}
	files, err := app.Capture(ctx, g.Host, app.What{})
	if err != nil {
		return err
	}
	if missing := app.Read(files).DockerMissing; missing != "" {
		return say.Hint(fmt.Errorf("nothing is known of the containers: %s", missing), "When docker runs again: dokku upgrade-guard:apply")
	}
	r := g.routes(ctx, files, g.unbuilt())
	if !r.toMend() {
		return nil
	}
	if !g.autoApply() {
		g.Out.Title("nginx: auto-apply is off, nothing is changed")
		steps, waiting := split(r.findings())
		steps.Print(g.Out)
		g.printWaiting(waiting)
		g.Out.Detail("To do this: dokku upgrade-guard:apply")
		return nil
	}
	journal := plan.NewJournal(g.Host, hazard.Nginx)
	r, failure := g.serve(ctx, r, journal)
	g.printWaiting(onlyWaiting(r.findings()))
	return errors.Join(failure, g.locked(ctx, patience, func() error {
		ledger, err := g.ledger()
		if err != nil {
			return err
		}
		if failure == nil {
			ledger.Unbuilt = nil
		}
		ledger.Runs = journal.AddTo(ledger.Runs)
		if n := len(ledger.Runs); n > runsTold {
			ledger.Runs = slices.Clone(ledger.Runs[n-runsTold:])
		}
		return g.Store.SaveLedger(ledger)
	}))
}

// runsTold is how many runs since the last upgrade the report tells of.
const runsTold = 20

// AfterDocker is Routes where docker has been started since it was last called.
// Docker tells nobody; but it writes its process id anew, and Dokku's timer, which
// runs every five minutes, sees the file's time (hook/dokkurc). While Dokku itself
// restarts the apps, which up to 0.37 takes every nginx.conf away first, it is left
// for the next time.
func (g *Guard) AfterDocker(ctx context.Context) error {
	docker, err := g.Host.Stat(dockerPID)
	if err != nil {
		return nil
	}
	seen := g.Host.Paths().Data("routes")
	st, err := g.Host.Stat(seen)
	// What is dated ahead of now was written under a wrong clock, and says nothing.
	known := err == nil && !st.ModTime().After(g.Host.Now().Add(time.Minute))
	if known && !docker.ModTime().After(st.ModTime()) || g.restoring(ctx) {
		return nil
	}
	failure := g.Routes(ctx)
	// Entered only now: a look that is killed is owed still. One that has failed
	// is told, and repeating it every five minutes would mend nothing.
	if again, err := g.Host.Stat(dockerPID); err != nil || !again.ModTime().Equal(docker.ModTime()) {
		return failure
	}
	return errors.Join(failure, g.Host.Write(seen, 0o600, []byte(docker.ModTime().UTC().Format(time.RFC3339)+"\n")))
}

// dockerPID is where docker writes its process id when it is started.
const dockerPID = "/var/run/docker.pid"

// restoring tells that Dokku restarts its apps, because docker was started.
func (g *Guard) restoring(ctx context.Context) bool {
	// It ends with 0 for one of these states only.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, _ := g.Host.Run(ctx, "systemctl", "is-active", "dokku-redeploy.service")
	state := strings.TrimSpace(string(out))
	return state == "active" || state == "activating"
}

// serveAfter is serve after the steps of an upgrade: the apps whose domains or
// ports were put back must have them in their configurations (0.35.17 and later
// build it in the middle of the installation, right after they have reset them).
// They stand in the ledger, so that they are known to whoever goes on where this is
// killed, or queued.
//
// In a hook of apt's or dpkg's no more is built than takes seconds (law 9): what is
// more is queued.
func (g *Guard) serveAfter(ctx context.Context, ledger *snapshot.Ledger, journal *plan.Journal) (routes, error) {
	files, err := app.Capture(ctx, g.Host, app.What{})
	if err != nil {
		return routes{}, err
	}
	r := g.routes(ctx, files, ledger.Unbuilt)
	if !r.toMend() {
		if r.now.DockerMissing == "" {
			ledger.Unbuilt = nil
		}
		return r, nil
	}
	if n := len(r.apps(append(slices.Clone(built), nginx.Stopped)...)); g.InHook && n > fewBuilds {
		g.Out.Step("nginx's configuration of %s is built after this. How it stands: dokku upgrade-guard:report", Plural(n, "app"))
		return r, g.enqueue(ledger, snapshot.Job{Kind: JobRoutes})
	}
	if r, err = g.serve(ctx, r, journal); err == nil {
		ledger.Unbuilt = nil
	}
	return r, err
}

// fewBuilds are as many as Dokku builds in seconds.
const fewBuilds = 5

// toMend tells whether there is anything to be done.
func (r routes) toMend() bool {
	return r.foreign != "" || slices.ContainsFunc(r.troubles, func(t nginx.Trouble) bool { return t.Kind != nginx.Large })
}

// mending is the work on the routes of one run.
type mending struct {
	*Guard
	routes
	journal *plan.Journal
	// confs are the configurations before they were touched.
	confs map[string]string
	// failed is why Dokku could not build an app's configuration.
	failed map[string]error
	// unloaded are the apps of which something is on the disk that nginx has not
	// loaded.
	unloaded map[string]bool
	errs     *multierror.Error
}

// serve does what is to be done about what is wrong, and about nothing else:
// containers that should run are started, configurations are built by Dokku,
// those that it cannot build get a stop-gap, and what nginx still refuses is set
// aside, so that the others can be loaded.
func (g *Guard) serve(ctx context.Context, r routes, journal *plan.Journal) (routes, error) {
	m := &mending{Guard: g, routes: r, journal: journal, confs: map[string]string{}, failed: map[string]error{}, unloaded: map[string]bool{}}
	if err := m.start(ctx); err != nil {
		return r, err
	}
	m.build(ctx)
	m.stopGaps(ctx)
	m.load(ctx)
	if err := m.confirm(ctx); err != nil {
		m.errs = multierror.Append(m.errs, err)
	}
	return m.routes, m.errs.ErrorOrNil()
}

func (m *mending) apply(ctx context.Context, steps plan.Plan) error {
	for i := range steps {
		steps[i].Hazard, steps[i].Mark = hazard.Nginx, plan.Change
	}
	return steps.Apply(ctx, m.Host, m.journal, m.Out)
}

// mayNotStart says why an app's recorded containers must not be started by us: a
// deploy is at work and may start others, or two of it must never run (law 10).
func (m *mending) mayNotStart(s app.State) error {
	if _, err := m.Host.Lstat(app.DeployLock(m.Host.Paths(), s.Dokku, s.Name)); err == nil {
		return say.Hint(errors.New("it is being deployed, or locked"), "If it is not: %s. Then: dokku upgrade-guard:apply", say.Command("dokku apps:unlock", s.Name))
	}
	if why := m.files.NoOverlap(s); len(why) > 0 {
		return say.Hint(errors.New(strings.Join(why, "; ")), "If none of it runs elsewhere: %s", say.Command("dokku ps:start", s.Name))
	}
	return nil
}

// start starts the containers that do not run and should: an upgrade or a restart
// of docker leaves some behind (dokku/dokku#5066). They are the containers that
// Dokku has recorded, so nothing runs twice.
func (m *mending) start(ctx context.Context) error {
	var steps plan.Plan
	for _, name := range m.apps(nginx.Stopped) {
		s := m.now.Apps[name]
		if v := m.mayStart(name); v.Closed+v.Unknown != "" {
			continue // it waits for a person, and is said to
		}
		if why := m.mayNotStart(s); why != nil {
			m.errs = multierror.Append(m.errs, fmt.Errorf("%s: its containers are not started: %w", name, why))
			continue
		}
		var ids []string
		for _, w := range s.Containers {
			if !w.Running && w.Status != "" && nginx.Wanted(s, w) {
				ids = append(ids, w.ID)
			}
		}
		if len(ids) == 0 {
			m.errs = multierror.Append(m.errs, say.Hint(fmt.Errorf("%s: docker does not know the containers that Dokku has recorded", name), "To make new ones: %s", say.Command("dokku ps:rebuild", name)))
			continue
		}
		steps = append(steps, plan.Step{App: name, Text: textStart,
			Do: func(ctx context.Context, h host.Host) error {
				if why := m.mayNotStart(s); why != nil {
					return why
				}
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				_, err := h.Run(ctx, "docker", append([]string{"start"}, ids...)...)
				return say.Hint(err, "To make new ones: %s", say.Command("dokku ps:rebuild", name))
			},
		})
	}
	if len(steps) == 0 {
		return nil
	}
	if err := m.apply(ctx, steps); err != nil {
		m.errs = multierror.Append(m.errs, err)
	}
	files, err := app.Capture(ctx, m.Host, app.What{}) // they have new addresses
	if err != nil {
		return err
	}
	m.routes = m.Guard.routes(ctx, files, m.apps(nginx.Names))
	return nil
}

// build has Dokku build what is wrong.
func (m *mending) build(ctx context.Context) {
	var steps plan.Plan
	var names []string
	for _, kind := range built {
		for _, name := range m.apps(kind) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		m.confs[name], _ = m.files.Text(nginx.ConfPath(name))
		switch public := m.public(name); {
		case public.Closed+public.Unknown != "": // it waits for a person, and is said to
		case public.NoBuild != "" && m.alive(name):
			m.failed[name] = fmt.Errorf("%w: %s", errNotBuilt, public.NoBuild)
		case !m.unbuildable(name):
			steps = append(steps, m.buildStep(name))
		case m.alive(name):
			m.failed[name] = errNoScale
		}
	}
	_ = m.apply(ctx, steps) // kept by app in failed
}

// errNoScale and errNotBuilt are why Dokku is not even asked to build.
var (
	errNoScale  = errors.New("the app has no scale")
	errNotBuilt = errors.New("a build would make reachable what was not")
)

func (m *mending) buildStep(name string) plan.Step {
	return plan.Step{App: name, Text: textBuild,
		Do: func(ctx context.Context, h host.Host) error {
			err := m.writeListeners(name)
			if err == nil {
				err = host.BuildProxy(ctx, h, name)
			}
			// Dokku fails here, too, when another app's file is refused: what
			// counts is what it has written.
			if err == nil {
				clear(m.unloaded) // nginx has loaded everything
			} else {
				m.unloaded[name] = true
			}
			if wrong := m.wrongNow(ctx, name); wrong != nil {
				m.failed[name] = say.Hint(errors.Join(wrong, err), "To see why: %s", say.Command("dokku --trace proxy:build-config", name))
				return m.failed[name]
			}
			delete(m.failed, name)
			return nil
		},
	}
}

// writeListeners writes the files by which Dokku knows where an app's containers
// listen, where they are missing. On 0.29 to 0.37 it would delete the
// configuration of an app that has none (ATLAS 6.7).
func (m *mending) writeListeners(name string) error {
	dir := m.Host.Paths().App(name)
	for _, c := range m.now.Apps[name].Web() {
		address := nginx.ContainerAddress(c)
		if !c.Running || address == "" {
			continue
		}
		suffix := "." + c.Type + "." + c.Index
		if c.IP == "" {
			if err := m.Host.Write(filepath.Join(dir, "IP"+suffix), 0o644, []byte(address)); err != nil {
				return err
			}
		}
		if c.Port == "" {
			port := nginx.ContainerPort(m.now.Apps[name])
			if err := m.Host.Write(filepath.Join(dir, "PORT"+suffix), 0o644, []byte(port)); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrongNow looks at an app's configuration as it is on the disk now, for all but
// some kinds of trouble.
func (m *mending) wrongNow(ctx context.Context, name string, besides ...nginx.Kind) error {
	files, err := app.Capture(ctx, m.Host, app.What{Apps: []string{name}, NoCommands: true})
	if err != nil {
		return err
	}
	for _, t := range nginx.CheckApp(files, m.now, name) {
		if t.Kind != nginx.Stopped && t.Kind != nginx.Ours && !slices.Contains(besides, t.Kind) {
			return errors.New(t.What)
		}
	}
	return nil
}

// stopGaps writes what Dokku could not build.
func (m *mending) stopGaps(ctx context.Context) {
	var steps plan.Plan
	for _, name := range m.files.Apps {
		failure := m.failed[name]
		if failure == nil {
			continue
		}
		_, has := m.files.Text(nginx.ConfPath(name))
		if (errors.Is(failure, errNoScale) || errors.Is(failure, errNotBuilt)) && (has && !m.has(name, unserved...) || !has && m.recordedConf(name) == "") {
			continue // it waits for its scale, and is said to
		}
		steps = append(steps, plan.Step{App: name, Text: textStopGap,
			Do: func(ctx context.Context, h host.Host) error {
				err := m.stopGap(ctx, name)
				if err != nil {
					return fmt.Errorf("%w, and Dokku cannot build it: %w", err, failure)
				}
				m.unloaded[name] = true
				m.Out.Error(fmt.Errorf("%s: %w", name, failure))
				return nil
			},
		})
	}
	if err := m.apply(ctx, steps); err != nil {
		m.errs = multierror.Append(m.errs, err)
	}
}

// stopGap tries the texts that an app's configuration can be mended from: what is
// there now, what was there before the build, what was recorded.
func (m *mending) stopGap(ctx context.Context, name string) error {
	path := filepath.Join(m.Host.Paths().App(name), "nginx.conf")
	present, missing := m.Host.ReadFile(path)
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		return missing // what cannot be read is not replaced
	}
	aside, _ := m.Host.ReadFile(nginx.AsidePath(path))
	err := nginx.ErrNoStopGap
	written := false
	for _, text := range []string{string(present), m.confs[name], string(aside), m.recordedConf(name)} {
		var mended string
		if mended, err = nginx.WriteStopGap(text, m.now.Apps[name]); err != nil {
			continue
		}
		if err = m.Host.Write(path, 0o644, []byte(mended)); err != nil {
			return err
		}
		written = true
		// Names are not changed by it, and wait for Dokku's own build.
		if err = m.wrongNow(ctx, name, nginx.Names); err == nil {
			return nil
		}
	}
	// None of them is right, and the last one tried must not be what is left.
	switch {
	case written && missing == nil:
		return errors.Join(err, m.Host.Write(path, 0o644, present))
	case written:
		return errors.Join(err, m.Host.Remove(path))
	}
	return err
}

// load has nginx read everything, sets aside what it refuses, and has it load the
// rest, once.
func (m *mending) load(ctx context.Context) {
	for range 2*len(m.files.Apps) + 1 {
		complaint, err := host.TestNginx(ctx, m.Host)
		if err != nil {
			m.errs = multierror.Append(m.errs, err)
			return
		}
		if complaint == "" {
			break
		}
		culprit := nginx.Culprit(complaint, m.Host.Paths().DokkuRoot, m.files.Apps)
		if culprit == "" {
			m.errs = multierror.Append(m.errs, say.Hint(fmt.Errorf("nginx refuses its configuration: %s", complaint),
				"The file is no app's. When it is mended: dokku upgrade-guard:apply"))
			return
		}
		delete(m.unloaded, culprit)
		if len(m.unloaded) == 0 && m.runs() {
			// Nobody waits, and nginx may still serve the app as it was
			// before its file was broken: that is not ended by us.
			m.errs = multierror.Append(m.errs, say.Hint(fmt.Errorf("%s: nginx refuses to load its configuration: %s", culprit, complaint),
				"Until it is mended no change of any app takes effect, and nginx would not start again. Then: dokku upgrade-guard:apply"))
			return
		}
		if err := m.setAside(ctx, culprit, complaint); err != nil {
			m.errs = multierror.Append(m.errs, err)
			return
		}
	}
	if len(m.unloaded) == 0 && len(m.apps(nginx.Silent, nginx.Foreign)) == 0 {
		return // every build has loaded itself
	}
	if err := host.ReloadNginx(ctx, m.Host); err != nil {
		m.errs = multierror.Append(m.errs, err)
		return
	}
	clear(m.unloaded)
}

// runs tells whether nginx runs, as far as anybody was asked.
func (m *mending) runs() bool {
	asked, refused := 0, 0
	for _, a := range m.answers {
		if a.Via == nginx.ViaNginx {
			asked++
			if a.Error == nginx.Refused {
				refused++
			}
		}
	}
	return asked == 0 || refused < asked
}

// setAside takes the configuration of an app out of nginx's way. It is the whole
// of it, and not only a snippet that nginx names: what a snippet forbids must not
// be served without it.
func (m *mending) setAside(ctx context.Context, name, complaint string) error {
	path := filepath.Join(m.Host.Paths().App(name), "nginx.conf")
	text, err := m.Host.ReadFile(path)
	if err != nil {
		return fmt.Errorf("nginx refuses the configuration of %s, which cannot be read: %w", name, err)
	}
	step, meanwhile := plan.Step{App: name, Text: textAside}, "the app answers 503"
	var leftOut []string
	if strings.HasPrefix(string(text), nginx.AsideMark) {
		// Not even what stands in its place is taken (its port is the trouble).
		step.Text, meanwhile = textAside+" without a substitute", "nginx does not know the app"
		step.Do = func(_ context.Context, h host.Host) error { return h.Remove(path) }
	} else {
		var substitute string
		if substitute, leftOut, err = m.aside(ctx, name); err != nil {
			return err
		}
		if substitute == "" {
			step.Text, meanwhile = textAside+" without a substitute", "nginx does not know the app"
		}
		step.Do = func(_ context.Context, h host.Host) error {
			if err := h.Write(nginx.AsidePath(path), 0o644, text); err != nil {
				return err
			}
			if substitute == "" {
				return h.Remove(path)
			}
			return h.Write(path, 0o644, []byte(substitute))
		}
	}
	m.unloaded[name] = true
	if err := m.apply(ctx, plan.Plan{step}); err != nil {
		return err
	}
	m.Out.Trouble("%s: nginx refuses to load its configuration: %s", name, complaint)
	m.Out.Trouble("    It is kept in %s, and %s until it is mended.", nginx.AsidePath(path), meanwhile)
	if len(leftOut) > 0 {
		m.Out.Trouble("    Meanwhile answered by whichever app comes first, or by none: %s", strings.Join(leftOut, ", "))
	}
	m.Out.Trouble("    Then: dokku upgrade-guard:apply")
	return nil
}

// goodAgain tells for certain that nginx serves an app by a configuration of
// Dokku's: docker has spoken, nothing is wrong, and no mark of ours stands there.
func (r routes) goodAgain(name string) bool {
	config, err := nginx.Read(r.files, name)
	byNginx, _ := r.now.Apps[name].Proxy.ByNginx()
	return err == nil && config.Mark == "" && byNginx && r.now.DockerMissing == "" && r.unknown == "" && !r.has(name)
}

// confirm looks once more, and asks.
func (m *mending) confirm(ctx context.Context) error {
	files, err := app.Capture(ctx, m.Host, app.What{})
	if err != nil {
		return err
	}
	r := m.Guard.routes(ctx, files, nil)
	m.routes = r
	var left *multierror.Error
	for _, f := range r.findings() {
		if f.Step != nil && !f.Step.Guess { // the others are said with what waits for a person
			left = multierror.Append(left, fmt.Errorf("%s: %s", host.Place(f.App), f.What))
		}
	}
	// What was set aside and is good again needs its copy no more.
	for _, name := range files.Apps {
		path := nginx.AsidePath(filepath.Join(m.Host.Paths().App(name), "nginx.conf"))
		if _, err := m.Host.Lstat(path); err == nil && r.goodAgain(name) {
			if err := m.Host.Remove(path); err != nil {
				left = multierror.Append(left, err)
			}
		}
	}
	return left.ErrorOrNil()
}
