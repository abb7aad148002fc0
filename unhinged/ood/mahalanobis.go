package ood

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Score gives a number to each row of features [n, p]; a higher one means in-distribution.
type Score func(features *mat.Dense) []float64

// Mahalanobis returns the score
//
//	−min_c (h − μ_c)ᵀ Σ⁺ (h − μ_c)
//
// of training features [n, p] with labels in [0, classes): μ_c is the mean of class c, Σ the covariance within the
// classes, all examples counting alike, and Σ⁺ its pseudo-inverse (Lee et al., "A Simple Unified Framework for
// Detecting Out-of-Distribution Samples and Adversarial Attacks", 2018, equation (2), on one layer and without
// perturbation of the input). It returns an error if a class has no features.
func Mahalanobis(train *mat.Dense, labels []int, classes int) (Score, error) {
	n, p := train.Dims()
	if len(labels) != n {
		return nil, fmt.Errorf("ood: there are %d labels for %d training features", len(labels), n)
	}
	means, counts := mat.NewDense(classes, p, nil), make([]float64, classes)
	for i, c := range labels {
		if c < 0 || c >= classes {
			return nil, fmt.Errorf("ood: training feature %d has the label %d; there are %d classes", i, c, classes)
		}
		counts[c]++
		floats.Add(means.RawRowView(c), train.RawRowView(i))
	}
	for c, count := range counts {
		if count == 0 {
			return nil, fmt.Errorf("ood: class %d has no training features, so that it has no mean", c)
		}
		floats.Scale(1/count, means.RawRowView(c))
	}
	within := mat.DenseCopyOf(train)
	for i, c := range labels {
		floats.Sub(within.RawRowView(i), means.RawRowView(c))
	}
	// Σ = Σ_k λ_k v_k v_kᵀ: the distance is the Euclidean one after the map to v_kᵀh/√λ_k.
	variances, vectors, err := principal(within)
	if err != nil {
		return nil, err
	}
	whitening := vectors
	for k, variance := range variances {
		factor := 0.0
		if variance > 1e-10*variances[0] { // not rounding
			factor = 1 / math.Sqrt(variance)
		}
		for i := range p {
			whitening.Set(i, k, factor*vectors.At(i, k))
		}
	}
	var centres mat.Dense
	centres.Mul(means, whitening)
	return func(features *mat.Dense) []float64 {
		var seen mat.Dense
		seen.Mul(features, whitening)
		return rows(&seen, func(h []float64) float64 {
			nearest := math.Inf(1)
			for c := range classes {
				nearest = min(nearest, floats.Distance(h, centres.RawRowView(c), 2))
			}
			return -nearest * nearest
		})
	}, nil
}

// principal returns the eigenvalues, descending, and the eigenvectors, a column each, of xᵀx/n for x [n, p].
func principal(x *mat.Dense) (values []float64, vectors *mat.Dense, err error) {
	n, p := x.Dims()
	var second mat.SymDense
	second.SymOuterK(1/float64(n), x.T())
	var eigen mat.EigenSym
	if !eigen.Factorize(&second, true) {
		return nil, nil, fmt.Errorf("ood: the covariance of the features has no eigenvectors: are all of them finite?")
	}
	var ascending mat.Dense
	eigen.VectorsTo(&ascending)
	values, vectors = make([]float64, p), mat.NewDense(p, p, nil)
	for k, value := range eigen.Values(nil) {
		values[p-1-k] = value
		vectors.SetCol(p-1-k, mat.Col(nil, k, &ascending))
	}
	return values, vectors, nil
}

// meanRow returns the mean of the rows of x.
func meanRow(x *mat.Dense) []float64 {
	n, p := x.Dims()
	mean := make([]float64, p)
	for i := range n {
		floats.AddScaled(mean, 1/float64(n), x.RawRowView(i))
	}
	return mean
}
