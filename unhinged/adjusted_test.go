package unhinged

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged/etf"
	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
)

// rows returns an ETF of C prototypes in R^p as a row-major [C, p] slice.
func rows(t *testing.T, p, c int) []float64 {
	t.Helper()
	w, err := etf.Simplex(p, c, 11)
	if err != nil {
		t.Fatal(err)
	}
	var flat []float64
	for j := range c {
		for i := range p {
			flat = append(flat, w.At(i, j))
		}
	}
	return flat
}

// unit returns x/‖x‖.
func unit(x []float64) []float64 {
	return floats.ScaleTo(make([]float64, len(x)), 1/floats.Norm(x, 2), x)
}

// printedDelta returns δ of (104): with sign = −1 as corrected by erratum E8, and with sign = +1 as printed.
func printedDelta(w, h []float64, epsilon, sign float64) []float64 {
	direction := unit(h)
	c := floats.Dot(unit(w), direction)
	factor := -(1 + c*math.Sqrt(1-(1-epsilon)*(1-epsilon))/((1-epsilon)*math.Sqrt(1-c*c)))
	delta := append([]float64(nil), w...)
	floats.AddScaled(delta, sign*floats.Dot(direction, w), direction)
	floats.Scale(factor, delta)
	return delta
}

// Erratum E8: the cosine of w_y + δ and ĥ is −1 + ε with the corrected δ, and it is not with the printed one.
func TestErratumE8(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 0))
	for range 20 {
		p := 2 + rng.IntN(6)
		epsilon := 0.01 + 0.5*rng.Float64()
		w, h := normals(rng, p), normals(rng, p)
		cosine := func(sign float64) float64 {
			sum := printedDelta(w, h, epsilon, sign)
			floats.Add(sum, w)
			return floats.Dot(unit(sum), unit(h))
		}
		if floats.Dot(w, h) > 0 { // (104) uses δ near c = −1 only; for c > 0 w_y + δ has cosine 1 − ε
			floats.Scale(-1, h)
		}
		if got := cosine(-1); math.Abs(got-(epsilon-1)) > 1e-9 {
			t.Errorf("corrected: cosine %.12g, want %.12g", got, epsilon-1)
		}
		if got := cosine(+1); math.Abs(got-(epsilon-1)) < 1e-3 {
			t.Errorf("as printed: cosine %.12g is −1+ε = %.12g too", got, epsilon-1)
		}
	}
}

// The value and the gradient by the features are compared with (104), where δ is frozen, on both sides of −1+ε.
func TestAdjustedLossAgainstThePaper(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		const p, c, gamma, epsilon = 5, 4, 0.3, 0.2
		rng := rand.New(rand.NewPCG(22, 0))
		w := rows(t, p, c)
		labels := []int32{0, 1, 2, 3, 0, 1}
		features := normals(rng, len(labels)*p)
		for i := range 4 { // the first four are nearly opposite to their prototypes
			y := int(labels[i])
			h := features[i*p : (i+1)*p]
			floats.Scale(0.1, h)
			floats.AddScaled(h, -1.5, w[y*p:(y+1)*p])
		}
		floats.Add(features[4*p:], append(w[:p:p], w[p:2*p]...)) // the others are not
		adjusted := 0
		deltas := make([][]float64, len(labels))
		for i, y := range labels {
			own, h := w[int(y)*p:(int(y)+1)*p], features[i*p:(i+1)*p]
			if floats.Dot(own, unit(h)) < -1+epsilon {
				deltas[i] = printedDelta(own, h, epsilon, -1)
				adjusted++
			}
		}
		if adjusted != 4 {
			t.Fatalf("%d examples beyond −1+ε, the test is made for 4", adjusted)
		}
		each := func(features []float64, i int) float64 {
			direction := unit(features[i*p : (i+1)*p])
			y := int(labels[i])
			if deltas[i] != nil {
				own := floats.AddTo(make([]float64, p), w[y*p:(y+1)*p], deltas[i])
				return -(1 + gamma) * floats.Dot(own, direction)
			}
			s := make([]float64, c)
			for j := range s {
				s[j] = floats.Dot(w[j*p:(j+1)*p], direction)
			}
			return naive["unhinged"](s, y, gamma)
		}
		want := map[string][]float64{}
		for i := range labels {
			want["each"] = append(want["each"], each(features, i))
		}
		want["mean"] = []float64{mean(want["each"])}
		want["gradient"] = fd.Gradient(nil, func(x []float64) float64 {
			sum := 0.0
			for i := range labels {
				sum += each(x, i)
			}
			return sum / float64(len(labels))
		}, features, &fd.Settings{Formula: fd.Central})
		got := run(backend, func(inputs []*Node) map[string]*Node {
			l := AdjustedLoss{Gamma: new(gamma), Epsilon: epsilon}
			predictions := []*Node{nil, inputs[1], inputs[2]}
			mean := l.Fn(inputs[:1], predictions)
			l.PerExample = true
			return map[string]*Node{"each": l.Fn(inputs[:1], predictions), "mean": mean, "gradient": Gradient(mean,
				inputs[1])[0]}
		}, labels, tensor(dtype, features, len(labels), p), tensor(dtype, w, c, p))
		wantAll(t, got, want, math.Max(tolerance*10, 1e-7)) // −k is up to 10 here and multiplies the rounding of 1−c²
	})
}

// At c = −1 the unhinged loss of normalised features has no gradient, so that gradient descent stays there for ever
// (Theorem 7), or until rounding errors have grown; the rate here is too small for that. With the adjusted loss, the
// feature leaves in one tangential direction and reaches its prototype.
func TestAdjustedLossLeavesTheStuckPoint(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		const p, c, epsilon, rate = 4, 3, 0.1, 5
		w := rows(t, p, c)
		features := make([]float64, c*p)
		floats.AddScaled(features, -2, w)
		labels := []int32{0, 1, 2}
		step := MustNewExec(backend, func(labels, plain, adjusted, prototypes *Node) []*Node {
			fixed := Loss{}.Fn([]*Node{labels}, []*Node{MatMul(L2Normalize(plain, -1), Transpose(prototypes, 0, 1))})
			moving := AdjustedLoss{Epsilon: epsilon}.Fn([]*Node{labels}, []*Node{nil, adjusted, prototypes})
			gradient := Gradient(moving, adjusted)[0]
			return []*Node{
				Sub(plain, MulScalar(Gradient(fixed, plain)[0], rate/10)), Sub(adjusted, MulScalar(gradient, rate)),
				Squeeze(L2Norm(gradient, -1), -1), ReduceSum(Mul(gradient, adjusted), -1),
			}
		})
		defer step.Finalize()
		prototypes := tensor(dtype, w, c, p)
		plain, adjusted := tensor(dtype, features, c, p), tensor(dtype, features, c, p)
		got := map[string][]float64{}
		for i := range 40 {
			outputs := step.MustCall(labels, plain, adjusted, prototypes)
			if i == 0 {
				got["size"], got["along h"] = floats64(outputs[2]), floats64(outputs[3])
			}
			plain, adjusted = outputs[0], outputs[1]
		}
		for name, features := range map[string][]float64{"plain": floats64(plain), "adjusted": floats64(adjusted)} {
			for i := range c {
				got[name] = append(got[name], floats.Dot(unit(features[i*p:(i+1)*p]), w[i*p:(i+1)*p]))
			}
		}
		// the size of the gradient of a mean over C samples: (1+γ)‖w‖√(1−(1−ε)²)/((1−ε)‖h‖C)
		size := 1.5 * math.Sqrt(1-0.9*0.9) / (0.9 * 2) / c
		wantClose(t, "plain", got["plain"], []float64{-1, -1, -1}, tolerance)
		wantClose(t, "adjusted", got["adjusted"], []float64{1, 1, 1}, 1e-3)
		wantClose(t, "size", got["size"], []float64{size, size, size}, tolerance)
		wantClose(t, "along h", got["along h"], []float64{0, 0, 0}, tolerance)
	})
}

func TestAdjustedLossRefuses(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		features := tensor(dtypes.Float32, []float64{1, 0}, 1, 2)
		w := tensor(dtypes.Float32, []float64{1, 0, -1, 0}, 2, 2)
		for _, epsilon := range []float64{0, 1, -1, math.NaN()} {
			if _, err := ExecOnce(backend, func(inputs []*Node) *Node {
				return AdjustedLoss{Epsilon: epsilon}.Fn(inputs[:1], []*Node{nil, inputs[1], inputs[2]})
			}, []int32{0}, features, w); err == nil {
				t.Errorf("ε = %g: no error", epsilon)
			}
		}
	})
}
