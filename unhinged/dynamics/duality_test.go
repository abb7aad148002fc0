package dynamics

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDualityGap(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 0))
	for range 20 {
		p, c, n := 1+rng.IntN(8), 2+rng.IntN(6), 2+rng.IntN(4)
		s := Gaussian(p, c, n, rng.Uint64())
		pr, err := s.Project()
		if err != nil {
			t.Fatal(err)
		}
		e, err := pr.Eigenspaces()
		if err != nil {
			t.Fatal(err)
		}
		e.E3.W = s.W // E3: H without class means, and W orthogonal to any prototypes
		for want, z := range map[float64]*State{0: e.E1Plus, 2: e.E1Minus, math.Sqrt2: e.E3} {
			z.H.Scale(math.Exp(rng.NormFloat64()), z.H)
			if got := z.DualityGap(); !(math.Abs(got-want) < 1e-12) {
				t.Errorf("p=%d C=%d N=%d: gap %v, want %v", p, c, n, got, want)
			}
		}
		if got := s.DualityGap(); !(got > 1e-3 && got < 2) {
			t.Errorf("p=%d C=%d N=%d: gap of a random state is %v", p, c, n, got)
		}
		s.H.Zero()
		if got := s.DualityGap(); !math.IsNaN(got) {
			t.Errorf("no features: gap %v, want NaN", got)
		}
	}
}

// With unequal class sizes, every sample counts equally.
func TestDualityGapUnequal(t *testing.T) {
	s := Gaussian(3, 2, 2, 1)
	s.Counts = []int{1, 3}
	for j, y := range s.Labels() {
		for i := range 3 {
			s.H.Set(i, j, 7*s.W.At(i, y))
		}
	}
	if got := s.DualityGap(); !(got < 1e-14) {
		t.Errorf("gap %v, want 0", got)
	}
}
