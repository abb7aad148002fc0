package dynamics

import (
	"fmt"
	"math"
)

// Anchored is Theorem 6: prototypes (and biases) fixed, H' = η(W M − λH).
type Anchored struct {
	Gamma, Lambda float64
	Rate          Schedule // η of the features
}

// From returns the gradient flow from the state.
func (a Anchored) From(s *State) (*AnchoredFlow, error) {
	pr, err := s.Project()
	if err != nil {
		return nil, err
	}
	return a.On(pr)
}

// On is From for a state that is already projected.
func (a Anchored) On(pr *Projection) (*AnchoredFlow, error) {
	if a.Lambda < 0 || math.IsNaN(a.Lambda) || math.IsInf(a.Lambda, 0) {
		return nil, fmt.Errorf("dynamics: λ = %v: must be finite and not negative", a.Lambda)
	}
	if a.Rate == nil {
		return nil, fmt.Errorf("dynamics: Anchored.Rate is not set: use ConstantRate(η) or another Schedule")
	}
	if err := validRate("η", a.Rate); err != nil {
		return nil, err
	}
	d, err := pr.drive(a.Gamma)
	if err != nil {
		return nil, err
	}
	return &AnchoredFlow{d, a}, nil
}

// AnchoredFlow is the solution H(t) = e^{−λζ}H0 + ((1−e^{−λζ})/λ) W M of Theorem 6, or of its gradient descent.
type AnchoredFlow struct {
	*driver
	a Anchored
}

// At returns the flow at time t.
func (f *AnchoredFlow) At(t float64) (*Point, error) { return one(f.points([]float64{t})) }

// Trace returns the observables at ascending times. Distances and gaps are measured to H̄ = W M/λ and W; for λ = 0 H
// grows without limit: LogDistanceH is measured to the direction of W M, and LogDistance is NaN.
func (f *AnchoredFlow) Trace(times []float64) (*Trace, error) { return traceOf(times, f.points) }

func (f *AnchoredFlow) points(times []float64) ([]*Point, error) {
	if err := ascending(times); err != nil {
		return nil, err
	}
	points := make([]*Point, len(times))
	for i, zeta := range integrals(f.a.Rate, times) {
		points[i] = f.point(flowGrowth{zeta})
	}
	return points, nil
}

// Limit returns (W M/λ, W), which H tends to, and the exponent λ of its approach per unit of ζ. For λ = 0 there is no
// limit: the rate is 0, and H of the point is the direction W M that ζ·W M grows along.
func (f *AnchoredFlow) Limit() (limit *Point, rate float64) {
	end := f.point(flowGrowth{0})
	target := *end.target
	zero := linear{make([]mat2, len(target.modes)), 0}
	return &Point{d: f.driver, now: target, target: end.target, lead: [2]float64{1, 1}, rest: zero, biasDecay: scaled{1,
		0}}, f.a.Lambda
}

// Descent returns gradient descent on the features alone, with momentum μ in [0, 1).
func (f *AnchoredFlow) Descent(momentum float64) (*Descent, error) {
	return newDescent(momentum, func(times []float64) ([]*Point, error) {
		omega := []float64{-f.a.Lambda}
		return descend(f.a.Rate, momentum, omega, omega, times, f.point)
	})
}

// point is H(t) = W M/λ + e^{−λζ}(H0 − W M/λ), for λ = 0 H0 + ζ·W M.
func (f *AnchoredFlow) point(g growth) *Point {
	decay := g.of(-f.a.Lambda)
	c := len(f.sigma)
	target, rest := linear{make([]mat2, c), 0}, linear{make([]mat2, c), decay.sign}
	lead, limit := 1.0, f.a.Lambda
	if limit == 0 {
		lead, limit = g.driven(0), 1
	}
	now := linear{make([]mat2, c), decay.at(0)}
	for k, sigma := range f.sigma {
		target.modes[k] = mat2{0, sigma / limit, 0, 1}
		if f.a.Lambda > 0 {
			rest.modes[k] = mat2{decay.sign, -decay.sign * sigma / limit, 0, 0}
		} else {
			rest.modes[k] = mat2{1, 0, 0, 0}
		}
		now.modes[k] = mat2{decay.at(0), g.driven(-f.a.Lambda) * sigma, 0, 1}
	}
	return &Point{
		d: f.driver, now: now, target: &target, lead: [2]float64{lead, 1}, rest: rest, restLog: decay.log,
		biasDecay: scaled{1, 0},
	}
}
