package errata

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unhinged-lab/lab/internal/brute"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// The brute force of the errata must agree with the closed form and the exact recursion of package dynamics.
func TestBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(40, 1))
	for range 10 {
		s := dynamics.Gaussian(1+rng.IntN(5), 2+rng.IntN(4), 1+rng.IntN(3), rng.Uint64())
		p, c, n := s.Dims()
		gamma, lambda1, lambda2, eta1, eta2 := rng.Float64(), rng.Float64(), rng.Float64(), 0.1+rng.Float64(),
			0.1+rng.Float64()
		near := func(what string, h, w mat.Matrix, want *dynamics.State, tolerance float64) {
			t.Helper()
			if off := missZ(h, w, want); !(off <= tolerance) {
				t.Errorf("%s is off by %g", what, off)
			}
		}
		flow, err := dynamics.Regularized{Gamma: gamma, Lambda1: lambda1, Lambda2: lambda2,
			Rates: dynamics.Constant(eta1, eta2)}.From(s)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := brute.Flow(s, gamma, lambda1, lambda2, dynamics.ConstantRate(eta1), dynamics.ConstantRate(eta2),
			0, 3)
		if err != nil {
			t.Fatal(err)
		}
		closed, err := flow.At(3)
		if err != nil {
			t.Fatal(err)
		}
		want, err := closed.State()
		if err != nil {
			t.Fatal(err)
		}
		near("wholeFlow", whole.H, whole.W, want, 1e-11)

		same, err := dynamics.Regularized{Gamma: gamma, Lambda1: lambda1, Lambda2: lambda1,
			Rates: dynamics.Constant(eta1, eta1)}.From(s)
		if err != nil {
			t.Fatal(err)
		}
		h, w := iterate[float64](s, gamma, lambda1, eta1, 10)
		descent, err := same.Descent(0)
		if err != nil {
			t.Fatal(err)
		}
		stepped, err := descent.At(10)
		if err != nil {
			t.Fatal(err)
		}
		if want, err = stepped.State(); err != nil {
			t.Fatal(err)
		}
		near("iterate", mat.NewDense(p, n, h), mat.NewDense(p, c, w), want, 1e-12)
	}
}

// For numbers that float64 represents exactly, descent in float64 is exact too.
func TestIterateExactly(t *testing.T) {
	const steps = 8
	s := dynamics.Gaussian(3, 4, 2, 41)
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
