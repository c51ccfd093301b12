package rename

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"upgrade-guard/src/nginx"
)

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
			time.Sleep(300 * time.Millisecond)
		}
	}
	return errors.New(strings.Join(bad, "; "))
}
