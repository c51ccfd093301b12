package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"upgrade-guard/src/app"
)

// format is the version of the manifest's shape.
const format = 1

// Manifest is what a snapshot says of itself.
type Manifest struct {
	Format int       `json:"format"`
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	// Dokku is the version that wrote the state.
	Dokku string `json:"dokku"`
	// Incomplete names what could not be read; a complete snapshot has none.
	Incomplete []string `json:"incomplete,omitempty"`
	Apps       []string `json:"apps"`
	Host       app.Host `json:"host"`
	// Files come last, under the key files. On a host with a thousand apps
	// they are most of the manifest, so they are written and read one by one.
	Files []app.File `json:"-"`
}

// encode writes the manifest as one JSON object.
func (m Manifest) encode(w io.Writer) error {
	head, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(bytes.TrimSuffix(head, []byte("}")), `,"files":[`...)); err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	for i := range m.Files {
		if i > 0 {
			if err := out.WriteByte(','); err != nil {
				return err
			}
		}
		if err := enc.Encode(&m.Files[i]); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = io.WriteString(w, "]}\n")
	return err
}

// decode reads what encode wrote, with the files or without.
func decode(r io.Reader, withFiles bool) (Manifest, error) {
	var m Manifest
	dec := json.NewDecoder(r)
	if _, err := dec.Token(); err != nil {
		return m, err
	}
	into := map[string]any{"format": &m.Format, "id": &m.ID, "time": &m.Time, "reason": &m.Reason, "dokku": &m.Dokku,
		"incomplete": &m.Incomplete, "apps": &m.Apps, "host": &m.Host}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return m, err
		}
		name, _ := key.(string)
		if name == "files" {
			if !withFiles {
				return m, nil
			}
			if _, err := dec.Token(); err != nil {
				return m, err
			}
			for dec.More() {
				var f app.File
				if err := dec.Decode(&f); err != nil {
					return m, err
				}
				m.Files = append(m.Files, f)
			}
			return m, nil
		}
		target := into[name]
		if target == nil {
			target = &json.RawMessage{} // a key of a later version
		}
		if err := dec.Decode(target); err != nil {
			return m, err
		}
	}
	return m, errors.New("its manifest names no files")
}
