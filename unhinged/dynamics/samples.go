package dynamics

import (
	"fmt"
	"math"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/etf"
	"gonum.org/v1/gonum/mat"
)

// FromSamples returns the state of a user's own last layer: features is samples×p, labels gives each sample's class (0,
// 1, …, C−1), prototypes is C×p, as a linear layer stores its weights, and biases has C elements or is nil for none.
// Samples are reordered class by class (erratum E1) and keep their order within a class. State.Order[j] is the row of
// features that is column j of H. Classes may have different sizes, but none may be empty.
func FromSamples(features *mat.Dense, labels []int, prototypes *mat.Dense, biases []float64) (*State, error) {
	if features == nil || features.IsEmpty() {
		return nil, fmt.Errorf("dynamics: no features: want a matrix of samples×p")
	}
	if prototypes == nil || prototypes.IsEmpty() {
		return nil, fmt.Errorf("dynamics: no prototypes: want a matrix of C×p")
	}
	n, p := features.Dims()
	c, width := prototypes.Dims()
	switch {
	case width != p:
		return nil, fmt.Errorf("dynamics: features have dimension %d but prototypes %d: both must be p", p, width)
	case len(labels) != n:
		return nil, fmt.Errorf("dynamics: %d labels for %d samples: want one a sample", len(labels), n)
	case biases != nil && len(biases) != c:
		return nil, fmt.Errorf("dynamics: %d biases for %d classes: want one a class", len(biases), c)
	}
	counts := make([]int, c)
	for i, y := range labels {
		if y < 0 || y >= c {
			return nil, fmt.Errorf("dynamics: label of sample %d is %d: want 0 … %d for the %d rows of prototypes", i,
				y, c-1, c)
		}
		counts[y]++
	}
	if k := slices.Index(counts, 0); k >= 0 {
		return nil, fmt.Errorf("dynamics: class %d has no samples: every one of the %d classes needs at least one", k,
			c)
	}
	for _, m := range []struct {
		name, row string
		matrix    *mat.Dense
	}{{"features", "sample", features}, {"prototypes", "class", prototypes}} {
		rows, cols := m.matrix.Dims()
		for i := range rows {
			for j := range cols {
				if v := m.matrix.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, fmt.Errorf("dynamics: %s: %s %d, dimension %d is %v: all must be finite", m.name, m.row,
						i, j, v)
				}
			}
		}
	}

	state := &State{H: mat.NewDense(p, n, nil), W: mat.DenseCopyOf(prototypes.T()), B: make([]float64, c),
		Counts: counts}
	copy(state.B, biases)
	state.Order = make([]int, n)
	for i := range n {
		state.Order[i] = i
	}
	slices.SortStableFunc(state.Order, func(i, j int) int { return labels[i] - labels[j] })
	for column, row := range state.Order {
		state.H.SetCol(column, features.RawRowView(row))
	}
	if err := state.Validate(); err != nil {
		return nil, err
	}
	return state, nil
}

// GaussianETF returns a state of C classes with N samples each, the entries of H drawn from N(0, 1) as Gaussian draws
// them, W a simplex ETF with columns of norm scale (section D.1's initialisation) and zero biases. It needs p ≥ C−1.
func GaussianETF(p, c, n int, scale float64, seed uint64) (*State, error) {
	if n < 1 {
		return nil, fmt.Errorf("dynamics: %d samples per class: need at least 1", n)
	}
	if !(scale > 0) || math.IsInf(scale, 0) {
		return nil, fmt.Errorf("dynamics: scale of the prototypes is %v: must be finite and positive", scale)
	}
	w, err := etf.Simplex(p, c, seed)
	if err != nil {
		return nil, err
	}
	w.Scale(scale, w)
	state := Gaussian(p, c, n, seed)
	state.W = w
	return state, nil
}
