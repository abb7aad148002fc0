// Package strictjson decodes JSON that people write or that must not have changed on disk. Mistakes that encoding/json
// ignores are errors here, with their line.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Unmarshal decodes content into v, as json.Unmarshal does. Errors are keys that v does not have, a key that an object
// has twice, and anything after the end. Keys that differ in case only count as the same key, as in encoding/json.
func Unmarshal(content []byte, v any) error {
	if err := duplicates(content); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			return fmt.Errorf("line %d: %q is a %s; it must be of Go's type %s", line(content, wrong.Offset),
				wrong.Field, wrong.Value, wrong.Type)
		}
		if field, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			return fmt.Errorf("line %d: unknown key %s", line(content, int64(bytes.Index(content, []byte(field)))),
				field)
		}
		return err
	}
	return nil
}

// duplicates reads the tokens of one JSON value. It returns an error for wrong syntax, for a key that is there twice,
// and for anything after the value.
func duplicates(content []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	syntax := func(err error) error {
		if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) {
			return fmt.Errorf("line %d: %w", line(content, wrong.Offset), err)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("the JSON ends too early")
		}
		return err
	}
	type object struct {
		keys  map[string]bool // nil in an array
		value bool            // the next token is the value of a key
	}
	var open []object
	for first := true; first || len(open) > 0; first = false {
		token, err := decoder.Token()
		if err != nil {
			return syntax(err)
		}
		if key, isString := token.(string); isString && len(open) > 0 {
			if o := &open[len(open)-1]; o.keys != nil && !o.value {
				folded := strings.ToLower(key)
				if o.keys[folded] {
					return fmt.Errorf("line %d: the key %q is there twice; leave one",
						line(content, decoder.InputOffset()), key)
				}
				o.keys[folded], o.value = true, true
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			open = append(open, object{keys: map[string]bool{}})
			continue
		case json.Delim('['):
			open = append(open, object{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > 0 { // a value has ended
			open[len(open)-1].value = false
		}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("line %d: there is more after the end", line(content, decoder.InputOffset()))
	}
	return nil
}

// line is the number of the line at an offset, from 1.
func line(content []byte, offset int64) int {
	return 1 + bytes.Count(content[:max(0, min(int(offset), len(content)))], []byte("\n"))
}
