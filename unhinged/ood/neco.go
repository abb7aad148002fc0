package ood

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// NECO returns the score ‖Pz‖/‖z‖, where z is the feature with each coordinate standardised by the training features
// [n, p], and P projects onto the first d principal directions of those (Ammar et al., "NECO: Neural Collapse Based
// Out-of-distribution Detection", 2024, equation (7)). Its code also multiplies by the largest logit, which is left out
// here. It returns an error for a d outside of 1 to p.
func NECO(train *mat.Dense, d int) (Score, error) {
	n, p := train.Dims()
	if d < 1 || d > p {
		return nil, fmt.Errorf("ood: NECO projects %d features onto %d directions: want from 1 to %d", p, d, p)
	}
	mean, scale := meanRow(train), make([]float64, p)
	for i := range n {
		for k, v := range train.RawRowView(i) {
			scale[k] += (v - mean[k]) * (v - mean[k]) / float64(n)
		}
	}
	for k, variance := range scale {
		scale[k] = 1 // a constant coordinate is only centred
		if variance > 0 {
			scale[k] = math.Sqrt(variance)
		}
	}
	standardised := func(features *mat.Dense) *mat.Dense {
		z := mat.DenseCopyOf(features)
		count, _ := z.Dims()
		for i := range count {
			floats.Sub(z.RawRowView(i), mean)
			floats.Div(z.RawRowView(i), scale)
		}
		return z
	}
	_, vectors, err := principal(standardised(train))
	if err != nil {
		return nil, err
	}
	first := vectors.Slice(0, p, 0, d)
	return func(features *mat.Dense) []float64 {
		z := standardised(features)
		var projected mat.Dense
		projected.Mul(z, first)
		scores := Norm(&projected)
		for i, norm := range Norm(z) {
			if norm > 0 { // a feature at the mean has no direction, and scores 0
				scores[i] /= norm
			}
		}
		return scores
	}, nil
}
