package ntk

import (
	"errors"
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/internal/parallel"
)

// inputs holds n examples, x[example, channel, position], and their variances |x|²/channels. The features of vectors
// are channels.
type inputs[T float32 | float64] struct {
	layout
	variances
	n, channels int
	x           []T
	whole       *whole // of images, in place of x
}

// read checks the flat values of a tensor, in which positions come before channels, and converts them. Values of
// vectors are not copied.
func read[T float32 | float64](flat []T, n int, shape layout, largest float64) (*inputs[T], error) {
	size := shape.positions()
	in := &inputs[T]{layout: shape, variances: newVariances(n * size), n: n, channels: len(flat) / n / size, x: flat}
	if shape.image() {
		in.x = make([]T, len(flat))
	}
	errs := make([]error, n)
	parallel.Workers(n, func() func(int) {
		return func(i int) {
			x, q, from := in.example(i), in.q[i*size:(i+1)*size], flat[i*len(flat)/n:]
			if !shape.image() {
				q[0] = dot(x, x)
			} else {
				for c := range in.channels {
					plane := x[c*size : (c+1)*size]
					for p := range plane {
						v := from[p*in.channels+c]
						plane[p] = v
						q[p] += float64(v) * float64(v)
					}
				}
			}
			norm := 0.0
			for p := range q {
				norm += q[p]
				q[p] /= float64(in.channels)
			}
			if norm <= largest {
				return
			}
			errs[i] = fmt.Errorf("ntk: the squares of example %d's inputs overflow %T: scale them down", i, flat[0])
			for j, v := range from[:len(x)] {
				if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
					errs[i] = fmt.Errorf("ntk: example %d has %g among its inputs, number %d: they must be finite", i,
						v, j)
				}
			}
		}
	})
	in.roots()
	return in, errors.Join(errs...)
}

// example returns the numbers of example i.
func (in *inputs[T]) example(i int) []T {
	size := len(in.x) / in.n
	return in.x[i*size : (i+1)*size]
}

func dot[T float32 | float64](x, y []T) float64 {
	y = y[:len(x)]
	var a, b, c, d float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a += float64(x[i]) * float64(y[i])
		b += float64(x[i+1]) * float64(y[i+1])
		c += float64(x[i+2]) * float64(y[i+2])
		d += float64(x[i+3]) * float64(y[i+3])
	}
	for ; i < len(x); i++ {
		a += float64(x[i]) * float64(y[i])
	}
	return a + b + (c + d)
}

// pairs holds the data of one computation of kernels.
type pairs[T float32 | float64] struct {
	program             *program
	x1, x2              *inputs[T]
	v1, v2              []variances // of each register, for all examples one after the other
	symmetric, diagonal bool
	single              bool
	// For vectors, except on the diagonal: x1·x2 in blocks of several rows. A block begins at column 0 or, if
	// symmetric, at the column of its first row.
	products [][]T
	rows     int
	whole    []float64 // of images instead, [n1, n2]; see [wholeProducts]
}

// variances runs program.variances on each example.
func (p *pairs[T]) variances(in *inputs[T]) []variances {
	all := make([]variances, len(p.program.shapes))
	all[0] = in.variances
	for r, shape := range p.program.shapes {
		if r > 0 && p.program.needed[r] {
			all[r] = newVariances(in.n * shape.positions())
		}
	}
	parallel.Workers(in.n, func() func(int) {
		views := make([]variances, len(all))
		return func(i int) {
			for r := range all {
				views[r] = p.program.of(all, register(r), i, i+1)
			}
			p.program.variances(views, p.single, func(c covariance) { p.covariances(c, in, in, i, i) })
		}
	})
	return all
}

// covariances computes c for the examples i of x1 and j of x2, from the inputs.
func (p *pairs[T]) covariances(c covariance, x1, x2 *inputs[T], i, j int) {
	n, x, y := x1.positions(), x1.example(i), x2.example(j)
	clear(c.k)
	if !p.program.full {
		for channel := range x1.channels {
			xs, ys := x[channel*n:(channel+1)*n], y[channel*n:(channel+1)*n]
			for e, v := range xs {
				c.k[e] += float64(v) * float64(ys[e])
			}
		}
		angles(c.k, c.near, threshold, x1, x2, i*n, 1, j*n)
		return
	}
	for p1 := range n {
		for p2 := 0; p2 < n; p2 += x1.width {
			first := x1.entry(p1, p2, true)
			ks := c.k[first : first+x1.width]
			for channel := range x1.channels {
				v, ys := float64(x[channel*n+p1]), y[channel*n+p2:]
				for e, w := range ys[:len(ks)] {
					ks[e] += v * float64(w)
				}
			}
			angles(ks, c.near[first:first+x1.width], threshold, x1, x2, i*n+p1, 0, j*n+p2)
		}
	}
}

// angles divides the products in a row of ks by the number of channels and computes near. The row belongs to the
// positions a, a+step, … of x1 and b, b+1, … of x2. If near is below limit times √(q₁q₂), both are computed from the
// inputs.
func angles[T float32 | float64](ks, nears []float64, limit float64, x1, x2 *inputs[T], a, step, b int) {
	scale := 1 / float64(x1.channels)
	nears, roots := nears[:len(ks)], x2.root[b:b+len(ks)]
	for e, k := range ks {
		k *= scale
		r := x1.root[a+step*e] * roots[e]
		near := r - math.Abs(k)
		if near < limit*r {
			near = distance(k < 0, x1, x2, a+step*e, b+e)
			k = math.Copysign(r-near, k)
		}
		ks[e], nears[e] = k, near
	}
}

// distance returns √(q₁q₂)/2·|x̂ ∓ ŷ|², which is near at positions a of x1 and b of x2, without cancellation.
func distance[T float32 | float64](negative bool, x1, x2 *inputs[T], a, b int) float64 {
	if x1 == x2 && a == b {
		return 0
	}
	n1, n2 := 1/x1.root[a], 1/x2.root[b]
	if negative {
		n2 = -n2
	}
	sum := 0.0
	if x1.whole != nil {
		sum = squares(x1.whole.image(a), x2.whole.image(b), n1*x1.whole.scale[a], n2*x2.whole.scale[b], 1)
	} else {
		n := x1.positions()
		sum = squares(x1.example(a / n)[a%n:], x2.example(b / n)[b%n:], n1, n2, n)
	}
	return x1.root[a] * x2.root[b] / 2 * sum / float64(x1.channels)
}

// squares returns |n1·x − n2·y|² of every step-th number.
func squares[E float32 | float64 | uint8](x, y []E, n1, n2 float64, step int) (sum float64) {
	for c := 0; c < len(x); c += step {
		d := float64(x[c])*n1 - float64(y[c])*n2
		sum += d * d
	}
	return sum
}

// product sets k to the inner products of example i of x1 with examples from … to−1 of x2.
func (p *pairs[T]) product(k []float64, i, from, to int) {
	if p.whole != nil {
		wholeProducts(k, p.whole[i*p.x2.n+from:], p.x1, p.x2, i, from)
		return
	}
	block := p.products[i/p.rows]
	row, columns := i%p.rows, p.x2.n
	if p.symmetric {
		columns -= i - row
		from, to = from-(i-row), to-(i-row)
	}
	for j, product := range block[row*columns+from : row*columns+to] {
		k[j] = float64(product)
	}
}

// solve computes the kernels in rows of pairs of vectors or single pairs of images.
func (p *pairs[T]) solve(nngp, ntk []T) {
	n1, n2, chunk := p.x1.n, p.x2.n, 1
	switch {
	case p.diagonal:
		n2 = 1
	case !p.x1.image():
		chunk = 256
	}
	limit := threshold
	if p.single && p.whole == nil {
		limit = 1e-2 // the backend has rounded the products to float32
	}
	columns := (n2 + chunk - 1) / chunk
	last := p.program.steps[len(p.program.steps)-1].out
	parallel.Workers(n1*columns, func() func(int) {
		t := newTile(p.program, chunk, p.single)
		return func(task int) {
			i, from := task/columns, task%columns*chunk
			if p.symmetric && !p.diagonal {
				from += i
			}
			to := min(from+chunk, n2)
			if from >= to {
				return
			}
			t.pairs = to - from
			first := from
			if p.diagonal {
				first = i
			}
			c := t.input()
			if p.products == nil && p.whole == nil {
				p.covariances(c, p.x1, p.x2, i, first)
			} else {
				p.product(c.k, i, from, to)
				angles(c.k, c.near, limit, p.x1, p.x2, i, 0, from)
			}
			t.run(p.program.steps, func(r register) (v1, v2 variances) {
				return p.program.of(p.v1, r, i, i+1), p.program.of(p.v2, r, first, first+t.pairs)
			})
			out := t.registers[last]
			for j, k := range out.k {
				nngp[i*n2+from+j], ntk[i*n2+from+j] = T(k), T(out.ntk[j])
			}
			t.release(last)
		}
	})
	if p.symmetric && !p.diagonal {
		mirror(n1, nngp)
		mirror(n1, ntk)
	}
}

// mirror copies the entries above the diagonal to their places below it.
func mirror[T float32 | float64](n int, x []T) {
	const block = 64
	parallel.For((n+block-1)/block, func(rows int) {
		for left := 0; left <= rows*block; left += block {
			for i := rows * block; i < min((rows+1)*block, n); i++ {
				for j := left; j < min(left+block, i); j++ {
					x[i*n+j] = x[j*n+i]
				}
			}
		}
	})
}
