package tiles

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/regular"
	"gonum.org/v1/gonum/mat"
)

// Array is one of a store's kernels. Its methods return it as a matrix [N1·C, N2·C], in which row i·C+a is output a of
// example i of the rows, and likewise for columns. C is 1 for kernels [N1, N2].
type Array struct {
	Name  string
	DType string // Float32 or Float64
	Shape []int  // [N1, N2] or [N1, N2, C, C]
	Tile  []int  // the shape of each chunk, of the same length as Shape
	store *Store
	meta  metadata
}

// Array opens an array of the store, which need not be complete.
func (s *Store) Array(name string) (*Array, error) {
	m, ok := s.arrays[name]
	if !ok {
		return nil, fmt.Errorf("%s has no array %q; there are %s", s.Dir, name, strings.Join(s.Kernel.Arrays, ", "))
	}
	return &Array{Name: name, DType: m.DType, Shape: m.Shape, Tile: m.Chunks, store: s, meta: m}, nil
}

// Chunks returns the number of chunks of the array that are on disk, and the number of all its chunks.
func (a *Array) Chunks() (done, total int) {
	rows, cols := a.meta.grid()
	return rows*cols - len(a.Missing()), rows * cols
}

// Missing lists the names of the chunks that are not on disk. Damaged chunks count as on disk: see [Array.Verify].
func (a *Array) Missing() []string {
	var names []string
	rows, cols := a.meta.grid()
	for i := range rows {
		for j := range cols {
			path, _ := a.store.paths(a.Name, i, j)
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				names = append(names, a.meta.chunkName(i, j))
			}
		}
	}
	return names
}

// Block reads the kernel between ranges of examples, [rows.Len()·C, cols.Len()·C]. It is an error if one of its chunks
// is missing.
func (a *Array) Block(rows, cols Range) (*mat.Dense, error) {
	for axis, r := range []Range{rows, cols} {
		if r.From < 0 || r.To > a.Shape[axis] || r.Len() < 1 {
			return nil, fmt.Errorf("%s: examples %v of axis %d: want some of 0…%d", a.Name, r, axis, a.Shape[axis]-1)
		}
	}
	c := a.meta.outputs()
	block := mat.NewDense(rows.Len()*c, cols.Len()*c, nil)
	for i := rows.From / a.Tile[0]; i*a.Tile[0] < rows.To; i++ {
		for j := cols.From / a.Tile[1]; j*a.Tile[1] < cols.To; j++ {
			r, s := a.meta.examples(i, j)
			r, s = intersection(r, rows), intersection(s, cols)
			part := block.Slice((r.From-rows.From)*c, (r.To-rows.From)*c, (s.From-cols.From)*c,
				(s.To-cols.From)*c).(*mat.Dense)
			if err := a.read(i, j, r, s, part); err != nil {
				return nil, err
			}
		}
	}
	return block, nil
}

func intersection(a, b Range) Range { return Range{max(a.From, b.From), min(a.To, b.To)} }

// Dense reads the whole array, which takes 8·N1·C·N2·C bytes.
func (a *Array) Dense() (*mat.Dense, error) {
	return a.Block(Range{0, a.Shape[0]}, Range{0, a.Shape[1]})
}

// Sym reads the whole array of a symmetric kernel.
func (a *Array) Sym() (*mat.SymDense, error) {
	if !a.store.Kernel.Symmetric {
		return nil, fmt.Errorf("%s of %s is a kernel between two sets of examples, not symmetric", a.Name, a.store.Dir)
	}
	dense, err := a.Dense()
	if err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	return mat.NewSymDense(n, dense.RawMatrix().Data), nil
}

// Tensor reads the whole array as a tensor of its shape and number type.
func (a *Array) Tensor() (*tensors.Tensor, error) {
	if a.DType == Float32 {
		return readTensor[float32](a)
	}
	return readTensor[float64](a)
}

func readTensor[T float32 | float64](a *Array) (*tensors.Tensor, error) {
	pair := a.meta.outputs() * a.meta.outputs()
	values := make([]T, a.Shape[0]*a.Shape[1]*pair)
	rows, cols := a.meta.grid()
	for i := range rows {
		for j := range cols {
			r, s := a.meta.examples(i, j)
			var failed error
			err := a.lines(i, j, r, s, func(row int, line []byte) {
				at := (row*a.Shape[1] + s.From) * pair
				if _, err := binary.Decode(line, binary.LittleEndian, values[at:at+s.Len()*pair]); err != nil {
					failed = err
				}
			})
			if err := errors.Join(err, failed); err != nil {
				return nil, err
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(values, a.Shape...), nil
}

// read sets dst to the entries of the examples rows × cols, which are all within chunk (i, j).
func (a *Array) read(i, j int, rows, cols Range, dst *mat.Dense) error {
	c, item := a.meta.outputs(), itemSize(a.DType)
	return a.lines(i, j, rows, cols, func(k int, line []byte) {
		if c == 1 {
			decode(dst.RawRowView(k-rows.From), line, item)
			return
		}
		for l := range cols.Len() {
			for output := range c {
				decode(dst.RawRowView((k-rows.From)*c + output)[l*c:(l+1)*c], line[(l*c+output)*c*item:], item)
			}
		}
	})
}

// lines visits each of the examples rows, with the numbers for the examples cols, [cols, C, C]. All of them are within
// chunk (i, j).
func (a *Array) lines(i, j int, rows, cols Range, visit func(row int, line []byte)) error {
	path, _ := a.store.paths(a.Name, i, j)
	switch there, err := a.store.check(a.Name, i, j); {
	case err != nil:
		return err
	case !there:
		missing := a.Missing()
		return fmt.Errorf("%s: missing, with %d other chunks of this array: compute the kernel again into %s, which "+
			"computes what is missing", path, len(missing)-1, a.store.Dir)
	}
	file, err := regular.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	origin, first := a.meta.examples(i, j)
	c := a.meta.outputs()
	pair := c * c * itemSize(a.DType)
	line := make([]byte, cols.Len()*pair)
	for row := rows.From; row < rows.To; row++ {
		if _, err := file.ReadAt(line,
			int64((row-origin.From)*a.Tile[1]+cols.From-first.From)*int64(pair)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		visit(row, line)
	}
	return nil
}

// decode fills dst with numbers of the given size.
func decode(dst []float64, src []byte, item int) {
	if item == 4 {
		for i := range dst {
			dst[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:])))
		}
		return
	}
	for i := range dst {
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
	}
}
