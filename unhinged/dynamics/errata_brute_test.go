package dynamics

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// The brute force of the errata agrees with the matrix exponential and with dense gradient descent.
func TestErrataBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(40, 1))
	for range 10 {
		s := randomState(rng, false)
		p, c, n := s.Dims()
		gamma := randomGamma(rng, c)
		lambda1, lambda2, eta1, eta2 := rng.Float64(), rng.Float64(), 0.1+rng.Float64(), 0.1+rng.Float64()
		closeStates(t, "wholeFlow", must[*State](t)(wholeFlow(s, gamma, lambda1, lambda2, ConstantRate(eta1), ConstantRate(eta2), 1, 4)),
			bruteFlow(s, gamma, lambda1, lambda2, eta1, eta2, 3), 1e-11)

		constant := func(float64) float64 { return eta1 }
		h, w := iterate[float64](s, gamma, lambda1, eta1, 10)
		closeStates(t, "iterate", &State{H: mat.NewDense(p, n, h), W: mat.NewDense(p, c, w), Counts: s.Counts},
			&State{H: bruteDescent(s, gamma, lambda1, lambda1, 0, constant, constant, false, 10).H,
				W: bruteDescent(s, gamma, lambda1, lambda1, 0, constant, constant, false, 10).W}, 1e-13)
	}
}

// Of numbers that float64 holds, float64 descent is exact too.
func TestIterateExactly(t *testing.T) {
	const steps = 8
	s := Gaussian(3, 4, 2, 41)
	for _, m := range []*mat.Dense{s.H, s.W} {
		m.Apply(func(_, _ int, v float64) float64 { return math.Round(10 * v) }, m)
	}
	h, w := iterate[float64](s, 2, 0, 1, steps)
	exactH, exactW := iterateExactly(s, 2, steps)
	for i := range h {
		if got, _ := exactH[i].Float64(); got != math.Ldexp(h[i], 3*steps) {
			t.Errorf("H[%d]: 8ᵗ·%v, exactly %v", i, h[i], exactH[i])
		}
	}
	for i := range w {
		if got, _ := exactW[i].Float64(); got != math.Ldexp(w[i], 3*steps) {
			t.Errorf("W[%d]: 8ᵗ·%v, exactly %v", i, w[i], exactW[i])
		}
	}
}
