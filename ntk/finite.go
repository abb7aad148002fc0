package ntk

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/unhinged-lab/lab/internal/layers"
)

// These layers have no infinite-width kernel in this theory. [Network.Empirical] accepts them.

type maxPool struct{ window int }

// MaxPool takes the maximum over windows of window×window positions that do not overlap; positions left over at the end
// are dropped. Of equal numbers the first one counts. Infinite returns an error, because the maximum of correlated
// normal variables has no closed form.
func MaxPool(window int) Layer { return maxPool{window} }

// forward computes the maximum by comparing one pair of positions after the other, because graph.MaxPool has no
// gradient on the Go backend.
func (m maxPool) forward(_ *model.Scope, _ Parameterization, x *graph.Node) *graph.Node {
	if x.Rank() != 4 || m.window < 1 || min(x.Shape().Dimensions[1], x.Shape().Dimensions[2]) < m.window {
		exceptions.Panicf("ntk: MaxPool(%d) takes [batch, height, width, channels] with sides of at least one "+
			"window, not %s", m.window, x.Shape())
	}
	dims := x.Shape().Dimensions
	h, w := dims[1]/m.window, dims[2]/m.window
	x = graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, h*m.window), graph.AxisRange(0, w*m.window))
	x = graph.Reshape(x, dims[0], h, m.window, w, m.window, dims[3])
	var y *graph.Node
	for i := range m.window {
		for j := range m.window {
			at := graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisElem(i), graph.AxisRange(),
				graph.AxisElem(j))
			if y == nil {
				y = at
			} else {
				y = graph.Max(y, at)
			}
		}
	}
	return graph.Reshape(y, dims[0], h, w, dims[3])
}

func (m maxPool) differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node,
	derivative) {
	y := m.forward(scope, parameterization, x)
	// 1 at the position of each window's maximum, 0 elsewhere
	largest := graph.Gradient(graph.ReduceAllSum(y), x)[0]
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
	return 0, fmt.Errorf("ntk: MaxPool(%d) has no infinite-width kernel: use AveragePool, or Network.Empirical",
		m.window)
}

type batchNorm struct{ layers.BatchNorm }

// BatchNorm normalises each feature or channel over the batch (and positions), then scales and shifts it. In evaluation
// it uses running averages. ε = 1e-5 and the new batch has the weight 0.1 in the averages, as in PyTorch. Its tangent
// kernel is that of evaluation, in which the averages are constants. Infinite returns an error for it.
var BatchNorm Layer = batchNorm{}

func (b batchNorm) forward(scope *model.Scope, _ Parameterization, x *graph.Node) *graph.Node {
	if x.DType() != dtypes.Float32 && x.DType() != dtypes.Float64 {
		exceptions.Panicf("ntk: BatchNorm takes float32 or float64, not %s", x.Shape())
	}
	return b.Apply(scope, x)
}

func (b batchNorm) differentiate(scope *model.Scope, _ Parameterization, x *graph.Node) (*graph.Node, derivative) {
	scale, shift, mean, variance := b.Variables(scope, x)
	row := func(node *graph.Node) *graph.Node { return graph.ExpandLeftToRank(node, x.Rank()) }
	deviation := graph.Sqrt(graph.AddScalar(variance.NodeValue(x), layers.Epsilon))
	normal := graph.Div(graph.Sub(x, row(mean.NodeValue(x))), row(deviation))
	gain := graph.BroadcastToShape(row(graph.Div(scale.NodeValue(x), deviation)), x.Shape())
	y := graph.Add(graph.Mul(normal, row(scale.NodeValue(x))), row(shift.NodeValue(x)))
	return y, derivative{
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
