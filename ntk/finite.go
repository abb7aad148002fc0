package ntk

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/unhinged-lab/lab/internal/numbers"
)

// Layers that have no infinite-width kernel in this theory; [Network.Empirical] takes them.

type maxPool struct{ window int }

// MaxPool takes the maximum over windows of window×window positions that do not overlap; positions left over at the end are
// dropped. Of equal numbers the first one counts. There is an error from Infinite: the maximum of correlated normal
// variables has no closed form.
func MaxPool(window int) Layer { return maxPool{window} }

// forward takes the maximum of one pair of positions after the other: graph.MaxPool has no gradient on the Go backend.
func (m maxPool) forward(_ *model.Scope, _ Parameterization, x *graph.Node) *graph.Node {
	if x.Rank() != 4 || m.window < 1 || min(x.Shape().Dimensions[1], x.Shape().Dimensions[2]) < m.window {
		exceptions.Panicf("ntk: MaxPool(%d) takes [batch, height, width, channels] with sides of at least one window, not %s", m.window, x.Shape())
	}
	dims := x.Shape().Dimensions
	h, w := dims[1]/m.window, dims[2]/m.window
	x = graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, h*m.window), graph.AxisRange(0, w*m.window))
	x = graph.Reshape(x, dims[0], h, m.window, w, m.window, dims[3])
	var y *graph.Node
	for i := range m.window {
		for j := range m.window {
			at := graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisElem(i), graph.AxisRange(), graph.AxisElem(j))
			if y == nil {
				y = at
			} else {
				y = graph.Max(y, at)
			}
		}
	}
	return graph.Reshape(y, dims[0], h, w, dims[3])
}

func (m maxPool) differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node, derivative) {
	y := m.forward(scope, parameterization, x)
	largest := graph.Gradient(graph.ReduceAllSum(y), x)[0] // one at the position that each window passes on, zero elsewhere
	return y, derivative{
		tangent: func(dx *graph.Node, _ func(*model.Variable) *graph.Node) *graph.Node {
			if dx == nil {
				return nil
			}
			sum := graph.MeanPool(graph.Mul(dx, largest)).Window(m.window).NoPadding().Done()
			return graph.MulScalar(sum, float64(m.window*m.window))
		},
		pullback: func(δ cotangent, _ *jacobian) cotangent {
			δ = δ.merged()
			return cotangent{each: spread(δ.each, m.window, x), shared: δ.shared}.times(largest)
		},
	}
}

func (m maxPool) infinite(*program, register) (register, error) {
	return 0, fmt.Errorf("ntk: MaxPool(%d) has no infinite-width kernel: use AveragePool, or Network.Empirical", m.window)
}

type batchNorm struct{}

// BatchNorm normalises each feature or channel over the batch (and positions), then scales and shifts it; in evaluation by
// running averages. ε = 1e-5 and momentum 0.1 of the new batch, as in PyTorch. Its kernel is that of evaluation mode, where
// the averages are constants. There is an error from Infinite.
var BatchNorm Layer = batchNorm{}

const batchNormEpsilon = 1e-5

// variables are [channels].
func (batchNorm) variables(scope *model.Scope, x *graph.Node) (scale, shift, mean, variance *model.Variable) {
	find := func(name string, value float64) *model.Variable {
		if v := scope.GetVariable(name); v != nil {
			return v
		}
		channels := x.Shape().Dimensions[x.Rank()-1]
		return scope.VariableWithValue(name, numbers.Tensor(x.DType(), slices.Repeat([]float64{value}, channels), channels))
	}
	return find("scale", 1), find("shift", 0), find("mean", 0).SetTrainable(false), find("variance", 1).SetTrainable(false)
}

// forward: gomlx's norm.BatchNorm has a wrong gradient in training mode on the Go backend.
func (b batchNorm) forward(scope *model.Scope, _ Parameterization, x *graph.Node) *graph.Node {
	if x.DType() != dtypes.Float32 && x.DType() != dtypes.Float64 {
		exceptions.Panicf("ntk: BatchNorm takes float32 or float64, not %s", x.Shape())
	}
	scale, shift, average, variance := b.variables(scope, x)
	m, v := average.NodeValue(x), variance.NodeValue(x)
	if scope.IsTraining(x.Graph()) {
		rows := graph.Reshape(x, -1, x.Shape().Dimensions[x.Rank()-1])
		n := float64(rows.Shape().Dimensions[0])
		batch := graph.ReduceMean(rows, 0)
		spread := graph.ReduceMean(graph.Square(graph.Sub(rows, graph.ExpandAxes(batch, 0))), 0)
		running := func(v *model.Variable, old, batch *graph.Node) {
			v.SetNodeValue(graph.Add(graph.MulScalar(old, 0.9), graph.MulScalar(graph.StopGradient(batch), 0.1)))
		}
		running(average, m, batch)
		running(variance, v, graph.MulScalar(spread, n/(n-1))) // the unbiased estimate, as PyTorch keeps it
		m, v = batch, spread
	}
	return b.affine(b.normalize(x, m, v), scale, shift)
}

func (batchNorm) normalize(x, mean, variance *graph.Node) *graph.Node {
	deviation := graph.Sqrt(graph.AddScalar(variance, batchNormEpsilon))
	return graph.Div(graph.Sub(x, graph.ExpandLeftToRank(mean, x.Rank())), graph.ExpandLeftToRank(deviation, x.Rank()))
}

func (batchNorm) affine(x *graph.Node, scale, shift *model.Variable) *graph.Node {
	row := func(v *model.Variable) *graph.Node { return graph.ExpandLeftToRank(v.NodeValue(x), x.Rank()) }
	return graph.Add(graph.Mul(x, row(scale)), row(shift))
}

func (b batchNorm) differentiate(scope *model.Scope, _ Parameterization, x *graph.Node) (*graph.Node, derivative) {
	scale, shift, mean, variance := b.variables(scope, x)
	normal := b.normalize(x, mean.NodeValue(x), variance.NodeValue(x))
	row := func(node *graph.Node) *graph.Node { return graph.ExpandLeftToRank(node, x.Rank()) }
	deviation := graph.Sqrt(graph.AddScalar(variance.NodeValue(x), batchNormEpsilon))
	gain := graph.BroadcastToShape(row(graph.Div(scale.NodeValue(x), deviation)), x.Shape())
	return b.affine(normal, scale, shift), derivative{
		tangent: func(dx *graph.Node, change func(*model.Variable) *graph.Node) *graph.Node {
			var dy *graph.Node
			add := func(term *graph.Node) { dy = plus(dy, term) }
			if dx != nil {
				add(graph.Mul(dx, gain))
			}
			if d := change(scale); d != nil {
				add(graph.Mul(normal, row(d)))
			}
			if d := change(shift); d != nil {
				add(graph.BroadcastToShape(row(d), x.Shape()))
			}
			return dy
		},
		pullback: func(δ cotangent, to *jacobian) cotangent {
			to.batchNorm(δ, normal, scale.Trainable, shift.Trainable)
			return δ.times(gain)
		},
	}
}

func (batchNorm) infinite(*program, register) (register, error) {
	return 0, fmt.Errorf("ntk: BatchNorm has no infinite-width kernel: leave it out, or use Network.Empirical")
}
