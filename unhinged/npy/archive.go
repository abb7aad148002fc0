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

// PackArchive returns arrays by name as the content of an .npz file, as numpy.savez_compressed does. Equal arrays give
// equal content.
func PackArchive(arrays map[string]Array) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		file, err := archive.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(append(encodeHeader(arrays[name].header), arrays[name].bytes...)); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return out.Bytes(), err
}

// Archive is the content of an .npz file.
type Archive struct {
	files map[string][]byte // .npy files, by name without ".npy"
}

// maxArchive bounds the bytes of all arrays of an archive.
const maxArchive = 1 << 30

// UnpackArchive returns the arrays of an .npz file, as numpy.savez or numpy.savez_compressed write it.
func UnpackArchive(content []byte) (*Archive, error) {
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
		return none, fmt.Errorf("there is no array %q; there are %s", name, strings.Join(a.Names(), ", "))
	}
	v, err := read(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return v, fmt.Errorf("array %q: %w", name, err)
	}
	return v, nil
}
