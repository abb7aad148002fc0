package dynamics

import "math"

// With anchored prototypes that are a simplex ETF, features from 0 and κ = I + c·11ᵀ, a sample of class y has the
// feature proportional to w_y + c·Σ_j n_j w_j, and its logit j is 1{j = y} + c·n_j up to scale and a constant. (M1 ≠ 0
// for unequal classes: without a penalty on the features the shift grows for ever, Appendix D.2's Δ.) The functions
// here say when the plain rule argmax_c w_cᵀh fails by it. On centred features the rule is right for every c.

// ShiftLimit returns the c up to which the plain rule is right about the training samples of class y, with anchored
// prototypes and without a penalty on the features: 1/(n_max − n_y), +Inf for a largest class. Weight decay and time
// do not change it. A point that was not trained on, whose kernel to one training sample of its class is q + c and to
// all others c, has q times this limit.
func (c Classes) ShiftLimit(y int) float64 { return 1 / float64(c.behind(y)) }

// Released returns the time λ1ζ1 from which the plain rule is right about the training samples of class y, with
// anchored prototypes and the penalty ½λ1‖H‖² on the features (EFR). It is 0 up to ShiftLimit. The shift has an end
// under EFR, W M 1/λ1, and reaches it 1 + cn times sooner than the rest: with A = 1 − e^{−λ1ζ1} and
// B = 1 − e^{−(1+cn)λ1ζ1} the logits are A·1{j = y} + (B − A)n_j/n, right as soon as (B − A)(n_max − n_y)/n < A. For
// large c that is at ln(1 + (n_max − n_y)/n).
func (c Classes) Released(y int) float64 {
	behind, n := float64(c.behind(y)), c.samples()
	if c.Shift*behind <= 1 {
		return 0
	}
	wrong := func(t float64) bool {
		a, b := -math.Expm1(-t), -math.Expm1(-(1+c.Shift*n)*t)
		return (b-a)*behind > a*n
	}
	low, high := 0.0, math.Log1p(behind/n)
	for range 200 {
		if middle := (low + high) / 2; wrong(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// behind returns n_max − n_y.
func (c Classes) behind(y int) int {
	largest := 0
	for _, n := range c.Sizes {
		largest = max(largest, n)
	}
	return largest - c.Sizes[y]
}

// ShiftLimit returns the c of κ = I + c·11ᵀ up to which majority classes, two or more, stay apart from each other, with
// prototypes that learn and γ = 1/(C−1): 1/((C−R)(n_maj − n_min)). Beyond it the mode between the groups outgrows the
// majority's, and in its direction the plain rule decides every sample as one of the majority. It is +Inf at
// n_maj = n_min.
func (s Step) ShiftLimit() float64 { return 1 / float64(s.Minority*(s.Large-s.Small)) }
