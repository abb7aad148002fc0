package errata

import (
	"errors"
	"math"

	"github.com/unhinged-lab/lab/internal/brute"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// omega2 is ω2(σ, λ, s) of (74).
func omega2(sigma, lambda, s float64) float64 {
	return (math.Sqrt(lambda*lambda*(s-1)*(s-1)+4*s*sigma*sigma) - lambda*(s+1)) / 2
}

// demonstrateE4 measures the slope of ln‖Z‖ over ζ2 on both sides of λ* = (1+γ)/(C√N), at s = .3. Once the other
// components have decayed, it is ω2. The printed form is |ω2| with the printed sign.
func demonstrateE4() (Demonstration, error) {
	const gamma, ratio, from, to = 0.15, 0.3, 400.0, 500.0
	s := dynamics.Gaussian(2, 5, 3, 4)
	sigma := dynamics.CriticalLambda(gamma, 5, 3)
	d := Demonstration{
		ID: "E4", Printed: "Corollary 5's proof: ω2 > 0 for λ > λ*, ω2 < 0 for λ < λ*",
		Right:        "ω2 < 0 for λ > λ*, ω2 > 0 for λ < λ*",
		PrintedError: math.Inf(1), Tolerance: 1e-10,
	}
	for _, lambda := range []float64{0.5 * sigma, 1.25 * sigma} {
		early, err := brute.Flow(s, gamma, lambda, lambda, dynamics.ConstantRate(ratio), dynamics.ConstantRate(1), 0,
			from)
		if err != nil {
			return Demonstration{}, err
		}
		late, err := brute.Flow(early, gamma, lambda, lambda, dynamics.ConstantRate(ratio), dynamics.ConstantRate(1),
			from, to)
		if err != nil {
			return Demonstration{}, err
		}
		slope := math.Log(late.NormZ()/early.NormZ()) / (to - from)
		omega := omega2(sigma, lambda, ratio)
		printed := math.Copysign(omega, lambda-sigma)
		d.PrintedError = math.Min(d.PrintedError, math.Abs(printed-slope))
		d.RightError = math.Max(d.RightError, math.Abs(omega-slope))
	}
	return d, nil
}

// demonstrateE15 measures the rate at which W/‖W‖ approaches its limit (80), at C = 5, N = 3, γ = .15, λ = .05, s = .3:
// .04405, where page 35 has .00509. (H/‖H‖ approaches its limit at the same rate, but only after E3 has decayed.)
func demonstrateE15() (Demonstration, error) {
	const gamma, lambda, ratio, c, n = 0.15, 0.05, 0.3, 5, 3
	var z [3]*dynamics.State // at three times, the last of which stands for the limit
	times := []float64{0, 200, 300, 700}
	s := dynamics.Gaussian(4, c, n, 15)
	for k := range z {
		var err error
		if s, err = brute.Flow(s, gamma, lambda, lambda, dynamics.ConstantRate(ratio), dynamics.ConstantRate(1),
			times[k], times[k+1]); err != nil {
			return Demonstration{}, err
		}
		z[k] = s
	}
	gap := func(k int) float64 { return dynamics.DirectionGap(z[k].W, z[2].W) }
	measured := math.Log(gap(0)/gap(1)) / (times[2] - times[1])
	sigma1, sigma2 := dynamics.Sigma(gamma, c, n)
	omega := omega2(sigma1, lambda, ratio) - omega2(math.Abs(sigma2), lambda, ratio)
	return Demonstration{
		ID:           "E15",
		Printed:      "p. 35: e^{−(ω2(σ1) − ω2(|σ2|))ζ2/(C√N)}, σ1 = (1+γ)/(C√N), σ2 = (1+γ−γC)/(C√N)",
		Right:        "e^{−(ω2(σ1) − ω2(|σ2|))ζ2}",
		PrintedError: math.Abs(omega/(c*math.Sqrt(n)) - measured), RightError: math.Abs(omega - measured),
		Tolerance: 1e-6,
	}, nil
}

// demonstrateE23 finds the smallest dimension that holds a simplex ETF of C classes: the number of positive eigenvalues
// of its Gram matrix (C/(C−1))(I − 11ᵀ/C). For self-duality it measures how far class means are from the directions of
// the prototypes at late times, for λ on both sides of λ* and s = .3.
func demonstrateE23() (Demonstration, error) {
	const c, n, gamma, ratio, late = 4, 2, 0.2, 0.3, 600.0
	gram := mat.NewSymDense(c, nil)
	for i := range c {
		for j := range i {
			gram.SetSym(i, j, -1./(c-1))
		}
		gram.SetSym(i, i, 1)
	}
	var eig mat.EigenSym
	if !eig.Factorize(gram, false) {
		return Demonstration{}, errors.New("dynamics: E23: the eigenvalues of the ETF's Gram matrix did not converge")
	}
	smallest := 0
	for _, v := range eig.Values(nil) {
		if v > 1e-12 {
			smallest++
		}
	}

	d := Demonstration{
		ID: "E23", Printed: "p. 11: C ≤ p−1 for an ETF; self-duality at λ*, as an example",
		Right:        "C ≤ p+1; self-duality for every λ",
		PrintedError: math.Abs(float64(c + 1 - smallest)), RightError: math.Abs(float64(c - 1 - smallest)),
		Tolerance: 1e-10,
	}
	for _, lambda := range []float64{0, 0.5 * dynamics.CriticalLambda(gamma, c, n),
		1.25 * dynamics.CriticalLambda(gamma, c, n)} {
		z, err := brute.Flow(dynamics.Gaussian(3, c, n, 23), gamma, lambda, lambda, dynamics.ConstantRate(ratio),
			dynamics.ConstantRate(1), 0, late)
		if err != nil {
			return Demonstration{}, err
		}
		var means mat.Dense
		means.Mul(z.H, z.M(0).T()) // class means, up to 1/C
		d.RightError = math.Max(d.RightError, dynamics.DirectionGap(&means, z.W))
	}
	return d, nil
}
