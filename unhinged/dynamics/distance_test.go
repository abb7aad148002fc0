package dynamics

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// bigPrecision is the precision of the references in this file, in bits.
const bigPrecision = 200

func bigOf(x float64) *big.Float { return new(big.Float).SetPrec(bigPrecision).SetFloat64(x) }

// bigMatrix is a matrix with high precision.
type bigMatrix [][]*big.Float

func bigMatrixOf(m mat.Matrix) bigMatrix {
	rows, cols := m.Dims()
	out := make(bigMatrix, rows)
	for i := range out {
		for j := range cols {
			out[i] = append(out[i], bigOf(m.At(i, j)))
		}
	}
	return out
}

// times returns a·b.
func (a bigMatrix) times(b bigMatrix) bigMatrix {
	out := make(bigMatrix, len(a))
	product := bigOf(0)
	for i := range a {
		for j := range b[0] {
			sum := bigOf(0)
			for k := range b {
				sum.Add(sum, product.Mul(a[i][k], b[k][j]))
			}
			out[i] = append(out[i], sum)
		}
	}
	return out
}

// update sets v = momentum·v + gradient + lambda·x and x = x − eta·v.
func (x bigMatrix) update(v, gradient bigMatrix, momentum, lambda, eta float64) {
	term := bigOf(0)
	for i := range x {
		for j := range x[i] {
			v[i][j].Mul(v[i][j], bigOf(momentum))
			v[i][j].Add(v[i][j], gradient[i][j])
			v[i][j].Add(v[i][j], term.Mul(bigOf(lambda), x[i][j]))
			x[i][j].Sub(x[i][j], term.Mul(bigOf(eta), v[i][j]))
		}
	}
}

// bigDistance returns ‖x/‖x‖ − t/‖t‖‖ over the given blocks.
func bigDistance(x, t []bigMatrix) float64 {
	norm := func(of []bigMatrix) *big.Float {
		sum, square := bigOf(0), bigOf(0)
		for _, m := range of {
			for _, row := range m {
				for _, v := range row {
					sum.Add(sum, square.Mul(v, v))
				}
			}
		}
		return sum.Sqrt(sum)
	}
	normX, normT := norm(x), norm(t)
	sum := bigOf(0)
	for b := range x {
		for i, row := range x[b] {
			for j, v := range row {
				gap := bigOf(0).Quo(v, normX)
				gap.Sub(gap, bigOf(0).Quo(t[b][i][j], normT))
				sum.Add(sum, gap.Mul(gap, gap))
			}
		}
	}
	d, _ := sum.Sqrt(sum).Float64()
	return d
}

// bigDescent runs gradient descent on the full (H, W) with high precision.
func bigDescent(q problem, momentum float64, rates Rates, steps int) (h, w bigMatrix) {
	m := q.state.M(q.gamma)
	m.Scale(-1, m)
	down, downT := bigMatrixOf(m), bigMatrixOf(m.T()) // −M
	h, w = bigMatrixOf(q.state.H), bigMatrixOf(q.state.W)
	p, c, n := q.state.Dims()
	vh, vw := bigMatrixOf(mat.NewDense(p, n, nil)), bigMatrixOf(mat.NewDense(p, c, nil))
	for t := range steps {
		gh, gw := w.times(down), h.times(downT)
		h.update(vh, gh, momentum, q.l1, rates.Features(float64(t)))
		w.update(vw, gw, momentum, q.l2, rates.W.At(float64(t)))
	}
	return h, w
}

// bigFlow is gradient flow on the full (H, W) with high precision, for η1 = ExponentialRate and a constant η2. It sums
// the Taylor series of the flow over one unit of time after the other.
func bigFlow(q problem, rates Rates, end int) (h, w bigMatrix) {
	const order = 24
	m := q.state.M(q.gamma)
	right, rightT := bigMatrixOf(m), bigMatrixOf(m.T())
	h, w = bigMatrixOf(q.state.H), bigMatrixOf(q.state.W)
	log, eta2 := math.Log(rates.H.(ExponentialRate).Factor), rates.W.At(0)
	// slope returns x·m − lambda·y.
	slope := func(x, m, y bigMatrix, lambda float64) bigMatrix {
		out, term := x.times(m), bigOf(0)
		for i := range out {
			for j := range out[i] {
				out[i][j].Sub(out[i][j], term.Mul(bigOf(lambda), y[i][j]))
			}
		}
		return out
	}
	for t := range end {
		var slopes []bigMatrix // the derivatives of h, without η1
		hn, wn := h, w         // coefficients of order n
		h, w = h.plus(1, nil), w.plus(1, nil)
		for n := range order {
			slopes = append(slopes, slope(wn, right, hn, q.l1))
			wn = slope(hn, rightT, wn, q.l2).plus(eta2/float64(n+1), nil)
			hn = slopes[0].plus(0, nil)
			rate := rates.H.At(float64(t)) // its coefficients are η1·logᵏ/k!
			for k := range n + 1 {
				hn = hn.plus(1, slopes[n-k].plus(rate/float64(n+1), nil))
				rate *= log / float64(k+1)
			}
			h, w = h.plus(1, hn), w.plus(1, wn)
		}
	}
	return h, w
}

// plus returns scale·a + b, where b may be nil.
func (a bigMatrix) plus(scale float64, b bigMatrix) bigMatrix {
	out := make(bigMatrix, len(a))
	for i := range a {
		for j, v := range a[i] {
			sum := bigOf(0).Mul(bigOf(scale), v)
			if b != nil {
				sum.Add(sum, b[i][j])
			}
			out[i] = append(out[i], sum)
		}
	}
	return out
}

// decaying returns rates that are not proportional, because η1 or η2 falls much faster than the other. One of ‖H‖ and
// ‖W‖ then becomes far larger than the other.
func decaying(rng *rand.Rand, q problem) Rates {
	fast := ExponentialRate{q.eta2, 0.5 + 0.4*rng.Float64()}
	slow := []Schedule{ConstantRate(q.eta2), StepRate{q.eta2, 0.8, 20},
		FuncRate(func(t float64) float64 { return q.eta2 / (1 + t/50) })}[rng.IntN(3)]
	if rng.IntN(4) == 0 {
		return Rates{W: fast, H: slow}
	}
	return Rates{W: slow, H: fast}
}

// logDistances returns those of a point of either engine.
type logDistances interface {
	LogDistance() float64
	LogDistanceH() float64
	LogDistanceW() float64
}

// TestDistancesOfDecayingRates compares the distances of both engines with the same trajectory in high precision, for
// rates of H that differ from those of W. The error must be float64's rounding, 10⁻¹⁶ relative to each part of the
// state, and not relative to the larger part.
func TestDistancesOfDecayingRates(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 3))
	for range 30 {
		q := randomProblem(rng)
		if rng.IntN(2) == 0 { // then nothing limits the growth of W
			q.l1, q.l2 = 0, 0
		}
		rates, steps, momentum := decaying(rng, q), 20+rng.IntN(200), 0.9*float64(rng.IntN(2))
		what := fmt.Sprintf("%v, %T and %T, momentum %g, %d steps", q, rates.W, rates.H, momentum, steps)
		flow, kernel := q.bothEngines(t, rates)
		h, w := bigDescent(q, momentum, rates, steps)
		sameDistances(t, what+", linear", must[Point](t)(must[*Descent](t)(flow.Descent(momentum)).At(steps)),
			flow.Collapse().Direction(), h, w, 1e-15)
		sameDistances(t, what+", kernel", must[Point](t)(must[*Descent](t)(kernel.Descent(momentum)).At(steps)),
			must[Limit](t)(kernel.Limit()).Point.Direction(), h, w, 1e-15)
	}
}

// TestDistancesOfDecayingFlow does the same for gradient flow, which is integrated with a relative error of 10⁻¹² in
// each step.
func TestDistancesOfDecayingFlow(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 3))
	for range 10 {
		q := randomProblem(rng)
		rates, end := Rates{W: ConstantRate(q.eta2), H: ExponentialRate{q.eta2, 0.2 + 0.5*rng.Float64()}},
			10+rng.IntN(20)
		what := fmt.Sprintf("%v, to %d", q, end)
		flow, kernel := q.bothEngines(t, rates)
		h, w := bigFlow(q, rates, end)
		time := float64(end)
		sameDistances(t, what+", linear", must[Point](t)(flow.At(time)), flow.Collapse().Direction(), h, w, 1e-11)
		sameDistances(t, what+", kernel", must[Point](t)(kernel.At(time)),
			must[Limit](t)(kernel.Limit()).Point.Direction(), h, w, 1e-11)
	}
}

// bothEngines returns the linear engine's flow and the kernel engine's flow with the kernel I.
func (q problem) bothEngines(t *testing.T, rates Rates) (*Flow, *KernelFlow) {
	t.Helper()
	return q.flow(t, rates), must[*KernelFlow](t)(Invariant{Gamma: q.gamma, Lambda1: q.l1, Lambda2: q.l2,
		Rates: rates}.From(q.state))
}

// sameDistances compares a point's distances to a limit with those of (h, w).
func sameDistances(t *testing.T, what string, at logDistances, limit *State, h, w bigMatrix, tolerance float64) {
	t.Helper()
	hBar, wBar := bigMatrixOf(limit.H), bigMatrixOf(limit.W)
	for _, of := range []struct {
		name string
		log  float64
		x, t []bigMatrix
	}{
		{"H", at.LogDistanceH(), []bigMatrix{h}, []bigMatrix{hBar}},
		{"W", at.LogDistanceW(), []bigMatrix{w}, []bigMatrix{wBar}},
		{"Z", at.LogDistance(), []bigMatrix{h, w}, []bigMatrix{hBar, wBar}},
	} {
		want := bigDistance(of.x, of.t)
		if got := math.Exp(of.log); !(math.Abs(got-want) <= tolerance) {
			t.Errorf("%s: distance of %s = %.17g, want %.17g", what, of.name, got, want)
		}
	}
}

// TestDistancesAfterDecay: η1 decays to zero while W continues to grow, until ‖W‖ is 10⁴ times ‖H‖. The expected
// distances come from an independent computation in high precision.
func TestDistancesAfterDecay(t *testing.T) {
	const steps = 200_000
	s := Gaussian(8, 4, 3, 1)
	rates := Rates{W: ConstantRate(0.5), H: ExponentialRate{0.5, 0.995}}
	flow := must[*Flow](t)(Unconstrained{Gamma: 0.3, Rates: rates}.From(s))
	kernel := must[*KernelFlow](t)(Invariant{Gamma: 0.3, Rates: rates}.From(s))
	for _, of := range []struct {
		name     string
		want     float64
		accuracy float64
		point    func() logDistances
	}{
		{"momentum 0.9, linear", 2.364e-3, 1e-6,
			func() logDistances { return must[Point](t)(must[*Descent](t)(flow.Descent(0.9)).At(steps)) }},
		{"momentum 0.9, kernel", 2.364e-3, 1e-6, func() logDistances {
			return must[Point](t)(must[*Descent](t)(kernel.Descent(0.9)).At(steps))
		}},
		{"linear", 5.1034e-3, 1e-7,
			func() logDistances { return must[Point](t)(must[*Descent](t)(flow.Descent(0)).At(steps)) }},
		{"kernel", 5.1034e-3, 1e-7, func() logDistances {
			return must[Point](t)(must[*Descent](t)(kernel.Descent(0)).At(steps))
		}},
		{"flow, linear", 5.632e-3, 1e-6, func() logDistances { return must[Point](t)(flow.At(steps)) }},
		{"flow, kernel", 5.632e-3, 1e-6, func() logDistances { return must[Point](t)(kernel.At(steps)) }},
	} {
		if got := math.Exp(of.point().LogDistanceH()); !(math.Abs(got-of.want) < of.accuracy) {
			t.Errorf("%s: distance of H = %.8g, want %.5g", of.name, got, of.want)
		} else {
			t.Logf("%s: %.17g", of.name, got)
		}
	}
}
