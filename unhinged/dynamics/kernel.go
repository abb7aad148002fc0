package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Kernel is a neural tangent kernel ∇ΘHᵀ∇ΘH of the training samples that does not change during training (section 3.5).
// Samples are in the caller's order: that of the rows passed to FromSamples. (State.Order maps the columns of H to
// these rows.) There are two forms:
//
//   - κ ⊗ K_p, an n×n kernel between samples times a p×p kernel between features. A factor that is not set is the
//     identity: with Samples alone it is a network of infinite width, with Features alone the case that Theorem 8
//     prints (erratum E7), and with neither of them Theorem 2.
//   - Full, any pn×pn kernel of a finite network: block (i, j) is J(x_i)J(x_j)ᵀ ∈ R^{p×p}. The other two must then not
//     be set.
//
// If κ is too large for memory, Sums replaces Samples: its sums over the classes are all that Theorem 8 needs. If K is
// too large, Krylov replaces Full: it needs products with K only.
//
// Kernels must be symmetric and positive semi-definite up to the rounding of float32: 10⁻⁶ of their largest entry. All
// entries are checked for symmetry. Definiteness is checked on all pairs of indices and on M κ Mᵀ, but not on the whole
// kernel: the eigenvalues of a large kernel would cost more than everything else.
type Kernel struct {
	Samples  *mat.Dense // κ, n×n
	Features *mat.Dense // K_p, p×p
	Full     *mat.Dense // K, pn×pn, samples in blocks of p
	Sums     *ClassSums // of κ, in the place of Samples
	Krylov   *Krylov    // of K, in the place of Full
}

// kernelRounding is how far, relative to its largest entry, a kernel may be from symmetric and from positive
// semi-definite.
const kernelRounding = 1e-6

// validateKernel checks that k is a symmetric, positive semi-definite matrix of the given size, and returns its largest
// entry.
func validateKernel(name string, k *mat.Dense, size int, meaning string) (largest float64, err error) {
	if rows, cols := k.Dims(); rows != size || cols != size {
		return 0, fmt.Errorf("dynamics: %s is %d×%d: want %d×%d (%s)", name, rows, cols, size, size, meaning)
	}
	if err := finite(name, k); err != nil {
		return 0, err
	}
	for i := range size {
		largest = math.Max(largest, math.Abs(k.At(i, i)))
	}
	slack := kernelRounding * largest
	for i := range size {
		if k.At(i, i) < -slack {
			return 0, fmt.Errorf("dynamics: %s is not positive semi-definite: element (%d, %d) is %v", name, i, i,
				k.At(i, i))
		}
	}
	const tile = 64 // small enough that the transposed element is in the cache, too
	for top := 0; top < size; top += tile {
		for left := 0; left <= top; left += tile {
			for i := top; i < min(top+tile, size); i++ {
				row := k.RawRowView(i)
				for j := left; j < min(left+tile, i); j++ {
					switch v, w := row[j], k.At(j, i); {
					case math.Abs(v-w) > slack:
						return 0, fmt.Errorf("dynamics: %s is not symmetric: element (%d, %d) is %v but (%d, %d) is %v",
							name, i, j, v, j, i, w)
					case math.Abs(v) > math.Sqrt(math.Max(0, row[i]*k.At(j, j)))+slack:
						return 0,
							fmt.Errorf("dynamics: %s is not positive semi-definite: element (%d, %d) is %v, larger "+
								"than its diagonal %v and %v allows", name, i, j, v, row[i], k.At(j, j))
					}
				}
			}
		}
	}
	return largest, nil
}

// finite refuses NaN and ±Inf.
func finite(name string, m *mat.Dense) error {
	rows, _ := m.Dims()
	for i := range rows {
		for j, v := range m.RawRowView(i) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("dynamics: %s: element (%d, %d) is %v: all must be finite", name, i, j, v)
			}
		}
	}
	return nil
}

// samples holds the training samples in the order of a kernel's rows.
type samples struct {
	counts []int
	labels []int // class of the caller's sample i
	place  []int // the caller's sample that is column j of H
	n      int
	gamma  float64
}

func newSamples(s *State, gamma float64) (samples, error) {
	if gamma < 0 || math.IsNaN(gamma) || math.IsInf(gamma, 0) {
		return samples{}, fmt.Errorf("dynamics: γ = %v: must be finite and not negative", gamma)
	}
	_, _, n := s.Dims()
	out := samples{counts: s.Counts, labels: make([]int, n), place: s.Order, n: n, gamma: gamma}
	if len(s.Order) == 0 {
		out.place = make([]int, n)
		for j := range n {
			out.place[j] = j
		}
	}
	if len(out.place) != n {
		return samples{}, fmt.Errorf("dynamics: State.Order has %d elements for %d samples", len(s.Order), n)
	}
	seen := make([]bool, n)
	for j, y := range s.Labels() {
		i := out.place[j]
		if i < 0 || i >= n || seen[i] {
			return samples{}, fmt.Errorf("dynamics: State.Order[%d] = %d: the order must hold each of 0 … %d once", j,
				i, n-1)
		}
		seen[i] = true
		out.labels[i] = y
	}
	return out, nil
}

// drift returns M·1, which drives the biases.
func (s samples) drift() []float64 {
	out := make([]float64, len(s.counts))
	for k, count := range s.counts {
		out[k] = (1+s.gamma)*float64(count)/float64(s.n) - s.gamma
	}
	return out
}

// weights returns max_c Σ_j |M_cj|.
func (s samples) weights() float64 {
	largest := 0.0
	for _, count := range s.counts {
		largest = math.Max(largest, (float64(count)+s.gamma*float64(s.n-count))/float64(s.n))
	}
	return largest
}

// contract returns (M⊗I_q)·k for a matrix k with a block of q rows for each sample, in the caller's order. It only
// needs sums over the classes.
func (s samples) contract(k *mat.Dense, q int) *mat.Dense {
	_, cols := k.Dims()
	c := len(s.counts)
	sums := mat.NewDense(c*q, cols, nil)
	for i, y := range s.labels {
		for f := range q {
			floats.Add(sums.RawRowView(y*q+f), k.RawRowView(i*q+f))
		}
	}
	s.weigh(sums, q)
	return sums
}

// weigh replaces the sums over the classes, (onehot⊗I_q)·k, by (M⊗I_q)·k.
func (s samples) weigh(sums *mat.Dense, q int) {
	_, cols := sums.Dims()
	c := len(s.counts)
	total := mat.NewDense(q, cols, nil)
	for k := range c {
		for f := range q {
			floats.Add(total.RawRowView(f), sums.RawRowView(k*q+f))
		}
	}
	for k := range c {
		for f := range q {
			row := sums.RawRowView(k*q + f)
			for j, all := range total.RawRowView(f) {
				row[j] = ((1+s.gamma)*row[j] - s.gamma*all) / float64(s.n)
			}
		}
	}
}

// contractRight returns x·(M⊗I_q)ᵀ for a matrix x with a block of q columns for each sample, in the caller's order.
func (s samples) contractRight(x *mat.Dense, q int) *mat.Dense {
	rows, _ := x.Dims()
	c := len(s.counts)
	out := mat.NewDense(rows, c*q, nil)
	total := make([]float64, q)
	for i := range rows {
		from, to := x.RawRowView(i), out.RawRowView(i)
		clear(total)
		for j, y := range s.labels {
			for f, v := range from[j*q : (j+1)*q] {
				to[y*q+f] += v
			}
		}
		for k := range c {
			floats.Add(total, to[k*q:(k+1)*q])
		}
		for k := range to {
			to[k] = ((1+s.gamma)*to[k] - s.gamma*total[k%q]) / float64(s.n)
		}
	}
	return out
}

// sorted returns x with its blocks of q columns in the order of H's columns.
func (s samples) sorted(x *mat.Dense, q int) *mat.Dense {
	rows, cols := x.Dims()
	out := mat.NewDense(rows, cols, nil)
	for i := range rows {
		from, to := x.RawRowView(i), out.RawRowView(i)
		for j, place := range s.place {
			copy(to[j*q:(j+1)*q], from[place*q:(place+1)*q])
		}
	}
	return out
}

// matrix returns M with columns in the caller's order.
func (s samples) matrix() *mat.Dense {
	m := mat.NewDense(len(s.counts), s.n, nil)
	for i, y := range s.labels {
		for k := range s.counts {
			m.Set(k, i, -s.gamma/float64(s.n))
		}
		m.Set(y, i, 1/float64(s.n))
	}
	return m
}
