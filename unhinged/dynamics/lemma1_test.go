package dynamics

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func column(m *mat.Dense, j int) []float64 { return mat.Col(nil, j, m) }

// randomLemma1 returns constants with γ = share·2/(C−2) (any γ for C = 2), and a start of the given sizes.
func randomLemma1(rng *rand.Rand, p, c int, share float64) (Lemma1, *State) {
	limit := 10.0
	if c > 2 {
		limit = 2 / float64(c-2)
	}
	return Lemma1{Gamma: share * limit, E1: 0.5 + rng.Float64(), E2: 0.5 + 3*rng.Float64()},
		Gaussian(p, c, 1+rng.IntN(3), rng.Uint64())
}

// No state within the balls has a smaller loss than Minimum.
func TestLemma1MinimumIsALowerBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 0))
	for range 300 {
		c := 2 + rng.IntN(8)
		l, s := randomLemma1(rng, 1+rng.IntN(10), c, 3*rng.Float64())
		for k := range 2 { // on the spheres, where the loss is smallest; at k = 1 with the best features for W
			for j := range c {
				s.W.SetCol(j, unit(column(s.W, j)))
			}
			s.W.Scale(l.E1, s.W)
			for i, y := range s.Labels() {
				h := column(s.H, i)
				if k == 1 {
					h = DrivingVector(s, l.Gamma, y)
				}
				floats.Scale(l.E2, unit(h))
				s.H.SetCol(i, h)
			}
			if loss := WholeLoss(s, l.Gamma); loss < l.Minimum(c)*(1+1e-14) {
				t.Errorf("C = %d, γ = %v: loss %v < minimum %v", c, l.Gamma, loss, l.Minimum(c))
			}
		}
	}
}

// For 0 < γ < 2/(C−2), the minimum is −(1+γ)E1E2, with W1 = 0 and h = E2·ŵ_y. In general W is an ETF if and only if C ≤
// 3.
func TestLemma1WithinTheRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(32, 0))
	etfs := 0
	for range 40 {
		c := 2 + rng.IntN(7)
		l, start := randomLemma1(rng, 3+rng.IntN(8), c, 0.05+0.8*rng.Float64())
		end, tr, err := l.Minimize(start, 3000)
		if err != nil {
			t.Fatal(err)
		}
		want := -(1 + l.Gamma) * l.E1 * l.E2
		if loss := tr.Loss[3000]; l.Minimum(c) != want || math.Abs(loss/want-1) > 1e-12 {
			t.Errorf("C = %d, γ = %v: loss %v, minimum %v, want %v", c, l.Gamma, loss, l.Minimum(c), want)
		}
		if math.Abs(WholeLoss(end, l.Gamma)/tr.Loss[3000]-1) > 1e-13 {
			t.Errorf("loss %v, from its definition %v", tr.Loss[3000], WholeLoss(end, l.Gamma))
		}
		if tr.SumNorm[3000] > 1e-6*l.E1 {
			t.Errorf("C = %d, γ = %v: ‖W1‖ = %v", c, l.Gamma, tr.SumNorm[3000])
		}
		for i, y := range end.Labels() {
			w := column(end.W, y)
			if math.Abs(floats.Norm(w, 2)/l.E1-1) > 1e-12 {
				t.Errorf("‖w_%d‖ = %v, want %v", y, floats.Norm(w, 2), l.E1)
			}
			floats.Scale(l.E2, unit(w))
			if gap := floats.Distance(column(end.H, i), w, 2); gap > 1e-5*l.E2 {
				t.Errorf("C = %d, γ = %v: ‖h − E2ŵ‖ = %v", c, l.Gamma, gap)
			}
		}
		for k := range 3000 {
			if tr.Loss[k+1] > tr.Loss[k]+1e-13*math.Abs(want) {
				t.Fatalf("loss rises at step %d from %v to %v", k, tr.Loss[k], tr.Loss[k+1])
			}
		}
		if etf := tr.ETFDistance[3000] < 1e-6; etf != (c <= 3) {
			t.Errorf("C = %d: ETF distance %v", c, tr.ETFDistance[3000])
		} else if etf {
			etfs++
			if math.Abs(tr.MinCosine[3000]+1/float64(c-1)) > 1e-6 ||
				math.Abs(tr.MaxCosine[3000]+1/float64(c-1)) > 1e-6 {
				t.Errorf("C = %d: cosines %v … %v", c, tr.MinCosine[3000], tr.MaxCosine[3000])
			}
		}
	}
	if etfs == 0 || etfs == 40 {
		t.Errorf("%d of 40 ended in an ETF: the test has seen one case only", etfs)
	}
}

// For γ > 2/(C−2), the minimum is −(γ(C−1)−1)E1E2: all prototypes are one vector E1·u, and all features are −E2·u.
func TestLemma1BeyondTheRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 0))
	for range 30 {
		c := 3 + rng.IntN(6)
		l, start := randomLemma1(rng, c+rng.IntN(6), c, 1.2+3*rng.Float64())
		end, tr, err := l.Minimize(start, 2000)
		if err != nil {
			t.Fatal(err)
		}
		want := -(l.Gamma*float64(c-1) - 1) * l.E1 * l.E2
		if loss := tr.Loss[2000]; l.Minimum(c) != want || math.Abs(loss/want-1) > 1e-12 {
			t.Errorf("C = %d, γ = %v: loss %v, minimum %v, want %v", c, l.Gamma, loss, l.Minimum(c), want)
		}
		if tr.MinCosine[2000] < 1-1e-9 {
			t.Errorf("C = %d, γ = %v: smallest cosine %v", c, l.Gamma, tr.MinCosine[2000])
		}
		u := column(end.W, 0)
		floats.Scale(-l.E2/l.E1, u)
		for i := range end.Labels() {
			if gap := floats.Distance(column(end.H, i), u, 2); gap > 1e-6*l.E2 {
				t.Errorf("C = %d, γ = %v: ‖h + E2u‖ = %v", c, l.Gamma, gap)
			}
		}
	}
}

// At γ = 2/(C−2) every W with equal w_cᵀΣw is a minimiser: an ETF, equal prototypes, and what descent finds in between.
func TestLemma1Tie(t *testing.T) {
	rng := rand.New(rand.NewPCG(34, 0))
	for range 10 {
		c := 3 + rng.IntN(5)
		l, start := randomLemma1(rng, c+3, c, 1)
		end, tr, err := l.Minimize(start, 4000)
		if err != nil {
			t.Fatal(err)
		}
		if loss := tr.Loss[4000]; math.Abs(loss/l.Minimum(c)-1) > 1e-6 { // slower than exponential at the tie
			t.Errorf("C = %d: loss %v, minimum %v", c, loss, l.Minimum(c))
		}
		sum := make([]float64, c+3)
		for j := range c {
			floats.Add(sum, column(end.W, j))
		}
		along := make([]float64, c)
		for j := range c {
			along[j] = floats.Dot(sum, column(end.W, j)) / (l.E1 * l.E1)
		}
		if floats.Max(along)-floats.Min(along) > 1e-2 {
			t.Errorf("C = %d: w_cᵀΣw = %v", c, along)
		}
	}
}

// In few dimensions, W1 = 0 remains a local minimum for some γ > 2/(C−2), up to γ(C(1−q)−2) = 2.
func TestLemma1LocalMinimumInFewDimensions(t *testing.T) {
	const c, p = 6, 3
	for _, test := range []struct {
		gamma float64
		stays bool
	}{{0.9, true}, {0.99, true}, {1.02, false}, {1.2, false}} { // q = 1/3: the threshold is γ = 1, and 2/(C−2) = .5
		l := Lemma1{Gamma: test.gamma}
		octahedron := mat.NewDense(p, c, []float64{1, -1, 0, 0, 0, 0, 0, 0, 1, -1, 0, 0, 0, 0, 0, 0, 1, -1})
		s := &State{H: mat.DenseCopyOf(octahedron), W: octahedron, B: make([]float64, c), Counts: []int{1, 1, 1, 1, 1,
			1}}
		noise := normal(rand.New(rand.NewPCG(35, 0)), p, c)
		noise.Scale(1e-3, noise)
		s.W.Add(s.W, noise)
		_, tr, err := l.Minimize(s, 5000)
		if err != nil {
			t.Fatal(err)
		}
		end := tr.Loss[5000]
		if test.stays && (tr.SumNorm[5000] > 1e-6 || math.Abs(end+1+test.gamma) > 1e-9) {
			t.Errorf("γ = %v: left the local minimum for loss %v, ‖W1‖ = %v", test.gamma, end, tr.SumNorm[5000])
		}
		if !test.stays && math.Abs(end/l.Minimum(c)-1) > 1e-9 {
			t.Errorf("γ = %v: loss %v, minimum %v", test.gamma, end, l.Minimum(c))
		}
	}
}

func TestLemma1Continuum(t *testing.T) {
	for _, gamma := range []float64{0.1, 1. / 3, 0.9} {
		l := Lemma1{Gamma: gamma, E1: 2, E2: 0.5}
		for angle := 0.0; angle < math.Pi; angle += 0.3 {
			s, err := l.Continuum(5, 2, angle)
			if err != nil {
				t.Fatal(err)
			}
			if loss := WholeLoss(s, gamma); math.Abs(loss/l.Minimum(4)-1) > 1e-14 {
				t.Errorf("γ = %v, angle %v: loss %v, minimum %v", gamma, angle, loss, l.Minimum(4))
			}
			if d := ETFDistance(s.W); d < 0.5 {
				t.Errorf("angle %v: ETF distance %v", angle, d)
			}
			end, _, err := l.Minimize(s, 50)
			if err != nil {
				t.Fatal(err)
			}
			var moved mat.Dense
			if moved.Sub(end.W, s.W); mat.Norm(&moved, 2) > 1e-13 {
				t.Errorf("angle %v: descent moves W by %v", angle, mat.Norm(&moved, 2))
			}
		}
	}
}

func TestETFDistance(t *testing.T) {
	for c := 2; c < 8; c++ {
		s, err := GaussianETF(c+2, c, 1, 3, 7)
		if err != nil {
			t.Fatal(err)
		}
		if d := ETFDistance(s.W); d > 1e-14 {
			t.Errorf("C = %d: an ETF is %v from an ETF", c, d)
		}
		equal := mat.NewDense(2, c, nil)
		for j := range c {
			equal.SetCol(j, []float64{1, 2})
		}
		if d := ETFDistance(equal); math.Abs(d-math.Sqrt2) > 1e-14 {
			t.Errorf("C = %d: equal prototypes are %v from an ETF, want √2", c, d)
		}
	}
}

func TestLemma1Refuses(t *testing.T) {
	good := Gaussian(3, 3, 2, 1)
	unequal := good.Clone()
	unequal.Counts = []int{1, 2, 3}
	for _, test := range []struct {
		l     Lemma1
		s     *State
		steps int
		want  string
	}{
		{Lemma1{}, unequal, 1, "class sizes [1 2 3]"},
		{Lemma1{Gamma: -1}, good, 1, "γ = -1"},
		{Lemma1{E1: -1}, good, 1, "E1 = -1"},
		{Lemma1{E2: math.NaN()}, good, 1, "E2 = NaN"},
		{Lemma1{}, good, -1, "-1 steps"},
		{Lemma1{}, &State{}, 1, "without features"},
	} {
		if _, _, err := test.l.Minimize(test.s, test.steps); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
	if _, err := (Lemma1{}).Continuum(1, 1, 0); err == nil {
		t.Error("continuum in dimension 1")
	}
}
