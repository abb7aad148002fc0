package vision

import "math"

// Growth returns by how much the logarithm of a norm grows in the step after t steps, when it grows evenly and the
// gradient is −ω times the vector. For a constant rate it is ln|z| of the larger root of
//
//	z² − (1 + μ + η_t(ω − λ)) z + μ = 0.
//
// The unhinged loss is bilinear, so that descent multiplies each of its modes of Theorem 2, of singular value ω, by
// that. It is negative for ω < λ: Corollary 5's λ* is ω.
func (s SGD) Growth(t int64, omega float64) float64 {
	half := (1 + s.Momentum + s.Rate(t)*(omega-s.WeightDecay)) / 2
	root := half*half - s.Momentum
	if root < 0 { // a complex pair
		return math.Log(s.Momentum) / 2
	}
	return math.Log(math.Abs(half) + math.Sqrt(root))
}

// Omega returns the ω for which Growth has this value, which must be above ln(μ)/2. This ω is also the weight decay λ*
// that would have stopped the growth.
func (s SGD) Omega(t int64, growth float64) float64 {
	z := math.Exp(growth)
	return (z-1)*(z-s.Momentum)/(z*s.Rate(t)) + s.WeightDecay
}
