package vision

import (
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// batchNorm normalises each channel of x [..., channels] over all its other axes, or in evaluation by the running averages,
// then scales and shifts it; ε = 1e-5 and averages of momentum 0.9, PyTorch's defaults. (gomlx's norm.BatchNorm has the wrong
// gradient on backends without a batch normalisation operation of their own.)
func batchNorm(scope *model.Scope, x *Node) *Node {
	const epsilon, momentum = 1e-5, 0.9
	shape := x.Shape()
	x = Reshape(x, -1, shape.Dimensions[shape.Rank()-1])
	row := func(value float64) any {
		return shapes.CastAsDType([][]float64{slices.Repeat([]float64{value}, x.Shape().Dimensions[1])}, x.DType())
	}
	scale := scope.VariableWithValue("scale", row(1))
	shift := scope.VariableWithValue("shift", row(0))
	mean := scope.VariableWithValue("mean", row(0)).SetTrainable(false)
	variance := scope.VariableWithValue("variance", row(1)).SetTrainable(false)

	g, n := x.Graph(), float64(x.Shape().Dimensions[0])
	m, v := mean.NodeValue(g), variance.NodeValue(g)
	if scope.IsTraining(g) {
		m = DivScalar(sumRows(x), n)
		v = DivScalar(sumRows(Square(Sub(x, repeatRow(m, x)))), n)
		average := func(old *model.Variable, batch *Node) {
			batch = StopGradient(batch)
			old.SetNodeValue(Add(MulScalar(old.NodeValue(g), momentum), MulScalar(batch, 1-momentum)))
		}
		average(mean, m)
		average(variance, MulScalar(v, n/(n-1))) // the unbiased estimate, as PyTorch keeps it
	}
	factor := Div(scale.NodeValue(g), Sqrt(AddScalar(v, epsilon)))
	summand := Sub(shift.NodeValue(g), Mul(m, factor))
	y := Add(Mul(x, repeatRow(factor, x)), repeatRow(summand, x))
	return Reshape(y, shape.Dimensions...)
}

// sumRows sums the rows of x [n, p] to [1, p]. XLA on the CPU is several times faster at the product with a row of ones
// than at a ReduceSum over the long axis.
func sumRows(x *Node) *Node {
	ones := Ones(x.Graph(), shapes.Make(x.DType(), 1, x.Shape().Dimensions[0]))
	return Dot(ones, x).Product()
}

// repeatRow repeats row [1, p] to the shape of x [n, p]; its gradient is sumRows.
func repeatRow(row, x *Node) *Node {
	var sum *Node
	row = IdentityWithCustomGradient(row, func(_, _ *Node) *Node { return sum })
	return IdentityWithCustomGradient(BroadcastToDims(row, x.Shape().Dimensions...), func(_, v *Node) *Node {
		sum = sumRows(v)
		return v
	})
}
