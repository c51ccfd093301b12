package app

import (
	"bytes"
	"path"
	"path/filepath"
	"strings"
)

// A certificate that several apps share is one pair of files somewhere, and a link to each
// of them in each app's tls/, or tls is itself one. Links are captured as links and never
// followed; but for these two files what they lead to is captured as a fact beside them, so
// that it is known which certificate an app has, and it can be put back where the shared
// one is gone. The letsencrypt plugin's links are read as what they point to (Served).

// linkedFacts are where that is kept, by app.
const linkedFacts = "facts/linked/"

// linked captures what the certificate and the key of an app are links to. One that leads
// nowhere is known to: it has no content.
func (w *walk) linked(name string) {
	links := map[string]string{}
	for _, f := range w.files {
		if f.Link != "" {
			links[f.Path] = f.Link
		}
	}
	for _, file := range []string{"server.crt", "server.key"} {
		at, tls := filepath.Join(w.p.App(name), "tls", file), "root/"+name+"/tls"
		target := links[tls+"/"+file]
		if target == "" && links[tls] == "" || strings.Contains(target, "/letsencrypt/certs/") {
			continue
		}
		f := File{Path: linkedFacts + name + "/" + file}
		st, err := w.h.Stat(at)
		switch {
		case notThere(err):
			w.add(f)
		case err != nil || !st.Mode().IsRegular() || st.Size() > MaxFile: // a link that is not followed is all there is
		default:
			if data, err := w.h.ReadFile(at); err == nil && len(data) <= MaxFile {
				f.Mode, f.Data, f.Size, f.SHA256 = st.Mode().Perm(), bytes.Clone(data), len(data), Digest(data)
				w.add(f)
			}
		}
	}
}

// LinkOf is where one of an app's files in tls/ leads, and what was there: the link is the
// file's own, or the one that tls is.
func (f *Files) LinkOf(app, file string) (link, content File, ok bool) {
	content, ok = f.lookUp(linkedFacts + app + "/" + file)
	for _, at := range []string{"root/" + app + "/tls/" + file, "root/" + app + "/tls"} {
		if link, there := f.lookUp(at); ok && there && link.Link != "" {
			content.Path = "root/" + app + "/tls/" + file
			return link, content, content.SHA256 != ""
		}
	}
	return link, content, false
}

// TLS is one of an app's files in tls/ as it is read: what a link leads to where it is one.
func (f *Files) TLS(app, file string) (File, bool) {
	if _, content, ok := f.LinkOf(app, file); ok {
		return content, true
	}
	if _, nowhere := f.lookUp(linkedFacts + app + "/" + file); nowhere {
		return File{}, false
	}
	return f.Get("root/" + app + "/tls/" + file)
}

// isLinked tells of a captured link that what it leads to is captured beside it.
func isLinked(file File, facts map[string]bool) bool {
	parts := strings.Split(file.Path, "/")
	switch {
	case len(parts) == 4 && parts[2] == "tls":
		return facts[linkedFacts+parts[1]+"/"+parts[3]]
	case len(parts) == 3 && parts[2] == "tls":
		return facts[linkedFacts+parts[1]+"/server.crt"]
	}
	return false
}

// ThroughLink tells whether a path is, or leads through, a link, or a file in the place of
// a directory. The directory of an app itself may be one: that app is on another disk.
func (f *Files) ThroughLink(at string) bool {
	for dir := at; strings.Count(dir, "/") > 1; dir = path.Dir(dir) {
		if file, there := f.Get(dir); there && (file.Link != "" || dir != at && !file.Mode.IsDir()) {
			return true
		}
	}
	return false
}
