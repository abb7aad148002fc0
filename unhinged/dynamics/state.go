package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// State is the joint state (H, W, b) of the unconstrained-features model (section 3 of the paper), class-major
// (erratum E1): the first Counts[0] columns of H are the samples of class 0, the next Counts[1] those of class 1, …
type State struct {
	H      *mat.Dense // features, p×n, a column a sample
	W      *mat.Dense // prototypes (classifier weights), p×C, a column a class
	B      []float64  // biases, length C
	Counts []int      // samples per class, length C, sum n
	// Order is, for states made of a user's samples, the row of the user's arrays that each column of H came from.
	Order []int
}

// Dims returns the feature dimension p, the number of classes C and the number of samples n.
func (s *State) Dims() (p, c, n int) {
	p, c = s.W.Dims()
	_, n = s.H.Dims()
	return p, c, n
}

// Balanced returns the number of samples per class N, and whether it is the same for all classes.
func (s *State) Balanced() (int, bool) {
	for _, n := range s.Counts {
		if n != s.Counts[0] {
			return 0, false
		}
	}
	return s.Counts[0], true
}

// Labels returns the class of every column of H.
func (s *State) Labels() []int {
	labels := make([]int, 0, s.H.RawMatrix().Cols)
	for c, n := range s.Counts {
		for range n {
			labels = append(labels, c)
		}
	}
	return labels
}

// Clone returns a deep copy.
func (s *State) Clone() *State {
	return &State{
		H: mat.DenseCopyOf(s.H), W: mat.DenseCopyOf(s.W), B: append([]float64(nil), s.B...),
		Counts: append([]int(nil), s.Counts...), Order: append([]int(nil), s.Order...),
	}
}

// Validate returns an error if the sizes of the state do not fit or if it holds NaN or ±Inf.
func (s *State) Validate() error {
	if s == nil || s.H == nil || s.W == nil {
		return fmt.Errorf("dynamics: state without features H or prototypes W")
	}
	p, c, n := s.Dims()
	if rows, _ := s.H.Dims(); rows != p {
		return fmt.Errorf("dynamics: features have dimension %d but prototypes %d: both must be p", rows, p)
	}
	if c < 2 {
		return fmt.Errorf("dynamics: %d class(es): need at least 2", c)
	}
	if len(s.B) != c {
		return fmt.Errorf("dynamics: %d biases for %d classes", len(s.B), c)
	}
	if len(s.Counts) != c {
		return fmt.Errorf("dynamics: %d class sizes for %d classes", len(s.Counts), c)
	}
	sum := 0
	for k, m := range s.Counts {
		if m < 1 {
			return fmt.Errorf("dynamics: class %d has %d samples: need at least 1", k, m)
		}
		sum += m
	}
	if sum != n {
		return fmt.Errorf("dynamics: class sizes add up to %d but there are %d samples", sum, n)
	}
	for _, m := range []struct {
		name string
		data []float64
	}{{"features H", s.H.RawMatrix().Data}, {"prototypes W", s.W.RawMatrix().Data}, {"biases", s.B}} {
		for i, v := range m.data {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("dynamics: %s: element %d is %v: all must be finite", m.name, i, v)
			}
		}
	}
	return nil
}

// Gaussian returns a state of C classes with N samples each, with the entries of H and W drawn from N(0, 1) and
// zero biases. The numbers come from a PCG generator with the given seed: H first (column by column), then W.
func Gaussian(p, c, n int, seed uint64) *State {
	rng := rand.New(rand.NewPCG(seed, 0))
	counts := make([]int, c)
	for i := range counts {
		counts[i] = n
	}
	return &State{H: normal(rng, p, c*n), W: normal(rng, p, c), B: make([]float64, c), Counts: counts}
}

// normal returns a rows×cols matrix of N(0, 1) numbers, drawn column by column.
func normal(rng *rand.Rand, rows, cols int) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	for j := range cols {
		for i := range rows {
			m.Set(i, j, rng.NormFloat64())
		}
	}
	return m
}

// M returns the constant matrix M of (5), C×n, entry by entry from the labels: the loss without biases is −Tr(Mᵀ Wᵀ H).
func (s *State) M(gamma float64) *mat.Dense {
	_, c, n := s.Dims()
	m := mat.NewDense(c, n, nil)
	for i, y := range s.Labels() {
		for j := range c {
			m.Set(j, i, -gamma/float64(n))
		}
		m.Set(y, i, 1/float64(n))
	}
	return m
}
