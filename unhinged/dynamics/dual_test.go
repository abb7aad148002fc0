package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func (pr kernelProblem) checkDual(t *testing.T, what string, p Point, u *Unseen, want *State, wantStar *mat.Dense,
	tolerance float64) {
	t.Helper()
	closeStates(t, what, must[*State](t)(p.State()), want, tolerance)
	star := must[*mat.Dense](t)(u.Features(p))
	var d mat.Dense
	d.Sub(star, wantStar)
	if e := mat.Norm(&d, 2); !(e <= 10*tolerance*(1+want.NormZ()+mat.Norm(wantStar, 2))) {
		t.Errorf("%s: unseen features differ by %g of %g", what, e, mat.Norm(wantStar, 2))
	}
}

// TestFeaturePenalty compares with an ODE solver and with plain iteration, on all numbers of the state.
func TestFeaturePenalty(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 8))
	cosine := CosineRate{Initial: 0.5, Steps: 40}
	for i := range 30 {
		pr := randomKernelProblem(rng, []kernelForm{betweenSample, free}[i%5/4])
		f := randomField(rng, pr)
		f.onFeatures = true
		eta1, eta2, end := 0.1+rng.Float64(), 0.1+rng.Float64(), 5*rng.Float64()
		penalty := FeaturePenalty{Gamma: f.gamma, Lambda1: f.lambda1, Lambda2: f.lambda2, Rates: Constant(eta1, eta2),
			Kernel: pr.kernel, Anchored: f.anchored}
		flow, err := penalty.From(pr.state)
		if err != nil {
			t.Fatal(err)
		}
		p, err := flow.At(end)
		if err != nil {
			t.Fatal(err)
		}
		want, star := f.flow(t, ConstantRate(eta1).At, ConstantRate(eta2).At, end)
		pr.checkDual(t, fmt.Sprintf("case %d, flow", i), p, must[*Unseen](t)(flow.Test(pr.hStar, pr.kStar)), want, star,
			1e-10)

		points, err := must[*Descent](t)(flow.Descent(0)).Points([]int{0, 1, 20})
		if err != nil {
			t.Fatal(err)
		}
		for j, steps := range []int{0, 1, 20} {
			want, star := f.descend(0, ConstantRate(eta1).At, ConstantRate(eta2).At, steps)
			pr.checkDual(t, fmt.Sprintf("case %d, %d steps", i, steps), points[j], must[*Unseen](t)(flow.Test(pr.hStar,
				pr.kStar)), want, star, 1e-11)
		}

		penalty.Rates = Follow(0.8, cosine)
		if flow, err = penalty.From(pr.state); err != nil {
			t.Fatal(err)
		}
		if points, err = must[*Descent](t)(flow.Descent(0.6)).Points([]int{15}); err != nil {
			t.Fatal(err)
		}
		want, star = f.descend(0.6, penalty.Rates.Features, cosine.At, 15)
		pr.checkDual(t, fmt.Sprintf("case %d, schedule with momentum", i), points[0],
			must[*Unseen](t)(flow.Test(pr.hStar, pr.kStar)), want, star, 1e-11)
	}
}

// TestFeaturePenaltyIdentity checks that the penalty is weight decay for κ = I.
func TestFeaturePenaltyIdentity(t *testing.T) {
	s := Gaussian(3, 4, 2, 5)
	rates := Constant(0.7, 0.9)
	penalty, err := FeaturePenalty{Gamma: 0.3, Lambda1: 0.2, Lambda2: 0.1, Rates: rates}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	decay, err := Regularized{Gamma: 0.3, Lambda1: 0.2, Lambda2: 0.1, Rates: rates}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	p, err := penalty.At(12)
	if err != nil {
		t.Fatal(err)
	}
	q, err := decay.At(12)
	if err != nil {
		t.Fatal(err)
	}
	want, err := q.State()
	if err != nil {
		t.Fatal(err)
	}
	closeStates(t, "penalty and decay", must[*State](t)(p.State()), want, 1e-12)
}

// TestFeaturePenaltyLimit checks that with large enough penalties on features and prototypes the state converges.
func TestFeaturePenaltyLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 8))
	for i := range 10 {
		pr := randomKernelProblem(rng, betweenSample)
		f := kernelField{pr: pr, gamma: 0.3, lambda1: 3, lambda2: 2, onFeatures: true, anchored: i%2 == 0}
		if f.anchored {
			f.lambda2 = 0
		}
		flow, err := FeaturePenalty{Gamma: f.gamma, Lambda1: f.lambda1, Lambda2: f.lambda2, Rates: Constant(0.4, 0.3),
			Kernel: pr.kernel, Anchored: f.anchored}.From(pr.state)
		if err != nil {
			t.Fatal(err)
		}
		limit, err := flow.Limit()
		if err != nil {
			t.Fatal(err)
		}
		star := must[*mat.Dense](t)(must[*Unseen](t)(flow.Test(pr.hStar, pr.kStar)).Features(limit.Point))
		end := must[*State](t)(limit.Point.State())
		dh, dhs, dw, db := f.at(end.H, star, end.W, end.B)
		if e := mat.Norm(dh, 2) + mat.Norm(dhs, 2) + mat.Norm(dw, 2) + mat.Norm(mat.NewVecDense(len(db), db),
			2); !(e < 1e-7) {
			t.Errorf("case %d: the limit still moves by %g", i, e)
		}
		late, err := flow.At(1e12)
		if err != nil {
			t.Fatal(err)
		}
		closeStates(t, "late flow", must[*State](t)(late.State()), end, 1e-7)
	}
}

// mseField is the gradient of ‖WᵀH + b1ᵀ − onehot‖²/n, element by element.
type mseField struct {
	pr       kernelProblem
	anchored bool
}

func (f mseField) at(h, _, w *mat.Dense, b []float64) (dh, dhs, dw *mat.Dense, db []float64) {
	p, c, n := f.pr.state.Dims()
	inside := mat.NewDense(p, n, nil)
	dw, db = mat.NewDense(p, c, nil), make([]float64, c)
	for j, y := range f.pr.state.Labels() {
		for k := range c {
			e := b[k]
			for i := range p {
				e += w.At(i, k) * h.At(i, j)
			}
			if k == y {
				e--
			}
			e *= 2 / float64(n) // ∂L/∂logit
			for i := range p {
				inside.Set(i, j, inside.At(i, j)-e*w.At(i, k))
				if !f.anchored {
					dw.Set(i, k, dw.At(i, k)-e*h.At(i, j))
				}
			}
			if !f.anchored {
				db[k] -= e
			}
		}
	}
	return applied(f.pr.full, inside), applied(f.pr.star.T(), inside), dw, db
}

// TestMSE compares simulation (25) and the closed form of kernel regression with their definitions.
func TestMSE(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 8))
	cosine := CosineRate{Initial: 0.2, Steps: 40}
	for i := range 20 {
		pr := randomKernelProblem(rng, betweenSample)
		anchored := i%2 == 0
		field := mseField{pr, anchored}
		for _, rates := range []Rates{Constant(0.1, 0.15), Follow(0.7, cosine), {W: cosine, H: ConstantRate(0.1)}} {
			flow, err := MSE{Rates: rates, Kernel: pr.kernel, Anchored: anchored}.From(pr.state)
			if err != nil {
				t.Fatal(err)
			}
			points, err := flow.Points([]float64{0, 4, 9})
			if err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("case %d, anchored %v", i, anchored)
			want, star := simulate(t, pr, field.at, rates.Features, rates.W.At, 9)
			pr.checkDual(t, what+", flow", points[2], must[*Unseen](t)(flow.Test(pr.hStar, pr.kStar)), want, star, 1e-8)
			for _, momentum := range []float64{0, 0.5} {
				points, err := must[*Descent](t)(flow.Descent(momentum)).Points([]int{0, 20})
				if err != nil {
					t.Fatal(err)
				}
				want, star := iterateField(pr, field.at, momentum, rates.Features, rates.W.At, 20)
				pr.checkDual(t, what+", descent", points[1], must[*Unseen](t)(flow.Test(pr.hStar, pr.kStar)), want,
					star, 1e-11)
			}
		}
	}
}

// TestMSELimit checks that the anchored limit is a zero of the gradient on the range of the kernel, that flow reaches
// it after a long time, and that descent reaches it below the largest rate but not above.
func TestMSELimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 8))
	for range 10 {
		pr := randomKernelProblem(rng, betweenSample)
		eta := 0.1
		flow, err := MSE{Rates: Constant(eta, eta), Kernel: pr.kernel, Anchored: true}.From(pr.state)
		if err != nil {
			t.Fatal(err)
		}
		limit, err := flow.Limit()
		if err != nil {
			t.Fatal(err)
		}
		late, err := flow.At(1e12)
		if err != nil {
			t.Fatal(err)
		}
		end := must[*State](t)(limit.Point.State())
		closeStates(t, "late flow", must[*State](t)(late.State()), end, 1e-6)
		dh, _, _, _ := mseField{pr, true}.at(end.H, nil, end.W, end.B)
		if e := mat.Norm(dh, 2); !(e < 1e-9) {
			t.Errorf("the limit still moves by %g", e)
		}
		for _, share := range []float64{0.98, 1.02} {
			eta := share * flow.LargestRate()
			at, err := MSE{Rates: Constant(eta, eta), Kernel: pr.kernel, Anchored: true}.From(pr.state)
			if err != nil {
				t.Fatal(err)
			}
			loss := must[*Trace](t)(must[*Descent](t)(at.Descent(0)).Trace([]int{0, 2000})).Loss
			if grew := loss[1] > loss[0]; grew != (share > 1) {
				t.Errorf("at %v of the largest rate the loss went from %v to %v", share, loss[0], loss[1])
			}
		}
	}
}

func TestDualRefuses(t *testing.T) {
	s := Gaussian(2, 3, 2, 1)
	rates := Constant(0.1, 0.1)
	for _, c := range []struct {
		name, want string
		from       func() (*DualFlow, error)
	}{
		{"full kernel", "Kernel.Samples alone", MSE{Rates: rates, Kernel: Kernel{Full: identity(12)}}.bind(s)},
		{"size", "want 6×6", MSE{Rates: rates, Kernel: Kernel{Samples: identity(5)}}.bind(s)},
		{"rates", "Rates.W", MSE{}.bind(s)},
		{"own rates", "proportional", FeaturePenalty{Rates: Rates{W: ConstantRate(1), H: ConstantRate(1)}}.bind(s)},
		{"λ1", "λ1 = -1", FeaturePenalty{Rates: rates, Lambda1: -1}.bind(s)},
	} {
		if _, err := c.from(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	flow, err := FeaturePenalty{Gamma: 0.5, Rates: rates, Anchored: true}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flow.Limit(); err == nil || !strings.Contains(err.Error(), "λ1 = 0") {
		t.Errorf("limit without a penalty: error %v", err)
	}
	if _, err := flow.Test(identity(2), identity(3)); err == nil || !strings.Contains(err.Error(), "want 6×2") {
		t.Errorf("unseen kernel of wrong size: error %v", err)
	}
	grown, err := FeaturePenalty{Gamma: 0.5, Rates: rates}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grown.At(1e6); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("state too large: error %v", err)
	}
	if f, err := (MSE{Rates: rates}).From(s); err != nil || !math.IsNaN(f.LargestRate()) {
		t.Errorf("largest rate of a nonlinear flow: %v, error %v", f.LargestRate(), err)
	}
}

// TestUnseenKernel: the loss does not depend on the kernel if M11ᵀ = 0. With a penalty of 0 there is then no curvature,
// so that no rate is too large and no direction dominates.
func TestUnseenKernel(t *testing.T) {
	ones := mat.NewDense(6, 6, nil)
	ones.Apply(func(int, int, float64) float64 { return 1 }, ones)
	f, err := FeaturePenalty{Gamma: 0.5, Rates: Constant(1, 1), Kernel: Kernel{Samples: ones}}.From(Gaussian(2, 3, 2,
		1))
	if err != nil {
		t.Fatal(err)
	}
	if rate := f.LargestRate(); !math.IsInf(rate, 1) {
		t.Errorf("largest rate %v, want +Inf", rate)
	}
	for _, anchored := range []bool{false, true} {
		flow, err := Invariant{Gamma: 0.5, Rates: Constant(1, 1), Kernel: Kernel{Samples: ones},
			Anchored: anchored}.From(Gaussian(2, 3, 2, 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := flow.Limit(); err == nil || !strings.Contains(err.Error(), "M κ Mᵀ = 0") {
			t.Errorf("anchored %v: a limit where nothing moves the features: error %v", anchored, err)
		}
	}
}

func (m MSE) bind(s *State) func() (*DualFlow, error) {
	return func() (*DualFlow, error) { return m.From(s) }
}

func (f FeaturePenalty) bind(s *State) func() (*DualFlow, error) {
	return func() (*DualFlow, error) { return f.From(s) }
}
