package dynamics

import (
	"fmt"
	"math"
)

// Spherical is Theorem 7: prototypes W fixed, features normalised before they enter the loss, gradient descent (19)
//
//	h(t+1) = h(t) + (η(t)/‖h(t)‖)(I − ĥĥᵀ)u_y,   u_y = ((1+γ)w_y − γ Σ_j w_j)/n = (1+γ)w_y/n if W1 = 0,
//
// for each sample h of class y. In (α, β) = (η‖u_y‖/‖h‖², û_yᵀĥ) this is an exact two-number recurrence (84),
//
//	β⁺ = (β + α(1−β²))/√(1+α²(1−β²)),   α⁺ = ξα/(1+α²(1−β²)),   ξ = η(t+1)/η(t),
//
// and with θ = ∠(h, u_y) it is θ⁺ = θ − arctan(α sin θ), ‖h⁺‖ = ‖h‖√(1+α² sin²θ).
//
// If û_yᵀĥ(0) > −1, α(0) ≤ 1 (erratum E5 prints η(0)(1+γ)/(n‖h(0)‖) ≤ 1/‖w‖, the norm to the first power), and η is
// non-increasing, bounded below and of ratio → 1, then ĥ → û_y, always exponentially (erratum E18), at the rate
// −log(1−α(∞)) and not twice that (erratum E17); ‖h‖ never decreases and stays below GrowthBound·‖h(0)‖.
// A sample with û_yᵀĥ(0) = −1 never moves, unless Adjust is set.
type Spherical struct {
	Gamma float64 // γ ≥ 0, the weight of the non-target logits, exactly as given
	Rates Rates   // η = η1 of the features; η2 has no meaning

	// Rescale is RLR (section 4.3): each sample's rate is multiplied by ‖h‖. Then α = η‖u_y‖/‖h‖ with
	// α⁺ = ξα/√(1+α²(1−β²)), and the step condition again is α(0) ≤ 1 (erratum E16).
	Rescale bool

	// Adjust is ε of the adjusted loss (104), 0 < ε < 1; zero leaves the loss as it is. Where û_yᵀĥ < −1+ε the
	// prototype is replaced by u_y + δ, δ ⟂ ĥ (erratum E8), at the angle arccos(−1+ε) from ĥ. That leaves the loss as
	// it is and multiplies its gradient by −k ≥ 1, so that in the recurrence sin θ becomes |cos θ|·√(1−(1−ε)²)/(1−ε),
	// which does not vanish at θ = π. Samples that start at θ = π leave this point along a fixed tangent. The paper
	// states (104) for W1 = 0; for other W it is used with u_y in place of w_y.
	Adjust float64
}

// GrowthBound bounds ‖h(t)‖/‖h(0)‖ for a sample with α(0) ≤ 1 and η non-increasing, without Adjust: the turns
// φ = arctan(α sin θ) ≤ π/4 add up to at most π, and ∏ 1/cos φ is largest for four of π/4 (erratum E18).
const GrowthBound = 4

// From returns the gradient flow from the state, which must not change afterwards. Theorem 7 itself is about gradient
// descent: see Descent.
func (s Spherical) From(st *State) (*SphericalFlow, error) {
	pl, err := st.Planes(s.Gamma)
	if err != nil {
		return nil, err
	}
	return s.On(pl)
}

// On is From for a state whose planes are known. It serves to vary rates, RLR and (104) without computing the planes
// again.
func (s Spherical) On(pl *Planes) (*SphericalFlow, error) {
	if s.Gamma != pl.gamma {
		return nil, fmt.Errorf("dynamics: Spherical.Gamma is %v, but the planes were found for γ = %v: they must agree",
			s.Gamma, pl.gamma)
	}
	if err := s.Rates.validateFeatures(); err != nil {
		return nil, err
	}
	if s.Adjust != 0 && !(-1+s.Adjust > -1 && s.Adjust < 1) { // if ε is too small, −1+ε rounds to −1
		return nil,
			fmt.Errorf("dynamics: Spherical.Adjust, ε of (104), is %v: want 0 < ε < 1, or 0 for the loss as it is",
				s.Adjust)
	}
	if p, _, _ := pl.state.Dims(); p == 1 && s.Adjust > 0 {
		return nil,
			fmt.Errorf("dynamics: (104) needs features of dimension p ≥ 2: in dimension 1 there is no tangent to " +
				"leave along")
	}
	f := &SphericalFlow{Planes: pl, s: s, rate: s.Rates.featureSchedule(), gain: make([]float64, len(pl.labels))}
	f.solution = f.solve
	for i, y := range pl.labels {
		f.gain[i] = pl.drive[y] / pl.norms[i]
		if !s.Rescale {
			f.gain[i] /= pl.norms[i]
		}
		if math.IsInf(f.gain[i], 0) {
			return nil,
				fmt.Errorf("dynamics: sample %d (class %d) has norm %v: too small for its step size α to be a number",
					i, y, pl.norms[i])
		}
	}
	return f, nil
}

// SphericalFlow is the Trajectory of Theorem 7. The theorem is about gradient descent, which is exact to rounding.
// Gradient flow is the limit of small steps: it does not change ‖h‖, so that α/η is constant, and θ' = −ηα sin θ is
// solved by tan(θ/2) = e^{−αζ} tan(θ(0)/2).
//
// Distances and gaps of its points are those of the normalised features Ĥ, on which the logits depend, from Û(I⊗1ᵀ),
// which is Ŵ(I⊗1ᵀ) where W1 = 0: LogGapH is the logarithm of ‖Ĥ − Û(I⊗1ᵀ)‖, the error of (20), and LogDistanceH is that
// of the error divided by √n.
type SphericalFlow struct {
	*Planes
	solution
	s    Spherical
	rate Schedule
	gain []float64 // α_i(0)/η(0): ‖u_y‖/‖h_i(0)‖², with RLR ‖u_y‖/‖h_i(0)‖
}

// StepSizes returns α_i(0) for every sample.
func (f *SphericalFlow) StepSizes() []float64 {
	eta := f.rate.At(0)
	alpha := make([]float64, len(f.gain))
	for i, g := range f.gain {
		alpha[i] = eta * g
	}
	return alpha
}

// Violations returns the samples (columns of H) that break Theorem 7's step-size condition α(0) ≤ 1 (errata E5, E16).
func (f *SphericalFlow) Violations() []int {
	var out []int
	for i, alpha := range f.StepSizes() {
		if alpha > 1 {
			out = append(out, i)
		}
	}
	return out
}

// Descent returns gradient descent (19), which Theorem 7 is about. It has no momentum: μ must be 0. At most MaxSteps
// steps are made.
func (f *SphericalFlow) Descent(momentum float64) (*Descent, error) {
	if momentum != 0 {
		return nil, fmt.Errorf("dynamics: momentum %v: Theorem 7 is about plain gradient descent, momentum must be 0",
			momentum)
	}
	return &Descent{
		iterates: func(times []float64) ([]Point, error) {
			points, err := f.run(wholes(times), true)
			out := make([]Point, len(points))
			for i, p := range points {
				out[i] = p
			}
			return out, err
		},
		trace: func(times []float64) (*Trace, error) {
			tr, err := f.Record(wholes(times))
			if err != nil {
				return nil, err
			}
			return &tr.Trace, nil
		},
	}, nil
}

// SphericalTrace is the Trace of a spherical descent, with the observables that only Theorem 7 has.
type SphericalTrace struct {
	Trace
	NormH []float64       // ‖H‖
	Last  *SphericalPoint // the iterate at the last of the steps
}

// Record returns the observables of gradient descent at one or more ascending steps: the Trace that Descent(0).Trace
// returns, with ‖H‖ and the last iterate.
func (f *SphericalFlow) Record(steps []int) (*SphericalTrace, error) {
	points, err := f.run(steps, false)
	if err != nil {
		return nil, err
	}
	tr := &SphericalTrace{Last: points[len(points)-1]}
	out := make([]Point, len(points))
	for i, p := range points {
		out[i] = p
		tr.NormH = append(tr.NormH, p.NormH())
	}
	tr.Trace = *traceOf(timesOf(steps), out)
	return tr, nil
}

// Limit returns Ĥ = Û(I⊗1ᵀ): gradient flow turns every sample to its target without changing its norm, except samples
// that begin exactly opposite and stay there. Gradient descent has the same limiting directions, with other norms. The
// rate is that of the flow, the smallest α/η of the samples that have to turn; that of descent is the Rate of its last
// SphericalPoint.
func (f *SphericalFlow) Limit() (Limit, error) {
	end := f.newPoint(math.Inf(1))
	rate := math.Inf(1)
	for i := range end.a {
		end.a[i], end.b[i] = 1, 0
		switch {
		case f.sin[i] != 0 || f.cos[i] < 0 && f.s.Adjust > 0:
			rate = math.Min(rate, f.gain[i])
		case f.cos[i] < 0:
			end.a[i] = -1
		}
	}
	end.sums = f.observe(0, end.a, end.b)
	return Limit{Point: end, Finite: true, Rate: rate}, nil
}
