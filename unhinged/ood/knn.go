package ood

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// KNN returns the score −‖ĥ − ĥ_(k)‖, ĥ_(k) the k-th nearest of the training features [n, p], where ĥ = h/‖h‖ (Sun et
// al., "Out-of-Distribution Detection with Deep Nearest Neighbors", 2022, section 3, which has k = 50 for the 50,000
// training images of CIFAR-10). It returns an error for a k outside of 1 to n.
func KNN(train *mat.Dense, k int) (Score, error) {
	n, _ := train.Dims()
	if k < 1 || k > n {
		return nil, fmt.Errorf("ood: the nearest neighbour number %d is wanted of %d training features", k, n)
	}
	reference := unitRows(train)
	return func(features *mat.Dense) []float64 {
		const part = 1000 // features at a time, so that the products take little memory
		count, p := features.Dims()
		var out []float64
		for from := 0; from < count; from += part {
			seen := unitRows(features.Slice(from, min(from+part, count), 0, p))
			var cosines mat.Dense
			cosines.Mul(seen, reference.T())
			out = append(out, rows(&cosines, func(c []float64) float64 {
				slices.Sort(c)
				return -math.Sqrt(max(0, 2-2*c[n-k])) // ‖a − b‖² = 2 − 2aᵀb of unit vectors
			})...)
		}
		return out
	}, nil
}

// Neighbours returns the k of KNN for n training features: ⌈n/1000⌉, in the ratio of the paper's 50 to 50,000.
func Neighbours(n int) int { return (n + 999) / 1000 }

// unitRows returns a copy of x with rows of norm 1. A row of zeros stays as it is.
func unitRows(x mat.Matrix) *mat.Dense {
	out := mat.DenseCopyOf(x)
	n, _ := out.Dims()
	for i := range n {
		if norm := floats.Norm(out.RawRowView(i), 2); norm > 0 {
			floats.Scale(1/norm, out.RawRowView(i))
		}
	}
	return out
}
