package nginx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"upgrade-guard/src/app"
)

// Facts is where the answers of a moment are kept among a host's files.
const Facts = "facts/probes"

// Encode makes a file of answers, one a line, and Decode reads one.
func Encode(answers []Answer) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, a := range answers {
		if err := enc.Encode(a); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// Decode reads what Encode wrote. Lines that are none are passed over, however long.
func Decode(data []byte) []Answer {
	var list []Answer
	for line := range bytes.Lines(data) {
		var a Answer
		if json.Unmarshal(line, &a) == nil {
			list = append(list, a)
		}
	}
	return list
}

// Judge says where nginx, as it runs, answers otherwise than the app's own
// containers do: with another app's page or certificate, or with an error of its
// own. The addresses in its files are the first thing to look at (Check); this
// sees what is in nginx's memory. Only what is certain is said: two apps with the
// same page are not told apart, and a page that changes with each request is
// nobody's.
func Judge(now app.Host, answers []Answer) []Finding {
	pages := map[string][]string{} // by digest, the apps whose containers answer so, or two of them
	alive := map[string]bool{}     // apps whose containers answer
	for _, a := range answers {
		if a.Via != Container || !a.Good() {
			continue
		}
		alive[a.App] = true
		if a.Status/100 == 2 && a.Body != "" && len(pages[a.Body]) < 2 && !slices.Contains(pages[a.Body], a.App) {
			pages[a.Body] = append(pages[a.Body], a.App)
		}
	}
	certificates := map[string][]string{}
	for name, s := range now.Apps {
		if s.Certificate != nil {
			certificates[s.Certificate.Fingerprint] = append(certificates[s.Certificate.Fingerprint], name)
		}
	}
	other := func(owners []string, name string) string {
		if len(owners) == 1 && owners[0] != name {
			return owners[0]
		}
		return ""
	}
	var found findings
	for _, a := range answers {
		if a.Via != ViaNginx {
			continue
		}
		switch owner := other(pages[a.Body], a.App); {
		case a.Status/100 == 2 && owner != "":
			found.add(Finding{App: a.App, Kind: OtherApp, What: fmt.Sprintf("%s is answered by %s", a.Question, owner)})
			continue
		case other(certificates[a.Certificate], a.App) != "":
			found.add(Finding{App: a.App, Kind: OtherApp, What: fmt.Sprintf("%s is answered with the certificate of %s", a.Question, other(certificates[a.Certificate], a.App))})
			continue
		}
		if !a.Good() && a.Error != NotAsked && alive[a.App] {
			found.add(Finding{App: a.App, Kind: Silent, What: fmt.Sprintf("%s gets an error from nginx (%s); the container itself answers", a.Question, a.Class()), Slow: a.Error == TimedOut})
		}
	}
	return found.list
}

// Worse are the questions that an app answered before and does not now, as
// sentences by app. What is not asked any more (a domain that a person took
// away) is not missed.
func Worse(before, now []Answer) map[string][]string {
	answer := map[Question]Answer{}
	for _, a := range now {
		answer[a.Question] = a
	}
	worse := map[string][]string{}
	for _, b := range before {
		n, asked := answer[b.Question]
		if b.Via != ViaNginx || !asked || !b.Good() || n.Good() || n.Error == NotAsked {
			continue
		}
		if n := len(worse[b.App]); n >= named {
			worse[b.App] = append(worse[b.App][:named], "and more")
			continue
		}
		worse[b.App] = append(worse[b.App], fmt.Sprintf("%s answered before (%s), and does not now (%s)", b.Question, b.Class(), n.Class()))
	}
	return worse
}
