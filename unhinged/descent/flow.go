package descent

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/unhinged-lab/lab/internal/dormandprince"
)

// triesAtOnce is the largest number of steps of the flow, rejected ones included, in one execution.
const triesAtOnce = 64

// flowing returns the stepper of gradient flow in time ζ2, with rates (s, 1).
func (f BruteForce) flowing(*onDevice) (stepper, func(), error) {
	exec, err := NewExec(f.Backend, func(inputs []*Node) []*Node {
		out := loop(inputs, f.try)
		return append(out[2:4:4], out[5:]...)
	})
	if err != nil {
		return nil, nil, err
	}
	length := 0.0 // of the next step
	left := 0.0   // of the time ζ2 to the record that is being approached; 0: none is
	step := func(from, to float64, x *onDevice) (float64, error) {
		whole := f.Rates.W.Integral(to) - f.Rates.W.Integral(from)
		if !(whole >= 0) || math.IsInf(whole, 1) {
			return 0,
				fmt.Errorf("descent: flow from time %g to %g has ∫η2 = %g: it must be finite and not negative",
					from, to, whole)
		}
		if left == 0 {
			left = whole
		}
		if left == 0 {
			return to, nil // the rate is zero all the time
		}
		if length == 0 {
			length = left / 100
		}
		out, err := exec.Call(int32(0), int32(triesAtOnce), hostTensor([]float64{length}, f.DType),
			hostTensor([]float64{left}, f.DType),
			x.onehot, x.point[0], x.point[1], x.point[2])
		if err != nil {
			return 0, err
		}
		x.replace(out[2:])
		before := left
		for i, v := range []*float64{&length, &left} {
			values, err := hostValues(out[i])
			if err != nil {
				return 0, err
			}
			*v = values[0]
		}
		if left == 0 {
			return to, nil
		}
		if left == before && length < epsilon(f.DType)*left {
			return 0,
				fmt.Errorf("descent: flow to time %g cannot go on: its steps have become too short, or its numbers "+
					"too large for %s", to, f.DType)
		}
		reached := to - (to-from)*left/before // approximate, for Progress only; left is exact
		return math.Min(reached, math.Nextafter(to, from)), nil
	}
	return step, exec.Finalize, nil
}

// try builds one step of the flow, which is rejected if its error is too large. in is the number of the try and its
// limit, the length of the step, the time left, the labels and the state.
func (f BruteForce) try(in []*Node) []*Node {
	tolerance := f.Tolerance
	if tolerance == 0 {
		tolerance = 1e-10
		if f.DType == dtypes.Float32 {
			tolerance = 1e-5
		}
	}
	g := in[0].Graph()
	tries, limit, length, left, onehot, x := in[0], in[1], in[2], in[3], in[4], point(in[5:8])
	isLast := GreaterOrEqual(length, left)
	h := Min(length, left)
	next, relative := f.dormandPrince(x, onehot, h)
	relative = DivScalar(relative, tolerance)
	// An overflow means that the step is too long. Sums are tested, because XLA's maximum ignores NaN.
	finite := IsFinite(relative)
	for _, xi := range next {
		finite = LogicalAnd(finite, IsFinite(ReduceAllSum(xi)))
	}
	relative = Where(finite, relative, Scalar(g, f.DType, 1e10))
	accepted := LessOrEqual(relative, ScalarOne(g, f.DType))
	factor := ClipScalar(MulScalar(Pow(MaxScalar(relative, 1e-10), Scalar(g, f.DType, -0.2)), 0.9), 0.2, 5)
	// The last step was shortened to end at the right time; the next step keeps its own length.
	shortened := LogicalAnd(accepted, isLast)
	length = Where(shortened, length, Mul(h, factor))
	tries = Where(shortened, limit, AddScalar(tries, 1)) // arrived, or one more
	left = Where(accepted, Where(isLast, ZerosLike(left), Sub(left, h)), left)
	x = x.each(func(i int, xi *Node) *Node { return Where(accepted, next[i], xi) })
	return append([]*Node{tries, limit, length, left, onehot}, x[:]...)
}

// dormandPrince returns the state after a step of length h, and its estimated error relative to the largest element.
// The nodes of the Runge–Kutta pair are not needed, because the system is autonomous.
func (f BruteForce) dormandPrince(x point, onehot, h *Node) (next point, relative *Node) {
	slope := func(x point) point {
		return f.gradient(x, onehot).each(func(i int, g *Node) *Node {
			if i == 0 {
				return MulScalar(g, -f.Rates.Ratio())
			}
			return Neg(g)
		})
	}
	var slopes []point
	combine := func(weights []float64, i int) *Node {
		sum := ZerosLike(x[i])
		for k, w := range weights {
			if w != 0 {
				sum = Add(sum, MulScalar(slopes[k][i], w))
			}
		}
		return Mul(sum, h)
	}
	for _, weights := range dormandprince.Stages {
		next = x.each(func(i int, xi *Node) *Node { return Add(xi, combine(weights, i)) })
		slopes = append(slopes, slope(next))
	}
	largest := func(f func(i int) *Node) *Node {
		m := ReduceAllMax(Abs(f(0)))
		for i := range 2 {
			m = Max(m, ReduceAllMax(Abs(f(i+1))))
		}
		return m
	}
	smallest := math.Ldexp(1, -1000) // so that nothing moving nowhere has no error, not 0/0
	if f.DType == dtypes.Float32 {
		smallest = math.Ldexp(1, -120)
	}
	size := Max(largest(func(i int) *Node { return x[i] }), largest(func(i int) *Node { return next[i] }))
	return next, Div(largest(func(i int) *Node { return combine(dormandprince.Errors[:], i) }),
		MaxScalar(size, smallest))
}
