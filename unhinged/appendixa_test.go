package unhinged

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"gonum.org/v1/gonum/floats"
)

// wantLess checks small_i ≤ large_i up to rounding.
func wantLess(t *testing.T, what string, small, large []float64, tolerance float64) {
	t.Helper()
	for i := range small {
		if !(small[i] <= large[i]+tolerance*(1+math.Abs(large[i]))) {
			t.Errorf("%s: %.10g > %.10g", what, small[i], large[i])
		}
	}
}

// The inequalities of Appendix A must hold for random logits of random sizes and spreads, also at γ = 0.
func TestAppendixAInequalities(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		rng := rand.New(rand.NewPCG(31, 0))
		for _, gamma := range []float64{0, 0.02, 3} {
			b := randomBatch(rng, 40, 2+rng.IntN(9))
			for i := range b.logits {
				b.logits[i] *= math.Exp(rng.NormFloat64())
			}
			got := run(backend, func(inputs []*Node) map[string]*Node {
				labels, logits := inputs[:1], inputs[1:]
				onehot := OneHot(inputs[0], b.c, dtype)
				ratio := gamma * float64(b.c-1)
				others := MulScalar(ReduceSum(Mul(OneMinus(onehot), Sub(target(onehot, logits[0]), logits[0])), -1),
					1/float64(b.c-1))
				return map[string]*Node{
					"L":           Loss{&gamma, true}.Fn(labels, logits),
					"multibinary": MultiBinary{&gamma, true}.Fn(labels, logits),
					"ce": Add(MulScalar(Squeeze(target(onehot, logits[0]), -1), ratio-1),
						MulScalar(CrossEntropy{true}.Fn(labels, logits), ratio)),
					"default L": Loss{nil, true}.Fn(labels, logits),
					"-m":        Neg(SampleMargin(inputs[0], logits[0])),
					"page 5":    others,
				}
			}, b.labels, tensor(dtype, b.logits, b.n, b.c))
			wantLess(t, "L ≤ multi-binary CE", got["L"], got["multibinary"], tolerance)
			wantLess(t, "L ≤ (γ(C−1)−1)s_y + γ(C−1)CE (erratum E21)", got["L"], got["ce"], tolerance)
			wantLess(t, "L at 1/(C−1) ≤ −m", got["default L"], got["-m"], tolerance)
			floats.Scale(-1, got["page 5"]) // erratum E20: the average of margins on page 5 equals −L
			wantClose(t, "average of the negative margins", got["page 5"], got["default L"], tolerance*10)
		}
	})
}

func TestSampleMargin(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		b := randomBatch(rand.New(rand.NewPCG(32, 0)), 20, 5)
		want := make([]float64, b.n)
		for i, y := range b.labels {
			s := append([]float64(nil), b.logits[i*b.c:(i+1)*b.c]...)
			own := s[y]
			s[y] = math.Inf(-1)
			want[i] = own - floats.Max(s)
		}
		got := run(backend, func(inputs []*Node) map[string]*Node {
			return map[string]*Node{
				"numbers": SampleMargin(inputs[0], inputs[1]),
				"one-hot": SampleMargin(OneHot(inputs[0], b.c, dtype), inputs[1]),
			}
		}, b.labels, tensor(dtype, b.logits, b.n, b.c))
		wantAll(t, got, map[string][]float64{"numbers": want, "one-hot": want}, tolerance)
	})
}

// With W a simplex ETF and ‖h‖ = 1, the minimum of the loss is −(1+γ). Below the bound of erratum E9, the predicted
// class is right.
func TestAppendixABoundOnTheETF(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		rng := rand.New(rand.NewPCG(33, 0))
		for _, c := range []int{2, 3, 4, 10} {
			const gamma, slack = 0.7, 1e-4
			p := c + 2
			w := rows(t, p, c)
			bound := math.Sqrt(float64(c-2) / float64(2*(c-1)))
			var features []float64
			var labels []int32
			add := func(y int, h []float64) {
				features, labels = append(features, unit(h)...),
					append(labels, int32(y))
			}
			for range 200 { // random features, from arbitrary ones to ones near their prototype
				y := rng.IntN(c)
				h := normals(rng, p)
				floats.AddScaled(h, 4*rng.Float64(), w[y*p:(y+1)*p])
				add(y, h)
			}
			tight := len(labels) // just past the middle between two prototypes, and so just below the bound
			h := append([]float64(nil), w[:p]...)
			floats.AddScaled(h, 1+slack, w[p:2*p])
			if floats.Norm(h, 2) < 1e-3 { // C = 2: the prototypes are opposite and every h ⟂ w lies between them
				h = normals(rng, p)
				floats.AddScaled(h, -floats.Dot(h, w[:p])-slack, w[:p])
			}
			add(0, h)
			other := len(labels) // the prototype of another class
			add(0, w[p:2*p])
			best := len(labels)
			add(0, w[:p])
			got := run(backend, func(inputs []*Node) map[string]*Node {
				logits := MatMul(inputs[1], Transpose(inputs[2], 0, 1))
				return map[string]*Node{"L": Loss{new(gamma), true}.Fn(inputs[:1], []*Node{logits}),
					"m": SampleMargin(inputs[0], logits)}
			}, labels, tensor(dtype, features, len(labels), p), tensor(dtype, w, c, p))
			losses, margins := got["L"], got["m"]
			below := 0
			for i, l := range losses {
				if l < -(1+gamma)-tolerance {
					t.Errorf("C = %d: loss %.10g below the minimum −(1+γ)", c, l)
				}
				if l < -(1+gamma)*bound-tolerance {
					below++
					if margins[i] <= 0 {
						t.Errorf("C = %d: loss %.10g is below the bound %.10g but the class is wrong", c, l,
							-(1+gamma)*bound)
					}
				}
			}
			if below < 20 {
				t.Errorf("C = %d: only %d losses below the bound: nothing was tested", c, below)
			}
			wantClose(t, "loss at h = w_y", losses[best:best+1], []float64{-(1 + gamma)}, tolerance)
			if margins[tight] > 0 || math.Abs(losses[tight]+(1+gamma)*bound) > 10*slack {
				t.Errorf("C = %d: not tight: loss %.10g, bound %.10g, margin %.3g", c, losses[tight], -(1+gamma)*bound,
					margins[tight])
			}
			// Erratum E9: the printed bound, which lacks the sign, admits features of another class.
			if c >= 4 && !(losses[other] < (1+gamma)*bound && margins[other] < 0) {
				t.Errorf("C = %d: h = w_j has loss %.4g, printed bound %.4g, margin %.3g", c, losses[other],
					(1+gamma)*bound, margins[other])
			}
		}
	})
}
