package rename

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/nginx"
)

// now is the state of one of the two.
func (r *Rename) now(ctx context.Context, name string) (app.State, error) {
	files, err := app.Capture(ctx, r.Host, app.What{Apps: []string{name}})
	if err != nil {
		return app.State{}, err
	}
	return app.Read(files).Apps[name], nil
}

func (r *Rename) running(ctx context.Context) (app.State, error) {
	s, err := r.now(ctx, r.To)
	if err != nil {
		return s, err
	}
	if want := s.EffectiveScale(); s.Running() != want.Total() {
		return s, fmt.Errorf("%d of its containers run, and its scale is %s", s.Running(), want)
	}
	return s, nil
}

// tags are the tags of an app's images.
func (r *Rename) tags(ctx context.Context, name string) ([]string, error) {
	out, err := r.Host.Run(ctx, "docker", "images", "--format", "{{.Tag}}", "dokku/"+name)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(t string) bool { return t == "<none>" }), nil
}

// own are the answers that are the app's own: those to questions that nginx gives to it,
// where it has a container to answer them. Without one another app's page, or a default
// site's, answered for it. alive are the ports on which its containers answer themselves.
func own(files *app.Files, s app.State, answers []nginx.Answer) (mine []nginx.Answer, alive []string) {
	if !slices.ContainsFunc(s.Web(), func(c app.Container) bool { return c.Running }) {
		return nil, nil
	}
	for _, a := range answers {
		switch port := portOf(a.Question); {
		case a.Via != nginx.Container && nginx.Winner(files, a.Question) == s.Name:
			mine = append(mine, a)
		case a.Via == nginx.Container && a.Good() && !slices.Contains(alive, port):
			alive = append(alive, port)
		}
	}
	return mine, alive
}

func portOf(q nginx.Question) string {
	_, port, _ := net.SplitHostPort(q.Address)
	return port
}

// ask asks what was asked of the old app once more.
func (r *Rename) ask(ctx context.Context) error { return r.worse(ctx, "") }

// pollInterval is how long nginx is given between two questions.
const pollInterval = 300 * time.Millisecond

// worse says which of the questions that the old app answered nginx does not answer
// now; with a name, it is asked for that one instead of the domains. nginx reloads
// behind our back, so it is given a moment.
func (r *Rename) worse(ctx context.Context, name string) error {
	var questions []nginx.Question
	was := map[nginx.Question]nginx.Answer{}
	for _, a := range r.Answers {
		q := a.Question
		if name != "" {
			q.Host = name
		}
		if _, known := was[q]; a.Good() && !known {
			questions, was[q] = append(questions, q), a
		}
	}
	var bad, otherwise []string
	for try := range 10 {
		bad, otherwise = nil, nil
		for _, a := range nginx.Ask(ctx, r.Host.Dial, questions) {
			switch b := was[a.Question]; {
			case a.Good() && name == "" && a.Certificate != b.Certificate:
				bad = append(bad, fmt.Sprintf("%s is answered with another certificate than before", a.Question))
			case !a.Good():
				bad = append(bad, fmt.Sprintf("%s is answered by %s, and was by %s", a.Question, a.Class(), b.Class()))
			case name == "" && a.Class() != b.Class() && !r.own(ctx, a):
				otherwise = append(otherwise, fmt.Sprintf("%s is answered by %s, and was by %s", a.Question, a.Class(), b.Class()))
			}
		}
		if len(bad) == 0 {
			bad = r.silent(ctx)
		}
		if len(bad) == 0 && r.Phase == Clean && len(otherwise) > 0 {
			// It has answered as the old one did when it took its place.
			r.Out.Trouble("%s: %s", r.To, strings.Join(otherwise, "; "))
			return ctx.Err()
		}
		bad = append(bad, otherwise...)
		if len(bad) == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
		if try < 9 {
			if err := r.Host.Sleep(ctx, pollInterval); err != nil {
				return err
			}
		}
	}
	return errors.New(strings.Join(bad, "; "))
}

// direct are the new app's containers' own answers, to whoever asks for a name.
func (r *Rename) direct(ctx context.Context, host string) []nginx.Answer {
	s, err := r.now(ctx, r.To)
	if err != nil {
		return nil
	}
	var questions []nginx.Question
	for _, q := range nginx.Questions(app.NewFiles(r.Dokku, nil, nil, nil), s) {
		if q.Via == nginx.Container {
			if host != "" {
				q.Host = host
			}
			questions = append(questions, q)
		}
	}
	return nginx.Ask(ctx, r.Host.Dial, questions)
}

// own tells whether an answer of nginx's is what the new app's containers answer, too: the
// app itself has changed its mind.
func (r *Rename) own(ctx context.Context, a nginx.Answer) bool {
	return slices.ContainsFunc(r.direct(ctx, a.Host), func(d nginx.Answer) bool { return d.Class() == a.Class() })
}

// silent are the new app's containers that do not answer, where the old one's did. What
// nginx answers by itself, a 401 or a redirect, says nothing of them.
func (r *Rename) silent(ctx context.Context) (bad []string) {
	if len(r.Alive) == 0 {
		return nil
	}
	answers := r.direct(ctx, "")
	if len(answers) == 0 {
		return []string{"it has no running web container"}
	}
	for _, a := range answers {
		if !a.Good() && slices.Contains(r.Alive, portOf(a.Question)) {
			bad = append(bad, fmt.Sprintf("its container at %s answers by %s, and the old app's did", a.Address, a.Class()))
		}
	}
	return bad
}
