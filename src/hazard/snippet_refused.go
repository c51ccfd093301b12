package hazard

import (
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// Twice is a file of an app's nginx.conf.d of which nginx would find directives twice in
// what a version builds.
type Twice struct {
	Path string // among the captured ones
	// Why says which, and by what.
	Why string
	// Without is the file without them; nil where they cannot be taken out of it.
	Without []byte
	// Properties are nginx's that say the same to Dokku, by their names.
	Properties map[string]string
}

// TwiceIn are the files of a snapshot that would be such once they are put back: files are
// those of the app as it will be, and states what is known of its servers, now and then.
func TwiceIn(c Context, files *app.Files, states ...app.State) (list []Twice) {
	var found []duplicate
	for _, s := range states {
		of := Subject{Context: c, Now: s}
		of.Files = files
		found = newIn(append(found, of.duplicates(c.To)...), nil)
	}
	if len(states) == 0 {
		return nil
	}
	subject := Subject{Context: c, Now: states[0]}
	subject.Files = files
	for _, file := range files.Under("root/" + states[0].Name + "/nginx.conf.d/") {
		var of []duplicate
		for _, d := range found {
			if strings.HasSuffix(file.Path, "/"+d.file) && d.path != "" {
				of = append(of, d)
			}
		}
		if len(of) == 0 {
			continue
		}
		t := Twice{Path: file.Path, Why: toldOnce(of), Properties: map[string]string{}}
		slices.SortFunc(of, func(a, b duplicate) int { return b.Start - a.Start })
		text, all := string(file.Data), true
		for _, d := range of {
			value := d.value()
			if d.by.name == "" || d.line() == "" || d.by.property != "" && value == "" {
				all = false
				break
			}
			end := d.End
			if strings.HasPrefix(text[end:], "\n") {
				end++
			}
			text = strings.TrimRight(text[:d.Start], " \t") + text[end:]
			if d.by.property != "" && subject.nginxProperty(d.by.property) == "" {
				t.Properties[d.by.property] = value
			}
		}
		if all {
			t.Without = []byte(text)
		}
		list = append(list, t)
	}
	return list
}
