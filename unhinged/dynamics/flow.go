package dynamics

import (
	"fmt"
	"math"
	"slices"
)

// Unconstrained is Theorem 2: features H, prototypes W and biases b learn freely and without regularisation (5),
//
//	H' = η1 W M,   W' = η2 H Mᵀ,   b' = η2 M 1,
//
// with M of State.M. Erratum E1 is about the order of samples.
type Unconstrained struct {
	Gamma float64 // γ ≥ 0, the weight of the non-target logits, exactly as given: 0 means 0
	Rates Rates   // η1 of the features, η2 of prototypes and biases
}

// From returns the gradient flow from the state, which must not change afterwards. It is an error if a constant is out
// of range or the state invalid.
func (u Unconstrained) From(s *State) (*Flow, error) {
	return Regularized{Gamma: u.Gamma, Rates: u.Rates}.From(s)
}

// On is From for a state that is already projected.
func (u Unconstrained) On(pr *Projection) (*Flow, error) {
	return Regularized{Gamma: u.Gamma, Rates: u.Rates}.On(pr)
}

// Regularized is Theorem 4: Theorem 2 with ℓ2 regularisation (12),
//
//	H' = η1 (W M − λ1 H),   W' = η2 (H Mᵀ − λ2 W),   b' = η2 (M 1 − λ2 b).
//
// Erratum E2 is about the biases, (14), and errata E4 and E15 are about Corollary 5.
type Regularized struct {
	Gamma   float64 // γ ≥ 0, the weight of the non-target logits, exactly as given: 0 means 0
	Lambda1 float64 // λ1 ≥ 0, of the features
	Lambda2 float64 // λ2 ≥ 0, of prototypes and biases
	Rates   Rates   // η1 of the features, η2 of prototypes and biases
}

// From returns the gradient flow from the state, which must not change afterwards. It is an error if a constant is out
// of range or the state invalid.
func (r Regularized) From(s *State) (*Flow, error) {
	pr, err := s.Project()
	if err != nil {
		return nil, err
	}
	return r.On(pr)
}

// On is From for a state that is already projected.
func (r Regularized) On(pr *Projection) (*Flow, error) {
	if err := validPenalties(r.Lambda1, r.Lambda2, false); err != nil {
		return nil, err
	}
	if err := r.Rates.validate(); err != nil {
		return nil, err
	}
	d, err := pr.drive(r.Gamma)
	if err != nil {
		return nil, err
	}
	f := &Flow{driver: d, rates: r.Rates, lambda1: r.Lambda1, lambda2: r.Lambda2}
	s := r.Rates.Ratio()
	for _, sigma := range d.sigma {
		f.modes = append(f.modes, newMode(sigma, s, r.Lambda1, r.Lambda2))
	}
	f.leaders = f.corollary()
	f.solution = f.solve
	return f, nil
}

// Flow is the Trajectory of Theorems 2 and 4, (5) or (12) in closed form. If η1 and η2 follow schedules of their own
// (Rates.H), there is no closed form: gradient flow is integrated mode by mode, and gradient descent is a product of
// 2×2 matrices for each mode.
type Flow struct {
	*driver
	solution
	rates            Rates
	lambda1, lambda2 float64
	modes            []mode
	leaders          []component // distances are measured to their part of the state
}

func (f *Flow) solve(times []float64) ([]Point, error) {
	if f.rates.H != nil {
		return f.integrate(times)
	}
	return pointsOf(flowGrowths(f.rates.W, times), f.point), nil
}

// Descent returns gradient descent on the same objective, with momentum μ in [0, 1).
func (f *Flow) Descent(momentum float64) (*Descent, error) {
	return newDescent(momentum, func(times []float64) ([]Point, error) {
		if f.rates.H != nil {
			if err := countable(times); err != nil {
				return nil, err
			}
			return f.multiply(momentum, wholes(times)), nil
		}
		growths, err := descentGrowths(f.rates.W, momentum, f.eigenvalues(), []float64{-f.lambda2}, times)
		return pointsOf(growths, f.point), err
	})
}

// eigenvalues lists all eigenvalues ω: those of the modes, of H⊥ and of the biases.
func (f *Flow) eigenvalues() []float64 {
	omegas := []float64{-f.rates.Ratio() * f.lambda1, -f.lambda2}
	for _, m := range f.modes {
		omegas = append(omegas, m.plus, m.minus)
	}
	slices.Sort(omegas)
	return slices.Compact(omegas)
}

// point evaluates the closed form, given the growth of the eigenvectors.
func (f *Flow) point(g growth) *point {
	perp := g.of(-f.rates.Ratio() * f.lambda1)
	plus, minus := make([]scaled, len(f.modes)), make([]scaled, len(f.modes))
	for k, m := range f.modes {
		plus[k], minus[k] = g.of(m.plus), g.of(m.minus)
	}
	now, log := f.assemble(plus, minus, perp)
	p := f.driver.point(now)
	p.log, p.target = log, linearState{f.driver, f.span(f.leaders)}
	p.biasDecay, p.biasGain = g.of(-f.lambda2), g.driven(-f.lambda2)
	for _, c := range f.leaders { // they all have the same eigenvalue; the rest is everything else
		v := &perp
		switch c.kind {
		case growing:
			v = &plus[c.mode]
		case shrinking:
			v = &minus[c.mode]
		}
		p.lead = [2]float64{v.at(p.log), v.at(p.log)}
		*v = scaled{}
	}
	rest, restLog := f.assemble(plus, minus, perp)
	p.rest, p.restLog = linearState{f.driver, rest}, restLog
	return p
}

// assemble returns the sum of the components, and the logarithm of its scale.
func (f *Flow) assemble(plus, minus []scaled, perp scaled) (linear, float64) {
	log := math.Inf(-1)
	for _, list := range [][]scaled{plus, minus, {perp}} {
		for _, v := range list {
			if v.sign != 0 {
				log = max(log, v.log)
			}
		}
	}
	if math.IsInf(log, -1) {
		log = 0
	}
	l := linear{make([]mat2, len(f.modes)), perp.at(log)}
	for k, m := range f.modes {
		l.modes[k] = combine(plus[k].at(log), m.onPlus, minus[k].at(log), m.onMinus)
	}
	return l, log
}

// validPenalties checks that λ1 and λ2 are finite and not negative.
func validPenalties(lambda1, lambda2 float64, anchored bool) error {
	for i, l := range []float64{lambda1, lambda2} {
		if l < 0 || math.IsNaN(l) || math.IsInf(l, 0) {
			return fmt.Errorf("dynamics: λ%d = %v: must be finite and not negative", i+1, l)
		}
	}
	if anchored && lambda2 != 0 {
		return fmt.Errorf("dynamics: λ2 = %v with anchored prototypes: must be 0, because they do not move", lambda2)
	}
	return nil
}
