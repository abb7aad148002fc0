package dynamics

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// points holds what the dynamics under a kernel need to know of a set of samples, trained on or not: their initial
// features, and the kernel to them, both in the representation of the trajectory.
type points struct{ start, drive *mat.Dense }

// generalizer is a state under a kernel, from which the features of any points follow. The state of a point p is
// exp(p.log) times it.
type generalizer interface {
	// features returns H or H_* of the points, p×m.
	features(at points) *mat.Dense
	// prototypes returns W, p×C. If centered is set, it may add the same vector to all prototypes.
	prototypes(centered bool) *mat.Dense
	// of reports whether the state belongs to the trajectory.
	of(trajectory any) bool
}

// logits returns logits at the points for an argmax, m×C. A vector that is common to all prototypes is left out: it
// does not change the argmax, and it may be larger than the rest by any factor.
func logits(s generalizer, at points) *mat.Dense {
	l := new(mat.Dense)
	l.Mul(s.features(at).T(), s.prototypes(true))
	return l
}

// biasUnit returns the factor of biases that are added to the logits of s, where the state is exp(log)·s.
func biasUnit(log float64) float64 { return math.Exp(-2 * log) }

// classifier returns the accuracy as a function of the biases, given the logits l of s, with a row for each sample,
// where the state is exp(log)·s.
func classifier(l *mat.Dense, labels []int, log float64) func(biases []float64) float64 {
	return func(biases []float64) float64 { return fraction(classes(l, biases, biasUnit(log)), labels) }
}

// Predict returns the row of the largest number in every column of C×m logits, the first one of equal numbers.
func Predict(logits *mat.Dense) []int { return classes(mat.DenseCopyOf(logits.T()), nil, 0) }

// classes returns the column of the largest number in every row of logits + unit·biases, the first one of equal
// numbers. biases may be nil, and unit +Inf.
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

// fraction returns the share of the positions at which the two lists are equal.
func fraction(got, want []int) float64 {
	right := 0
	for i, y := range got {
		if y == want[i] {
			right++
		}
	}
	return float64(right) / float64(len(want))
}
