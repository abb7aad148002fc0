package dynamics

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// printedProjections computes Theorem 2's projections from the paper's formulas, with the Kronecker products written
// out.
func printedProjections(s *State) [5]*State {
	p, c, n := s.Dims()
	per := s.Counts[0]
	root := math.Sqrt(float64(per))
	ones := mat.NewDense(c, c, nil)
	ones.Apply(func(_, _ int, _ float64) float64 { return 1 / float64(c) }, ones)
	sum := mat.NewDense(p, c, nil) // H(I⊗1)
	for j, y := range s.Labels() {
		for i := range p {
			sum.Set(i, y, sum.At(i, y)+s.H.At(i, j))
		}
	}
	spread := func(w *mat.Dense, by float64) *mat.Dense { // by·W⊗1ᵀ
		h := mat.NewDense(p, n, nil)
		h.Apply(func(i, j int, _ float64) float64 { return by * w.At(i, j/per) }, h)
		return h
	}
	zero := func() []float64 { return make([]float64, c) }
	var out [5]*State
	for k, sign := range []float64{1, -1} {
		both := mat.NewDense(p, c, nil) // ½(ε/√N H(I⊗1) + W)
		both.Apply(func(i, j int, _ float64) float64 { return (sign/root*sum.At(i, j) + s.W.At(i, j)) / 2 }, both)
		var mean, rest mat.Dense
		mean.Mul(both, ones)
		rest.Sub(both, &mean)
		out[k] = &State{H: spread(&rest, sign/root), W: &rest, B: zero(), Counts: s.Counts}
		out[2+k] = &State{H: spread(&mean, sign/root), W: &mean, B: zero(), Counts: s.Counts}
	}
	h := mat.DenseCopyOf(s.H)
	h.Sub(h, spread(sum, 1/float64(per)))
	out[4] = &State{H: h, W: mat.NewDense(p, c, nil), B: zero(), Counts: s.Counts}
	return out
}

func TestEigenspacesAreTheorem2(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	for range 30 {
		s := randomState(rng, true)
		e := must[*Eigenspaces](t)(must[*Projection](t)(s.Project()).Eigenspaces())
		got := [5]*State{e.E1Plus, e.E1Minus, e.E2Plus, e.E2Minus, e.E3}
		gamma := rng.Float64()
		_, c, _ := s.Dims()
		s1, s2 := Sigma(gamma, c, s.Counts[0])
		sum := &State{H: new(mat.Dense), W: new(mat.Dense), B: make([]float64, c), Counts: s.Counts}
		sum.H.CloneFrom(s.H)
		sum.W.CloneFrom(s.W)
		m := s.M(gamma)
		for k, want := range printedProjections(s) {
			closeStates(t, "projection", got[k], want, 1e-13)
			sum.H.Sub(sum.H, got[k].H)
			sum.W.Sub(sum.W, got[k].W)
			// (H, W)·B = (W M, H Mᵀ) = σ(H, W), erratum E19.
			sigma := []float64{s1, -s1, s2, -s2, 0}[k]
			image, scaled := got[k].Clone(), got[k].Clone()
			image.H.Mul(got[k].W, m)
			image.W.Mul(got[k].H, m.T())
			scaled.H.Scale(sigma, scaled.H)
			scaled.W.Scale(sigma, scaled.W)
			closeStates(t, "eigenvector", image, scaled, 1e-13)
		}
		if rest := sum.NormZ(); rest > 1e-12*s.NormZ() {
			t.Errorf("the projections leave %g of the state", rest)
		}
	}
}

// TestTheorem2Printed compares the engine with (6) as printed, with α and β of the eigenspaces.
func TestTheorem2Printed(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	for range 30 {
		s := randomState(rng, true)
		_, c, _ := s.Dims()
		gamma := randomGamma(rng, c)
		eta1, eta2, time := 0.1+rng.Float64(), 0.1+rng.Float64(), 10*rng.Float64()
		zeta1, zeta2 := eta1*time, eta2*time
		s1, s2 := Sigma(gamma, c, s.Counts[0])
		want := s.Clone()
		want.H.Zero()
		want.W.Zero()
		for k, part := range printedProjections(s) {
			x := []float64{s1, -s1, s2, -s2, 0}[k] * math.Sqrt(zeta1*zeta2)
			alpha, beta := math.Sinh(x)/math.Sqrt(zeta1*zeta2), math.Cosh(x)
			part.H.Scale(alpha*zeta1+beta, part.H)
			part.W.Scale(alpha*zeta2+beta, part.W)
			want.H.Add(want.H, part.H)
			want.W.Add(want.W, part.W)
		}
		for i := range want.B {
			want.B[i] += (1 + gamma - gamma*float64(c)) * zeta2 / float64(c) // (7)
		}
		flow := must[*Flow](t)(Unconstrained{gamma, Constant(eta1, eta2)}.From(s))
		closeStates(t, "(6), (7)", must[*State](t)(must[Point](t)(flow.At(time)).State()), want, 1e-12)
	}
}

// TestCorollary5Printed checks π as printed, and that π_h⁺/π_w⁺ = −π_h⁻/π_w⁻ for every λ (self-duality; E23).
func TestCorollary5Printed(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	for range 100 {
		sigma, lambda, s := 0.01+rng.Float64(), rng.Float64()*float64(rng.IntN(2)), math.Exp(rng.NormFloat64())
		m := newMode(sigma, s, lambda, lambda)
		root := math.Sqrt(lambda*lambda*(s-1)*(s-1) + 4*s*sigma*sigma)
		w1, w2 := (-root-lambda*(s+1))/2, (root-lambda*(s+1))/2
		closeTo(t, "ω1", m.minus, w1, 1e-13)
		closeTo(t, "ω2", m.plus, w2, 1e-13)
		var h, w [2]float64
		for k, sign := range []float64{1, -1} {
			h[k] = (sign*s*sigma - s*lambda - w1) / (w2 - w1)
			w[k] = (sign*sigma + s*lambda + w2) / (w2 - w1)
			// On E1^ε: h = ε·w.
			closeTo(t, "π_h", m.onPlus[0]+sign*m.onPlus[1], h[k], 1e-12)
			closeTo(t, "π_w", sign*m.onPlus[2]+m.onPlus[3], w[k], 1e-12)
		}
		closeTo(t, "self-duality", h[0]*w[1], -h[1]*w[0], 1e-12)
	}
}

func TestLimits(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	for range 200 {
		q := randomProblem(rng)
		_, c, _ := q.state.Dims()
		flow := q.flow(t, Constant(q.s*q.eta2, q.eta2))
		limit := must[Limit](t)(flow.Limit())
		if flow.v == nil && q.l1 == q.l2 {
			inRange := q.gamma > 0 && (c == 2 || q.gamma < 2/float64(c-2))
			if limit.Collapses != inRange {
				t.Errorf("%v: Collapses = %v, Corollary 5 says %v", q, limit.Collapses, inRange)
			}
			n, _ := q.state.Balanced()
			s1, s2 := Sigma(q.gamma, c, n)
			closeTo(t, "λ*", flow.Threshold(), math.Max(s1, math.Abs(s2)), 1e-14)
			if inRange {
				omega2 := func(x float64) float64 { return newMode(x, q.s, q.l1, q.l2).plus }
				closeTo(t, "rate (E15)", limit.Rate, omega2(s1)-omega2(math.Abs(s2)), 1e-10)
				if above := q.l1 > s1*(1+1e-12); above == (limit.Growth > 0) && q.l1 != s1 {
					t.Errorf("%v: growth %g on the wrong side of λ* (E4)", q, limit.Growth)
				}
				if q.l1 == s1 && limit.Growth != 0 {
					t.Errorf("%v: growth %g at λ*", q, limit.Growth)
				}
			}
		}
		// At a late time the state has the direction of the limit.
		if limit.Rate <= 1e-6 {
			continue
		}
		far := must[Point](t)(flow.At(60 / limit.Rate / q.eta2)).Direction()
		if math.Exp(limit.Point.LogNormZ()) > 1e-6*q.state.NormZ() {
			if d := normalizedDistance(stack(far), stack(limit.Point.Direction())); d > 1e-10 {
				t.Errorf("%v: at ζ2 = 60/rate, %g away from the limit", q, d)
			}
		}
	}
}

// TestAgainstBig compares the growth of E1⁺ after very many steps with 200-digit arithmetic, for λ next to λ*.
func TestAgainstBig(t *testing.T) {
	const prec = 700
	for _, q := range []struct {
		gamma, lambda, eta float64
		c, n, steps        int
	}{{1. / 99, CriticalLambda(1./99, 100, 10), 0.1, 100, 10, 50_000}, {0.05, 0, 0.1, 100, 10, 50_000},
		{0.3, 0.1 + 1e-12, 0.5, 4, 7, 100_000}} {
		s := Gaussian(3, q.c, q.n, 1)
		flow := must[*Flow](t)(Regularized{q.gamma, q.lambda, q.lambda, Constant(q.eta, q.eta)}.From(s))
		point := must[Point](t)(must[*Descent](t)(flow.Descent(0)).At(q.steps)).(*point)
		for k, sigma := range flow.sigma {
			// a(t+1) = a + η(σ b − λ a), and likewise for b, from (1, 1): both grow by the factor 1 + η(σ − λ).
			factor := new(big.Float).SetPrec(prec).SetFloat64(math.Abs(sigma))
			factor.Sub(factor, big.NewFloat(q.lambda)).Mul(factor, big.NewFloat(q.eta)).Add(factor, big.NewFloat(1))
			power := new(big.Float).SetPrec(prec).SetInt64(1)
			for range q.steps {
				power.Mul(power, factor)
			}
			mantissa := new(big.Float)
			exponent := power.MantExp(mantissa)
			m, _ := mantissa.Float64()
			want := math.Log(m) + float64(exponent)*math.Ln2
			if want < point.log-700 {
				continue // the largest mode is e^700 times as large
			}
			image := point.now.(linearState).modes[k]
			sign := math.Copysign(1, sigma)
			closeTo(t, "ln growth", point.log+math.Log(image[0]+sign*image[1]), want, 1e-12)
		}
	}
}
