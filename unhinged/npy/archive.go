package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes/float16"
	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/regular"
	"gonum.org/v1/gonum/mat"
)

// Array is an array for an archive.
type Array struct {
	header
	bytes []byte // of all elements, in C order
}

// Half returns m as a float16 array. It returns an error for a finite number beyond 65504, which float16 has not.
func Half(m mat.Matrix) (Array, error) {
	rows, cols := m.Dims()
	a := Array{header: header{descr: "<f2", shape: []int{rows, cols}}}
	for i := range rows {
		for j := range cols {
			v := m.At(i, j)
			half := float16.FromFloat64(v)
			if math.IsInf(half.Float64(), 0) && !math.IsInf(v, 0) {
				return a, fmt.Errorf("npy: element (%d, %d) is %g, which is too large for float16", i, j, v)
			}
			a.bytes = binary.LittleEndian.AppendUint16(a.bytes, half.Bits())
		}
	}
	return a, nil
}

// Single returns m as a float32 array.
func Single(m mat.Matrix) Array {
	rows, cols := m.Dims()
	a := Array{header: header{descr: "<f4", shape: []int{rows, cols}}}
	for i := range rows {
		for j := range cols {
			a.bytes = binary.LittleEndian.AppendUint32(a.bytes, math.Float32bits(float32(m.At(i, j))))
		}
	}
	return a
}

// Bytes returns v as a uint8 array.
func Bytes(v []uint8) Array {
	return Array{header: header{descr: "|u1", shape: []int{len(v)}}, bytes: v}
}

// WriteArchive writes arrays by name as an .npz file, as numpy.savez does. Equal arrays give equal files. The file
// appears whole or not at all.
func WriteArchive(path string, arrays map[string]Array) error {
	return files.Write(path, func(out io.Writer) error {
		archive := zip.NewWriter(out)
		for _, name := range slices.Sorted(maps.Keys(arrays)) {
			file, err := archive.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate})
			if err != nil {
				return err
			}
			if _, err := file.Write(append(encodeHeader(arrays[name].header), arrays[name].bytes...)); err != nil {
				return err
			}
		}
		return archive.Close()
	})
}

// Archive is an .npz file that was read.
type Archive struct {
	path  string
	files map[string][]byte // .npy files, by name without ".npy"
}

// maxArchive bounds the bytes of an archive, packed and unpacked.
const maxArchive = 1 << 30

// ReadArchive reads an .npz file, as numpy.savez or numpy.savez_compressed write it.
func ReadArchive(path string) (*Archive, error) {
	content, err := regular.ReadFile(path, maxArchive)
	if err != nil {
		return nil, err
	}
	a, err := parseArchive(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a.path = path
	return a, nil
}

func parseArchive(content []byte) (*Archive, error) {
	in, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	a := &Archive{files: map[string][]byte{}}
	left := int64(maxArchive)
	for _, f := range in.File {
		open, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		array, err := io.ReadAll(io.LimitReader(open, left+1)) // checks the CRC
		open.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if left -= int64(len(array)); left < 0 {
			return nil, fmt.Errorf("the arrays have more than %d bytes", maxArchive)
		}
		a.files[strings.TrimSuffix(f.Name, ".npy")] = array
	}
	return a, nil
}

// Names returns the names of the arrays, sorted.
func (a *Archive) Names() []string { return slices.Sorted(maps.Keys(a.files)) }

// Matrix returns the named array of two dimensions, of float16, float32 or float64.
func (a *Archive) Matrix(name string) (*mat.Dense, error) { return fromArchive(a, name, readMatrix) }

// Integers returns the named array of one dimension, of integers.
func (a *Archive) Integers(name string) ([]int, error) { return fromArchive(a, name, readIntegers) }

func fromArchive[T any](a *Archive, name string, read func(io.Reader, int64) (T, error)) (T, error) {
	content, found := a.files[name]
	if !found {
		var none T
		return none, fmt.Errorf("%s has no array %q; it has %s", a.path, name, strings.Join(a.Names(), ", "))
	}
	v, err := read(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return v, fmt.Errorf("%s, array %q: %w", a.path, name, err)
	}
	return v, nil
}
