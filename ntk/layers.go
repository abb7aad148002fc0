package ntk

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/unhinged-lab/lab/internal/layers"
)

// DenseLayer is the layer that [Dense] returns.
type DenseLayer struct {
	width      int
	wStd, bStd float64
}

// Dense is a fully connected layer of the given width, with σ_w = 1 and no bias. Its input is [batch, features].
func Dense(width int) DenseLayer { return DenseLayer{width: width, wStd: 1} }

// Std sets σ_w and σ_b. With σ_b = 0 there is no bias.
func (d DenseLayer) Std(w, b float64) DenseLayer { d.wStd, d.bStd = w, b; return d }

func (d DenseLayer) forward(scope *model.Scope, parameterization Parameterization, x *graph.Node) *graph.Node {
	if x.Rank() != 2 {
		exceptions.Panicf("ntk: Dense(%d) takes [batch, features], not %s: put Flatten or GlobalAveragePool before it",
			d.width, x.Shape())
	}
	weights, bias := d.parameters(scope, parameterization, x)
	return bias.addTo(graph.Dot(graph.MulScalar(x, weights.scale), weights.variable.NodeValue(x)).Product())
}

func (d DenseLayer) parameters(scope *model.Scope, parameterization Parameterization, x *graph.Node) (weights,
	bias parameter) {
	inputs := x.Shape().Dimensions[1]
	return parameters(scope, x, parameterization, d.wStd, d.bStd, inputs, inputs, d.width)
}

func (d DenseLayer) infinite(p *program, in register) (register, error) {
	if p.shapes[in].image() {
		return 0, fmt.Errorf("ntk: Dense(%d) takes vectors, not images: put Flatten or GlobalAveragePool before it",
			d.width)
	}
	return p.affine(in, filter{size: 1, stride: 1}, d.wStd, d.bStd)
}

// ConvLayer is the layer that [Conv] returns.
type ConvLayer struct {
	channels   int
	filter     filter
	wStd, bStd float64
}

// Conv is a convolution with square filters of size×size and the given number of output channels, with σ_w = 1, no
// bias, stride 1 and no padding ("VALID"). Its input is [batch, height, width, channels].
func Conv(channels, size int) ConvLayer {
	return ConvLayer{channels: channels, filter: filter{size: size, stride: 1}, wStd: 1}
}

// Std sets σ_w and σ_b. With σ_b = 0 there is no bias.
func (c ConvLayer) Std(w, b float64) ConvLayer { c.wStd, c.bStd = w, b; return c }

// Stride moves the filter by n positions in both directions.
func (c ConvLayer) Stride(n int) ConvLayer { c.filter.stride = n; return c }

// Same pads with zeros so that each side of the output has ⌈size/stride⌉ positions. If the number of zeros is odd,
// there is one more at the end ("SAME").
func (c ConvLayer) Same() ConvLayer { c.filter.same = true; return c }

func (c ConvLayer) forward(scope *model.Scope, parameterization Parameterization, x *graph.Node) *graph.Node {
	if x.Rank() != 4 {
		exceptions.Panicf("ntk: Conv(%d, %d) takes [batch, height, width, channels], not %s", c.channels, c.filter.size,
			x.Shape())
	}
	weights, bias := c.parameters(scope, parameterization, x)
	return bias.addTo(c.convolve(x, weights.node(x)))
}

func (c ConvLayer) parameters(scope *model.Scope, parameterization Parameterization, x *graph.Node) (weights,
	bias parameter) {
	size, channels := c.filter.size, x.Shape().Dimensions[3]
	return parameters(scope, x, parameterization, c.wStd, c.bStd, size*size*channels, size, size, channels, c.channels)
}

// convolve pads filters of even size with a row and a column of zeros, because for such filters gomlx v0.28.0 returns
// the gradient by the input of a neighbouring position.
func (c ConvLayer) convolve(x, kernel *graph.Node) *graph.Node {
	size, dims := c.filter.size, x.Shape().Dimensions
	even := 1 - size%2
	paddings := make([][2]int, 2)
	for axis := range paddings {
		out, before, err := c.filter.apply(dims[1+axis])
		if err != nil {
			panic(err)
		}
		paddings[axis] = [2]int{before, max(0, (out-1)*c.filter.stride+size-dims[1+axis]-before) + even}
		if even == 1 {
			zeros := kernel.Shape().Clone()
			zeros.Dimensions[axis] = 1
			kernel = graph.Concatenate([]*graph.Node{kernel, graph.Zeros(x.Graph(), zeros)}, axis)
		}
	}
	return graph.Convolve(x, kernel).Strides(c.filter.stride).PaddingPerDim(paddings).Done()
}

func (c ConvLayer) infinite(p *program, in register) (register, error) {
	if !p.shapes[in].image() {
		return 0, fmt.Errorf("ntk: Conv(%d, %d) takes images [batch, height, width, channels], not vectors", c.channels,
			c.filter.size)
	}
	return p.affine(in, c.filter, c.wStd, c.bStd)
}

// filter is the geometry of a convolution along each of its two axes.
type filter struct {
	size, stride int
	same         bool
}

// apply returns the number of output positions for n input positions, and the number of zeros before the first one.
func (f filter) apply(n int) (out, before int, err error) {
	switch {
	case f.size < 1 || f.stride < 1:
		return 0, 0, fmt.Errorf("ntk: a convolution of size %d and stride %d: both must be at least 1", f.size,
			f.stride)
	case f.same:
		out = (n + f.stride - 1) / f.stride
		return out, max(0, (out-1)*f.stride+f.size-n) / 2, nil
	case n < f.size:
		return 0, 0, fmt.Errorf("ntk: a filter of size %d does not fit into %d positions without padding: use Same()",
			f.size, n)
	}
	return (n-f.size)/f.stride + 1, 0, nil
}

type averagePool struct{ window int }

// AveragePool averages windows of window×window positions that do not overlap; positions left over at the end are
// dropped. Its kernel needs the covariance of all pairs of positions, so that the cost of all layers before it is
// proportional to (height·width)² for each pair of images.
func AveragePool(window int) Layer { return averagePool{window} }

func (a averagePool) forward(_ *model.Scope, _ Parameterization, x *graph.Node) *graph.Node {
	if x.Rank() != 4 || a.window < 1 || min(x.Shape().Dimensions[1], x.Shape().Dimensions[2]) < a.window {
		exceptions.Panicf("ntk: AveragePool(%d) takes [batch, height, width, channels] with sides of at least one "+
			"window, not %s", a.window, x.Shape())
	}
	return graph.MeanPool(x).Window(a.window).NoPadding().Done()
}

func (a averagePool) infinite(p *program, in register) (register, error) {
	shape := p.shapes[in]
	if !shape.image() || a.window < 1 || min(shape.height, shape.width) < a.window {
		return 0, fmt.Errorf("ntk: AveragePool(%d) takes images with sides of at least one window, not %v", a.window,
			shape)
	}
	return p.add(pool{a.window, a.window}, layout{shape.height / a.window, shape.width / a.window}, in), nil
}

type globalAveragePool struct{}

// GlobalAveragePool averages over all positions: [batch, height, width, channels] → [batch, channels]. As with
// [AveragePool], the cost of the layers before it is proportional to (height·width)².
var GlobalAveragePool Layer = globalAveragePool{}

func (globalAveragePool) forward(_ *model.Scope, _ Parameterization, x *graph.Node) *graph.Node {
	if x.Rank() != 4 {
		exceptions.Panicf("ntk: GlobalAveragePool takes [batch, height, width, channels], not %s", x.Shape())
	}
	return graph.ReduceMean(x, 1, 2)
}

func (globalAveragePool) infinite(p *program, in register) (register, error) {
	shape := p.shapes[in]
	if !shape.image() {
		return 0, fmt.Errorf("ntk: GlobalAveragePool takes images, not vectors")
	}
	return p.add(pool(shape), layout{}, in), nil
}

type flatten struct{}

// Flatten turns each image into a vector: [batch, height, width, channels] → [batch, height·width·channels]. It does
// not change vectors.
var Flatten Layer = flatten{}

func (flatten) forward(_ *model.Scope, _ Parameterization, x *graph.Node) *graph.Node {
	return graph.Reshape(x, x.Shape().Dimensions[0], -1)
}

func (flatten) infinite(p *program, in register) (register, error) {
	if !p.shapes[in].image() {
		return in, nil
	}
	return p.add(mean{}, layout{}, in), nil
}

type identity struct{}

// Identity returns its input: the skip connection of a [Residual].
var Identity Layer = identity{}

func (identity) forward(_ *model.Scope, _ Parameterization, x *graph.Node) *graph.Node { return x }
func (identity) infinite(_ *program, in register) (register, error)                    { return in, nil }

type residual struct{ branches []Layer }

// Residual applies every branch to the same input and adds their outputs (fan-out, then fan-in sum). Infinite returns
// an error if more than one branch ends without weights of its own, because the branches are then correlated, if a
// branch is the network's input, or if a nonlinearity follows a sum that is not Gaussian. Therefore write the
// nonlinearity into the branch, before its weights: Residual(Identity, Serial(ReLU, Dense(n))), not Residual(Identity,
// Serial(Dense(n), ReLU)).
func Residual(branches ...Layer) Layer { return residual{branches} }

func (r residual) forward(scope *model.Scope, parameterization Parameterization, x *graph.Node) *graph.Node {
	if len(r.branches) == 0 {
		exceptions.Panicf("ntk: Residual has no branches")
	}
	var sum *graph.Node
	for i, branch := range r.branches {
		sum = plus(sum, branch.forward(scope.In("branch%d", i), parameterization, x))
	}
	return sum
}

func (r residual) infinite(p *program, in register) (register, error) {
	if len(r.branches) == 0 {
		return 0, fmt.Errorf("ntk: Residual has no branches")
	}
	var outputs []register
	var before []int // the number of steps before each branch
	for i, branch := range r.branches {
		before = append(before, len(p.steps))
		out, err := p.at(fmt.Sprintf("branch%d", i), branch, in)
		if err != nil {
			return 0, err
		}
		if i > 0 && p.shapes[out] != p.shapes[outputs[0]] {
			return 0, fmt.Errorf("ntk: branch %d of a Residual ends with %v, branch 0 with %v", i, p.shapes[out],
				p.shapes[outputs[0]])
		}
		outputs = append(outputs, out)
	}
	if err := p.checkSum(outputs, before); err != nil {
		return 0, err
	}
	if len(outputs) == 1 {
		return outputs[0], nil
	}
	return p.add(sum{}, p.shapes[outputs[0]], outputs...), nil
}

// A parameter is scale times its variable. Without a variable, the layer does not have this parameter.
type parameter struct {
	variable *model.Variable
	scale    float64
}

func (p parameter) node(x *graph.Node) *graph.Node {
	return graph.MulScalar(p.variable.NodeValue(x), p.scale)
}

// addTo adds a bias to y, [batch, ..., outputs].
func (p parameter) addTo(y *graph.Node) *graph.Node {
	if p.variable == nil {
		return y
	}
	return graph.Add(y, graph.ExpandLeftToRank(p.node(y), y.Rank()))
}

// parameters returns W with the given dimensions, whose last one is the number of outputs, and b, without a variable if
// σ_b is 0. Each output depends on fanIn inputs.
func parameters(scope *model.Scope, x *graph.Node, parameterization Parameterization, wStd, bStd float64, fanIn int,
	dimensions ...int) (weights, bias parameter) {
	find := func(name string, std float64, dimensions ...int) parameter {
		deviation, scale := 1.0, std
		if parameterization == StandardParameterization {
			deviation, scale = std, 1
		}
		v := scope.GetVariable(name)
		if v == nil {
			v = scope.VariableWithValue(name, layers.Normal(scope, name, deviation, x.DType(), dimensions...))
		}
		if need := shapes.Make(x.DType(), dimensions...); !v.Shape().Equal(need) {
			exceptions.Panicf("ntk: variable %q is %s and should be %s for these inputs: it was made for others",
				v.Path(), v.Shape(), need)
		}
		return parameter{v, scale}
	}
	weights = find("weights", wStd/math.Sqrt(float64(fanIn)), dimensions...)
	if bStd != 0 {
		bias = find("bias", bStd, dimensions[len(dimensions)-1])
	}
	return weights, bias
}
