package dynamics

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// SphericalPoint is a Point of a SphericalFlow or of its descent, held as two numbers for each sample. Section 6 has no
// biases: the loss and the accuracy leave them out, and they do not change.
type SphericalPoint struct {
	Time float64 // steps of descent, or the time of the flow; +Inf in its limit

	d    *SphericalFlow
	a, b []float64
	sums sphericalSums
}

// newPoint returns a point with room for all samples.
func (f *SphericalFlow) newPoint(time float64) *SphericalPoint {
	return &SphericalPoint{Time: time, d: f, a: make([]float64, len(f.labels)), b: make([]float64, len(f.labels))}
}

// Loss returns the unhinged loss (3) at the normalised features, biases left out, and the logarithm of its absolute
// value.
func (p *SphericalPoint) Loss() (loss, logAbs float64) {
	return p.sums.loss, math.Log(math.Abs(p.sums.loss))
}

// Accuracy returns the train accuracy of argmax_c w_cᵀh, the first of equal logits. The argument has no effect, because
// there are no biases.
func (p *SphericalPoint) Accuracy(bool) float64 {
	return float64(p.sums.right) / float64(len(p.d.labels))
}

func (p *SphericalPoint) accuracies(bool) (without, with float64) {
	return p.Accuracy(false), p.Accuracy(true)
}

// Biases returns b, which does not move.
func (p *SphericalPoint) Biases() []float64 { return slices.Clone(p.d.state.B) }

// Error returns ‖Ĥ − Û(I⊗1ᵀ)‖ with columns normalised one by one, the distance to the limit (20), computed as 2
// sin(θ/2).
func (p *SphericalPoint) Error() float64 { return p.sums.err }

// NormH returns ‖H‖.
func (p *SphericalPoint) NormH() float64 { return p.sums.norm }

// LogNormH returns ln‖H‖.
func (p *SphericalPoint) LogNormH() float64 { return math.Log(p.sums.norm) }

// LogNormW returns ln‖W‖.
func (p *SphericalPoint) LogNormW() float64 { return math.Log(p.d.normW) }

// LogNormZ returns ln‖(H, W)‖.
func (p *SphericalPoint) LogNormZ() float64 { return math.Log(math.Hypot(p.sums.norm, p.d.normW)) }

// LogGapH returns ln‖Ĥ − Û(I⊗1ᵀ)‖, the logarithm of Error.
func (p *SphericalPoint) LogGapH() float64 { return math.Log(p.sums.err) }

// LogGapW returns −Inf: the prototypes do not move.
func (p *SphericalPoint) LogGapW() float64 { return math.Inf(-1) }

// LogDistanceH returns ln(‖Ĥ − Û(I⊗1ᵀ)‖/√n).
func (p *SphericalPoint) LogDistanceH() float64 {
	return p.LogGapH() - math.Log(float64(len(p.d.labels)))/2
}

// LogDistanceW returns −Inf: the prototypes do not move.
func (p *SphericalPoint) LogDistanceW() float64 { return math.Inf(-1) }

// LogDistance returns the logarithm of the distance of (Ĥ, W) from (Û(I⊗1ᵀ), W), both divided by their norm √(n +
// ‖W‖²).
func (p *SphericalPoint) LogDistance() float64 {
	return p.LogGapH() - math.Log(math.Hypot(math.Sqrt(float64(len(p.d.labels))), p.d.normW))
}

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
	eta := p.d.rate.At(p.Time)
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

// Rate returns the exponential rate of the error of descent a step, −log(1−α) of the slowest sample with its α at this
// step: once angles are small, Error(t+1) ≈ e^{−Rate}·Error(t). Samples that have reached their target do not count,
// and a sample that is exactly opposite to it makes the rate 0. It is +Inf if all samples have reached their targets.
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

// State builds (H, W, b), with H not normalised.
func (p *SphericalPoint) State() (*State, error) { return p.build(), nil }

// Direction builds Z/‖Z‖, with the biases on the same scale.
func (p *SphericalPoint) Direction() *State {
	s := p.build()
	scale := 1 / math.Hypot(p.sums.norm, p.d.normW)
	s.H.Scale(scale, s.H)
	s.W.Scale(scale, s.W)
	floats.Scale(scale, s.B)
	return s
}

func (p *SphericalPoint) build() *State {
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
