package say

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"upgrade-guard/src/pattern"
)

// JSON prints a value for a program, in a line.
func (p *Printer) JSON(v any) error {
	line, err := EncodeJSON(v)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	_, err = p.Out.Write(append(line, '\n'))
	return err
}

// EncodeJSON is encoding/json's text of a value, with two differences: every string
// has passed Redact; and a byte that is no UTF-8, which JSON has no place for and
// encoding/json replaces, is written as \xNN. Bytes turns that back.
func EncodeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(encodable(reflect.ValueOf(v)).Interface()); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// encodable is a copy of a value with all its strings as JSON can hold them.
func encodable(v reflect.Value) reflect.Value {
	if !v.IsValid() || v.Type() == reflect.TypeFor[time.Time]() {
		return v
	}
	switch v.Kind() {
	case reflect.String:
		out := reflect.New(v.Type()).Elem()
		out.SetString(escapeBytes(Redact(v.String())))
		return out
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
		inner := encodable(v.Elem())
		if v.Kind() == reflect.Interface {
			return inner
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(inner)
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				out.Field(i).Set(encodable(v.Field(i)))
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(encodable(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for entry := v.MapRange(); entry.Next(); {
			key := entry.Key()
			if key.Kind() == reflect.String {
				escaped := reflect.New(key.Type()).Elem()
				escaped.SetString(escapeBytes(Redact(key.String())))
				key = escaped
			}
			out.SetMapIndex(key, encodable(entry.Value()))
		}
		return out
	}
	return v
}

// escapeBytes writes what is no UTF-8 as \xNN, and the backslash of what reads so
// already as \x5c.
func escapeBytes(text string) string {
	if utf8.ValidString(text) && !strings.Contains(text, `\x`) {
		return text
	}
	text = escapedByte().ReplaceAllStringFunc(text, func(found string) string { return `\x5c` + found[1:] })
	var out strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			out.WriteString(hexByte(text[i]))
		} else {
			out.WriteString(text[i : i+n])
		}
		i += n
	}
	return out.String()
}

var escapedByte = pattern.Of(`\\x[0-9a-f]{2}`)

// Bytes is the text that EncodeJSON has written \xNN in.
func Bytes(text string) string {
	return escapedByte().ReplaceAllStringFunc(text, func(found string) string {
		n, err := strconv.ParseUint(found[2:], 16, 8)
		if err != nil {
			return found
		}
		return string([]byte{byte(n)})
	})
}
