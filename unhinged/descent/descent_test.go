package descent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// residual returns ∂loss/∂logits of one example by plain code, with γ = 0.3 in the losses that have one.
func residual(name string, s []float64, y int) []float64 {
	r := make([]float64, len(s))
	switch name {
	case "unhinged":
		for j := range r {
			r[j] = 0.3
		}
		r[y] = -1
	case "hinge":
		for j := range r {
			if j != y && s[j]-s[y]+1 > 0 {
				r[j]++
				r[y]--
			}
		}
	case "multibinary":
		for j := range r {
			r[j] = 0.3 / (1 + math.Exp(-s[j]))
		}
		r[y] = -1 / (1 + math.Exp(s[y]))
	case "ce":
		for j := range r {
			r[j] = math.Exp(s[j] - floats.LogSumExp(s))
		}
		r[y]--
	case "mse":
		for j := range r {
			r[j] = 2 * s[j]
		}
		r[y] -= 2
	}
	return r
}

// losses are the criteria that residual supports.
var losses = map[string]unhinged.Criterion{
	"unhinged": unhinged.Loss{Gamma: new(0.3)}, "multibinary": unhinged.MultiBinary{Gamma: new(0.3)},
	"hinge": unhinged.Hinge{}, "ce": unhinged.CrossEntropy{}, "mse": unhinged.SquaredError{},
}

// naiveGradient returns the gradient by H, W and b as one slice, by loops over the samples in the paper's layout.
func naiveGradient(f BruteForce, loss string, s *dynamics.State) (h, w *mat.Dense, b []float64) {
	p, c, n := s.Dims()
	h, w, b = mat.NewDense(p, n, nil), mat.NewDense(p, c, nil), make([]float64, c)
	for i, y := range s.Labels() {
		x := mat.Col(nil, i, s.H)
		norm := floats.Norm(x, 2)
		seen := append([]float64(nil), x...)
		if f.Spherical {
			floats.Scale(1/norm, seen)
		}
		logits := make([]float64, c)
		for j := range c {
			logits[j] = floats.Dot(mat.Col(nil, j, s.W), seen) + s.B[j]
		}
		r := residual(loss, logits, y)
		weight := 1 / float64(n)
		if f.Rescale {
			weight *= norm
		}
		floats.Scale(weight, r)
		g := make([]float64, p)
		for j := range c {
			floats.AddScaled(g, r[j], mat.Col(nil, j, s.W))
			b[j] += r[j]
			for k := range p {
				w.Set(k, j, w.At(k, j)+r[j]*seen[k])
			}
		}
		if f.Spherical {
			floats.AddScaled(g, -floats.Dot(g, seen), seen)
			floats.Scale(1/norm, g)
		}
		floats.AddScaled(g, f.Lambda1, x)
		h.SetCol(i, g)
	}
	w.Apply(func(k, j int, v float64) float64 { return v + f.Lambda2*s.W.At(k, j) }, w)
	floats.AddScaled(b, f.Lambda2, s.B)
	if f.Anchored {
		w.Zero()
		b = make([]float64, c)
	}
	return h, w, b
}

// naiveDescent makes steps of gradient descent.
func naiveDescent(f BruteForce, loss string, s *dynamics.State, steps int) *dynamics.State {
	s = s.Clone()
	p, c, n := s.Dims()
	vh, vw, vb := mat.NewDense(p, n, nil), mat.NewDense(p, c, nil), make([]float64, c)
	for k := range steps {
		gh, gw, gb := naiveGradient(f, loss, s)
		eta2 := f.Rates.W.At(float64(k))
		eta1 := f.Rates.S * eta2
		if f.Rates.H != nil {
			eta1 = f.Rates.H.At(float64(k))
		}
		for _, m := range []struct {
			x, v, g *mat.Dense
			eta     float64
		}{{s.H, vh, gh, eta1}, {s.W, vw, gw, eta2}} {
			m.v.Scale(f.Momentum, m.v)
			m.v.Add(m.v, m.g)
			var move mat.Dense
			move.Scale(m.eta, m.v)
			m.x.Sub(m.x, &move)
		}
		floats.Scale(f.Momentum, vb)
		floats.Add(vb, gb)
		floats.AddScaled(s.B, -eta2, vb)
	}
	return s
}

// randomState returns a state of random sizes, class sizes and biases.
func randomState(rng *rand.Rand) *dynamics.State {
	s := &dynamics.State{}
	p, c, n := 1+rng.IntN(5), 2+rng.IntN(4), 0
	for range c {
		s.Counts = append(s.Counts, 1+rng.IntN(4))
		n += s.Counts[len(s.Counts)-1]
	}
	s.H, s.W, s.B = mat.NewDense(p, n, nil), mat.NewDense(p, c, nil), make([]float64, c)
	for _, x := range [][]float64{s.H.RawMatrix().Data, s.W.RawMatrix().Data, s.B} {
		for i := range x {
			x[i] = rng.NormFloat64()
		}
	}
	return s
}

// gap returns the largest difference of two states' elements, relative to the largest element (at least 1).
func gap(a, b *dynamics.State) float64 {
	worst, largest := 0.0, 1.0
	for _, m := range [][2][]float64{{a.H.RawMatrix().Data, b.H.RawMatrix().Data}, {a.W.RawMatrix().Data,
		b.W.RawMatrix().Data}, {a.B, b.B}} {
		for i := range m[0] {
			d := math.Abs(m[0][i] - m[1][i])
			if math.IsNaN(d) {
				return math.Inf(1)
			}
			worst, largest = math.Max(worst, d), math.Max(largest, math.Abs(m[1][i]))
		}
	}
	return worst / largest
}

// The hand-written gradient must equal gomlx's own gradient of the objective, for every loss and every setting.
func TestGradientIsAutodiffs(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		s := randomState(rand.New(rand.NewPCG(1, 0)))
		x := upload(s, dtype)
		settings := map[string]BruteForce{
			"free": {}, "regularised": {Lambda1: 0.3, Lambda2: 0.2}, "anchored": {Anchored: true, Lambda1: 0.1,
				Lambda2: 0.2},
			"spherical": {Spherical: true}, "spherical, RLR, regularised": {Spherical: true, Rescale: true,
				Lambda1: 0.4, Lambda2: 0.1},
		}
		var names []string
		outputs, err := ExecOnceN(backend, func(inputs []*Node) []*Node {
			var differences []*Node
			names = nil
			x, onehot := point(inputs[:3]), inputs[3]
			for name, f := range settings {
				for lossName, loss := range losses {
					if backend.Name() != "go" && lossName != "ce" {
						continue // XLA compiles slowly, and package unhinged tests the losses' own gradients on it
					}
					f.Loss, f.DType = loss, dtype
					each := loss.Each(onehot, x.logits(f.Spherical))
					if f.Rescale {
						each = Mul(each, StopGradient(Squeeze(L2Norm(x[0], -1), -1)))
					}
					objective := Add(ReduceAllMean(each), MulScalar(ReduceAllSum(Square(x[0])), f.Lambda1/2))
					for _, w := range x[1:] {
						objective = Add(objective, MulScalar(ReduceAllSum(Square(w)), f.Lambda2/2))
					}
					wanted := Gradient(objective, x[0], x[1], x[2])
					if f.Anchored {
						wanted[1], wanted[2] = ZerosLike(wanted[1]), ZerosLike(wanted[2])
					}
					for i, g := range f.gradient(x, onehot) {
						names = append(names, fmt.Sprintf("%s, %s, by %s", name, lossName, []string{"H", "W", "b"}[i]))
						differences = append(differences, ReduceAllMax(Abs(Sub(g, wanted[i]))))
					}
				}
			}
			return differences
		}, x.point[0], x.point[1], x.point[2], x.onehot)
		if err != nil {
			t.Fatal(err)
		}
		for i, output := range outputs {
			d, err := hostValues(output)
			if err != nil {
				t.Fatal(err)
			}
			if !(d[0] <= tolerance) {
				t.Errorf("%s: differs by %g", names[i], d[0])
			}
		}
	})
}

// Gradient descent is compared with plain loops for every loss and for random sizes, class sizes and settings.
func TestDescendAgainstPlainLoops(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		rng := rand.New(rand.NewPCG(2, 0))
		settings := []BruteForce{
			{Rates: dynamics.Constant(0.3, 0.2)},
			{Rates: dynamics.Follow(0.5, dynamics.CosineRate{Initial: 0.5, Steps: 9}), Momentum: 0.9, Lambda1: 0.02,
				Lambda2: 0.05},
			{Rates: dynamics.Rates{W: dynamics.ConstantRate(0.1), H: dynamics.ExponentialRate{Initial: 0.4,
				Factor: 0.8}}, Momentum: 0.5},
			{Rates: dynamics.Constant(0.7, 0.2), Anchored: true, Lambda1: 0.1, Momentum: 0.3},
			{Rates: dynamics.Constant(0.3, 0.2), Spherical: true},
			{Rates: dynamics.Constant(0.3, 0.2), Spherical: true, Rescale: true, Anchored: true},
		}
		const steps = 7
		for k, name := range slices.Sorted(maps.Keys(losses)) {
			loss := losses[name]
			for i, f := range settings {
				if backend.Name() != "go" && (i != (k+1)%len(settings) || dtype == dtypes.Float32 && k > 0) {
					// XLA takes half a second to compile each case, so that every loss meets one setting, one of them
					// in float32
					continue
				}
				f.Backend, f.Loss, f.DType = backend, loss, dtype
				s := randomState(rng)
				before := s.Clone()
				_, got, err := f.Descend(context.Background(), s, []int{0, 2, steps})
				if err != nil {
					t.Fatal(err)
				}
				if d := gap(got, naiveDescent(f, name, s, steps)); d > 10*tolerance {
					t.Errorf("%s, setting %d: differs by %g", name, i, d)
				}
				if gap(s, before) != 0 {
					t.Errorf("%s, setting %d: the initial state was changed", name, i)
				}
			}
		}
	})
}

// The unhinged loss is compared with the closed form of package dynamics, over more steps than one execution makes.
func TestDescendAgainstTheClosedForm(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		const steps = 2*stepsAtOnce + 45
		for i, gamma := range []float64{0, 0.05, 1. / 3} {
			s := randomState(rand.New(rand.NewPCG(3, uint64(i))))
			rates := dynamics.Constant(0.05, 0.1)
			momentum := []float64{0, 0.9, 0.5}[i]
			f := BruteForce{Backend: backend, Loss: unhinged.Loss{Gamma: &gamma}, Rates: rates, Lambda1: 0.1,
				Lambda2: 0.05, Momentum: momentum}
			trace, got, err := f.Descend(context.Background(), s, []int{1, 300, steps})
			if err != nil {
				t.Fatal(err)
			}
			flow, err := dynamics.Regularized{Gamma: gamma, Lambda1: f.Lambda1, Lambda2: f.Lambda2,
				Rates: rates}.From(s)
			if err != nil {
				t.Fatal(err)
			}
			exact, err := flow.Descent(momentum)
			if err != nil {
				t.Fatal(err)
			}
			end, err := exact.At(steps)
			if err != nil {
				t.Fatal(err)
			}
			want, err := end.State()
			if err != nil {
				t.Fatal(err)
			}
			if d := gap(got, want); d > 1e-10 {
				t.Errorf("γ = %g: differs by %g", gamma, d)
			}
			wanted, err := exact.Trace([]int{1, 300, steps})
			if err != nil {
				t.Fatal(err)
			}
			for k := range trace.Time {
				for name, pair := range map[string][2]float64{
					"time": {trace.Time[k], wanted.Time[k]}, "loss": {trace.Loss[k], wanted.Loss[k]},
					"accuracy": {trace.Accuracy[k], wanted.Accuracy[k]}, "with bias": {trace.AccuracyWithBias[k],
						wanted.AccuracyWithBias[k]},
					"‖H‖": {trace.NormH[k], math.Exp(wanted.LogNormH[k])}, "‖W‖": {trace.NormW[k],
						math.Exp(wanted.LogNormW[k])},
					"‖Z‖": {trace.NormZ[k], math.Exp(wanted.LogNormZ[k])},
				} {
					if math.Abs(pair[0]-pair[1]) > 1e-9*math.Max(1, math.Abs(pair[1])) {
						t.Errorf("γ = %g, record %d: %s is %.12g, want %.12g", gamma, k, name, pair[0], pair[1])
					}
				}
			}
		}
	})
}

// The flow of the unhinged loss is compared with the closed form, and the flow of the other smooth losses with the
// plain gradient, integrated on the host.
func TestFlow(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		rates := dynamics.Follow(0.4, dynamics.CosineRate{Initial: 0.8, Steps: 20})
		times := []float64{0, 3, 11.5, 20, 25} // the rate is 0 after 20
		last := times[len(times)-1]
		for i, name := range []string{"unhinged", "ce", "mse", "multibinary"} {
			if backend.Name() != "go" && (name == "ce" || name == "mse") {
				continue // XLA takes seconds to compile each case
			}
			s := randomState(rand.New(rand.NewPCG(4, uint64(i))))
			f := BruteForce{Backend: backend, Loss: losses[name], Rates: rates, Lambda1: 0.05, Lambda2: 0.1,
				Spherical: name == "multibinary"}
			trace, got, err := f.Flow(context.Background(), s, times)
			if err != nil {
				t.Fatal(err)
			}
			if len(trace.Loss) != len(times) || trace.Loss[3] != trace.Loss[4] {
				t.Errorf("%s: losses %v at times %v", name, trace.Loss, times)
			}
			var want *dynamics.State
			p, c, n := s.Dims()
			if name == "unhinged" {
				flow, err := dynamics.Regularized{Gamma: 0.3, Lambda1: f.Lambda1, Lambda2: f.Lambda2,
					Rates: rates}.From(s)
				if err != nil {
					t.Fatal(err)
				}
				end, err := flow.At(last)
				if err != nil {
					t.Fatal(err)
				}
				if want, err = end.State(); err != nil {
					t.Fatal(err)
				}
			} else {
				state := func(x []float64) *dynamics.State {
					s := s.Clone()
					s.H, s.W, s.B = mat.NewDense(p, n, x[:p*n]), mat.NewDense(p, c, x[p*n:p*(n+c)]), x[p*(n+c):]
					return s
				}
				flat := func(h, w *mat.Dense, b []float64) []float64 {
					return append(append(append([]float64(nil), h.RawMatrix().Data...), w.RawMatrix().Data...), b...)
				}
				x, err := dynamics.Integrate(func(t float64, x, dx []float64) {
					copy(dx, flat(naiveGradient(f, name, state(x))))
					floats.Scale(-f.Rates.S*rates.W.At(t), dx[:p*n])
					floats.Scale(-rates.W.At(t), dx[p*n:])
				}, 0, last, flat(s.H, s.W, s.B), 1e-11)
				if err != nil {
					t.Fatal(err)
				}
				want = state(x)
			}
			if d := gap(got, want); d > 1e-8 {
				t.Errorf("%s: differs by %g", name, d)
			}
		}
	})
}

// The flow of the hinge loss, whose gradient jumps, must end where descent with small steps ends.
func TestFlowOfTheHingeLoss(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		s := randomState(rand.New(rand.NewPCG(5, 0)))
		f := BruteForce{Backend: backend, Loss: unhinged.Hinge{}, Rates: dynamics.Constant(1, 1), Tolerance: 1e-6}
		_, got, err := f.Flow(context.Background(), s, []float64{2})
		if err != nil {
			t.Fatal(err)
		}
		const steps = 4000
		f.Rates = dynamics.Constant(2./steps, 2./steps)
		_, want, err := f.Descend(context.Background(), s, []int{steps})
		if err != nil {
			t.Fatal(err)
		}
		if d := gap(got, want); d > 20./steps {
			t.Errorf("differs by %g", d)
		}
	})
}

// Flow in float32 has the accuracy of float32, and a flow that leaves its range ends with an error instead of running
// for ever.
func TestFlowInFloat32(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		s := dynamics.Gaussian(3, 3, 2, 6)
		f := BruteForce{Backend: backend, Rates: dynamics.Constant(1, 1), DType: dtypes.Float32}
		_, got, err := f.Flow(context.Background(), s, []float64{1, 10})
		if err != nil {
			t.Fatal(err)
		}
		flow, err := dynamics.Unconstrained{Gamma: 0.5, Rates: f.Rates}.From(s)
		if err != nil {
			t.Fatal(err)
		}
		end, err := flow.At(10)
		if err != nil {
			t.Fatal(err)
		}
		want, err := end.State()
		if err != nil {
			t.Fatal(err)
		}
		if d := gap(got, want); d > 1e-4 || d < 1e-10 {
			t.Errorf("differs by %g", d)
		}
		_, _, err = f.Flow(context.Background(), s, []float64{1000}) // ‖Z‖ ~ exp(1.5·1000/(3√2))
		if err == nil || !strings.Contains(err.Error(), "too large") {
			t.Errorf("beyond the range of float32: error %v", err)
		}
	})
}

func TestObserveAndProgress(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		s := randomState(rand.New(rand.NewPCG(7, 0)))
		var reached []int
		var observed []float64
		f := BruteForce{
			Backend: backend, Rates: dynamics.Constant(0.01, 0.01),
			Progress: func(done, all int) {
				reached = append(reached, done)
				if all != 600 {
					t.Errorf("progress towards %d", all)
				}
			},
			Observe: func(time float64, s *dynamics.State) {
				observed = append(observed, time, mat.Norm(s.H, 2))
			},
		}
		trace, _, err := f.Descend(context.Background(), s, []int{0, 5, 600})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(reached) != "[5 261 517 600]" {
			t.Errorf("progress %v", reached)
		}
		for i, time := range []float64{0, 5, 600} {
			if observed[2*i] != time || math.Abs(observed[2*i+1]-trace.NormH[i]) > 1e-12*trace.NormH[i] {
				t.Errorf("observed %v, recorded ‖H‖ %v", observed, trace.NormH)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		f.Progress = func(int, int) { cancel() }
		if _, _, err := f.Descend(ctx, s, []int{600}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: error %v", err)
		}
	})
}

func TestErrors(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		s := dynamics.Gaussian(3, 2, 2, 1)
		zero := s.Clone()
		zero.H.SetCol(1, []float64{0, 0, 0})
		bad := s.Clone()
		bad.W.Set(0, 0, math.NaN())
		rates := dynamics.Constant(0.1, 0.1)
		for what, test := range map[string]struct {
			f     BruteForce
			state *dynamics.State
			steps []int
			want  string // a part of the message
		}{
			"no backend": {BruteForce{Rates: rates}, s, []int{1}, "no backend"},
			"no rates":   {BruteForce{Backend: backend}, s, []int{1}, "no learning rates"},
			"NaN rate": {BruteForce{Backend: backend, Rates: dynamics.Constant(math.NaN(), 1)}, s, []int{1},
				"learning rates NaN"},
			"NaN state": {BruteForce{Backend: backend, Rates: rates}, bad, []int{1}, "must be finite"},
			"no state":  {BruteForce{Backend: backend, Rates: rates}, nil, []int{1}, "state without"},
			"λ < 0":     {BruteForce{Backend: backend, Rates: rates, Lambda1: -1}, s, []int{1}, "λ1 = -1"},
			"λ = ∞": {BruteForce{Backend: backend, Rates: rates, Lambda2: math.Inf(1)}, s, []int{1},
				"λ2 = +Inf"},
			"μ = 1": {BruteForce{Backend: backend, Rates: rates, Momentum: 1}, s, []int{1}, "momentum 1"},
			"γ < 0": {BruteForce{Backend: backend, Rates: rates, Loss: unhinged.Loss{Gamma: new(-1.0)}}, s,
				[]int{1}, "γ is -1"},
			"RLR alone": {BruteForce{Backend: backend, Rates: rates, Rescale: true}, s, []int{1},
				"needs Spherical"},
			"zero feature": {BruteForce{Backend: backend, Rates: rates, Spherical: true}, zero, []int{1},
				"feature 1 is zero"},
			"float16": {BruteForce{Backend: backend, Rates: rates, DType: dtypes.Float16}, s, []int{1},
				"need Float64 or Float32"},
			"no steps":         {BruteForce{Backend: backend, Rates: rates}, s, nil, "no steps"},
			"descending steps": {BruteForce{Backend: backend, Rates: rates}, s, []int{2, 1}, "ascending"},
			"negative steps":   {BruteForce{Backend: backend, Rates: rates}, s, []int{-1, 1}, "not negative"},
		} {
			_, _, err := test.f.Descend(context.Background(), test.state, test.steps)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: error %v", what, err)
			}
		}
		f := BruteForce{Backend: backend, Rates: rates, Momentum: 0.5}
		if _, _, err := f.Flow(context.Background(), s, []float64{1}); err == nil || !strings.Contains(err.Error(),
			"no momentum") {
			t.Errorf("flow with momentum: error %v", err)
		}
		f = BruteForce{Backend: backend, Rates: dynamics.Constant(1, -1)}
		if _, _, err := f.Flow(context.Background(), s, []float64{1}); err == nil || !strings.Contains(err.Error(),
			"must be finite and not negative") {
			t.Errorf("flow with a negative rate: error %v", err)
		}
		f = BruteForce{Backend: backend, Rates: dynamics.Rates{W: dynamics.ConstantRate(1),
			H: dynamics.ConstantRate(1)}}
		if _, _, err := f.Flow(context.Background(), s, []float64{1}); err == nil || !strings.Contains(err.Error(),
			"one schedule") {
			t.Errorf("flow with two schedules: error %v", err)
		}
	})
}

// A small state is trained under the unhinged loss, whose norm grows exponentially, and under cross-entropy, whose norm
// does not.
func ExampleBruteForce_Descend() {
	backend, _, err := backends.Open("go")
	if err != nil {
		panic(err)
	}
	start := dynamics.Gaussian(8, 4, 5, 1)
	for _, loss := range []unhinged.Criterion{unhinged.Loss{}, unhinged.CrossEntropy{}} {
		f := BruteForce{Backend: backend, Loss: loss, Rates: dynamics.Constant(0.1, 0.1)}
		trace, _, err := f.Descend(context.Background(), start, []int{0, 1000})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%T: accuracy %.2f → %.2f, ‖Z‖ %.3g → %.3g\n", loss, trace.Accuracy[0], trace.Accuracy[1],
			trace.NormZ[0], trace.NormZ[1])
	}
	// Output:
	// unhinged.Loss: accuracy 0.25 → 1.00, ‖Z‖ 14 → 1.23e+07
	// unhinged.CrossEntropy: accuracy 0.25 → 1.00, ‖Z‖ 14 → 15.4
}
