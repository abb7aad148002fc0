package ntk

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// inputs are n examples x of positions with channels each, or of vectors whose features are the channels, and their
// variances q = |x|²/channels.
type inputs struct {
	layout
	n, channels int
	x, q        []float64
}

// readInputs copies and checks a tensor; vectors says to take images for vectors.
func readInputs(t *tensors.Tensor, vectors bool) (*inputs, error) {
	shape := t.Shape()
	dims := shape.Dimensions
	if rank := shape.Rank(); rank != 2 && rank != 4 || shape.Size() == 0 {
		return nil, fmt.Errorf("ntk: inputs are [examples, features] or [examples, height, width, channels] and not empty, not %s", shape)
	}
	in := &inputs{n: dims[0], channels: shape.Size() / dims[0]}
	if shape.Rank() == 4 && !vectors {
		in.layout, in.channels = layout{dims[1], dims[2]}, dims[3]
	}
	in.x, in.q = make([]float64, shape.Size()), make([]float64, in.n*in.positions())
	var err error
	switch shape.DType {
	case dtypes.Float32:
		tensors.MustConstFlatData(t, func(flat []float32) { err = read(in, flat, math.MaxFloat32) })
	case dtypes.Float64:
		tensors.MustConstFlatData(t, func(flat []float64) { err = read(in, flat, math.MaxFloat64) })
	default:
		err = fmt.Errorf("ntk: inputs are float32 or float64, not %s", shape.DType)
	}
	return in, err
}

// read fills x and q, whose sums of squares must not exceed the largest number.
func read[T float32 | float64](in *inputs, flat []T, largest float64) error {
	n := in.positions()
	errs := make([]error, in.n)
	parallel(in.n, func() func(int) {
		return func(example int) {
			for i := example * n; i < (example+1)*n; i++ {
				x := in.at(i)
				for j, v := range flat[i*in.channels : (i+1)*in.channels] {
					x[j] = float64(v)
				}
				norm := dot(x, x)
				in.q[i] = norm / float64(in.channels)
				if norm <= largest {
					continue
				}
				errs[example] = fmt.Errorf("ntk: the squares of example %d's inputs overflow %T: scale them down", example, flat[0])
				for j, v := range x {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						errs[example] = fmt.Errorf("ntk: example %d has %g among its inputs, number %d: they must be finite", example, v, (i-example*n)*in.channels+j)
					}
				}
				return
			}
		}
	})
	return errors.Join(errs...)
}

// at is the channels at position i of all examples' positions.
func (in *inputs) at(i int) []float64 { return in.x[i*in.channels : (i+1)*in.channels] }

func dot(x, y []float64) float64 {
	y = y[:len(x)]
	var a, b, c, d float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a += x[i] * y[i]
		b += x[i+1] * y[i+1]
		c += x[i+2] * y[i+2]
		d += x[i+3] * y[i+3]
	}
	for ; i < len(x); i++ {
		a += x[i] * y[i]
	}
	return a + b + (c + d)
}

// pairs is one computation of kernels.
type pairs struct {
	program             *program
	x1, x2              *inputs
	q1, q2              [][]float64 // of each register, for all examples one after the other
	symmetric, diagonal bool
	products            *tensors.Tensor // x1·x2, for vectors that are not on the diagonal
}

// variances runs program.variances on each example.
func (p *pairs) variances(in *inputs) [][]float64 {
	q := make([][]float64, len(p.program.shapes))
	q[0] = in.q
	for r, shape := range p.program.shapes {
		if r > 0 && p.program.needed[r] {
			q[r] = make([]float64, in.n*shape.positions())
		}
	}
	size := in.positions()
	parallel(in.n, func() func(int) {
		return func(i int) {
			self := func(c covariance) { p.covariances(c, in, in, i, i) }
			for r, v := range p.program.variances(in.q[i*size:(i+1)*size], self) {
				if r > 0 && v != nil {
					copy(q[r][i*len(v):], v)
				}
			}
		}
	})
	return q
}

// covariances fills c for examples i of x1 and j of x2, from the inputs.
func (p *pairs) covariances(c covariance, x1, x2 *inputs, i, j int) {
	n := x1.positions()
	fill := func(e, a, b int) {
		c.k[e], c.near[e] = accurate(dot(x1.at(a), x2.at(b)), threshold, x1, x2, a, b)
	}
	for p1 := range n {
		if !p.program.full {
			fill(p1, i*n+p1, j*n+p1)
			continue
		}
		for p2 := range n {
			fill(x1.entry(p1, p2, true), i*n+p1, j*n+p2)
		}
	}
}

// accurate returns k and near at positions a of x1 and b of x2 from their inner product, and where near is below the
// threshold from √(q₁q₂)/2·|x̂ ∓ ŷ|², without cancellation.
func accurate(product, threshold float64, x1, x2 *inputs, a, b int) (k, near float64) {
	k = product / float64(x1.channels)
	r := math.Sqrt(x1.q[a]) * math.Sqrt(x2.q[b])
	if near = r - math.Abs(k); near >= threshold*r || r == 0 {
		return k, max(0, near)
	}
	n1 := 1 / math.Sqrt(x1.q[a])
	n2 := math.Copysign(1/math.Sqrt(x2.q[b]), k)
	x, y := x1.at(a), x2.at(b)
	sum := 0.0
	for i, v := range x {
		d := v*n1 - y[i]*n2
		sum += d * d
	}
	near = r / 2 * sum / float64(len(x))
	return math.Copysign(r-near, k), near
}

// solve computes the kernels in rows of pairs of vectors or single pairs of images.
func solve[T float32 | float64](p *pairs) (*Kernels, error) {
	n1, n2, chunk := p.x1.n, p.x2.n, 1
	dims := []int{n1, n2}
	var products []T
	limit := threshold
	switch {
	case p.diagonal:
		n2, dims = 1, dims[:1]
	case !p.x1.image():
		chunk = 256
		products = tensors.MustCopyFlatData[T](p.products)
		if _, single := any(products).([]float32); single {
			limit = 1e-2
		}
	}
	nngp, ntk := make([]T, n1*n2), make([]T, n1*n2)
	columns := (n2 + chunk - 1) / chunk
	parallel(n1*columns, func() func(int) {
		t := newTile(p.program, chunk)
		return func(task int) {
			i, from := task/columns, task%columns*chunk
			to := min(from+chunk, n2)
			if p.symmetric && !p.diagonal && to <= i {
				return
			}
			t.pairs = to - from
			first := from
			if p.diagonal {
				first = i
			}
			c := t.input()
			if products == nil {
				p.covariances(c, p.x1, p.x2, i, first)
			}
			for j := range products[min(from, len(products)):min(to, len(products))] {
				c.k[j], c.near[j] = accurate(float64(products[i*n2+from+j]), limit, p.x1, p.x2, i, from+j)
			}
			t.run(p.program.steps, func(r register) (q1, q2 []float64) {
				if p.q1[r] == nil {
					return nil, nil
				}
				size := p.program.shapes[r].positions()
				return p.q1[r][i*size : (i+1)*size], p.q2[r][first*size : (first+t.pairs)*size]
			})
			last := p.program.steps[len(p.program.steps)-1].out
			for j, k := range t.registers[last].k {
				nngp[i*n2+from+j], ntk[i*n2+from+j] = T(k), T(t.registers[last].ntk[j])
			}
			t.release(last)
		}
	})
	if p.symmetric && !p.diagonal {
		for i := range n1 {
			for j := range i {
				nngp[i*n2+j], ntk[i*n2+j] = nngp[j*n2+i], ntk[j*n2+i]
			}
		}
	}
	return &Kernels{tensors.FromFlatDataAndDimensions(nngp, dims...), tensors.FromFlatDataAndDimensions(ntk, dims...)}, nil
}

// parallel runs tasks 0 … n−1 on all cores, each of which makes its own worker.
func parallel(n int, worker func() func(task int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			run := worker()
			for task := int(next.Add(1)) - 1; task < n; task = int(next.Add(1)) - 1 {
				run(task)
			}
		})
	}
	group.Wait()
}
