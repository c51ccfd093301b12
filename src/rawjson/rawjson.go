// Package rawjson is JSON for names of any bytes. A file system takes names that are
// not UTF-8 (a branch in Latin-1), and JSON does not: encoding/json puts U+FFFD in the
// place of each byte that it cannot write, and the name is lost.
//
// Where there is such a byte, every string of the object is written with \xHH for each
// of them and \\ for a backslash, and the object has a key that says so. Everything
// else is the JSON that encoding/json writes, and what was written before there was
// this package reads as it always did.
package rawjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Key is the key of an object whose strings are escaped.
const Key = "escaped"

// Lost is what encoding/json writes for a byte that is not UTF-8. U+FFFD itself it
// writes as it is.
const Lost = `\ufffd`

// Marshal is json.Marshal of a struct, without loss.
func Marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || !bytes.Contains(b, []byte(Lost)) {
		return b, err
	}
	if b, err = json.Marshal(Escaped(v)); err != nil {
		return nil, err
	}
	return append([]byte(`{"`+Key+`":true,`), b[1:]...), nil
}

// MarshalIndent is Marshal, for people to read.
func MarshalIndent(v any) ([]byte, error) {
	b, err := Marshal(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Indent(&out, b, "", "  ")
	return append(out.Bytes(), '\n'), err
}

// Unmarshal reads what Marshal wrote into the struct that v points to.
func Unmarshal(b []byte, v any) error {
	var head struct {
		Escaped bool `json:"escaped"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil || !head.Escaped {
		return err
	}
	Unescape(v)
	return nil
}

// Escaped is a copy of v with all strings in it escaped.
func Escaped[T any](v T) T { return mapped(reflect.ValueOf(v), escape).Interface().(T) }

// Unescape takes back in place what Escaped did to what v points to.
func Unescape(v any) {
	p := reflect.ValueOf(v).Elem()
	p.Set(mapped(p, unescape))
}

// UnescapeString is one string as it was.
func UnescapeString(s string) string { return unescape(s) }

// mapped is a copy of a value with a function applied to all strings in it.
func mapped(v reflect.Value, f func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(f(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(mapped(v.Elem(), f))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(mapped(v.Field(i), f))
			}
		}
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			break
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(mapped(v.Index(i), f))
		}
	case reflect.Map:
		if v.IsNil() {
			break
		}
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, key := range v.MapKeys() {
			out.SetMapIndex(mapped(key, f), mapped(v.MapIndex(key), f))
		}
	}
	return out
}

func escape(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// unescape leaves as it is what escape would not have written.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		switch {
		case strings.HasPrefix(s, `\\`):
			b.WriteByte('\\')
			s = s[2:]
			continue
		case len(s) >= 4 && s[:2] == `\x`:
			if n, err := strconv.ParseUint(s[2:4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				s = s[4:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}
