package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

const magic = "\x93NUMPY"

// maxHeader bounds the dictionary of a plain array's header, which takes about a hundred bytes.
const maxHeader = 1 << 16

// header is the dictionary at the start of a .npy file.
type header struct {
	descr   string // byte order ('<', '>', '|', '='), type and size, such as "<f8"
	fortran bool   // whether the first index runs fastest
	shape   []int
}

func (h header) shapeString() string {
	parts := make([]string, len(h.shape))
	for i, n := range h.shape {
		parts[i] = strconv.Itoa(n)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// readHeader reads magic, version and dictionary from the start of a file of the given size, and returns the number
// of bytes read too.
func readHeader(r io.Reader, size int64) (header, int64, error) {
	var start [8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil || string(start[:6]) != magic {
		return header{}, 0, fmt.Errorf("not a .npy file: it does not start with \\x93NUMPY (write it with numpy.save)")
	}
	var length int64
	major, minor := start[6], start[7]
	switch {
	case minor == 0 && major == 1:
		var n uint16
		if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
			return header{}, 0, fmt.Errorf("header is cut short")
		}
		length = int64(n)
	case minor == 0 && (major == 2 || major == 3):
		var n uint32
		if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
			return header{}, 0, fmt.Errorf("header is cut short")
		}
		length = int64(n)
	default:
		return header{}, 0, fmt.Errorf("format version %d.%d is not supported: want 1.0, 2.0 or 3.0", major, minor)
	}
	read := int64(len(start)) + 2
	if major > 1 {
		read += 2
	}
	if length > maxHeader {
		return header{}, 0, fmt.Errorf("header of %d bytes: want at most %d", length, maxHeader)
	}
	if length > size-read {
		return header{}, 0, fmt.Errorf("header is cut short")
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return header{}, 0, fmt.Errorf("header is cut short")
	}
	h, err := parseHeader(string(text))
	return h, read + length, err
}

// parseHeader parses the dictionary: a Python literal with exactly the keys descr, fortran_order and shape.
func parseHeader(text string) (header, error) {
	bad := func(format string, args ...any) (header, error) {
		return header{}, fmt.Errorf("header %.80q: %s", text, fmt.Sprintf(format, args...))
	}
	if !utf8.ValidString(text) {
		return bad("not UTF-8")
	}
	s := literal{rest: text}
	h := header{}
	seen := map[string]bool{}
	if !s.take("{") {
		return bad("want a dictionary {…}")
	}
	for !s.take("}") {
		key, ok := s.quoted()
		if !ok || !s.take(":") {
			return bad("want 'key': value at %.20q", s.rest)
		}
		if seen[key] {
			return bad("key %q appears twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			if h.descr, ok = s.quoted(); !ok {
				return bad("descr must be one simple dtype such as '<f8', not structured")
			}
		case "fortran_order":
			h.fortran = s.take("True")
			if !h.fortran && !s.take("False") {
				return bad("fortran_order must be True or False")
			}
		case "shape":
			if h.shape, ok = s.tuple(); !ok {
				return bad("shape must be a tuple of non-negative integers")
			}
		default:
			return bad("unknown key %q", key)
		}
		if !s.take(",") {
			if !s.take("}") {
				return bad("want ',' or '}' at %.20q", s.rest)
			}
			break
		}
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return bad("key %q is missing", key)
		}
	}
	if s.space(); s.rest != "" {
		return bad("unexpected %.20q after the dictionary", s.rest)
	}
	return h, nil
}

// literal is the unread rest of a Python literal.
type literal struct{ rest string }

func (s *literal) space() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

// take skips white space and the given token, if that is next.
func (s *literal) take(token string) bool {
	s.space()
	rest, ok := strings.CutPrefix(s.rest, token)
	s.rest = rest
	return ok
}

// quoted reads a string in single or double quotes; escapes do not occur in descr or keys and are refused.
func (s *literal) quoted() (string, bool) {
	for _, quote := range []string{"'", `"`} {
		if s.take(quote) {
			text, rest, ok := strings.Cut(s.rest, quote)
			if !ok || strings.ContainsAny(text, "\\\n") {
				return "", false
			}
			s.rest = rest
			return text, true
		}
	}
	return "", false
}

// tuple reads (), (n,), (n, m), …; Python 2 wrote long integers as nL.
func (s *literal) tuple() ([]int, bool) {
	if !s.take("(") {
		return nil, false
	}
	shape := []int{}
	for !s.take(")") {
		s.space()
		digits := len(s.rest) - len(strings.TrimLeft(s.rest, "0123456789"))
		n, err := strconv.Atoi(s.rest[:digits])
		if err != nil {
			return nil, false
		}
		shape = append(shape, n)
		s.rest = strings.TrimPrefix(s.rest[digits:], "L")
		if !s.take(",") {
			if len(shape) == 1 { // (n) is a number in parentheses, not a tuple
				return nil, false
			}
			return shape, s.take(")")
		}
	}
	return shape, true
}
