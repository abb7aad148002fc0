package dynamics

import "math"

// component is an eigenvector of the dynamics: of a mode (growing: ω⁺, shrinking: ω⁻), or all of H⊥ (resting).
type component struct {
	kind componentKind
	mode int
}

type componentKind int

const (
	growing componentKind = iota
	shrinking
	resting
)

// span returns the projection onto the components.
func (f *Flow) span(components []component) linear {
	l := linear{modes: make([]mat2, len(f.modes))}
	for _, c := range components {
		switch c.kind {
		case growing:
			l.modes[c.mode] = combine(1, l.modes[c.mode], 1, f.modes[c.mode].onPlus)
		case shrinking:
			l.modes[c.mode] = combine(1, l.modes[c.mode], 1, f.modes[c.mode].onMinus)
		case resting:
			l.perp = 1
		}
	}
	return l
}

// corollary returns the components of Z̄ in Corollaries 3 and 5: for equal class sizes E1's growing part
// (Z_π, whatever γ is), for unequal ones what really wins.
func (f *Flow) corollary() []component {
	if f.v == nil {
		return []component{{growing, 0}}
	}
	winners, _, _ := f.race()
	return winners
}

// race returns the components that win as ζ2 → ∞, their eigenvalue, and the next one below.
func (f *Flow) race() (winners []component, first, second float64) {
	type runner struct {
		component
		omega float64
	}
	runners := []runner{{component{resting, 0}, -f.rates.Ratio() * f.lambda1}}
	// There is no H⊥ if N = 1 or the features have collapsed already; where η1 = 0 and λ2 = 0, W outgrows it.
	if f.perpNorm2 == 0 || f.rates.Ratio() == 0 && f.lambda2 == 0 {
		runners = nil
	}
	scale := 0.0 // of what ω⁺ is a difference of
	for k, m := range f.modes {
		runners = append(runners, runner{component{growing, k}, m.plus}, runner{component{shrinking, k}, m.minus})
		if sigma := f.sigma[k]; m.minus < 0 {
			scale = max(scale, f.rates.Ratio()*(f.lambda1*f.lambda2+sigma*sigma)/-m.minus)
		}
	}
	first, second = math.Inf(-1), math.Inf(-1)
	for _, r := range runners {
		first = max(first, r.omega)
	}
	for _, r := range runners {
		if first-r.omega <= 1e-13*scale {
			winners = append(winners, r.component)
		} else {
			second = max(second, r.omega)
		}
	}
	return winners, first, second
}

// Limit returns what wins: by Corollaries 3 and 5 the growing part of E1 for 0 < γ < 2/(C−2) or C = 2, else another
// eigenspace or a tie. There always is a limit.
func (f *Flow) Limit() (Limit, error) {
	winners, first, second := f.race()
	end := f.driver.limit(f.span(winners))
	l := Limit{
		Point: end, Growth: first, Rate: first - second,
		// λ = λ*; where neither η1 nor λ2 does anything, W grows linearly.
		Finite:    first == 0 && !(f.rates.Ratio() == 0 && f.lambda2 == 0),
		Collapses: f.v == nil && len(winners) == 1 && winners[0] == component{growing, 0},
	}
	if l.Finite {
		end.biasGain = 1 / f.lambda2
	}
	return l, nil
}

// Collapse returns Z̄ of Corollary 3, or Z_π of Corollary 5, whether or not it wins: what the distances and gaps of the
// flow's points are measured to.
func (f *Flow) Collapse() Point { return f.driver.limit(f.span(f.leaders)) }

// Threshold returns λ*, the regularisation λ1 = λ2 at which the winner neither grows nor shrinks: the largest singular
// value of M, (1+γ)/(C√N) for equal class sizes and γ ≤ 2/(C−2) (Corollary 5).
func (f *Flow) Threshold() float64 {
	largest := 0.0
	for _, sigma := range f.sigma {
		largest = max(largest, math.Abs(sigma))
	}
	return largest
}

// CriticalLambda returns λ* = (1+γ)/(C√N) of Corollary 5.
func CriticalLambda(gamma float64, c, n int) float64 {
	sigma1, _ := Sigma(gamma, c, n)
	return sigma1
}
