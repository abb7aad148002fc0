// Package npy reads and writes NumPy's .npy files and .npz archives: features, prototypes and kernels as matrices,
// biases as vectors, labels as integers, images as arrays. The format is described at
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html; versions 1.0, 2.0 and 3.0 are read, 1.0 is
// written. Files are decoded while they are read, without a second copy in memory, and their size is checked before
// anything is allocated.
package npy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes/float16"
	"github.com/unhinged-lab/lab/internal/regular"
	"gonum.org/v1/gonum/mat"
)

// ReadMatrix reads a two-dimensional array of float16, float32 or float64, in C or Fortran order, of either byte order.
func ReadMatrix(path string) (*mat.Dense, error) {
	return readFile(path, readMatrix)
}

// ReadVector reads a one-dimensional array of float16, float32 or float64 of either byte order.
func ReadVector(path string) ([]float64, error) {
	return readFile(path, readVector)
}

// ReadIntegers reads a one-dimensional array of int8 … int64 or uint8 … uint64 of either byte order, such as labels.
func ReadIntegers(path string) ([]int, error) {
	return readFile(path, readIntegers)
}

// ReadArray reads an array of any number of dimensions, of float16, float32, float64 or uint8, in C or Fortran order,
// of either byte order, such as images [n, height, width, channels]. The values come in C order.
func ReadArray[T float32 | float64](path string) (shape []int, values []T, err error) {
	type array struct {
		shape  []int
		values []T
	}
	a, err := readFile(path, func(r io.Reader, size int64) (array, error) {
		shape, values, err := readArray[T](r, size)
		return array{shape, values}, err
	})
	return a.shape, a.values, err
}

// ReadShape reads the shape of an array that [ReadArray] reads, without its values.
func ReadShape(path string) ([]int, error) {
	return readFile(path, func(r io.Reader, size int64) ([]int, error) {
		h, _, err := readArrayHeader(r, size, anyDims, numbers)
		return h.shape, err
	})
}

func readArray[T float32 | float64](r io.Reader, size int64) (shape []int, values []T, err error) {
	h, count, err := readArrayHeader(r, size, anyDims, numbers)
	if err != nil {
		return nil, nil, err
	}
	values = make([]T, count)
	put := func(k int, v float64) { values[k] = T(v) }
	if h.fortran {
		put = func(k int, v float64) {
			place, stride := 0, count
			for _, n := range h.shape {
				stride /= n
				place += k % n * stride
				k /= n
			}
			values[place] = T(v)
		}
	}
	return h.shape, values, decode(r, h, count, numbers.types[h.descr[1:]], put)
}

// readFile opens path and hands it to read with its size; errors are prefixed with the path.
func readFile[T any](path string, read func(r io.Reader, size int64) (T, error)) (T, error) {
	var zero T
	f, err := regular.Open(path)
	if err != nil {
		return zero, err // the error names the path
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return zero, err
	}
	v, err := read(bufio.NewReaderSize(f, 1<<16), info.Size())
	if err != nil {
		return zero, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

func readMatrix(r io.Reader, size int64) (*mat.Dense, error) {
	h, count, err := readArrayHeader(r, size, 2, floats)
	if err != nil {
		return nil, err
	}
	rows, cols := h.shape[0], h.shape[1]
	data := make([]float64, count)
	put := func(k int, v float64) { data[k] = v }
	if h.fortran {
		put = func(k int, v float64) { data[k%rows*cols+k/rows] = v }
	}
	if err := decode(r, h, count, floats.types[h.descr[1:]], put); err != nil {
		return nil, err
	}
	return mat.NewDense(rows, cols, data), nil
}

func readVector(r io.Reader, size int64) ([]float64, error) {
	h, count, err := readArrayHeader(r, size, 1, floats)
	if err != nil {
		return nil, err
	}
	data := make([]float64, count)
	err = decode(r, h, count, floats.types[h.descr[1:]], func(k int, v float64) { data[k] = v })
	return data, err
}

func readIntegers(r io.Reader, size int64) ([]int, error) {
	h, count, err := readArrayHeader(r, size, 1, integers)
	if err != nil {
		return nil, err
	}
	data := make([]int, count)
	large := -1
	err = decode(r, h, count, integers.types[h.descr[1:]], func(k int, v int64) {
		data[k] = int(v)
		if large < 0 && (int64(data[k]) != v || v < 0 && h.descr[1] == 'u') {
			large = k
		}
	})
	if err == nil && large >= 0 {
		err = fmt.Errorf("element %d is larger than the largest integer here, %d", large, math.MaxInt)
	}
	return data, err
}

// element is one supported type of elements: its size in bytes and how to decode it.
type element[T any] struct {
	size int
	get  func(binary.ByteOrder, []byte) T
}

// kind is a family of supported element types, by the type and size in a header's descr (without its byte order).
type kind[T any] struct {
	name  string // for errors
	types map[string]element[T]
}

var (
	floats = kind[float64]{"float16, float32 or float64", map[string]element[float64]{
		"f2": {2, func(o binary.ByteOrder, b []byte) float64 { return float16.FromBits(o.Uint16(b)).Float64() }},
		"f4": {4, func(o binary.ByteOrder, b []byte) float64 { return float64(math.Float32frombits(o.Uint32(b))) }},
		"f8": {8, func(o binary.ByteOrder, b []byte) float64 { return math.Float64frombits(o.Uint64(b)) }},
	}}
	numbers = kind[float64]{"float16, float32, float64 or uint8", map[string]element[float64]{
		"f2": floats.types["f2"],
		"f4": floats.types["f4"],
		"f8": floats.types["f8"],
		"u1": {1, func(_ binary.ByteOrder, b []byte) float64 { return float64(b[0]) }},
	}}
	integers = kind[int64]{"integers, such as int64", map[string]element[int64]{
		"i1": {1, func(_ binary.ByteOrder, b []byte) int64 { return int64(int8(b[0])) }},
		"i2": {2, func(o binary.ByteOrder, b []byte) int64 { return int64(int16(o.Uint16(b))) }},
		"i4": {4, func(o binary.ByteOrder, b []byte) int64 { return int64(int32(o.Uint32(b))) }},
		"i8": {8, func(o binary.ByteOrder, b []byte) int64 { return int64(o.Uint64(b)) }},
		"u1": {1, func(_ binary.ByteOrder, b []byte) int64 { return int64(b[0]) }},
		"u2": {2, func(o binary.ByteOrder, b []byte) int64 { return int64(o.Uint16(b)) }},
		"u4": {4, func(o binary.ByteOrder, b []byte) int64 { return int64(o.Uint32(b)) }},
		"u8": {8, func(o binary.ByteOrder, b []byte) int64 { return int64(o.Uint64(b)) }},
	}}
)

// anyDims is the number of dimensions of arrays that may have any.
const anyDims = -1

// readArrayHeader reads the header and checks it: the number of dimensions, the element type against those
// wanted, and the size of the data against the size of the file. It returns the number of elements too.
func readArrayHeader[T any](r io.Reader, size int64, dims int, want kind[T]) (header, int, error) {
	h, length, err := readHeader(r, size)
	if err != nil {
		return h, 0, err
	}
	elem, ok := element[T]{}, false
	if len(h.descr) > 1 && strings.ContainsRune("<>|", rune(h.descr[0])) {
		elem, ok = want.types[h.descr[1:]]
	}
	if !ok || h.descr[0] == '|' && elem.size > 1 { // '|' means no byte order, which is only right for single bytes
		return h, 0, fmt.Errorf("dtype '%s' is not supported: save as %s", h.descr, want.name)
	}
	if dims != anyDims && len(h.shape) != dims {
		return h, 0, fmt.Errorf("array has shape %s: want %d dimension(s)", h.shapeString(), dims)
	}
	count := int64(1)
	available := (size - length) / int64(elem.size)
	if slices.Contains(h.shape, 0) {
		return h, 0, fmt.Errorf("array of shape %s is empty", h.shapeString())
	}
	for _, n := range h.shape {
		if int64(n) > available || count > available/int64(n) {
			return h, 0,
				fmt.Errorf("file holds %d bytes of data, but shape %s of dtype '%s' needs more: it is cut short",
					size-length, h.shapeString(), h.descr)
		}
		count *= int64(n)
	}
	if rest := size - length - count*int64(elem.size); rest != 0 {
		return h, 0, fmt.Errorf("%d bytes follow the data of shape %s and dtype '%s': want one array a file",
			rest, h.shapeString(), h.descr)
	}
	return h, int(count), nil
}

// decode reads count elements and hands each with its position in the file to put.
func decode[T any](r io.Reader, h header, count int, elem element[T], put func(k int, v T)) error {
	var order binary.ByteOrder = binary.LittleEndian
	if h.descr[0] == '>' {
		order = binary.BigEndian
	}
	const perRead = 4096
	buf := make([]byte, perRead*elem.size)
	for k := 0; k < count; {
		chunk := buf[:min(perRead, count-k)*elem.size]
		if _, err := io.ReadFull(r, chunk); err != nil {
			return fmt.Errorf("data at element %d of %d: %w", k, count, err)
		}
		for ; len(chunk) > 0; chunk = chunk[elem.size:] {
			put(k, elem.get(order, chunk))
			k++
		}
	}
	return nil
}
