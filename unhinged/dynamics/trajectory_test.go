package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// subject is a theorem with a random state, as a function of the rates.
type subject struct {
	name  string
	start *State
	from  func(rates Rates) (Trajectory, error)
}

// subjects returns every theorem with random states: any class sizes, also C = 2, N = 1, p < C, λ = 0 and λ = λ*.
func subjects(rng *rand.Rand) []subject {
	q := randomProblem(rng)
	pr := randomKernelProblem(rng, kernelForms[rng.IntN(len(kernelForms))])
	between := randomKernelProblem(rng, betweenSample)
	_, c, _ := pr.state.Dims()
	gamma := randomGamma(rng, c)
	lambda1, lambda2 := q.l1, q.l2
	spherical := Spherical{Gamma: 1.5 * rng.Float64(), Rescale: rng.IntN(2) == 0}
	if p, _, _ := q.state.Dims(); p > 1 && rng.IntN(2) == 0 {
		spherical.Adjust = 0.1 + 0.8*rng.Float64()
	}
	penalty := FeaturePenalty{Gamma: q.gamma, Lambda1: 4 + q.l1, Lambda2: 4 + q.l2, Kernel: between.kernel}
	return []subject{
		{"Theorem 2 " + q.String(), q.state, func(r Rates) (Trajectory, error) {
			return Unconstrained{Gamma: q.gamma, Rates: r}.From(q.state)
		}},
		{"Theorem 4 " + q.String(), q.state, func(r Rates) (Trajectory, error) {
			return Regularized{Gamma: q.gamma, Lambda1: lambda1, Lambda2: lambda2, Rates: r}.From(q.state)
		}},
		{"Theorem 6 " + q.String(), q.state, func(r Rates) (Trajectory, error) {
			return Anchored{Gamma: q.gamma, Lambda1: lambda1, Rates: r}.From(q.state)
		}},
		{fmt.Sprintf("Theorem 7 %+v, %s", spherical, q), q.state, func(r Rates) (Trajectory, error) {
			s := spherical
			s.Rates = r
			return s.From(q.state)
		}},
		{fmt.Sprintf("Theorem 8, γ = %g, counts %v, %s", gamma, pr.state.Counts, q), pr.state,
			func(r Rates) (Trajectory, error) {
				return Invariant{Gamma: gamma, Lambda1: lambda1, Lambda2: lambda2, Rates: r,
					Kernel: pr.kernel}.From(pr.state)
			}},
		{"Theorem 8 at λ*", pr.state, func(r Rates) (Trajectory, error) {
			free, err := Invariant{Gamma: gamma, Rates: r, Kernel: pr.kernel}.From(pr.state)
			if err != nil {
				return nil, err
			}
			star := free.Threshold()
			return Invariant{Gamma: gamma, Lambda1: star, Lambda2: star, Rates: r, Kernel: pr.kernel}.From(pr.state)
		}},
		{"Theorem 8 anchored", pr.state, func(r Rates) (Trajectory, error) {
			return Invariant{Gamma: gamma, Lambda1: lambda1, Rates: r, Kernel: pr.kernel, Anchored: true}.From(pr.state)
		}},
		{"MSE", between.state, func(r Rates) (Trajectory, error) {
			return MSE{Rates: r, Kernel: between.kernel}.From(between.state)
		}},
		{"MSE anchored", between.state, func(r Rates) (Trajectory, error) {
			return MSE{Rates: r, Kernel: between.kernel, Anchored: true}.From(between.state)
		}},
		{"penalty", between.state, func(r Rates) (Trajectory, error) {
			f := penalty
			f.Rates = r
			return f.From(between.state)
		}},
		{"penalty anchored", between.state, func(r Rates) (Trajectory, error) {
			f := penalty
			f.Rates, f.Lambda2, f.Anchored = r, 0, true
			return f.From(between.state)
		}},
	}
}

// apart returns ‖(H, W, b) − (H', W', b')‖.
func apart(a, b *State) float64 {
	var h, w mat.Dense
	h.Sub(a.H, b.H)
	w.Sub(a.W, b.W)
	sum := math.Hypot(mat.Norm(&h, 2), mat.Norm(&w, 2))
	for k := range a.B {
		sum = math.Hypot(sum, a.B[k]-b.B[k])
	}
	return sum
}

// TestTrajectoriesStart checks that flow and descent have the initial state at t = 0.
func TestTrajectoriesStart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 12))
	for range 30 {
		for _, s := range subjects(rng) {
			f := must[Trajectory](t)(s.from(Constant(0.2, 0.1)))
			descent := must[*Descent](t)(f.Descent(0))
			for what, p := range map[string]Point{
				"flow": must[Point](t)(f.At(0)), "descent": must[Point](t)(descent.At(0)),
			} {
				closeStates(t, s.name+", "+what, must[*State](t)(p.State()), s.start, 1e-12)
			}
		}
	}
}

// TestTrajectoriesDescend checks the distance of gradient descent to the flow. With a quarter of the rate and the same
// time ζ, it must be about a quarter; with momentum μ, the same holds at (1−μ) times the rate.
func TestTrajectoriesDescend(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 12))
	for range 20 {
		for _, s := range subjects(rng) {
			for _, momentum := range []float64{0, 0.5} {
				if _, isSpherical := must[Trajectory](t)(s.from(Constant(1, 1))).(*SphericalFlow); isSpherical &&
					momentum > 0 {
					continue
				}
				const zeta = 1.2
				var misses []float64
				for _, eta := range []float64{0.006, 0.0015} {
					want := must[*State](t)(must[Point](t)(must[Trajectory](t)(s.from(Constant(eta,
						eta))).At(zeta / eta)).State())
					slowed := eta * (1 - momentum)
					f := must[Trajectory](t)(s.from(Constant(slowed, slowed)))
					p := must[Point](t)(must[*Descent](t)(f.Descent(momentum)).At(int(math.Round(zeta / eta))))
					misses = append(misses, apart(must[*State](t)(p.State()), want)/(1+want.NormZ()))
				}
				if !(misses[1] <= misses[0]/3+1e-9) {
					t.Errorf("%s: descent with momentum %g is %g from the flow, at a quarter of the rate %g",
						s.name, momentum, misses[0], misses[1])
				}
			}
		}
	}
}

// TestTrajectoriesEnd checks that At tends to the limit, at the limit's rate.
func TestTrajectoriesEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 12))
	finite, directions, slow := 0, 0, 0
	for range 30 {
		for _, s := range subjects(rng) {
			f := must[Trajectory](t)(s.from(Constant(1, 1)))
			limit, err := f.Limit()
			if err != nil {
				if !strings.Contains(err.Error(), "not linear") && !strings.Contains(err.Error(), "M κ Mᵀ = 0") {
					t.Errorf("%s: %v", s.name, err)
				}
				continue
			}
			// for p = 1 some samples are stuck
			if d := limit.Point.LogDistanceH(); !math.IsInf(d, -1) && !math.IsInf(limit.Rate, 1) {
				t.Errorf("%s: the limit is e^%g from itself", s.name, d)
			}
			if limit.Rate < 1e-4 || math.IsInf(limit.Rate, 1) {
				slow++
				continue
			}
			var gaps []float64
			times := []float64{14 / limit.Rate, 19 / limit.Rate, 60 / limit.Rate}
			for _, time := range times {
				p := must[Point](t)(f.At(time))
				if limit.Finite {
					end := must[*State](t)(limit.Point.State())
					gaps = append(gaps, apart(must[*State](t)(p.State()), end)/(1e-300+end.NormZ()))
				} else {
					gaps = append(gaps, normalizedDistance(stack(p.Direction()), stack(limit.Point.Direction())))
				}
			}
			if limit.Finite {
				finite++
			} else {
				directions++
			}
			if !(gaps[2] < 1e-9) {
				t.Errorf("%s: %g from the limit %+v at ζ = 60/rate", s.name, gaps[2], limit)
			}
			size := func(time float64) float64 { return must[Point](t)(f.At(time)).LogNormZ() }
			if settles := math.Abs(size(times[2])-size(2*times[2])) < 1e-9; settles != limit.Finite {
				t.Errorf("%s: finite: %v, but ln‖Z‖ goes from %g to %g", s.name, limit.Finite, size(times[2]),
					size(2*times[2]))
			}
			fell := math.Log(gaps[0] / gaps[1])
			if gaps[1] > 1e-12 && math.Abs(fell-5) > 0.5 {
				t.Errorf("%s: while ζ grows by 5/rate the distance falls from %g to %g, by a factor of e^%.3f",
					s.name, gaps[0], gaps[1], fell)
			}
		}
	}
	if finite < 60 || directions < 40 {
		t.Errorf("only %d finite limits and %d directions were looked at, %d had no rate", finite, directions, slow)
	}
}

// TestSphericalFlow compares tan(θ/2) = e^{−αζ} tan(θ(0)/2), and its form under (104), with an ODE solver on full
// vectors.
func TestSphericalFlow(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 12))
	for trial := range 60 {
		st, s := randomSpherical(rng, 1)
		if trial%3 == 0 {
			s.Adjust = 0.1 + 0.8*rng.Float64()
		}
		f := must[*SphericalFlow](t)(s.From(st))
		p, _, n := st.Dims()
		time := 4 * rng.Float64() / slices.Min(f.StepSizes())
		want := st.Clone()
		for i, y := range st.Labels() {
			u := DrivingVector(st, s.Gamma, y)
			h := must[[]float64](t)(Integrate(func(time float64, h, dh []float64) {
				toward := u
				norm := floats.Norm(h, 2)
				if s.Adjust > 0 && floats.Dot(h, u)/(norm*floats.Norm(u, 2)) < -1+s.Adjust {
					toward = floats.AddTo(make([]float64, p), u, Adjustment(h, u, s.Adjust))
				}
				moved := slices.Clone(h)
				SphericalStep(moved, toward, s.Rates.Features(time)/float64(n), s.Rescale)
				floats.SubTo(dh, moved, h)
			}, 0, time, mat.Col(nil, i, st.H), 1e-11))
			want.H.SetCol(i, h)
		}
		if _, jumps := s.Rates.H.(StepRate); jumps {
			continue // the ODE solver would have to find the jumps
		}
		closeStates(t, fmt.Sprintf("trial %d, %+v", trial, s), must[*State](t)(must[Point](t)(f.At(time)).State()),
			want, 1e-8)
	}
}

// TestSphericalFlowStuck checks that a sample that starts opposite to û stays there, also in the limit, unless (104)
// frees it.
func TestSphericalFlowStuck(t *testing.T) {
	for _, adjust := range []float64{0, 0.3} {
		f := oneSample(t, math.Pi, 0.5, Spherical{Rates: Constant(1, 1), Adjust: adjust})
		limit := must[Limit](t)(f.Limit())
		want := math.Pi
		if adjust > 0 {
			want = 0
		}
		for what, p := range map[string]Point{"flow": must[Point](t)(f.At(1e3)), "limit": limit.Point} {
			closeTo(t, what+": angle", p.(*SphericalPoint).Angles()[0], want, 1e-15)
		}
		if adjust == 0 && !math.IsInf(limit.Rate, 1) { // the other sample has converged
			t.Errorf("rate %g where nothing turns", limit.Rate)
		}
	}
	f := oneSample(t, 1, 0.5, Spherical{Rates: Constant(1, 1)})
	if _, err := f.Descent(0.5); err == nil || !strings.Contains(err.Error(), "momentum must be 0") {
		t.Errorf("momentum: error %v", err)
	}
}

// TestEnginesAgree checks that with the kernel I all engines solve the same equations. (TestKernelIdentity compares
// Theorem 8 with Theorems 2, 4 and 6.)
func TestEnginesAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 12))
	for range 40 {
		q := randomProblem(rng)
		rates := Constant(q.s*q.eta2, q.eta2)
		for _, pair := range []struct {
			name string
			a, b Trajectory
		}{
			{"Theorem 4 and penalty", q.flow(t, rates), must[*DualFlow](t)(FeaturePenalty{
				Gamma: q.gamma, Lambda1: q.l1, Lambda2: q.l2, Rates: rates}.From(q.state))},
			{"Theorem 6 and penalty", must[*AnchoredFlow](t)(Anchored{q.gamma, q.l1, rates}.From(q.state)),
				must[*DualFlow](t)(
					FeaturePenalty{Gamma: q.gamma, Lambda1: q.l1, Rates: rates, Anchored: true}.From(q.state))},
		} {
			a := must[*Trace](t)(pair.a.Trace([]float64{0, 1, 5, 20}))
			b := must[*Trace](t)(pair.b.Trace([]float64{0, 1, 5, 20}))
			b.LogDistance, b.LogDistanceW, b.LogGapW = a.LogDistance, a.LogDistanceW, a.LogGapW // their Z̄ differs
			if _, isAnchored := pair.a.(*AnchoredFlow); !isAnchored || q.l1 == 0 {
				b.LogDistanceH, b.LogGapH = a.LogDistanceH, a.LogGapH
			}
			closeTraces(t, pair.name+", "+q.String(), b, a, 1e-9)
			a = must[*Trace](t)(must[*Descent](t)(pair.a.Descent(0.4)).Trace([]int{0, 1, 30}))
			b = must[*Trace](t)(must[*Descent](t)(pair.b.Descent(0.4)).Trace([]int{0, 1, 30}))
			for i := range a.Time {
				closeTo(t, pair.name+", descent of "+q.String(), b.LogNormZ[i], a.LogNormZ[i], 1e-10)
			}
		}
	}
}

// TestSlowPrototypes checks that prototypes that learn much more slowly than the features, s → ∞, tend to anchored
// ones.
func TestSlowPrototypes(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 12))
	for range 20 {
		q := randomProblem(rng)
		pr := randomKernelProblem(rng, betweenSample)
		for _, c := range []struct {
			name        string
			learns, not func(r Rates) (Trajectory, error)
		}{
			{"Theorem 4", func(r Rates) (Trajectory, error) {
				return Regularized{Gamma: q.gamma, Lambda1: q.l1, Rates: r}.From(q.state)
			}, func(r Rates) (Trajectory, error) { return Anchored{q.gamma, q.l1, r}.From(q.state) }},
			{"Theorem 8", func(r Rates) (Trajectory, error) {
				return Invariant{Gamma: q.gamma, Lambda1: q.l1, Rates: r, Kernel: pr.kernel}.From(pr.state)
			}, func(r Rates) (Trajectory, error) {
				return Invariant{Gamma: q.gamma, Lambda1: q.l1, Rates: r, Kernel: pr.kernel,
					Anchored: true}.From(pr.state)
			}},
			{"MSE", func(r Rates) (Trajectory, error) { return MSE{Rates: r, Kernel: pr.kernel}.From(pr.state) },
				func(r Rates) (Trajectory, error) {
					return MSE{Rates: r, Kernel: pr.kernel, Anchored: true}.From(pr.state)
				}},
		} {
			want := must[*State](t)(must[Point](t)(must[Trajectory](t)(c.not(Constant(0.1, 1))).At(20)).State())
			var misses []float64
			for _, eta2 := range []float64{1e-4, 1e-5} {
				got := must[*State](t)(must[Point](t)(must[Trajectory](t)(c.learns(Constant(0.1,
					eta2))).At(20)).State())
				misses = append(misses, apart(got, want)/(1+want.NormZ()))
			}
			if !(misses[0] < 0.1 && misses[1] < misses[0]/8) {
				t.Errorf("%s, %s: %g and %g from anchored prototypes at η2 = 1e-4 and 1e-5", c.name, q, misses[0],
					misses[1])
			}
		}
	}
}
