package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// closeTraces compares every column. Logarithms are compared absolutely, and −Inf equals any very small number.
func closeTraces(t *testing.T, what string, got, want *Trace, tolerance float64) {
	t.Helper()
	for _, c := range []struct {
		name      string
		got, want []float64
	}{
		{"loss", got.Loss, want.Loss}, {"ln|loss|", got.LogAbsLoss, want.LogAbsLoss}, {"accuracy", got.Accuracy,
			want.Accuracy},
		{"accuracy with bias", got.AccuracyWithBias, want.AccuracyWithBias},
		{"distance", got.LogDistance, want.LogDistance}, {"distance H", got.LogDistanceH, want.LogDistanceH},
		{"distance W", got.LogDistanceW, want.LogDistanceW},
		{"gap H", got.LogGapH, want.LogGapH}, {"gap W", got.LogGapW, want.LogGapW},
		{"ln‖H‖", got.LogNormH, want.LogNormH}, {"ln‖W‖", got.LogNormW, want.LogNormW}, {"ln‖Z‖", got.LogNormZ,
			want.LogNormZ},
		{"bias min", got.BiasMin, want.BiasMin}, {"bias max", got.BiasMax, want.BiasMax},
	} {
		for i := range got.Time {
			g, w := c.got[i], c.want[i]
			if g == w || math.IsNaN(g) && math.IsNaN(w) || g < -30 && w < -30 && c.name[:3] != "los" {
				continue
			}
			if !(math.Abs(g-w) <= tolerance*(1+math.Abs(w))) {
				t.Errorf("%s: %s at t = %v: %.15g, want %.15g", what, c.name, got.Time[i], g, w)
			}
		}
	}
}

// TestKernelIdentity compares κ = I, given in four ways, with Theorems 2, 4 and 6: flow and descent, and every
// observable.
func TestKernelIdentity(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 8))
	for i := range 30 {
		s := randomState(rng, i%2 == 0)
		p, c, n := s.Dims()
		gamma := (0.2 + 0.6*rng.Float64()) * math.Min(2, 2/math.Max(1, float64(c-2)))
		lambda1, lambda2 := 0.0, 0.0
		if i%3 > 0 {
			lambda1, lambda2 = 0.3*rng.Float64(), 0.3*rng.Float64()
		}
		rates := Constant(0.2+rng.Float64(), 0.2+rng.Float64())
		kernel := []Kernel{{}, {Samples: identity(n)}, {Features: identity(p)}, {Full: identity(n * p)}}[i%4]
		what := fmt.Sprintf("case %d (p=%d, C=%d, %v)", i, p, c, s.Counts)

		want := must[*Flow](t)(Regularized{Gamma: gamma, Lambda1: lambda1, Lambda2: lambda2, Rates: rates}.From(s))
		got := must[*KernelFlow](t)(Invariant{Gamma: gamma, Lambda1: lambda1, Lambda2: lambda2, Rates: rates,
			Kernel: kernel}.From(s))
		times := []float64{0, 1, 3, 10, 40}
		closeTraces(t, what+", flow", must[*Trace](t)(got.Trace(times)), must[*Trace](t)(want.Trace(times)), 1e-9)
		for _, momentum := range []float64{0, 0.7} {
			steps := []int{0, 1, 5, 30}
			a := must[*Trace](t)(must[*Descent](t)(got.Descent(momentum)).Trace(steps))
			b := must[*Trace](t)(must[*Descent](t)(want.Descent(momentum)).Trace(steps))
			if momentum > 0 { // one engine removes the limit's part exactly, and the other takes a difference
				a.LogDistance, a.LogDistanceH, a.LogDistanceW, a.LogGapH, a.LogGapW = b.LogDistance, b.LogDistanceH,
					b.LogDistanceW, b.LogGapH, b.LogGapW
			}
			closeTraces(t, fmt.Sprintf("%s, descent with momentum %v", what, momentum), a, b, 1e-9)
		}
		gotLimit, wantLimit := must[Limit](t)(got.Limit()), must[Limit](t)(want.Limit())
		closeStates(t, what+", limit", gotLimit.Point.Direction(), wantLimit.Point.Direction(), 1e-9)
		if gotLimit.Finite != wantLimit.Finite {
			t.Errorf("%s: one limit is finite and the other is not", what)
		}
		closeTo(t, what+", growth", gotLimit.Growth, wantLimit.Growth, 1e-12)
		// near a state of rest, σ = 0 is computed only to the square root of rounding
		closeTo(t, what+", rate", gotLimit.Rate, wantLimit.Rate, 1e-7)

		anchored := must[*AnchoredFlow](t)(Anchored{Gamma: gamma, Lambda1: lambda1, Rates: rates}.From(s))
		fixed := must[*KernelFlow](t)(Invariant{Gamma: gamma, Lambda1: lambda1, Rates: rates, Kernel: kernel,
			Anchored: true}.From(s))
		closeTraces(t, what+", anchored", must[*Trace](t)(fixed.Trace(times)), must[*Trace](t)(anchored.Trace(times)),
			1e-9)
		gotLimit, wantLimit = must[Limit](t)(fixed.Limit()), must[Limit](t)(anchored.Limit())
		closeStates(t, what+", anchored limit", must[*State](t)(gotLimit.Point.State()),
			must[*State](t)(wantLimit.Point.State()), 1e-12)
		closeTo(t, what+", anchored rate", gotLimit.Rate, wantLimit.Rate, 0)
	}
}

// TestKernelForms gives the same kernel in two forms.
func TestKernelForms(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 8))
	for i := range 20 {
		pr := randomKernelProblem(rng, []kernelForm{betweenSample, printedForm, productForm}[i%3])
		p, _, n := pr.state.Dims()
		f := randomField(rng, pr)
		asFull := pr
		kappa, features := pr.kernel.Samples, pr.kernel.Features
		if kappa == nil {
			kappa = identity(n)
		}
		if features == nil {
			features = identity(p)
		}
		var full, star mat.Dense
		full.Kronecker(kappa, features)
		star.Kronecker(pr.kStar, features)
		asFull.kernel, asFull.kStar = Kernel{Full: &full}, &star
		g := f
		g.pr = asFull
		rates := Constant(0.4, 0.7)
		a, atA := f.flowFrom(t, rates)
		b, atB := g.flowFrom(t, rates)
		x, err := a.At(9)
		if err != nil {
			t.Fatal(err)
		}
		y, err := b.At(9)
		if err != nil {
			t.Fatal(err)
		}
		want, err := y.State()
		if err != nil {
			t.Fatal(err)
		}
		star2, err := atB.Features(y)
		if err != nil {
			t.Fatal(err)
		}
		f.checkPoint(t, fmt.Sprintf("case %d", i), x, atA, want, star2, 1e-11)
		closeTo(t, "ln‖Z‖", x.LogNormZ(), y.LogNormZ(), 1e-12)
	}
}

// TestKernelUnseenAreTraining gives the training samples as unseen points.
func TestKernelUnseenAreTraining(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, form := range kernelForms {
		pr := randomKernelProblem(rng, form)
		_, _, n := pr.state.Dims()
		f := randomField(rng, pr)
		flow, _ := f.flowFrom(t, Constant(0.5, 0.5))
		kernel := pr.kernel.Full
		if kernel == nil {
			if kernel = pr.kernel.Samples; kernel == nil {
				kernel = identity(n)
			}
		}
		start := mat.DenseCopyOf(pr.state.H) // in the caller's order
		labels := make([]int, n)
		for j, y := range pr.state.Labels() {
			start.SetCol(pr.state.Order[j], mat.Col(nil, j, pr.state.H))
			labels[pr.state.Order[j]] = y
		}
		unseen, err := flow.Test(start, kernel)
		if err != nil {
			t.Fatal(err)
		}
		limit, err := flow.Limit()
		if err != nil {
			t.Fatal(err)
		}
		p, err := flow.At(4)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []Point{p, limit.Point} {
			want := p.Direction()
			got, err := unseen.Direction(p)
			if err != nil {
				t.Fatal(err)
			}
			for j := range n {
				for i := range got.RawMatrix().Rows {
					closeTo(t, "feature", got.At(i, pr.state.Order[j]), want.H.At(i, j), 1e-12)
				}
			}
			accuracy, err := unseen.Accuracy(p, labels, true)
			if err != nil {
				t.Fatal(err)
			}
			closeTo(t, "accuracy", accuracy, p.Accuracy(true), 0)
		}
	}
}

// TestKernelLongTimes follows the direction to its limit over times at which the numbers of the state are beyond
// float64.
func TestKernelLongTimes(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 8))
	for i := range 20 {
		pr := randomKernelProblem(rng, kernelForms[i%5])
		f := randomField(rng, pr)
		f.anchored = false
		flow, unseen := f.flowFrom(t, Constant(0.6, 0.9))
		limit, err := flow.Limit()
		if err != nil {
			t.Fatal(err)
		}
		want, err := unseen.Direction(limit.Point)
		if err != nil {
			t.Fatal(err)
		}
		descent, err := flow.Descent(0)
		if err != nil {
			t.Fatal(err)
		}
		zeta2 := 0.9 * 1e5
		p, err := flow.At(1e5)
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, "growth", p.LogNormZ()/zeta2, limit.Growth, 1e-3)
		if limit.Rate > 1e-3 {
			got, err := unseen.Direction(p)
			if err != nil {
				t.Fatal(err)
			}
			var d mat.Dense
			d.Sub(got, want)
			if e := mat.Norm(&d, 2); !(e < 1e-8*(1+mat.Norm(want, 2))) {
				t.Errorf("case %d: unseen points are %g from their limit, rate %v", i, e, limit.Rate)
			}
			q, err := flow.At(0.9e5)
			if err != nil {
				t.Fatal(err)
			}
			closeTo(t, "rate", (q.LogDistance()-p.LogDistance())/(0.1*zeta2), limit.Rate, 1e-3)
		}
		steps, err := descent.At(100_000)
		if err != nil {
			t.Fatal(err)
		}
		if !math.IsNaN(steps.LogDistance()) && limit.Rate > 1e-3 && limit.Growth > 0 && !(steps.LogDistance() < -50) {
			t.Errorf("case %d: descent is e^%v from the limit after 1e5 steps", i, steps.LogDistance())
		}
	}
}

// TestKernelLongAccuracy compares the accuracy with that of Theorem 2 at times when one eigenspace is larger than the
// others by more than rounding can resolve.
func TestKernelLongAccuracy(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 8))
	for range 20 {
		s := randomState(rng, true)
		_, c, n := s.Dims()
		gamma := randomGamma(rng, c)
		want, err := Unconstrained{Gamma: gamma, Rates: Constant(0.5, 0.5)}.From(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Invariant{Gamma: gamma, Rates: Constant(0.5, 0.5), Kernel: Kernel{Samples: identity(n)}}.From(s)
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, "λ*", got.Threshold(), want.Threshold(), 1e-14)
		for _, time := range []float64{10, 1e3, 1e5} {
			p, err := want.At(time)
			if err != nil {
				t.Fatal(err)
			}
			q, err := got.At(time)
			if err != nil {
				t.Fatal(err)
			}
			for _, withBias := range []bool{false, true} {
				if p.Accuracy(withBias) != q.Accuracy(withBias) {
					t.Errorf("γ = %v, C = %d, t = %v, biases %v: accuracy %v, want %v", gamma, c, time, withBias,
						q.Accuracy(withBias), p.Accuracy(withBias))
				}
			}
		}
	}
}

// TestKernelConstant adds a constant to all elements of κ = I. At γ = 1/(C−1), M1 = 0, and the constant changes the
// loss only by rounding.
func TestKernelConstant(t *testing.T) {
	s := Gaussian(4, 5, 6, 3)
	gamma := 1. / 4
	constant := func(diagonal float64) *mat.Dense {
		k := scaledCopy(diagonal, identity(30))
		k.Apply(func(_, _ int, v float64) float64 { return v + 1000.0/3 }, k)
		return k
	}
	var traces []*Trace
	for _, kernel := range []Kernel{{}, {Samples: constant(1)}} {
		flow, err := Invariant{Gamma: gamma, Rates: Constant(1, 1), Kernel: kernel}.From(s)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := flow.Trace([]float64{0, 10, 100, 200, 1000})
		if err != nil {
			t.Fatal(err)
		}
		traces = append(traces, trace)
	}
	closeTraces(t, "constant added", traces[1], traces[0], 1e-9)

	flow, err := Invariant{Gamma: gamma, Rates: Constant(1, 1), Kernel: Kernel{Samples: constant(0)}}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flow.Limit(); err == nil {
		t.Error("a constant kernel, of which the loss sees nothing, has a limit")
	}
}
