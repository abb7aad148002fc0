package dynamics

import "gonum.org/v1/gonum/mat"

// DualityGap returns ‖Ĥ − V̂‖ (Frobenius), where column j of V is the prototype of sample j's class, V = W(I_C⊗1_Nᵀ)
// for equal class sizes: 0 exactly where the features have collapsed to their class means and these are the prototypes
// up to one factor, as in the limits of Corollaries 3 and 5; √2 where H and V are orthogonal; at most 2. NaN if H or V
// is zero.
func (s *State) DualityGap() float64 {
	p, _, n := s.Dims()
	v := mat.NewDense(p, n, nil)
	for j, y := range s.Labels() {
		v.SetCol(j, mat.Col(nil, y, s.W))
	}
	return DirectionGap(s.H, v)
}

// DirectionGap returns ‖a/‖a‖ − b/‖b‖‖ (Frobenius) of two matrices of one size: what LogDistanceH and LogDistanceW of a
// Point are the logarithms of. NaN if one of them is zero.
func DirectionGap(a, b *mat.Dense) float64 {
	var x, y mat.Dense
	x.Scale(1/mat.Norm(a, 2), a)
	y.Scale(1/mat.Norm(b, 2), b)
	x.Sub(&x, &y)
	return mat.Norm(&x, 2)
}
