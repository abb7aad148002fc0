package dynamics

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/etf"
	"gonum.org/v1/gonum/mat"
)

// fromZero returns an ETF with features at 0.
func fromZero(t *testing.T, classes int) *ClassMeans {
	t.Helper()
	w := must[*mat.Dense](t)(etf.Simplex(classes-1, classes, 1))
	return &ClassMeans{W: w, H: mat.NewDense(classes-1, classes, nil)}
}

// randomSizes draws sizes that are all different.
func randomSizes(rng *rand.Rand) Classes {
	c := Classes{Sizes: LongTail(2+rng.IntN(8), 20+rng.IntN(100), 2+30*rng.Float64())}
	c.Gamma = 1 / float64(len(c.Sizes)-1)
	return c
}

// TestShiftLimit checks anchored class means. The plain rule decides each class correctly up to the limit of the class,
// for any weight decay and time; beyond the limit it chooses the largest class. The centred rule is always correct.
func TestShiftLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 13))
	for range 100 {
		c := randomSizes(rng)
		y := rng.IntN(len(c.Sizes))
		limit := c.ShiftLimit(y)
		if c.Sizes[y] == c.Sizes[0] {
			if !math.IsInf(limit, 1) {
				t.Errorf("%v: the limit of a largest class is %g", c.Sizes, limit)
			}
			continue
		}
		for _, factor := range []float64{0.999, 1.001} {
			c.Shift = factor * limit
			f := Imbalanced{Classes: c, Anchored: true, Lambda1: []float64{0, 0.3}[rng.IntN(2)], Rates: Constant(1, 1)}
			flow := must[*ClassFlow](t)(f.From(fromZero(t, len(c.Sizes))))
			m := must[*ClassMeans](t)(flow.At(0.1 + 10*rng.Float64()))
			if got, want := m.Decide(false)[y], map[bool]int{true: y, false: 0}[factor < 1]; got != want {
				t.Errorf("%v, c = %g of the limit: class %d is decided as %d, want %d", c.Sizes, factor, y, got, want)
			}
			if m.Accuracy(true) != 1 {
				t.Errorf("%v, c = %g: accuracy %g on centred features", c.Sizes, c.Shift, m.Accuracy(true))
			}
		}
	}
}

// TestReleased checks that under gradient flow with EFR, a class that the shift hides is decided correctly from the
// computed time on.
func TestReleased(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 13))
	for range 100 {
		c := randomSizes(rng)
		y := 1 + rng.IntN(len(c.Sizes)-1)
		c.Shift = math.Exp(4 * rng.NormFloat64())
		const lambda = 0.2
		f := Imbalanced{Classes: c, Anchored: true, Penalty: true, Lambda1: lambda, Rates: Constant(1, 1)}
		flow := must[*ClassFlow](t)(f.From(fromZero(t, len(c.Sizes))))
		released := c.Released(y) / lambda
		if (released == 0) != (c.Shift <= c.ShiftLimit(y)) {
			t.Errorf("%v, c = %g: released at %g", c.Sizes, c.Shift, released)
		}
		if released > 0 {
			if before := must[*ClassMeans](t)(flow.At(0.999 * released)).Decide(false)[y]; before != 0 {
				t.Errorf("%v, c = %g: class %d is decided as %d before its release", c.Sizes, c.Shift, y, before)
			}
		}
		if after := must[*ClassMeans](t)(flow.At(1.001*released + 1e-6)).Decide(false)[y]; after != y {
			t.Errorf("%v, c = %g: class %d is decided as %d after its release", c.Sizes, c.Shift, y, after)
		}
	}
	big := Classes{Sizes: []int{90, 10}, Gamma: 1, Shift: 1e9}
	closeTo(t, "release at a large shift", big.Released(1), math.Log1p(0.8), 1e-6)
}

// TestStepShiftLimit: if prototypes learn, a shift below the limit keeps majority prototypes apart. Beyond the limit
// they coincide, and the plain rule assigns every class mean to the majority.
func TestStepShiftLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 13))
	for range 100 {
		s := Step{Majority: 2 + rng.IntN(3), Minority: 1 + rng.IntN(4), Small: 1 + rng.IntN(5)}
		s.Large = s.Small + 1 + rng.IntN(50)
		c := Classes{Sizes: s.Sizes(), Gamma: 1 / float64(s.Majority+s.Minority-1)}
		for _, factor := range []float64{0.5, 2} {
			c.Shift = factor * s.ShiftLimit()
			f := Imbalanced{Classes: c, Rates: Constant(1, 1)}
			m := must[*ClassMeans](t)(must[*ClassFlow](t)(f.From(Unstructured(c.Sizes, 1))).At(1e4 * c.samples()))
			majority := m.Cosine(0, 1)
			if factor < 1 && majority > 0.5 || factor > 1 && majority < 0.999 {
				t.Errorf("%+v, c = %g of the limit: majority prototypes have the cosine %g", s, factor, majority)
			}
			if factor < 1 {
				continue
			}
			for y, decided := range m.Decide(false) {
				if decided >= s.Majority {
					t.Errorf("%+v, c = %g of the limit: class %d is decided as %d", s, factor, y, decided)
				}
			}
		}
	}
}

// TestShiftLimitOfUnseen: let the kernel of an unseen point be q + c with one training sample of its class, and c with
// all others. The limit of the point is then q times the limit of its class.
func TestShiftLimitOfUnseen(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 13))
	for range 30 {
		c := Classes{Sizes: []int{6 + rng.IntN(6), 1 + rng.IntN(5), 1 + rng.IntN(5)}, Gamma: 0.5}
		y, q, n := 1+rng.IntN(2), 0.1+0.9*rng.Float64(), int(c.samples())
		for _, factor := range []float64{0.99, 1.01} {
			c.Shift = factor * q * c.ShiftLimit(y)
			s := &State{H: mat.NewDense(2, n, nil), W: fromZero(t, 3).W, B: make([]float64, 3), Counts: c.Sizes}
			flow := must[*KernelFlow](t)(Invariant{Gamma: c.Gamma, Rates: Constant(1, 1), Anchored: true,
				Kernel: Kernel{Samples: sharedKernel(c)}}.From(s))
			star := mat.NewDense(n, 1, nil)
			for i, label := range s.Labels() {
				star.Set(i, 0, c.Shift)
				if label == y && (i == 0 || s.Labels()[i-1] != y) { // the first sample of its class
					star.Set(i, 0, c.Shift+q)
				}
			}
			unseen := must[*Unseen](t)(flow.Test(mat.NewDense(2, 1, nil), star))
			decided := must[[]int](t)(unseen.Predict(must[Point](t)(flow.At(3)), false))[0]
			if want := map[bool]int{true: y, false: 0}[factor < 1]; decided != want {
				t.Errorf("%v, q = %g, c = %g of the limit: decided as %d, want %d", c.Sizes, q, factor, decided, want)
			}
		}
	}
}
