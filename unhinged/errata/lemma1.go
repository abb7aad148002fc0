package errata

import (
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
)

// demonstrateE13 compares the minimum that Lemma 1 states with what projected gradient descent reaches, at γ = .5 and C
// = 10, beyond 2/(C−2). (Lemma1.Continuum shows that within this range a minimiser need not be an ETF.)
func demonstrateE13() (Demonstration, error) {
	const classes, steps = 10, 300
	l := dynamics.Lemma1{Gamma: 0.5}
	_, trace, err := l.Minimize(dynamics.Gaussian(classes, classes, 2, 1), steps)
	if err != nil {
		return Demonstration{}, err
	}
	reached := trace.Loss[steps]
	return Demonstration{
		ID: "E13", Printed: "the minimum is −(1+γ)E1E2 for any γ > 0, at the simplex ETF only",
		Right:        "−(1+γ)E1E2 for γ < 2/(C−2), wherever W1 = 0; beyond, −(γ(C−1)−1)E1E2",
		PrintedError: math.Abs(-(1 + l.Gamma) - reached), RightError: math.Abs(l.Minimum(classes) - reached),
		Tolerance: 1e-12,
	}, nil
}
