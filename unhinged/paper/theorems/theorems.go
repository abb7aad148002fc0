// Package theorems checks the paper's theorems and lemmas on small random states. Each check is a claim whose measured
// value is the distance of the closed form from a direct solution of the equations.
package theorems

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/internal/brute"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Check returns the claim of a theorem by its id, such as "theorem2" or "lemma9".
func Check(id string) (result.Claim, error) {
	check, found := checks[id]
	if !found {
		return result.Claim{}, fmt.Errorf("there is no check of %q", id)
	}
	off, err := check.measure()
	if err != nil {
		return result.Claim{}, fmt.Errorf("%s: %w", id, err)
	}
	claim := result.Check(check.what, off, 0, check.tolerance)
	claim.ID, claim.Kind = id, result.Implementation
	return claim, nil
}

// checks has for each theorem or lemma a description, the tolerance for rounding, and the function that returns the
// largest difference.
var checks = map[string]struct {
	what      string
	tolerance float64
	measure   func() (float64, error)
}{
	"theorem2": {"closed form beside the ODE (5), with cosine rates, biases included", 1e-10,
		func() (float64, error) { return flows(0, 0) }},
	"theorem4": {"closed form beside the ODE (12), with cosine rates and λ1 ≠ λ2, biases included", 1e-10,
		func() (float64, error) { return flows(0.3, 0.2) }},
	"theorem6": {"closed form beside the ODE (16), prototypes fixed", 1e-10, anchored},
	"theorem7": {"recurrence (84) beside the iteration (19) of whole vectors", 1e-12,
		func() (float64, error) { return spherical(false) }},
	"rlr-step": {"the recurrence with rescaled rates beside the iteration of whole vectors", 1e-12,
		func() (float64, error) { return spherical(true) }},
	"lemma9": {"the five parts add up to the state and are orthogonal in pairs", 1e-12, eigenspaces},
	"lemma10": {"cosines and norms that fall along (19) from α(0) ≤ 1 (number of steps at which one does)", 0,
		monotone},
	"log-rate": {"distance to the limit after 50,000 steps of figure 1 in the place of 1/log t, as a share of it", 1e-3,
		logRate},
	"bounds": {"random logits at which the loss exceeds a bound of Appendix A (number of them)", 0, bounds},
	"margin": {"random logits at which −L at γ = 1/(C−1) is below the margin (number of them)", 0, margins},
	"example1": {"a common shift of features and prototypes that changes no decision (number of tries without one " +
		"that does)", 0, shifted},
}

// flows compares Theorems 2 and 4 with the ODE.
func flows(lambda1, lambda2 float64) (float64, error) {
	off := 0.0
	for seed := range uint64(3) {
		s := dynamics.Gaussian(3+int(seed), 2+int(seed), 2, seed)
		for i := range s.B {
			s.B[i] = float64(i) - 0.5
		}
		const gamma, ratio, end = 0.3, 0.4, 5
		eta2 := dynamics.CosineRate{Initial: 0.5, Steps: 6}
		eta1 := dynamics.FuncRate(func(t float64) float64 { return ratio * eta2.At(t) })
		flow, err := dynamics.Regularized{Gamma: gamma, Lambda1: lambda1, Lambda2: lambda2,
			Rates: dynamics.Follow(ratio, eta2)}.From(s)
		if err != nil {
			return 0, err
		}
		want, err := brute.Flow(s, gamma, lambda1, lambda2, eta1, eta2, 0, end)
		if err != nil {
			return 0, err
		}
		miss, err := misses(flow, end, want)
		if err != nil {
			return 0, err
		}
		off = math.Max(off, miss)
	}
	return off, nil
}

// anchored compares Theorem 6 with the ODE in which prototypes have the learning rate 0.
func anchored() (float64, error) {
	s := dynamics.Gaussian(4, 3, 2, 6)
	rate := dynamics.CosineRate{Initial: 0.5, Steps: 9}
	const gamma, lambda, end = 0.4, 0.2, 7
	flow, err := dynamics.Anchored{Gamma: gamma, Lambda1: lambda, Rates: dynamics.Rates{W: rate}}.From(s)
	if err != nil {
		return 0, err
	}
	want, err := brute.Flow(s, gamma, lambda, 0, rate, dynamics.ConstantRate(0), 0, end)
	if err != nil {
		return 0, err
	}
	return misses(flow, end, want)
}

// misses returns the largest difference between a trajectory at a time and a state.
func misses(trajectory dynamics.Trajectory, time float64, want *dynamics.State) (float64, error) {
	point, err := trajectory.At(time)
	if err != nil {
		return 0, err
	}
	state, err := point.State()
	if err != nil {
		return 0, err
	}
	return apart(state, want), nil
}

// apart returns the largest difference of two states, biases included.
func apart(a, b *dynamics.State) float64 {
	off := 0.0
	for _, m := range [][2]*mat.Dense{{a.H, b.H}, {a.W, b.W}} {
		var d mat.Dense
		d.Sub(m[0], m[1])
		off = math.Max(off, mat.Norm(&d, math.Inf(1)))
	}
	return math.Max(off, floats.Distance(a.B, b.B, math.Inf(1)))
}

// sample draws a feature at an angle of less than π to its prototype, and the prototype, with α(0) ≤ 1.
func sample(rng *rand.Rand) (h, w []float64) {
	h, w = make([]float64, 4), make([]float64, 4)
	for i := range h {
		h[i], w[i] = rng.NormFloat64(), rng.NormFloat64()
	}
	floats.Scale(0.9*floats.Dot(h, h)/floats.Norm(w, 2), w) // α(0) = 0.9 at η = 1
	return h, w
}

// spherical compares (84) with (19), without or with RLR.
func spherical(rescale bool) (float64, error) {
	rng := rand.New(rand.NewPCG(7, 0))
	off := 0.0
	for range 20 {
		h, w := sample(rng)
		size := floats.Norm(h, 2)
		alpha, beta := floats.Norm(w, 2)/(size*size), floats.Dot(h, w)/(size*floats.Norm(w, 2))
		if rescale {
			alpha *= size
		}
		for range 50 {
			dynamics.SphericalStep(h, w, 1, rescale)
			grown := 1 + alpha*alpha*(1-beta*beta)
			beta = (beta + alpha*(1-beta*beta)) / math.Sqrt(grown)
			if alpha /= grown; rescale {
				alpha *= math.Sqrt(grown)
			}
			off = math.Max(off, math.Abs(beta-floats.Dot(h, w)/(floats.Norm(h, 2)*floats.Norm(w, 2))))
		}
	}
	return off, nil
}

// monotone counts steps of (19) at which the cosine or the norm falls by more than rounding.
func monotone() (float64, error) {
	rng := rand.New(rand.NewPCG(10, 0))
	falls := 0
	for range 50 {
		h, w := sample(rng)
		cosine := func() float64 { return floats.Dot(h, w) / (floats.Norm(h, 2) * floats.Norm(w, 2)) }
		for range 100 {
			before, norm := cosine(), floats.Norm(h, 2)
			dynamics.SphericalStep(h, w, 1, false)
			if cosine() < before-1e-14 || floats.Norm(h, 2) < norm*(1-1e-14) {
				falls++
			}
		}
	}
	return float64(falls), nil
}

// eigenspaces checks Lemma 9 and the projections of Lemmas 13 to 17.
func eigenspaces() (float64, error) {
	s := dynamics.Gaussian(3, 4, 5, 9)
	projection, err := s.Project()
	if err != nil {
		return 0, err
	}
	e, err := projection.Eigenspaces()
	if err != nil {
		return 0, err
	}
	parts := []*dynamics.State{e.E1Plus, e.E1Minus, e.E2Plus, e.E2Minus, e.E3}
	sum := &dynamics.State{H: mat.DenseCopyOf(e.E3.H), W: mat.DenseCopyOf(e.E3.W), B: s.B, Counts: s.Counts}
	off := 0.0
	for i, a := range parts {
		if i < 4 {
			sum.H.Add(sum.H, a.H)
			sum.W.Add(sum.W, a.W)
		}
		for _, b := range parts[:i] {
			inner := floats.Dot(a.H.RawMatrix().Data, b.H.RawMatrix().Data) + floats.Dot(a.W.RawMatrix().Data,
				b.W.RawMatrix().Data)
			off = math.Max(off, math.Abs(inner))
		}
	}
	return math.Max(off, apart(sum, s)), nil
}

// logRate returns the distance at the end of figure 1's curve for γ = 1/(C−1), times log t.
func logRate() (float64, error) {
	const p, c, n, steps = 64, 100, 10, 50_000
	s := dynamics.Gaussian(p, c, n, 1)
	s.W.Scale(math.Sqrt(2./p), s.W)
	flow, err := dynamics.Unconstrained{Gamma: 1. / (c - 1), Rates: dynamics.Constant(0.1, 0.1)}.From(s)
	if err != nil {
		return 0, err
	}
	point, err := flow.At(steps)
	if err != nil {
		return 0, err
	}
	return math.Exp(point.LogDistance()) * math.Log(steps), nil
}

// logits draws a label and logits of different magnitudes.
func logits(rng *rand.Rand) (s []float64, y int, gamma float64) {
	s = make([]float64, 2+rng.IntN(9))
	for i := range s {
		s[i] = 5 * rng.NormFloat64()
	}
	return s, rng.IntN(len(s)), rng.Float64() * 2
}

// loss is (1).
func loss(s []float64, y int, gamma float64) float64 { return gamma*(floats.Sum(s)-s[y]) - s[y] }

// bounds counts violations of L ≤ softplus(−s_y) + γ Σ softplus(s_j) and L ≤ (γ(C−1)−1)s_y + γ(C−1)·CE.
func bounds() (float64, error) {
	rng := rand.New(rand.NewPCG(1, 1))
	softplus := func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	count := 0
	for range 10_000 {
		s, y, gamma := logits(rng)
		others := float64(len(s) - 1)
		binary := softplus(-s[y])
		for j, v := range s {
			if j != y {
				binary += gamma * softplus(v)
			}
		}
		ce := floats.LogSumExp(s) - s[y]
		if l := loss(s, y, gamma); l > binary+1e-9 || l > (gamma*others-1)*s[y]+gamma*others*ce+1e-9 {
			count++
		}
	}
	return float64(count), nil
}

// margins counts violations of m ≤ −L at γ = 1/(C−1).
func margins() (float64, error) {
	rng := rand.New(rand.NewPCG(2, 1))
	count := 0
	for range 10_000 {
		s, y, _ := logits(rng)
		largest := math.Inf(-1)
		for j, v := range s {
			if j != y {
				largest = math.Max(largest, v)
			}
		}
		if s[y]-largest > -loss(s, y, 1/float64(len(s)-1))+1e-9 {
			count++
		}
	}
	return float64(count), nil
}

// shifted searches for a common shift Δ of features and sΔ of prototypes that changes a decision, as in Example 1.
func shifted() (float64, error) {
	rng := rand.New(rand.NewPCG(3, 1))
	s := dynamics.Gaussian(3, 4, 5, 3)
	decide := func(s *dynamics.State) []int {
		logits := new(mat.Dense)
		logits.Mul(s.W.T(), s.H)
		return dynamics.Predict(logits)
	}
	before := decide(s)
	for range 20 {
		moved := &dynamics.State{H: mat.DenseCopyOf(s.H), W: mat.DenseCopyOf(s.W), B: s.B, Counts: s.Counts}
		for i := range 3 {
			delta := 3 * rng.NormFloat64()
			floats.AddConst(delta, moved.H.RawRowView(i))
			floats.AddConst(0.5*delta, moved.W.RawRowView(i))
		}
		for k, class := range decide(moved) {
			if class != before[k] {
				return 0, nil
			}
		}
	}
	return 20, nil
}
