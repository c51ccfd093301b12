package rename

import (
	"context"
	"errors"
	"fmt"
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
	var bad []string
	for try := range 10 {
		bad = nil
		for _, a := range nginx.Ask(ctx, r.Host.Dial, questions) {
			switch b := was[a.Question]; {
			case a.Good() && name == "" && a.Certificate != b.Certificate:
				bad = append(bad, fmt.Sprintf("%s is answered with another certificate than before", a.Question))
			case !a.Good():
				bad = append(bad, fmt.Sprintf("%s is answered by %s, and was by %s", a.Question, a.Class(), b.Class()))
			}
		}
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
