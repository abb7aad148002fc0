package vision

import (
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// batchNorm normalises each channel of x [..., channels] over all its other axes, or in evaluation by the running averages,
// then scales and shifts it; ε = 1e-5 and averages of momentum 0.9, PyTorch's defaults. (gomlx's norm.BatchNorm has the wrong
// gradient on backends without a batch normalisation operation of their own.) The gradient is written out: what automatic
// differentiation makes of the forward pass runs over the batch twice as often. All of it is in stored(x's type).
func batchNorm(scope *model.Scope, x *Node) *Node {
	const epsilon, momentum = 1e-5, 0.9
	shape := x.Shape()
	x = ConvertDType(Reshape(x, -1, shape.Dimensions[shape.Rank()-1]), stored(shape.DType))
	row := func(value float64) any {
		return shapes.CastAsDType([][]float64{slices.Repeat([]float64{value}, x.Shape().Dimensions[1])}, x.DType())
	}
	scale := scope.VariableWithValue("scale", row(1))
	shift := scope.VariableWithValue("shift", row(0))
	mean := scope.VariableWithValue("mean", row(0)).SetTrainable(false)
	variance := scope.VariableWithValue("variance", row(1)).SetTrainable(false)

	g, n := x.Graph(), float64(x.Shape().Dimensions[0])
	if !scope.IsTraining(g) {
		factor := Div(scale.NodeValue(g), Sqrt(AddScalar(variance.NodeValue(g), epsilon)))
		y := Add(Mul(Sub(x, mean.NodeValue(g)), factor), shift.NodeValue(g))
		return ConvertDType(Reshape(y, shape.Dimensions...), shape.DType)
	}
	m := StopGradient(DivScalar(sumRows(x), n))
	v := StopGradient(DivScalar(sumRows(Square(Sub(x, m))), n))
	average := func(old *model.Variable, batch *Node) {
		old.SetNodeValue(Add(MulScalar(old.NodeValue(g), momentum), MulScalar(batch, 1-momentum)))
	}
	average(mean, m)
	average(variance, MulScalar(v, n/(n-1)))        // the unbiased estimate, as PyTorch keeps it
	inverse := Inverse(Sqrt(AddScalar(v, epsilon))) // 1/σ, a row: divisions of whole batches would take longer

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
	}, x, scale.NodeValue(g), shift.NodeValue(g))
	return ConvertDType(Reshape(y, shape.Dimensions...), shape.DType)
}

// sumRows sums the rows of x [n, p] to [1, p]: eight neighbours each by additions, which XLA on the CPU fuses with what makes
// x, then the sums of eight. A ReduceSum alone, or a product with a row of ones, takes it up to five times as long.
func sumRows(x *Node) *Node {
	n, p := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	const k = 8
	if n%k == 0 {
		groups := Reshape(x, n/k, k, p)
		x = Squeeze(Slice(groups, AxisRange(), AxisElem(0)), 1)
		for i := 1; i < k; i++ {
			x = Add(x, Squeeze(Slice(groups, AxisRange(), AxisElem(i)), 1))
		}
	}
	return Reshape(ReduceSum(x, 0), 1, p)
}

// withGradient is f(inputs), whose gradients by the inputs are those that gradient returns, given the inputs and the
// gradient of f's value.
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
