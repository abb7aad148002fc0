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
	Gamma float64
	Rate  Schedule // η, of one step

	// Rescale is RLR (section 4.3): each sample's rate is multiplied by ‖h‖. Then α = η‖u_y‖/‖h‖ with
	// α⁺ = ξα/√(1+α²(1−β²)), and the step condition again is α(0) ≤ 1 (erratum E16).
	Rescale bool

	// Adjust is ε of the adjusted loss (104), 0 < ε < 1; zero leaves the loss as it is. Where û_yᵀĥ < −1+ε the
	// prototype is replaced by u_y + δ, δ ⟂ ĥ (erratum E8), at the angle arccos(−1+ε) from ĥ. That leaves the loss as
	// it is and multiplies its gradient by −k ≥ 1, so that in the recurrence sin θ becomes |cos θ|·√(1−(1−ε)²)/(1−ε),
	// which does not vanish at θ = π. Samples that start there leave along a fixed tangent. The paper states (104) for
	// W1 = 0; for other W it is used with u_y in place of w_y.
	Adjust float64
}

// GrowthBound bounds ‖h(t)‖/‖h(0)‖ for a sample with α(0) ≤ 1 and η non-increasing, without Adjust: the turns
// φ = arctan(α sin θ) ≤ π/4 add up to at most π, and ∏ 1/cos φ is largest for four of π/4 (erratum E18).
const GrowthBound = 4

// From returns the descent from the state, which must not change afterwards.
func (s Spherical) From(st *State) (*SphericalDescent, error) {
	pl, err := st.Planes(s.Gamma)
	if err != nil {
		return nil, err
	}
	return s.On(pl)
}

// On is From for a state whose planes are known, to sweep rates, RLR and (104) without finding them again.
func (s Spherical) On(pl *Planes) (*SphericalDescent, error) {
	if s.Gamma != pl.gamma {
		return nil, fmt.Errorf("dynamics: Spherical.Gamma is %v, but the planes were found for γ = %v: they must agree",
			s.Gamma, pl.gamma)
	}
	if s.Rate == nil {
		return nil, fmt.Errorf("dynamics: Spherical.Rate is not set: use ConstantRate(η) or another Schedule")
	}
	if err := validRate("η", s.Rate); err != nil {
		return nil, err
	}
	if s.Adjust != 0 && !(-1+s.Adjust > -1 && s.Adjust < 1) { // too small an ε is lost in −1+ε
		return nil,
			fmt.Errorf("dynamics: Spherical.Adjust, ε of (104), is %v: want 0 < ε < 1, or 0 for the loss as it is",
				s.Adjust)
	}
	if p, _, _ := pl.state.Dims(); p == 1 && s.Adjust > 0 {
		return nil,
			fmt.Errorf("dynamics: (104) needs features of dimension p ≥ 2: in dimension 1 there is no tangent to " +
				"leave along")
	}
	d := &SphericalDescent{Planes: pl, s: s, gain: make([]float64, len(pl.labels))}
	for i, y := range pl.labels {
		d.gain[i] = pl.drive[y] / pl.norms[i]
		if !s.Rescale {
			d.gain[i] /= pl.norms[i]
		}
		if math.IsInf(d.gain[i], 0) {
			return nil,
				fmt.Errorf("dynamics: sample %d (class %d) has norm %v: too small for its step size α to be a number",
					i, y, pl.norms[i])
		}
	}
	return d, nil
}

// SphericalDescent is the sequence of gradient-descent iterates of Theorem 7, exact to rounding.
type SphericalDescent struct {
	*Planes
	s    Spherical
	gain []float64 // α_i(0)/η(0): ‖u_y‖/‖h_i(0)‖², with RLR ‖u_y‖/‖h_i(0)‖
}

// StepSizes returns α_i(0) for every sample.
func (d *SphericalDescent) StepSizes() []float64 {
	eta := d.s.Rate.At(0)
	alpha := make([]float64, len(d.gain))
	for i, g := range d.gain {
		alpha[i] = eta * g
	}
	return alpha
}

// Violations returns the samples (columns of H) that break Theorem 7's step-size condition α(0) ≤ 1 (errata E5, E16).
func (d *SphericalDescent) Violations() []int {
	var out []int
	for i, alpha := range d.StepSizes() {
		if alpha > 1 {
			out = append(out, i)
		}
	}
	return out
}

// SphericalTrace is the observables of a spherical descent, a value a recorded step.
type SphericalTrace struct {
	Step     []int
	Loss     []float64 // (3) at the normalised features, biases left out
	Accuracy []float64 // argmax_c w_cᵀh, the first of equal logits
	Error    []float64 // ‖Ĥ − Û(I⊗1ᵀ)‖, column by column normalised: ‖Ĥ − Ŵ(I⊗1ᵀ)‖ where W1 = 0
	LogError []float64 // its natural logarithm
	NormH    []float64 // ‖H‖

	Last *SphericalPoint // the iterate at the last of the steps
}

// Trace returns the observables at one or more ascending steps.
func (d *SphericalDescent) Trace(steps []int) (*SphericalTrace, error) {
	records, last, err := d.run(steps)
	if err != nil {
		return nil, err
	}
	tr := &SphericalTrace{Step: append([]int(nil), steps...), Last: last}
	for _, r := range records {
		tr.Loss = append(tr.Loss, r.loss)
		tr.Accuracy = append(tr.Accuracy, float64(r.right)/float64(len(d.labels)))
		tr.Error = append(tr.Error, r.err)
		tr.LogError = append(tr.LogError, math.Log(r.err))
		tr.NormH = append(tr.NormH, r.norm)
	}
	return tr, nil
}
