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
	h := new(mat.Dense)
	h.Scale(1/mat.Norm(s.H, 2), s.H)
	v.Scale(1/mat.Norm(v, 2), v)
	h.Sub(h, v)
	return mat.Norm(h, 2)
}
