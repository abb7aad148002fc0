package dynamics

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// unequal returns a state of 4 classes of 6, 3, 2 and 1 samples with biases.
func unequal() *State {
	s := Gaussian(6, 4, 3, 1)
	s.Counts, s.B = []int{6, 3, 2, 1}, []float64{0, .3, .6, .9}
	return s
}

// TestAfterDecay checks the quantities that remain meaningful when λ > λ* has made Z smaller than float64 can
// represent: distances to the limit, and biases.
func TestAfterDecay(t *testing.T) {
	flow := must[*Flow](t)(Regularized{Gamma: 0.2, Lambda1: 1, Lambda2: 1, Rates: Constant(0.1, 0.1)}.From(unequal()))
	late := must[Point](t)(flow.At(1e5))
	bar := flow.Collapse()
	closeTo(t, "‖H − H̄‖", late.LogGapH(), bar.LogNormH(), 1e-13)
	closeTo(t, "‖W − W̄‖", late.LogGapW(), bar.LogNormW(), 1e-13)
	// b → M1/λ: the largest class has the largest bias, and every sample is assigned to it.
	closeTo(t, "accuracy with biases", late.Accuracy(true), 6./12, 0)
	early := must[Point](t)(flow.At(50))
	closeTo(t, "accuracy without biases", late.Accuracy(false), must[Point](t)(flow.At(1000)).Accuracy(false), 0)
	if _, accuracy, slack := observe(must[*State](t)(early.State()), 0.2, true); slack > 1e-12 {
		closeTo(t, "accuracy with biases, early", early.Accuracy(true), accuracy, 0)
	}

	// Equal biases change no decision.
	s := Gaussian(6, 4, 3, 1)
	flow = must[*Flow](t)(Regularized{Gamma: 0.2, Lambda1: 1, Lambda2: 1, Rates: Constant(0.1, 0.1)}.From(s))
	late = must[Point](t)(flow.At(1e5))
	closeTo(t, "accuracy with equal biases", late.Accuracy(true), late.Accuracy(false), 0)

	// At γ = 1/(C−1) the biases have no gradient. The loss is too small for float64, but its logarithm is known.
	flow = must[*Flow](t)(Regularized{Gamma: 1, Lambda1: 2, Lambda2: 2, Rates: Constant(0.1, 0.1)}.From(Gaussian(6, 2,
		3, 1)))
	loss, log := must[Point](t)(flow.At(1e5)).Loss()
	_, before := must[Point](t)(flow.At(9e4)).Loss()
	growth := must[Limit](t)(flow.Limit()).Growth
	closeTo(t, "loss", loss, 0, 0)
	closeTo(t, "ln|loss| per step", (log-before)/1e4, 2*0.1*growth, 1e-12)
}

// TestNothing checks a state that stays 0.
func TestNothing(t *testing.T) {
	s := Gaussian(3, 4, 2, 1)
	s.H.Zero()
	s.W.Zero()
	p := must[Point](t)(must[*Flow](t)(Unconstrained{Gamma: 1. / 3, Rates: Constant(1, 1)}.From(s)).At(1e5))
	if loss, log := p.Loss(); loss != 0 || !math.IsInf(log, -1) {
		t.Errorf("loss %g, ln %g", loss, log)
	}
	closeTo(t, "accuracy: the first of equal logits", p.Accuracy(true), 1./4, 0)
}

// TestLongIntegration checks gradient flow with separate rates for H and W over growth beyond the range of float64.
func TestLongIntegration(t *testing.T) {
	for _, lambda := range []float64{0, 1} {
		for _, s := range []*State{unequal(), Gaussian(6, 4, 3, 1)} {
			theory := Regularized{Gamma: 0.2, Lambda1: lambda, Lambda2: lambda, Rates: Constant(0.5, 0.5)}
			want := must[Point](t)(must[*Flow](t)(theory.From(s)).At(2e4))
			theory.Rates = Rates{W: ConstantRate(0.5), H: ConstantRate(0.5)}
			got := must[Point](t)(must[*Flow](t)(theory.From(s)).At(2e4))
			closeTo(t, "ln‖H‖", got.LogNormH(), want.LogNormH(), 1e-9)
			closeTo(t, "ln‖W‖", got.LogNormW(), want.LogNormW(), 1e-9)
		}
	}
}

// TestLimitOfFastFeatures checks that features that learn up to 10¹⁵ times as fast as prototypes, or as slowly, do not
// change the limit: it is in E1 only.
func TestLimitOfFastFeatures(t *testing.T) {
	for _, ratio := range []float64{1e-15, 1e-6, 1e6, 1e15} {
		limit := must[Limit](t)(must[*Flow](t)(Regularized{Gamma: 0.2, Lambda1: 0.1, Lambda2: 0.1,
			Rates: Constant(ratio, 1)}.From(Gaussian(6, 4, 3, 1))).Limit())
		if !limit.Collapses {
			t.Errorf("s = %g: no collapse", ratio)
		}
		// ω⁺ → (σ²/λ − λ)·min(s, 1): the slower of H and W follows the faster.
		s1, s2 := Sigma(0.2, 4, 3)
		closeTo(t, "rate", limit.Rate/min(ratio, 1), (s1*s1-s2*s2)/0.1, 1e-5)
	}
}

// TestFrozenFeatures has η1 = 0: H does not change, and W grows along H Mᵀ or decays to H Mᵀ/λ.
func TestFrozenFeatures(t *testing.T) {
	for _, lambda := range []float64{0, 0.01} {
		for _, s := range []*State{unequal(), Gaussian(6, 4, 3, 1)} {
			flow := must[*Flow](t)(Regularized{Gamma: 0.2, Lambda2: lambda, Rates: Constant(0, 1)}.From(s))
			follows := must[*Flow](t)(Regularized{Gamma: 0.2, Lambda2: lambda,
				Rates: Follow(0, ConstantRate(1))}.From(s))
			closeTo(t, "‖W‖ of η1 = 0·η2", must[Point](t)(follows.At(7)).LogNormW(),
				must[Point](t)(flow.At(7)).LogNormW(), 0)
			state := must[*State](t)(must[Point](t)(flow.At(2000)).State())
			if d := normalizedDistance(state.H, s.H); d > 1e-12 {
				t.Errorf("λ = %g: H has moved by %g", lambda, d)
			}
			want := new(mat.Dense)
			want.Mul(s.H, s.M(0.2).T())
			if lambda == 0 {
				want.Scale(2000, want)
				want.Add(want, s.W)
			} else {
				want.Scale(-math.Expm1(-2000*lambda)/lambda, want)
				var start mat.Dense
				start.Scale(math.Exp(-2000*lambda), s.W)
				want.Add(want, &start)
			}
			if d := normalizedDistance(state.W, want); d > 1e-9 {
				t.Errorf("λ = %g: W is %g away from its closed form", lambda, d)
			}
			limit := must[Limit](t)(flow.Limit()).Point.Direction()
			state = must[Point](t)(flow.At(1e6)).Direction()
			if d := normalizedDistance(stack(state), stack(limit)); d > 1e-3 {
				t.Errorf("λ = %g: %g away from the limit", lambda, d)
			}
		}
	}
}

// TestArrivesInOneStep has ηλ = 1: anchored features are at W M/λ after one step, from any start.
func TestArrivesInOneStep(t *testing.T) {
	flow := must[*AnchoredFlow](t)(Anchored{0.2, 4, Constant(0.25, 0.25)}.From(unequal()))
	p := must[Point](t)(must[*Descent](t)(flow.Descent(0)).At(1))
	for _, log := range []float64{p.LogGapH(), p.LogGapW(), p.LogDistance(), p.LogDistanceH(), p.LogDistanceW()} {
		if !math.IsInf(log, -1) {
			t.Errorf("ln of a distance of 0 is %g", log)
		}
	}
}

// TestLargeCommonMean gives all features a large common vector, as non-negative features have. Their E2 part is 10⁶
// times their E1 part.
func TestLargeCommonMean(t *testing.T) {
	s := Gaussian(8, 5, 4, 1)
	s.H.Apply(func(_, _ int, v float64) float64 { return v + 1e6 }, s.H)
	flow := must[*Flow](t)(Unconstrained{Gamma: 0.2, Rates: Constant(0.1, 0.1)}.From(s))
	collapse := flow.Collapse()
	bar := must[*State](t)(collapse.State())
	closeTo(t, "ln‖Z̄‖", collapse.LogNormZ(), math.Log(bar.NormZ()), 1e-9)
	for _, time := range []float64{0, 100, 1000} {
		p := must[Point](t)(flow.At(time))
		state := must[*State](t)(p.State())
		closeTo(t, "distance", math.Exp(p.LogDistance()), normalizedDistance(stack(state), stack(bar)), 1e-9)
	}
}

func TestTooManySteps(t *testing.T) {
	flow := must[*Flow](t)(Unconstrained{Gamma: 0.1, Rates: Constant(0.1, 0.1)}.From(Gaussian(2, 3, 2, 1)))
	if _, err := must[*Descent](t)(flow.Descent(0.5)).At(1 << 40); err == nil {
		t.Error("2^40 steps with momentum were not refused")
	}
	if _, err := must[*Descent](t)(flow.Descent(0)).At(1 << 40); err != nil {
		t.Error("2^40 steps without:", err)
	}
	spherical := must[*SphericalFlow](t)(Spherical{Gamma: 0.1,
		Rates: Constant(0.1, 0.1)}.From(Gaussian(2, 3, 2, 1).CenterPrototypes()))
	if _, err := must[*Descent](t)(spherical.Descent(0)).Trace([]int{1 << 60}); err == nil {
		t.Error("2^60 spherical steps were not refused")
	}
}

func TestDivergingBiases(t *testing.T) {
	s := Gaussian(2, 2, 2, 1)
	s.B = []float64{0, 1}
	flow := must[*Flow](t)(Regularized{Gamma: 1, Lambda1: 0.1, Lambda2: 100, Rates: Constant(0.1, 0.1)}.From(s))
	b := must[Point](t)(must[*Descent](t)(flow.Descent(0)).At(1000)).Biases()
	if b[0] != 0 || !math.IsInf(b[1], 0) {
		t.Errorf("biases %v: the first is neither driven nor shifted, the second is multiplied by −9 a step", b)
	}
}
