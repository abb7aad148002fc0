package ood

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// ViM is virtual-logit matching (Wang et al., "ViM: Out-Of-Distribution with Virtual-logit Matching", 2022, equations
// (5) to (7)): the score of a feature h with logits z is
//
//	ln Σ_c exp(z_c) − α‖R(h − o)‖,   α = Σ_i max_c z_ic / Σ_i ‖R(h_i − o)‖ over the training features,
//
// where R projects onto the complement of the first d principal directions of the training features around o. The
// authors take o = −(W)⁺b, the origin of the logits; where no biases are, that is 0.
type ViM struct {
	origin     []float64
	complement *mat.Dense // [p, p−d]
	alpha      float64
}

// NewViM fits ViM to training features [n, p] and their logits [n, C]; origin is o, and nil is 0. It returns an error
// if d is not in 1 to p − 1, or if no training feature has a part in the complement.
func NewViM(train, logits *mat.Dense, origin []float64, d int) (*ViM, error) {
	n, p := train.Dims()
	if d < 1 || d >= p {
		return nil, fmt.Errorf("ood: ViM keeps %d of %d principal directions: want from 1 to %d", d, p, p-1)
	}
	if rows, _ := logits.Dims(); rows != n {
		return nil, fmt.Errorf("ood: there are logits of %d training features, and %d features", rows, n)
	}
	if origin == nil {
		origin = make([]float64, p)
	}
	v := &ViM{origin: origin}
	_, vectors, err := principal(v.moved(train))
	if err != nil {
		return nil, err
	}
	v.complement = mat.DenseCopyOf(vectors.Slice(0, p, d, p))
	residuals := floats.Sum(v.residuals(train))
	if !(residuals > 0) {
		return nil, fmt.Errorf("ood: the training features have no part outside of their first %d principal "+
			"directions, so that ViM cannot be scaled: want a smaller number", d)
	}
	v.alpha = floats.Sum(MaxLogit(logits)) / residuals
	return v, nil
}

// Score returns the score of each row of features [n, p] with logits [n, C].
func (v *ViM) Score(features, logits *mat.Dense) []float64 {
	scores := Energy(logits, 1)
	floats.AddScaled(scores, -v.alpha, v.residuals(features))
	return scores
}

// residuals returns ‖R(h − o)‖ of each row.
func (v *ViM) residuals(features *mat.Dense) []float64 {
	var outside mat.Dense
	outside.Mul(v.moved(features), v.complement)
	return Norm(&outside)
}

func (v *ViM) moved(features *mat.Dense) *mat.Dense {
	out := mat.DenseCopyOf(features)
	n, _ := out.Dims()
	for i := range n {
		floats.Sub(out.RawRowView(i), v.origin)
	}
	return out
}

// LogitOrigin returns the point at which all logits Wh + b of a head with prototypes [C, p] and biases [C] are as near
// to 0 as can be: −W⁺b.
func LogitOrigin(prototypes *mat.Dense, biases []float64) ([]float64, error) {
	classes, p := prototypes.Dims()
	if len(biases) != classes {
		return nil, fmt.Errorf("ood: there are %d biases for %d prototypes", len(biases), classes)
	}
	var svd mat.SVD
	if !svd.Factorize(prototypes, mat.SVDThin) {
		return nil, fmt.Errorf("ood: the prototypes have no singular values: are all of them finite?")
	}
	rank := 0
	for values := svd.Values(nil); rank < len(values) && values[rank] > 1e-10*values[0]; {
		rank++
	}
	origin := make([]float64, p)
	if rank > 0 {
		var solution mat.VecDense
		svd.SolveVecTo(&solution, mat.NewVecDense(classes, biases), rank)
		floats.AddScaled(origin, -1, solution.RawVector().Data)
	}
	return origin, nil
}
