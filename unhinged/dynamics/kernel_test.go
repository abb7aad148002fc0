package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// randomField draws constants; the difficult cases λ = 0, λ1 = λ2 and λ1λ2 = σ² are among them.
func randomField(rng *rand.Rand, pr kernelProblem) kernelField {
	_, c, _ := pr.state.Dims()
	f := kernelField{pr: pr, gamma: randomGamma(rng, c)}
	switch rng.IntN(4) {
	case 0:
		f.lambda1, f.lambda2 = rng.Float64(), rng.Float64()
	case 1:
		f.lambda1 = rng.Float64()
		f.lambda2 = f.lambda1
	case 2: // exactly the largest σ²
		core, err := pr.kernel.decompose(pr.state, f.gamma)
		if err != nil {
			panic(err)
		}
		if top := core.sigma2[len(core.sigma2)-1] * core.d[len(core.d)-1]; top > 0 {
			f.lambda1 = math.Sqrt(top)
			f.lambda2 = f.lambda1
		}
	}
	f.anchored = rng.IntN(4) == 0
	if f.anchored {
		f.lambda2 = 0
	}
	return f
}

func (f kernelField) flowFrom(t *testing.T, rates Rates) (*KernelFlow, *Unseen) {
	t.Helper()
	flow, err := Invariant{Gamma: f.gamma, Lambda1: f.lambda1, Lambda2: f.lambda2, Rates: rates, Kernel: f.pr.kernel,
		Anchored: f.anchored}.From(f.pr.state)
	if err != nil {
		t.Fatal(err)
	}
	unseen, err := flow.Test(f.pr.hStar, f.pr.kStar)
	if err != nil {
		t.Fatal(err)
	}
	return flow, unseen
}

// checkPoint compares every quantity of a point with a state and features of unseen points.
func (f kernelField) checkPoint(t *testing.T, what string, p Point, u *Unseen, want *State, wantStar *mat.Dense,
	tolerance float64) {
	t.Helper()
	got, err := p.State()
	if err != nil {
		t.Fatal(err)
	}
	closeStates(t, what, got, want, tolerance)
	star, err := u.Features(p)
	if err != nil {
		t.Fatal(err)
	}
	scale := want.NormZ()
	var d mat.Dense
	d.Sub(star, wantStar)
	if e := mat.Norm(&d, 2); !(e <= tolerance*(1+scale+mat.Norm(wantStar, 2))) {
		t.Errorf("%s: unseen features differ by %g of %g", what, e, mat.Norm(wantStar, 2))
	}
	wantLogits := new(mat.Dense)
	wantLogits.Mul(want.W.T(), wantStar)
	wantLogits.Apply(func(c, _ int, v float64) float64 { return v + want.B[c] }, wantLogits)
	logits, err := u.Logits(p)
	if err != nil {
		t.Fatal(err)
	}
	d.Reset()
	d.Sub(logits, wantLogits)
	if e := mat.Norm(&d, 2); !(e <= 10*tolerance*(1+scale*scale+mat.Norm(wantStar, 2)*scale)) {
		t.Errorf("%s: unseen logits differ by %g of %g", what, e, mat.Norm(wantLogits, 2))
	}
	closeTo(t, what+": ln‖H‖", p.LogNormH(), math.Log(mat.Norm(want.H, 2)), 100*tolerance)
	closeTo(t, what+": ln‖W‖", p.LogNormW(), math.Log(mat.Norm(want.W, 2)), 100*tolerance)
	loss, logAbs := p.Loss()
	wantLoss, accuracy, slack := observe(want, f.gamma, false)
	if !(math.Abs(loss-wantLoss) <= 10*tolerance*(1+scale*scale)) {
		t.Errorf("%s: loss %v, want %v", what, loss, wantLoss)
	}
	closeTo(t, what+": |loss|", math.Exp(logAbs), math.Abs(loss), 1e-12)
	if slack > 1e-7 && p.Accuracy(false) != accuracy {
		t.Errorf("%s: accuracy %v, want %v", what, p.Accuracy(false), accuracy)
	}
	if _, accuracy, slack := observe(want, f.gamma, true); slack > 1e-7 && p.Accuracy(true) != accuracy {
		t.Errorf("%s: accuracy with biases %v, want %v", what, p.Accuracy(true), accuracy)
	}
	direction := p.Direction()
	closeTo(t, what+": ‖Ẑ‖", direction.NormZ(), 1, 1e-12)
}

// TestKernelFlow compares every form of kernel with an ODE solver on all numbers of the state.
func TestKernelFlow(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 8))
	for _, form := range kernelForms {
		for i := range 12 {
			f := randomField(rng, randomKernelProblem(rng, form))
			eta1, eta2, end := 0.3+rng.Float64(), 0.3+rng.Float64(), 6*rng.Float64()
			flow, unseen := f.flowFrom(t, Constant(eta1, eta2))
			p, err := flow.At(end)
			if err != nil {
				t.Fatal(err)
			}
			want, star := f.flow(t, ConstantRate(eta1).At, ConstantRate(eta2).At, end)
			f.checkPoint(t, fmt.Sprintf("form %d, flow %d", form, i), p, unseen, want, star, 1e-10)
		}
	}
}

// TestKernelFlowSchedules uses rates that follow one schedule, and separate rates for H and W.
func TestKernelFlowSchedules(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 8))
	cosine, decay := CosineRate{Initial: 0.8, Steps: 7}, ExponentialRate{Initial: 0.6, Factor: 0.9}
	for _, form := range kernelForms {
		for i := range 2 {
			f := randomField(rng, randomKernelProblem(rng, form))
			flow, unseen := f.flowFrom(t, Follow(0.7, cosine))
			p, err := flow.At(5)
			if err != nil {
				t.Fatal(err)
			}
			want, star := f.flow(t, func(t float64) float64 { return 0.7 * cosine.At(t) }, cosine.At, 5)
			f.checkPoint(t, fmt.Sprintf("form %d, cosine %d", form, i), p, unseen, want, star, 1e-10)

			flow, unseen = f.flowFrom(t, Rates{W: cosine, H: decay})
			if p, err = flow.At(5); err != nil {
				t.Fatal(err)
			}
			want, star = f.flow(t, decay.At, cosine.At, 5)
			f.checkPoint(t, fmt.Sprintf("form %d, rates of their own %d", form, i), p, unseen, want, star, 1e-9)
		}
	}
}

// TestKernelDescent compares with plain iteration, for constant rates, a schedule, separate rates for H and W, and
// momentum.
func TestKernelDescent(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 8))
	cosine, decay := CosineRate{Initial: 0.8, Steps: 40}, ExponentialRate{Initial: 0.6, Factor: 0.9}
	for _, form := range kernelForms {
		for i := range 8 {
			f := randomField(rng, randomKernelProblem(rng, form))
			for _, c := range []struct {
				name     string
				rates    Rates
				momentum float64
			}{
				{"constant", Constant(1.5*rng.Float64()+0.1, 1.5*rng.Float64()+0.1), 0},
				{"momentum", Constant(0.2, 0.3), 0.8}, {"cosine", Follow(0.6, cosine), 0},
				{"own", Rates{W: decay, H: cosine}, 0.5},
			} {
				flow, unseen := f.flowFrom(t, c.rates)
				descent, err := flow.Descent(c.momentum)
				if err != nil {
					t.Fatal(err)
				}
				steps := []int{0, 1, 2, 7, 30}[rng.IntN(5)]
				p, err := descent.At(steps)
				if err != nil {
					t.Fatal(err)
				}
				want, star := f.descend(c.momentum, c.rates.Features, c.rates.W.At, steps)
				f.checkPoint(t, fmt.Sprintf("form %d, %s %d, %d steps", form, c.name, i, steps), p, unseen, want, star,
					2e-12)
			}
		}
	}
}
