package dynamics

import (
	"fmt"
	"math"
)

// Anchored is Theorem 6: prototypes and biases are fixed, and the features follow H' = η1(W M − λH).
type Anchored struct {
	Gamma   float64 // γ ≥ 0, the weight of the non-target logits, exactly as given
	Lambda1 float64 // λ ≥ 0, ℓ2 regularisation of the features
	Rates   Rates   // η1 of the features; η2 has no meaning
}

// From returns the gradient flow from the state, which must not change afterwards.
func (a Anchored) From(s *State) (*AnchoredFlow, error) {
	pr, err := s.Project()
	if err != nil {
		return nil, err
	}
	return a.On(pr)
}

// On is From for a state that is already projected.
func (a Anchored) On(pr *Projection) (*AnchoredFlow, error) {
	if a.Lambda1 < 0 || math.IsNaN(a.Lambda1) || math.IsInf(a.Lambda1, 0) {
		return nil, fmt.Errorf("dynamics: λ = %v: must be finite and not negative", a.Lambda1)
	}
	if err := a.Rates.validateFeatures(); err != nil {
		return nil, err
	}
	d, err := pr.drive(a.Gamma)
	if err != nil {
		return nil, err
	}
	f := &AnchoredFlow{driver: d, lambda: a.Lambda1, rate: a.Rates.featureSchedule()}
	f.solution = func(times []float64) ([]Point, error) { return pointsOf(flowGrowths(f.rate, times), f.point), nil }
	return f, nil
}

// AnchoredFlow is the Trajectory H(t) = e^{−λζ}H0 + ((1−e^{−λζ})/λ) W M of Theorem 6. Distances and gaps are measured
// to (W M/λ, W). For λ = 0 H grows without bound: LogDistanceH is then measured to the direction of W M, and
// LogDistance is NaN.
type AnchoredFlow struct {
	*driver
	solution
	lambda float64
	rate   Schedule
}

// Limit returns (W M/λ, W), to which H tends at the rate λ. For λ = 0 H grows as ζ·W M: the limit is not finite, its H
// is the direction W M, and the approach is slower than exponential.
func (f *AnchoredFlow) Limit() (Limit, error) {
	end := f.driver.limit(f.target())
	end.biasDecay = scaled{1, 0}
	return Limit{Point: end, Finite: f.lambda > 0, Rate: f.lambda}, nil
}

// Descent returns gradient descent on the features alone, with momentum μ in [0, 1).
func (f *AnchoredFlow) Descent(momentum float64) (*Descent, error) {
	return newDescent(momentum, func(times []float64) ([]Point, error) {
		omega := []float64{-f.lambda}
		growths, err := descentGrowths(f.rate, momentum, omega, omega, times)
		return pointsOf(growths, f.point), err
	})
}

// target is (W M/λ, W), for λ = 0 (W M, W).
func (f *AnchoredFlow) target() linear {
	limit := f.lambda
	if limit == 0 {
		limit = 1
	}
	l := linear{make([]mat2, len(f.sigma)), 0}
	for k, sigma := range f.sigma {
		l.modes[k] = mat2{0, sigma / limit, 0, 1}
	}
	return l
}

// point is H(t) = W M/λ + e^{−λζ}(H0 − W M/λ), for λ = 0 H0 + ζ·W M.
func (f *AnchoredFlow) point(g growth) *point {
	decay, driven := g.of(-f.lambda), g.driven(-f.lambda)
	rest, now := linear{make([]mat2, len(f.sigma)), decay.sign}, linear{make([]mat2, len(f.sigma)), decay.at(0)}
	lead := 1.0
	if f.lambda == 0 {
		lead = driven
	}
	for k, sigma := range f.sigma {
		if f.lambda > 0 {
			rest.modes[k] = mat2{decay.sign, -decay.sign * sigma / f.lambda, 0, 0}
		} else {
			rest.modes[k] = mat2{1, 0, 0, 0}
		}
		now.modes[k] = mat2{decay.at(0), driven * sigma, 0, 1}
	}
	p := f.driver.point(now)
	p.target, p.lead = linearState{f.driver, f.target()}, [2]float64{lead, 1}
	p.rest, p.restLog, p.biasDecay = linearState{f.driver, rest}, decay.log, scaled{1, 0}
	return p
}
