package dynamics

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// DrivingVector returns −∂L_γ/∂ĥ of (1) for a sample of class y: w_y − γ Σ_{j≠y} w_j.
func DrivingVector(st *State, gamma float64, y int) []float64 {
	u := mat.Col(nil, y, st.W)
	for j := range st.Counts {
		if j != y {
			floats.AddScaled(u, -gamma, mat.Col(nil, j, st.W))
		}
	}
	return u
}

// SphericalStep adds (η/‖h‖)(I − ĥĥᵀ)w to h, or with RLR η(I − ĥĥᵀ)w.
func SphericalStep(h, w []float64, eta float64, rescale bool) {
	norm2 := floats.Dot(h, h)
	if !rescale {
		eta /= math.Sqrt(norm2)
	}
	along := floats.Dot(h, w) / norm2
	for j := range h {
		h[j] += eta * (w[j] - along*h[j])
	}
}

// Adjustment returns δ of (104) as erratum E8 has it, −(1+k)(I − ĥĥᵀ)w with k = c√(1−(1−ε)²)/((1−ε)√(1−c²)), c = ŵᵀĥ <
// −1+ε; at c = −1, where k is infinite, its limit along a fixed tangent.
func Adjustment(h, w []float64, epsilon float64) []float64 {
	size, norm := floats.Norm(w, 2), floats.Norm(h, 2)
	c := floats.Dot(h, w) / (norm * size)
	away := make([]float64, len(w)) // (I − ĥĥᵀ)w
	floats.AddScaledTo(away, w, -size*c/norm, h)
	tan := math.Sqrt(1-(1-epsilon)*(1-epsilon)) / (1 - epsilon)
	if floats.Norm(away, 2) <= parallelTo*size {
		floats.ScaleTo(away, -1/norm, h) // ŵ
		delta := make([]float64, len(w))
		tangent(delta, away)
		floats.Scale(size*tan, delta)
		return delta
	}
	k := c * tan / math.Sqrt(1-c*c)
	floats.Scale(-(1 + k), away)
	return away
}
