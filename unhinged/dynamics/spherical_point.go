package dynamics

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// SphericalPoint is one iterate of a spherical descent: two numbers a sample.
type SphericalPoint struct {
	Step int

	d    *SphericalDescent
	a, b []float64
	sums sphericalSums
}

// At returns the iterate after that many steps.
func (d *SphericalDescent) At(step int) (*SphericalPoint, error) {
	_, p, err := d.run([]int{step})
	return p, err
}

// Loss returns the unhinged loss (3) at the normalised features, biases left out.
func (p *SphericalPoint) Loss() float64 { return p.sums.loss }

// Accuracy returns the train accuracy of argmax_c w_cᵀh, the first of equal logits.
func (p *SphericalPoint) Accuracy() float64 { return float64(p.sums.right) / float64(len(p.a)) }

// Error returns ‖Ĥ − Û(I⊗1ᵀ)‖ with columns normalised one by one, the distance to the limit (20), computed as 2
// sin(θ/2).
func (p *SphericalPoint) Error() float64 { return p.sums.err }

// NormH returns ‖H‖.
func (p *SphericalPoint) NormH() float64 { return p.sums.norm }

// Angles returns θ_i = ∠(h_i, û_y) in radians, in [0, π], with full relative accuracy near 0.
func (p *SphericalPoint) Angles() []float64 {
	out := make([]float64, len(p.a))
	for i := range out {
		out[i] = math.Atan2(math.Abs(p.b[i]), p.a[i])
	}
	return out
}

// Norms returns ‖h_i‖.
func (p *SphericalPoint) Norms() []float64 {
	out := make([]float64, len(p.a))
	for i := range out {
		out[i] = p.d.norms[i] * math.Hypot(p.a[i], p.b[i])
	}
	return out
}

// Growth returns the largest ‖h_i(t)‖/‖h_i(0)‖; see GrowthBound.
func (p *SphericalPoint) Growth() float64 {
	growth := 0.0
	for i := range p.a {
		growth = math.Max(growth, math.Hypot(p.a[i], p.b[i]))
	}
	return growth
}

// StepSizes returns α_i at this step, η(t)‖u_y‖/‖h_i‖², or with RLR η(t)‖u_y‖/‖h_i‖.
func (p *SphericalPoint) StepSizes() []float64 {
	eta := p.d.s.Rate.At(float64(p.Step))
	out := make([]float64, len(p.a))
	for i := range out {
		r := math.Hypot(p.a[i], p.b[i])
		out[i] = eta * p.d.gain[i] / r
		if !p.d.s.Rescale {
			out[i] /= r
		}
	}
	return out
}

// Rate returns the exponential rate of the error a step, −log(1−α) of the slowest sample with its α at this step:
// once angles are small, Error(t+1) ≈ e^{−Rate}·Error(t). Samples that lie on their target already do not count,
// and one that is stuck opposite to it makes the rate 0. It is +Inf if all samples have arrived.
func (p *SphericalPoint) Rate() float64 {
	slowest := 0.0
	for i, alpha := range p.StepSizes() {
		switch {
		case p.b[i] != 0 || p.a[i] < 0 && p.d.s.Adjust > 0:
			slowest = math.Max(slowest, math.Abs(1-alpha))
		case p.a[i] < 0:
			return 0
		}
	}
	return -math.Log(slowest)
}

// State builds (H, W, b) at this step.
func (p *SphericalPoint) State() *State {
	s := p.d.state.Clone()
	h := make([]float64, s.W.RawMatrix().Rows)
	for i, y := range p.d.labels {
		for j := range h {
			h[j] = p.a[i] * p.d.target.At(j, y)
		}
		floats.AddScaled(h, p.b[i], p.d.tangents.RawRowView(i))
		floats.Scale(p.d.norms[i], h)
		s.H.SetCol(i, h)
	}
	return s
}
