package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/unhinged-lab/lab/internal/files"
	"gonum.org/v1/gonum/mat"
)

// WriteMatrix writes m as a two-dimensional float64 array in C order. The file appears whole or not at all.
func WriteMatrix(path string, m mat.Matrix) error {
	rows, cols := m.Dims()
	return write(path, header{descr: "<f8", shape: []int{rows, cols}}, func(k int) uint64 {
		return math.Float64bits(m.At(k/cols, k%cols))
	})
}

// WriteVector writes v as a one-dimensional float64 array. The file appears whole or not at all.
func WriteVector(path string, v []float64) error {
	return write(path, header{descr: "<f8", shape: []int{len(v)}}, func(k int) uint64 { return math.Float64bits(v[k]) })
}

// WriteIntegers writes v as a one-dimensional int64 array. The file appears whole or not at all.
func WriteIntegers(path string, v []int) error {
	return write(path, header{descr: "<i8", shape: []int{len(v)}}, func(k int) uint64 { return uint64(v[k]) })
}

// write writes an array of 8-byte elements.
func write(path string, h header, bits func(k int) uint64) error {
	return files.Write(path, func(out io.Writer) error {
		if _, err := out.Write(encodeHeader(h)); err != nil {
			return err
		}
		count := 1
		for _, n := range h.shape {
			count *= n
		}
		var buf [8]byte
		for k := range count {
			binary.LittleEndian.PutUint64(buf[:], bits(k))
			if _, err := out.Write(buf[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// encodeHeader is version 1.0 as numpy writes it: padded with spaces so that the data starts at a multiple of 64.
func encodeHeader(h header) []byte {
	order := "False"
	if h.fortran {
		order = "True"
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", h.descr, order, h.shapeString())
	start := len(magic) + 4
	pad := 63 - (start+len(dict))%64
	out := append([]byte(magic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(dict)+pad+1))
	return append(out, dict+strings.Repeat(" ", pad)+"\n"...)
}
