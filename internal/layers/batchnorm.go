// Package layers has the parts of networks that packages vision and ntk share, so that each computes the other's
// networks from the same variables.
package layers

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/numbers"
)

// Epsilon is added to the variance in batch normalisation, as in PyTorch.
const Epsilon = 1e-5

// ShiftName is the name of the variable that batch normalisation adds.
const ShiftName = "shift"

// BatchNorm is the batch normalisation of a layer. For each channel, the last axis of x [..., channels], training takes
// the mean m and the variance v of the batch over all other axes, and evaluation takes their running averages:
//
//	y = scale·(x − m)/√(v + Epsilon) + shift
//	average ← (1 − Momentum)·average + Momentum·(m, or v's unbiased estimate)
//
// The zero value has PyTorch's defaults. (gomlx's norm.BatchNorm has other defaults, and its gradient in training is
// wrong on backends that have no operation for it.)
type BatchNorm struct {
	Momentum   float64 // weight of the new batch in the running averages; 0 means 0.1
	FixedScale bool    // the scale is 1 and is not trained
}

// Variables returns the variables of the layer, each [channels]: scale (nil if it is fixed), shift, and the running
// mean and variance, which are not trained. If the scope does not have them, they are created with x's type and number
// of channels.
func (b BatchNorm) Variables(scope *model.Scope, x *Node) (scale, shift, mean, variance *model.Variable) {
	find := func(name string, value float64) *model.Variable {
		if v := scope.GetVariable(name); v != nil {
			return v
		}
		channels := x.Shape().Dimensions[x.Rank()-1]
		return scope.VariableWithValue(name, numbers.Tensor(x.DType(), slices.Repeat([]float64{value}, channels),
			channels))
	}
	if !b.FixedScale {
		scale = find("scale", 1)
	}
	return scale, find(ShiftName, 0), find("mean", 0).SetTrainable(false), find("variance", 1).SetTrainable(false)
}

// Apply normalises x, of type float32 or float64. The gradient in training is written out, because automatic
// differentiation of the forward pass would read the batch twice as often.
func (b BatchNorm) Apply(scope *model.Scope, x *Node) *Node {
	scale, shift, mean, variance := b.Variables(scope, x)
	g, shape := x.Graph(), x.Shape()
	row := func(v *Node) *Node { return Reshape(v, 1, -1) }
	x = Reshape(x, -1, shape.Dimensions[shape.Rank()-1])
	one := Ones(g, variance.Shape())
	factor := one
	if scale != nil {
		factor = scale.NodeValue(g)
	}
	if !scope.IsTraining(g) {
		gain := Div(factor, Sqrt(AddScalar(variance.NodeValue(g), Epsilon)))
		y := Add(Mul(Sub(x, row(mean.NodeValue(g))), row(gain)), row(shift.NodeValue(g)))
		return Reshape(y, shape.Dimensions...)
	}
	n := float64(x.Shape().Dimensions[0])
	m := StopGradient(DivScalar(sumRows(x), n))
	v := StopGradient(DivScalar(sumRows(Square(Sub(x, m))), n))
	momentum := b.Momentum
	if momentum == 0 {
		momentum = 0.1
	}
	average := func(old *model.Variable, batch *Node) {
		new := Reshape(MulScalar(batch, momentum), old.Shape().Dimensions...)
		old.SetNodeValue(Add(MulScalar(old.NodeValue(g), 1-momentum), new))
	}
	average(mean, m)
	average(variance, MulScalar(v, n/(n-1)))
	inverse := Inverse(Sqrt(AddScalar(v, Epsilon))) // 1/σ is a row: dividing the whole batch would take longer

	// y = γx̂ + β with x̂ = (x − m)/σ, and for the gradient v of y
	// ∂β = Σv, ∂γ = Σvx̂, ∂x = (v − ∂β/n − x̂∂γ/n)γ/σ.
	y := withGradient(func(inputs []*Node) *Node {
		x, scale, shift := inputs[0], inputs[1], inputs[2]
		return Add(Mul(Sub(x, m), Mul(scale, inverse)), shift)
	}, func(inputs []*Node, v *Node) []*Node {
		x, scale := inputs[0], inputs[1]
		shiftGradient := sumRows(v)
		scaleGradient := Mul(sumRows(Mul(v, Sub(x, m))), inverse)
		common := Add(DivScalar(shiftGradient, n), Mul(Sub(x, m), Mul(inverse, DivScalar(scaleGradient, n))))
		return []*Node{Mul(Sub(v, common), Mul(scale, inverse)), scaleGradient, shiftGradient}
	}, x, row(factor), row(shift.NodeValue(g)))
	return Reshape(y, shape.Dimensions...)
}

// sumRows sums the rows of x [n, p] to [1, p]. It first adds up groups of k neighbouring rows, which XLA on the CPU
// fuses with the computation of x, and then sums the results. A single ReduceSum, or a product with a row of ones,
// takes XLA up to five times as long.
func sumRows(x *Node) *Node {
	n, p := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	divides := func(k int) bool { return n%k == 0 }
	numbers := []int{8, 10, 9, 7, 6, 5, 4, 3, 2}
	if i := slices.IndexFunc(numbers, divides); i >= 0 {
		k := numbers[i]
		groups := Reshape(x, n/k, k, p)
		x = Squeeze(Slice(groups, AxisRange(), AxisElem(0)), 1)
		for i := 1; i < k; i++ {
			x = Add(x, Squeeze(Slice(groups, AxisRange(), AxisElem(i)), 1))
		}
	}
	return Reshape(ReduceSum(x, 0), 1, p)
}

// withGradient returns f(inputs) with a custom gradient: its gradients by the inputs are the values of gradient, which
// is called with the inputs and the gradient by f's value.
func withGradient(f func(inputs []*Node) *Node, gradient func(inputs []*Node, v *Node) []*Node, inputs ...*Node) *Node {
	var gradients []*Node
	carriers := make([]*Node, len(inputs))
	for i, x := range inputs {
		carriers[i] = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return gradients[i] })
	}
	return IdentityWithCustomGradient(f(carriers), func(_, v *Node) *Node {
		gradients = gradient(inputs, v)
		return v // carries on to the carriers, where it is replaced
	})
}
