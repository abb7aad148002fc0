package ntk

import (
	"errors"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// tiling computes a kernel chunk by chunk.
type tiling struct {
	empirical     *Empirical
	want          contraction
	rows, columns []chunk
	symmetric     bool
	kernel        *tensors.Tensor
}

// run keeps the factors of as many rows as the budget allows, and passes through the columns once for all of these
// rows.
func (t *tiling) run() error {
	held := map[int][]*tensors.Tensor{} // indexed by row
	drop := func(factors []*tensors.Tensor) {
		for _, f := range factors {
			f.MustFinalizeAll()
		}
	}
	defer func() {
		for _, factors := range held {
			drop(factors)
		}
	}()
	for first := 0; first < len(t.rows); {
		var used int64
		last := first
		for ; last < len(t.rows) && (last == first || t.want != diagonal &&
			used/int64(last-first)+used <= t.empirical.MemoryBudget); last++ {
			factors, err := t.factors(t.rows[last])
			if err != nil {
				return err
			}
			held[last] = factors
			for _, f := range factors {
				used += f.Shape().ByteSize()
			}
		}
		for j, column := range t.columns {
			if t.want == diagonal && j != first || t.symmetric && j < first {
				continue
			}
			right, ok := held[j], t.symmetric && j < last
			if !ok {
				var err error
				if right, err = t.factors(column); err != nil {
					return err
				}
			}
			for i := first; i < last && !(t.symmetric && i > j); i++ {
				tile, err := t.empirical.contract(t.want, held[i], right)
				if err != nil {
					return err
				}
				if err := t.put(t.rows[i], column, tile); err != nil {
					return err
				}
				tile.MustFinalizeAll()
			}
			if !ok {
				drop(right)
			}
		}
		for ; first < last; first++ {
			drop(held[first])
			delete(held, first)
		}
	}
	return nil
}

func (t *tiling) factors(c chunk) ([]*tensors.Tensor, error) {
	return t.empirical.source.factors(c.x, t.want == traced)
}

// put copies a tile to its place, and to the transposed one.
func (t *tiling) put(row, column chunk, tile *tensors.Tensor) error {
	if at := notFinite(tile); at >= 0 {
		return errors.New("the kernel is not finite: look at the variables, which may have diverged")
	}
	if t.kernel == nil {
		n, m, shape := end(t.rows), end(t.columns), tile.Shape().Dimensions
		dims := append([]int{n, m}, shape[2:]...)
		switch t.want {
		case full:
			dims = []int{n, m, shape[1], shape[3]}
		case diagonal:
			dims = append([]int{n}, shape[1:]...)
		}
		t.kernel = tensors.FromShape(shapes.Make(tile.DType(), dims...))
	}
	if tile.DType() == dtypes.Float32 {
		put[float32](t, row, column, tile)
	} else {
		put[float64](t, row, column, tile)
	}
	return nil
}

// end returns the number of examples in the chunks.
func end(chunks []chunk) int {
	last := chunks[len(chunks)-1]
	return last.first + last.n
}

func put[T float32 | float64](t *tiling, row, column chunk, tile *tensors.Tensor) {
	dims := tile.Shape().Dimensions
	tensors.MustConstFlatData(tile, func(from []T) {
		tensors.MustMutableFlatData(t.kernel, func(to []T) {
			if t.want == diagonal {
				size := len(from) / dims[0]
				copy(to[row.first*size:], from[:row.n*size])
				return
			}
			lines, examples := 1, dims[1] // lines for a pair of examples in the tile: one with all its numbers,
			if t.want == full {           // or one for each output c, all k, which come as [n, c, m, k]
				lines, examples = dims[1], dims[2]
			}
			line := len(from) / (dims[0] * lines * examples)
			total := end(t.columns)
			for n := range row.n {
				for m := range column.n {
					i, j := row.first+n, column.first+m
					if t.symmetric && i > j {
						continue
					}
					pair, mirror := to[(i*total+j)*lines*line:], []T(nil)
					if t.symmetric {
						mirror = to[(j*total+i)*lines*line:]
					}
					for c := range lines {
						some := from[((n*lines+c)*examples+m)*line:][:line]
						switch {
						case !t.symmetric:
							copy(pair[c*line:], some)
						case t.want != full:
							copy(pair, some)
							copy(mirror, some)
						case i == j:
							for k, v := range some[c:] {
								pair[c*line+c+k], pair[(c+k)*line+c] = v, v
							}
						default:
							for k, v := range some {
								pair[c*line+k], mirror[k*line+c] = v, v
							}
						}
					}
				}
			}
		})
	})
}
