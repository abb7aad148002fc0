package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

type problem struct {
	state            *State
	gamma, l1, l2, s float64
	eta2             float64
}

func randomProblem(rng *rand.Rand) problem {
	q := problem{state: randomState(rng, rng.IntN(2) == 0), s: 1}
	_, c, _ := q.state.Dims()
	q.gamma = randomGamma(rng, c)
	if rng.IntN(2) == 0 {
		q.s = math.Exp(rng.NormFloat64())
	}
	q.eta2 = (0.05 + rng.Float64()) / (1 + q.s) // descent must be stable, or brute force loses digits
	switch rng.IntN(4) {
	case 0: // without regularisation
	case 1: // λ = λ*
		q.l1 = CriticalLambda(q.gamma, c, q.state.Counts[0])
		q.l2 = q.l1
	case 2:
		q.l1, q.l2 = rng.Float64(), rng.Float64()
	case 3:
		q.l1 = rng.Float64()
		q.l2 = q.l1 * q.s // λ1ζ1 = λ2ζ2: the printed quotient of Theorem 4 is 0/0 where σ = 0
	}
	return q
}

func (q problem) String() string {
	p, c, n := q.state.Dims()
	return fmt.Sprintf("p=%d C=%d n=%d counts=%v γ=%.4g λ=(%.3g, %.3g) s=%.3g η2=%.3g", p, c, n, q.state.Counts,
		q.gamma, q.l1, q.l2, q.s, q.eta2)
}

func (q problem) flow(t *testing.T, rates Rates) *Flow {
	t.Helper()
	f, err := Regularized{Gamma: q.gamma, Lambda1: q.l1, Lambda2: q.l2, Rates: rates}.From(q.state)
	if err != nil {
		t.Fatal(q, err)
	}
	return f
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestFlowIsTheMatrixExponential(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		q := randomProblem(rng)
		time := 20 * rng.Float64()
		want := bruteFlow(q.state, q.gamma, q.l1, q.l2, q.s*q.eta2, q.eta2, time)
		point := must[Point](t)(q.flow(t, Constant(q.s*q.eta2, q.eta2)).At(time))
		closeStates(t, q.String(), must[*State](t)(point.State()), want, 1e-11)
	}
}

func TestDescentIsGradientDescent(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for range 60 {
		q := randomProblem(rng)
		steps := rng.IntN(80)
		momentum := 0.0
		schedules := []Schedule{
			ConstantRate(q.eta2), CosineRate{q.eta2, 50}, StepRate{q.eta2, 0.3, 20}, ExponentialRate{q.eta2, 0.97},
			FuncRate(func(t float64) float64 { return q.eta2 / (1 + t) }),
		}
		rates := Follow(q.s, schedules[rng.IntN(len(schedules))])
		if rng.IntN(2) == 0 {
			momentum = 0.9 * rng.Float64()
		}
		if rng.IntN(3) == 0 { // not proportional
			rates.H = schedules[rng.IntN(len(schedules))]
		}
		want := bruteDescent(q.state, q.gamma, q.l1, q.l2, momentum, rates.Features, rates.W.At, false, steps)
		d := must[*Descent](t)(q.flow(t, rates).Descent(momentum))
		point := must[Point](t)(d.At(steps))
		what := fmt.Sprintf("%v, %T %T, momentum %.2g, %d steps", q, rates.W, rates.H, momentum, steps)
		closeStates(t, what, must[*State](t)(point.State()), want, 1e-10)
	}
}

func TestRatesThatAreNotProportional(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for range 20 {
		q := randomProblem(rng)
		rates := Rates{W: CosineRate{q.eta2, 30}, H: ExponentialRate{q.s * q.eta2, 0.9}}
		flow := q.flow(t, rates)
		want := must[*State](t)(WholeFlow(q.state, q.gamma, q.l1, q.l2, rates.H, rates.W, 0, 25))
		closeStates(t, q.String(), must[*State](t)(must[Point](t)(flow.At(25)).State()), want, 1e-9)
	}
}

func TestAnchoredIsTheorem6(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for range 40 {
		q := randomProblem(rng)
		schedules := []Schedule{ConstantRate(q.eta2), CosineRate{q.eta2, 50}}
		rate, momentum, steps := schedules[rng.IntN(2)], 0.5*float64(rng.IntN(2)), rng.IntN(80)
		flow := must[*AnchoredFlow](t)(Anchored{q.gamma, q.l1, Rates{H: rate}}.From(q.state))
		d := must[*Descent](t)(flow.Descent(momentum))
		want := bruteDescent(q.state, q.gamma, q.l1, q.l2, momentum, rate.At, rate.At, true, steps)
		closeStates(t, q.String(), must[*State](t)(must[Point](t)(d.At(steps)).State()), want, 1e-11)

		// (17): H(t) = e^{−λζ}H0 + ((1−e^{−λζ})/λ) W M, and H(t) = H0 + ζW M for λ = 0.
		time := 30 * rng.Float64()
		zeta := rate.Integral(time)
		gain := zeta
		if q.l1 > 0 {
			gain = -math.Expm1(-q.l1*zeta) / q.l1
		}
		var wm mat.Dense
		wm.Mul(q.state.W, q.state.M(q.gamma))
		want = q.state.Clone()
		want.H.Apply(func(i, j int, v float64) float64 { return math.Exp(-q.l1*zeta)*v + gain*wm.At(i, j) }, want.H)
		point := must[Point](t)(flow.At(time))
		closeStates(t, q.String(), must[*State](t)(point.State()), want, 1e-12)
		if mat.Norm(&wm, 2) > 1e-9 {
			closeTo(t, "distance to W M", math.Exp(point.LogDistanceH()), normalizedDistance(want.H, &wm), 1e-12)
			if q.l1 > 0 {
				limit := want.Clone()
				limit.H.Scale(1/q.l1, &wm)
				end := must[Limit](t)(flow.Limit())
				closeStates(t, "limit", must[*State](t)(end.Point.State()), limit, 1e-12)
				closeTo(t, "rate", end.Rate, q.l1, 0)
				var gap mat.Dense
				gap.Sub(want.H, limit.H)
				closeTo(t, "gap to W M/λ", math.Exp(point.LogGapH()), mat.Norm(&gap, 2), 1e-11)
				closeTo(t, "distance of Z", math.Exp(point.LogDistance()), normalizedDistance(stack(want),
					stack(limit)), 1e-11)
			}
		}
	}
}

func normalizedDistance(a, b mat.Matrix) float64 {
	var x, y mat.Dense
	x.Scale(1/mat.Norm(a, 2), a)
	y.Scale(1/mat.Norm(b, 2), b)
	x.Sub(&x, &y)
	return mat.Norm(&x, 2)
}

func stack(s *State) mat.Matrix {
	var z mat.Dense
	z.Augment(s.H, s.W)
	return &z
}

func TestObservables(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range 150 {
		q := randomProblem(rng)
		flow := q.flow(t, Constant(q.s*q.eta2, q.eta2))
		time := 30 * rng.Float64()
		point := must[Point](t)(flow.At(time))
		s := must[*State](t)(point.State())
		bar := must[*State](t)(flow.Collapse().State())
		loss, accuracy, slack := observe(s, q.gamma, false)
		_, withBias, slackBias := observe(s, q.gamma, true)
		got, logAbs := point.Loss()
		size := 1 + math.Exp(2*point.LogNormZ()) // approximately the sum of the absolute terms
		closeTo(t, q.String()+" loss", got/size, loss/size, 1e-13)
		closeTo(t, "ln|loss|", logAbs, math.Log(math.Abs(got)), 1e-12)
		if slack > 1e-12 {
			closeTo(t, q.String()+" accuracy", point.Accuracy(false), accuracy, 0)
		}
		if slackBias > 1e-12 {
			closeTo(t, q.String()+" accuracy with biases", point.Accuracy(true), withBias, 0)
		}
		closeTo(t, "‖H‖", math.Exp(point.LogNormH()), mat.Norm(s.H, 2), 1e-12)
		closeTo(t, "‖W‖", math.Exp(point.LogNormW()), mat.Norm(s.W, 2), 1e-12)
		closeTo(t, "‖Z‖", math.Exp(point.LogNormZ()), mat.Norm(stack(s), 2), 1e-12)
		if mat.Norm(bar.H, 2) < 1e-9 || mat.Norm(bar.W, 2) < 1e-9 {
			continue // there is no direction
		}
		closeTo(t, q.String()+" distance", math.Exp(point.LogDistance()), normalizedDistance(stack(s), stack(bar)),
			1e-13)
		closeTo(t, q.String()+" distance of H", math.Exp(point.LogDistanceH()), normalizedDistance(s.H, bar.H), 1e-13)
		closeTo(t, q.String()+" distance of W", math.Exp(point.LogDistanceW()), normalizedDistance(s.W, bar.W), 1e-13)
		var gap mat.Dense
		gap.Sub(s.W, bar.W)
		closeTo(t, q.String()+" gap of W", math.Exp(point.LogGapW()), mat.Norm(&gap, 2), 1e-11)
		closeTo(t, "direction", mat.Norm(stack(point.Direction()), 2), 1, 1e-12)
	}
}
