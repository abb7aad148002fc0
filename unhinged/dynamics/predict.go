package dynamics

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// points are what a kernel's dynamics need of a set of samples, trained on or not: their features at the start, and the
// kernel to them, as the engine has both.
type points struct{ start, drive *mat.Dense }

// generalizer is a state under a kernel, which has features on any points. The state is exp(log)·s of a point.
type generalizer interface {
	// features returns H or H_* of the points, p×m.
	features(at points) *mat.Dense
	// prototypes returns W, or with centered W up to a vector added to all prototypes, p×C.
	prototypes(centered bool) *mat.Dense
	// of says whether the state is of the trajectory.
	of(trajectory any) bool
}

// logits returns those of an argmax at the points, m×C; what is added to all prototypes alike is left out, for it may
// be larger than the rest by any factor.
func logits(s generalizer, at points) *mat.Dense {
	l := new(mat.Dense)
	l.Mul(s.features(at).T(), s.prototypes(true))
	return l
}

// biasUnit is what biases are multiplied by beside the logits of s, where the state is exp(log)·s.
func biasUnit(log float64) float64 { return math.Exp(-2 * log) }

// classifier returns the accuracy of samples with logits l, a row a sample, as a function of the biases, where the
// state is exp(log)·s.
func classifier(l *mat.Dense, labels []int, log float64) func(biases []float64) float64 {
	return func(biases []float64) float64 { return fraction(classes(l, biases, biasUnit(log)), labels) }
}

// Predict returns the first largest of every column of C×m logits.
func Predict(logits *mat.Dense) []int { return classes(mat.DenseCopyOf(logits.T()), nil, 0) }

// classes returns the first largest of logits + unit·biases in every row; biases may be nil, and unit +Inf.
func classes(logits *mat.Dense, biases []float64, unit float64) []int {
	m, _ := logits.Dims()
	out := make([]int, m)
	for i := range out {
		row := logits.RawRowView(i)
		for c, v := range row {
			margin := v - row[out[i]]
			if biases != nil && biases[c] != biases[out[i]] {
				margin += (biases[c] - biases[out[i]]) * unit
			}
			if margin > 0 {
				out[i] = c
			}
		}
	}
	return out
}

// fraction returns the share of equal elements.
func fraction(got, want []int) float64 {
	right := 0
	for i, y := range got {
		if y == want[i] {
			right++
		}
	}
	return float64(right) / float64(len(want))
}
