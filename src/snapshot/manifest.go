package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"upgrade-guard/src/app"
	"upgrade-guard/src/rawjson"
)

// format is the version of the manifest's shape.
const format = 1

// Manifest is what a snapshot says of itself.
type Manifest struct {
	Format int `json:"format"`
	// Escaped tells that a name in it is not UTF-8, and all of its strings are
	// written as rawjson does it. A manifest that is read has none left.
	Escaped bool      `json:"escaped,omitempty"`
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
	// Dokku is the version that wrote the state.
	Dokku string `json:"dokku"`
	// Partial tells that it is of some apps only, and not of the host itself.
	Partial bool `json:"partial,omitempty"`
	// Incomplete names what could not be read; a complete snapshot has none.
	Incomplete []string `json:"incomplete,omitempty"`
	Apps       []string `json:"apps"`
	Host       app.Host `json:"host"`
	// Files come last, under the key files. On a host with a thousand apps
	// they are most of the manifest, so they are written and read one by one.
	Files []app.File `json:"-"`
	// Refused are sentences about what it named and what was left out when it was
	// read.
	Refused []string `json:"-"`

	sum digest // of the manifest as it is written
}

// encoding is a manifest as it is written: its head, which is all but the files, and
// these.
type encoding struct {
	head  []byte
	files []app.File
	sum   digest
	held  digest // of all but what the snapshot is called, and when and why it was taken
}

// encoding is escaped where a name is not UTF-8.
func (m Manifest) encoding() (e encoding, err error) {
	e.files = m.Files
	if e.head, err = m.marshal(); err != nil {
		return e, err
	}
	if bytes.Contains(e.head, []byte(rawjson.Lost)) || slices.ContainsFunc(m.Files, func(f app.File) bool {
		return !utf8.ValidString(f.Path) || !utf8.ValidString(f.Link) || !utf8.ValidString(f.Error)
	}) {
		m = rawjson.Escaped(m)
		m.Escaped, e.files = true, m.Files
		e.head, err = m.marshal()
	}
	return e, err
}

// marshal is json.Marshal, of one app after the other: of a thousand at once it takes
// three times the memory of what comes out.
func (m Manifest) marshal() ([]byte, error) {
	apps := m.Host.Apps
	if len(apps) > 0 {
		m.Host.Apps = map[string]app.State{}
	}
	all, err := json.Marshal(m)
	before, after, found := bytes.Cut(all, []byte(`"apps":{}`)) // m.Apps is a list, and in a string stands no such quote
	if err != nil || len(apps) == 0 || !found {
		return all, err
	}
	var head []byte
	for i, name := range slices.Sorted(maps.Keys(apps)) {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		state, err := json.Marshal(apps[name])
		if err != nil {
			return nil, err
		}
		between := ","
		if i == 0 {
			between = `"apps":{`
			head = append(make([]byte, 0, len(all)+len(apps)*(len(key)+len(state))*9/8), before...)
		}
		head = append(append(append(append(head, between...), key...), ':'), state...)
	}
	return append(append(head, '}'), after...), nil
}

// write writes the manifest as one JSON object.
func (e encoding) write(w io.Writer) error {
	if _, err := w.Write(bytes.TrimSuffix(e.head, []byte("}"))); err != nil {
		return err
	}
	return e.writeFiles(w)
}

func (e encoding) writeFiles(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	_, _ = out.WriteString(`,"files":[`)
	for i := range e.files {
		if i > 0 {
			_ = out.WriteByte(',') // Flush tells it
		}
		line, err := appendFile(out.AvailableBuffer(), &e.files[i])
		if err != nil {
			return err
		}
		_, _ = out.Write(append(line, '\n'))
	}
	_, _ = out.WriteString("]}\n")
	return out.Flush()
}

// appendFile adds a file as encoding/json writes it. There are tens of thousands of them,
// and in nearly all of them is nothing that has to be written in another way than as it is.
func appendFile(line []byte, f *app.File) ([]byte, error) {
	if !plain(f.Path) || !plain(f.Link) || !plain(f.SHA256) || !plain(f.Error) {
		b, err := json.Marshal(f)
		return append(line, b...), err
	}
	text := func(key, value string) {
		if value != "" {
			line = append(append(append(append(line, key...), '"'), value...), '"')
		}
	}
	line = append(append(append(line, `{"path":"`...), f.Path...), '"')
	if f.Mode != 0 {
		line = strconv.AppendUint(append(line, `,"mode":`...), uint64(f.Mode), 10)
	}
	text(`,"link":`, f.Link)
	if f.Size != 0 {
		line = strconv.AppendInt(append(line, `,"size":`...), int64(f.Size), 10)
	}
	text(`,"sha256":`, f.SHA256)
	text(`,"error":`, f.Error)
	return append(line, '}'), nil
}

// plain tells of a text that it stands in JSON as it is.
func plain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// errFormat says that a snapshot was taken by another version of the plugin.
var errFormat = errors.New("it has another format")

// parts are what is wanted of a manifest.
type parts struct {
	states bool // the apps' are kept
	files  bool // its list is read, without which nothing is known of what follows
}

// errHead ends the reading of a manifest of which no more is wanted.
var errHead = errors.New("there is a list of files")

// decode reads a manifest to its end, or up to its list of files: then nothing that follows
// is looked at. Whether it is what was written is known only when gzip's checksum, or the
// digest of the whole file, has been seen.
//
// Of its files those without a content are the manifest's own; of the others it says what
// is promised.
func decode(r io.Reader, wanted parts) (m Manifest, files []promised, err error) {
	m.Host.Apps = map[string]app.State{}
	bare := 0
	dec := json.NewDecoder(r)
	err = object(dec, func(key string) error {
		switch key {
		case "format":
			if err := dec.Decode(&m.Format); err != nil || m.Format == format {
				return err
			}
			if m.Format < 1 {
				return errors.New("it has no format") // there was never such a one
			}
			return fmt.Errorf("%w: %d, and this upgrade-guard reads %d", errFormat, m.Format, format)
		case "escaped":
			return dec.Decode(&m.Escaped)
		case "id":
			return dec.Decode(&m.ID)
		case "time":
			return dec.Decode(&m.Time)
		case "reason":
			return dec.Decode(&m.Reason)
		case "dokku":
			return dec.Decode(&m.Dokku)
		case "partial":
			return dec.Decode(&m.Partial)
		case "incomplete":
			return dec.Decode(&m.Incomplete)
		case "apps":
			return dec.Decode(&m.Apps)
		case "host":
			return decodeHost(dec, &m.Host, wanted.states)
		case "files":
			if !wanted.files {
				return errHead
			}
			return array(dec, func() error {
				var f app.File
				if err := dec.Decode(&f); err != nil {
					return err
				}
				if isBare(f) {
					if bare++; bare > maxBare {
						return tooMuch("links and files that were not read", maxBare)
					}
				}
				if f.SHA256 == "" {
					m.Files = append(m.Files, f)
					return nil
				}
				p, err := promise(f)
				if len(files) == cap(files) {
					files = slices.Grow(files, max(len(files), 64)) // append takes five times as much on the way
				}
				files = append(files, p)
				return err
			})
		}
		return skip(dec) // a key of a later version
	})
	if err == errHead && m.Format == format {
		return m, nil, nil
	}
	if err != nil {
		return m, nil, err
	}
	if m.Format != format {
		return m, nil, errors.New("it has no format")
	}
	if len(m.Apps) > maxApps {
		return m, nil, tooMuch("apps", maxApps)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return m, nil, errGoesOn
	}
	return m, files, nil
}

// decodeHost reads the apps' states one by one: a state is a hundred times as large
// in memory as an empty one in the manifest.
func decodeHost(dec *json.Decoder, h *app.Host, keep bool) error {
	apps := 0
	return object(dec, func(key string) error {
		switch key {
		case "dokku":
			return dec.Decode(&h.Dokku)
		case "global":
			return dec.Decode(&h.Global)
		case "strays":
			return dec.Decode(&h.Strays)
		case "docker_missing":
			return dec.Decode(&h.DockerMissing)
		case "apps":
			return object(dec, func(name string) error {
				var s app.State
				if err := dec.Decode(&s); err != nil {
					return err
				}
				if apps++; apps > maxApps {
					return tooMuch("apps", maxApps)
				}
				if keep {
					h.Apps[name] = s
				}
				return nil
			})
		}
		return skip(dec)
	})
}

// object reads a JSON object key by key. A key that comes twice is an error: which of
// the two is meant nobody can tell.
func object(dec *json.Decoder, each func(key string) error) error {
	switch t, err := dec.Token(); {
	case err != nil:
		return err
	case t == nil:
		return nil // null
	case t != json.Delim('{'):
		return fmt.Errorf("it has %T in the place of an object", t)
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key := t.(string)
		if seen[key] {
			return fmt.Errorf("it has %q twice", key)
		}
		seen[key] = true
		if err := each(key); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// array reads a JSON array value by value.
func array(dec *json.Decoder, each func() error) error {
	switch t, err := dec.Token(); {
	case err != nil:
		return err
	case t == nil:
		return nil // null
	case t != json.Delim('['):
		return fmt.Errorf("it has %T in the place of a list", t)
	}
	for dec.More() {
		if err := each(); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// skip reads over a value without keeping it.
func skip(dec *json.Decoder) error {
	for depth := 0; ; {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
