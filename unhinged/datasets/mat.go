package datasets

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
)

// matArray is one numeric array of a MATLAB file.
type matArray struct {
	dimensions []int
	values     []uint8 // column-major: the first index runs fastest
}

// Data types of the elements of a MAT file.
const (
	miINT8, miUINT8, miINT32, miUINT32, miMATRIX, miCOMPRESSED = 1, 2, 5, 6, 14, 15
)

// maxMAT is the largest array that readMAT accepts, in bytes: SVHN's extra set has 1.6 GB.
const maxMAT = 2 << 30

// readMAT reads the arrays of a level 5 MAT file, by name: "MAT-File Format", The MathWorks, chapter 1. It reads only
// what SVHN needs: little-endian arrays whose values are stored as unsigned bytes, compressed or not. Anything else is
// an error.
func readMAT(content []byte) (map[string]matArray, error) {
	if len(content) < 128 {
		return nil, fmt.Errorf("MAT: %d bytes; the header alone has 128", len(content))
	}
	if version := content[124:128]; !bytes.Equal(version, []byte("\x00\x01IM")) {
		return nil, fmt.Errorf("MAT: version and byte order are %q, not those of a little-endian MATLAB 5 file (%q)",
			version, "\x00\x01IM")
	}
	arrays := map[string]matArray{}
	for rest := content[128:]; len(rest) > 0; {
		kind, data, next, err := matElement(rest)
		if err != nil {
			return nil, err
		}
		rest = next
		if kind == miCOMPRESSED {
			if kind, data, err = matUncompress(data); err != nil {
				return nil, err
			}
		}
		if kind != miMATRIX {
			return nil, fmt.Errorf("MAT: an element of type %d where an array (type %d) was expected", kind, miMATRIX)
		}
		name, array, err := matMatrix(data)
		if err != nil {
			return nil, err
		}
		arrays[name] = array
	}
	return arrays, nil
}

// matElement splits the first element off: a tag of type and size, the data, and padding to 8 bytes. Up to 4 bytes of
// data may stand in the tag itself. Compressed elements are not padded.
func matElement(content []byte) (kind uint32, data, rest []byte, err error) {
	if len(content) < 8 {
		return 0, nil, nil,
			fmt.Errorf("MAT: %d bytes where an element's tag of 8 was expected: the file is not complete", len(content))
	}
	kind = binary.LittleEndian.Uint32(content)
	if small := kind >> 16; small != 0 {
		if small > 4 {
			return 0, nil, nil, fmt.Errorf("MAT: a small element of %d bytes; it has 4 at most", small)
		}
		return kind & 0xffff, content[4 : 4+small], content[8:], nil
	}
	size := uint64(binary.LittleEndian.Uint32(content[4:]))
	if size > uint64(len(content)-8) {
		return 0, nil, nil, fmt.Errorf("MAT: an element announces %d bytes and %d are left: the file is not complete",
			size, len(content)-8)
	}
	padded := size
	if kind != miCOMPRESSED {
		padded = min((size+7)&^7, uint64(len(content)-8)) // the padding of the last element may be missing
	}
	return kind, content[8 : 8+size], content[8+padded:], nil
}

// matUncompress returns the one element that a compressed element holds.
func matUncompress(compressed []byte) (kind uint32, data []byte, err error) {
	in, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return 0, nil, fmt.Errorf("MAT: compressed element: %w", err)
	}
	// A bytes.Buffer grows with the content, so that a short file with a large size in its header causes no large
	// allocation.
	var content bytes.Buffer
	n, err := io.Copy(&content, io.LimitReader(in, maxMAT+1)) // to the end, where zlib's checksum is
	if err != nil {
		return 0, nil, fmt.Errorf("MAT: compressed element, after %d bytes: %w", n, err)
	}
	if n > maxMAT {
		return 0, nil, fmt.Errorf("MAT: an element of more than %d bytes", maxMAT)
	}
	kind, data, rest, err := matElement(content.Bytes())
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("MAT: %d bytes after a compressed element's array", len(rest))
	}
	return kind, data, err
}

// matMatrix decodes an array: elements with its flags, dimensions, name and values.
func matMatrix(content []byte) (name string, array matArray, err error) {
	var parts [4][]byte
	for i, want := range [4]uint32{miUINT32, miINT32, miINT8, miUINT8} {
		kind, data, rest, err := matElement(content)
		if err != nil {
			return "", array, err
		}
		if kind != want {
			what := [4]string{"flags", "dimensions", "name", "values"}[i]
			return "", array, fmt.Errorf("MAT: the %s of array %q are of type %d; only %d can be read here", what,
				parts[2], kind, want)
		}
		parts[i], content = data, rest
	}
	flags, dimensions, name, values := parts[0], parts[1], string(parts[2]), parts[3]
	const sparse, imaginary = 5, 0x08 // cells, structures, objects and texts come before sparse; a bit of the flags
	if len(flags) != 8 || flags[0] <= sparse || flags[1]&imaginary != 0 {
		return "", array, fmt.Errorf("MAT: array %q has flags %x; only full, real, numeric arrays can be read here",
			name, flags)
	}
	if len(content) > 0 || len(dimensions)%4 != 0 || len(dimensions) < 8 {
		return "", array, fmt.Errorf("MAT: array %q has %d bytes of dimensions, and %d after its values", name,
			len(dimensions), len(content))
	}
	total := int64(1)
	for ; len(dimensions) > 0; dimensions = dimensions[4:] {
		size := int64(int32(binary.LittleEndian.Uint32(dimensions)))
		if size < 0 || size > 0 && total > maxMAT/size {
			return "", array,
				fmt.Errorf("MAT: array %q has dimensions %v and then %d, which is negative or more than %d values",
					name, array.dimensions, size, maxMAT)
		}
		total *= size
		array.dimensions = append(array.dimensions, int(size))
	}
	if total != int64(len(values)) {
		return "", array, fmt.Errorf("MAT: array %q has %d values where its dimensions %v need %d", name, len(values),
			array.dimensions, total)
	}
	array.values = values
	return name, array, nil
}
