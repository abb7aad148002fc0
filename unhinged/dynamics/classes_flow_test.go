package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// sharedKernel returns I + c·11ᵀ over all samples.
func sharedKernel(c Classes) *mat.Dense {
	n := int(c.samples())
	k := mat.NewDense(n, n, nil)
	k.Apply(func(i, j int, _ float64) float64 {
		if i == j {
			return 1 + c.Shift
		}
		return c.Shift
	}, k)
	return k
}

// randomImbalanced draws a flow, a state with all its samples, and the same state written out sample by sample.
func randomImbalanced(rng *rand.Rand) (Imbalanced, *State, kernelField) {
	f := Imbalanced{Classes: randomClasses(rng), Penalty: rng.IntN(2) == 0, Anchored: rng.IntN(3) == 0}
	switch rng.IntN(3) {
	case 0:
		f.Lambda1, f.Lambda2 = rng.Float64(), rng.Float64()
	case 1:
		f.Lambda1 = rng.Float64()
		f.Lambda2 = f.Lambda1
	}
	if f.Anchored {
		f.Lambda2 = 0
	}
	p, c, n := 1+rng.IntN(5), len(f.Sizes), int(f.samples()) // often p < C
	s := &State{H: normal(rng, p, n), W: normal(rng, p, c), B: make([]float64, c), Counts: f.Sizes}
	pr := kernelProblem{state: s, hStar: mat.NewDense(p, 1, nil), full: new(mat.Dense), star: mat.NewDense(p*n, p, nil)}
	pr.full.Kronecker(sharedKernel(f.Classes), identity(p))
	return f, s, kernelField{pr: pr, gamma: f.Gamma, lambda1: f.Lambda1, lambda2: f.Lambda2, anchored: f.Anchored,
		onFeatures: f.Penalty}
}

// closeMeans compares class means with those of a state.
func closeMeans(t *testing.T, what string, got *ClassMeans, want *State, tolerance float64) {
	t.Helper()
	means := must[*ClassMeans](t)(want.ClassMeans())
	for _, x := range []struct {
		name      string
		got, want *mat.Dense
	}{{"W", got.W, means.W}, {"H", got.H, means.H}} {
		var d mat.Dense
		d.Sub(scaledCopy(math.Exp(got.Log), x.got), x.want)
		if e := mat.Norm(&d, 2); !(e <= tolerance*(1+want.NormZ())) {
			t.Errorf("%s: %s differs by %g of %g", what, x.name, e, mat.Norm(x.want, 2))
		}
	}
}

// TestImbalancedDescent compares with gradient descent on all samples.
func TestImbalancedDescent(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 13))
	for i := range 200 {
		f, s, brute := randomImbalanced(rng)
		rates := Constant(0.02+0.3*rng.Float64(), 0.02+0.3*rng.Float64())
		if i%4 == 0 {
			rates = Follow(0.7, CosineRate{Initial: 0.3, Steps: 40})
		}
		f.Rates = rates
		flow := must[*ClassFlow](t)(f.From(must[*ClassMeans](t)(s.ClassMeans())))
		steps := []int{0, 1, 2, 7, 30}[rng.IntN(5)]
		want, _ := brute.descend(0, rates.Features, rates.W.At, steps)
		got := must[*ClassMeans](t)(flow.Descend(steps))
		closeMeans(t, fmt.Sprintf("%d: %+v, %d steps", i, f, steps), got, want, 1e-12)
	}
}

// TestImbalancedFlow compares with an ODE solver on all samples.
func TestImbalancedFlow(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 13))
	for i := range 40 {
		f, s, brute := randomImbalanced(rng)
		f.Rates = Constant(0.3+rng.Float64(), 0.3+rng.Float64())
		flow := must[*ClassFlow](t)(f.From(must[*ClassMeans](t)(s.ClassMeans())))
		end := 4 * rng.Float64()
		want, _ := brute.flow(t, f.Rates.Features, f.Rates.W.At, end)
		closeMeans(t, fmt.Sprintf("%d: %+v", i, f), must[*ClassMeans](t)(flow.At(end)), want, 1e-12)
	}
}

// TestImbalancedGrowsOn checks that the growth is that of the largest mode at times when the numbers have left
// float64's range.
func TestImbalancedGrowsOn(t *testing.T) {
	s := Step{Majority: 2, Minority: 3, Large: 40, Small: 4}
	f := Imbalanced{Classes: Classes{Sizes: s.Sizes(), Gamma: 0.25}, Lambda1: 0.01, Rates: Constant(1, 1)}
	flow := must[*ClassFlow](t)(f.From(Unstructured(f.Sizes, 1)))
	want := s.Modes(0.25, 0).Growth(1, 0.01, 0).Majority
	a, b := must[*ClassMeans](t)(flow.At(1e6)), must[*ClassMeans](t)(flow.At(2e6))
	log := func(m *ClassMeans) float64 { return m.Log + math.Log(mat.Norm(m.W, 2)) }
	closeTo(t, "growth", (log(b)-log(a))/1e6, want, 1e-12)
	if math.IsInf(log(b), 0) || log(b) < 1000 {
		t.Errorf("ln‖W‖ = %g", log(b))
	}
}

func TestImbalancedRefuses(t *testing.T) {
	good := Imbalanced{Classes: Classes{Sizes: []int{3, 1}, Gamma: 1}, Rates: Constant(1, 1)}
	start := Unstructured([]int{3, 1}, 1)
	if _, err := good.From(start); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(f *Imbalanced){
		"one class":      func(f *Imbalanced) { f.Sizes = []int{3} },
		"an empty class": func(f *Imbalanced) { f.Sizes = []int{3, 0} },
		"γ":              func(f *Imbalanced) { f.Gamma = -1 }, "c": func(f *Imbalanced) { f.Shift = math.NaN() },
		"λ1": func(f *Imbalanced) { f.Lambda1 = -1 }, "no rate": func(f *Imbalanced) { f.Rates = Rates{} },
		"λ2 of anchored":     func(f *Imbalanced) { f.Anchored, f.Lambda2 = true, 1 },
		"rates of their own": func(f *Imbalanced) { f.Rates.H = ConstantRate(2) },
		"sizes":              func(f *Imbalanced) { f.Sizes = []int{3, 1, 1} },
	} {
		f := good
		change(&f)
		if _, err := f.From(start); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	flow := must[*ClassFlow](t)(good.From(start))
	if _, err := flow.At(-1); err == nil {
		t.Error("a negative time: no error")
	}
	if _, err := flow.Descend(-1); err == nil {
		t.Error("a negative number of steps: no error")
	}
}
