package ntk

import (
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// derivative is the derivative of a layer of a finite network at its input and parameters: forwards, it maps changes of
// the input and the parameters to the change of the output; backwards, it maps gradients by the output to gradients by
// the input and the parameters.
type derivative struct {
	// tangent returns the change of the output for the change dx of the input and the changes of the parameters. A nil
	// change is 0.
	tangent func(dx *graph.Node, change func(*model.Variable) *graph.Node) *graph.Node
	// pullback returns the gradients by the layer's input, given those by its output, and adds those by its parameters
	// to to.
	pullback func(δ cotangent, to *jacobian) cotangent
}

// linear returns the derivative of a linear layer without parameters.
func linear(layer func(x *graph.Node) *graph.Node, pullback func(δ *graph.Node) *graph.Node) derivative {
	return derivative{
		tangent: func(dx *graph.Node, _ func(*model.Variable) *graph.Node) *graph.Node {
			if dx == nil {
				return nil
			}
			return layer(dx)
		},
		pullback: func(δ cotangent, _ *jacobian) cotangent {
			δ = δ.merged()
			return cotangent{each: pullback(δ.each), shared: δ.shared}
		},
	}
}

// scaling returns the derivative of a layer without parameters that acts on each number alone, with the derivative
// gain.
func scaling(gain *graph.Node) derivative {
	return derivative{
		tangent: func(dx *graph.Node, _ func(*model.Variable) *graph.Node) *graph.Node {
			if dx == nil {
				return nil
			}
			return graph.Mul(dx, gain)
		},
		pullback: func(δ cotangent, _ *jacobian) cotangent { return δ.times(gain) },
	}
}

// cotangent holds the gradients of the C outputs by an intermediate result x, [N, ...], for N examples, as the product
// each·gain. The two factors are kept apart because between a nonlinearity and a linear output layer the gradients of
// all examples are the same, up to the gain φ' of the nonlinearity.
//
// The fields shared and pooled say whether each is the same for all examples or positions. The size of an axis does not
// say it: there may be one example, or an image of one position.
type cotangent struct {
	each   *graph.Node // [N, C, ...]
	shared bool        // each is the same for all examples, [1, C, ...]
	pooled bool        // each is the same for all positions of an image, [N, C, 1, 1, channels]
	gain   *graph.Node // [N, ...]; nil for ones
}

func (δ cotangent) times(gain *graph.Node) cotangent {
	if δ.gain != nil {
		gain = graph.Mul(δ.gain, gain)
	}
	δ.gain = gain
	return δ
}

// merged returns the cotangent with the gain multiplied into each.
func (δ cotangent) merged() cotangent {
	if δ.gain == nil {
		return δ
	}
	return cotangent{each: graph.Mul(δ.each, graph.ExpandAxes(δ.gain, 1))}
}

// everywhere returns merged, expanded to all positions of images like x.
func (δ cotangent) everywhere(x *graph.Node) cotangent {
	δ = δ.merged()
	dims := append([]int{}, δ.each.Shape().Dimensions[:2]...)
	δ.each = graph.BroadcastToDims(δ.each, append(dims, x.Shape().Dimensions[1:]...)...)
	δ.pooled = false
	return δ
}

// uniform reports whether the gradients are the same for all examples and all positions of an image, up to the gain.
func (δ cotangent) uniform() bool { return δ.shared && δ.pooled && δ.gain != nil }

// fold merges the axes of examples and outputs into one batch axis, for layers that take images.
func fold(δ *graph.Node) *graph.Node {
	dims := δ.Shape().Dimensions
	return graph.Reshape(δ, append([]int{dims[0] * dims[1]}, dims[2:]...)...)
}

// unfold undoes fold.
func unfold(folded, δ *graph.Node) *graph.Node {
	dims := append([]int{}, δ.Shape().Dimensions[:2]...)
	return graph.Reshape(folded, append(dims, folded.Shape().Dimensions[1:]...)...)
}

func (n Network) differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node,
	derivative) {
	derivatives := make([]derivative, len(n.layers))
	for i, layer := range n.layers {
		x, derivatives[i] = layer.differentiate(scope.In("layer%d", i), parameterization, x)
	}
	return x, derivative{
		tangent: func(dx *graph.Node, change func(*model.Variable) *graph.Node) *graph.Node {
			for _, d := range derivatives {
				dx = d.tangent(dx, change)
			}
			return dx
		},
		pullback: func(δ cotangent, to *jacobian) cotangent {
			for i := len(derivatives) - 1; i >= 0; i-- {
				δ = derivatives[i].pullback(δ, to)
			}
			return δ
		},
	}
}

func (d DenseLayer) differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node,
	derivative) {
	y := d.forward(scope, parameterization, x)
	weights, bias := d.parameters(scope, parameterization, x)
	return y, derivative{
		tangent: func(dx *graph.Node, change func(*model.Variable) *graph.Node) *graph.Node {
			return weights.tangent(bias, x, dx, change, func(x, w *graph.Node) *graph.Node {
				return graph.Dot(x,
					w).Product()
			})
		},
		pullback: func(δ cotangent, to *jacobian) cotangent {
			to.dense(x, δ, weights, bias)
			δ = δ.merged()
			return cotangent{each: graph.Einsum("nco,io->nci", graph.MulScalar(δ.each, weights.scale),
				weights.variable.NodeValue(x)), shared: δ.shared}
		},
	}
}

func (c ConvLayer) differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node,
	derivative) {
	y := c.forward(scope, parameterization, x)
	weights, bias := c.parameters(scope, parameterization, x)
	return y, derivative{
		tangent: func(dx *graph.Node, change func(*model.Variable) *graph.Node) *graph.Node {
			return weights.tangent(bias, x, dx, change, c.convolve)
		},
		pullback: func(δ cotangent, to *jacobian) cotangent {
			to.conv(c, x, y, δ, weights, bias)
			kernel, dims := weights.node(x), x.Shape().Dimensions
			if δ.uniform() {
				// One convolution of N gains to the channels of all outputs takes the place of N·C convolutions.
				outputs := δ.each.Shape().Dimensions[1]
				size := kernel.Shape().Dimensions
				all := graph.Mul(graph.ExpandAxes(kernel, 2), graph.Reshape(δ.each, 1, 1, outputs, 1, size[3]))
				images := c.transposed(δ.gain, graph.Reshape(all, size[0], size[1], outputs*dims[3], size[3]), dims[1],
					dims[2])
				return cotangent{each: graph.TransposeAllAxes(graph.Reshape(images, dims[0], dims[1], dims[2], outputs,
					dims[3]), 0, 3, 1, 2, 4)}
			}
			δ = δ.everywhere(y)
			return cotangent{each: unfold(c.transposed(fold(δ.each), kernel, dims[1], dims[2]), δ.each),
				shared: δ.shared}
		},
	}
}

// transposed returns the gradient of Σ δ·convolve(x, kernel) by x, [N, height, width, channels].
func (c ConvLayer) transposed(δ, kernel *graph.Node, height, width int) *graph.Node {
	// only its shape matters
	image := graph.Zeros(δ.Graph(), shapes.Make(δ.DType(), δ.Shape().Dimensions[0], height, width,
		kernel.Shape().Dimensions[2]))
	return graph.Gradient(graph.ReduceAllSum(graph.Mul(c.convolve(image, kernel), δ)), image)[0]
}

// tangent returns the tangent of y = apply(x, W) + b, where apply is bilinear in x and W.
func (weights parameter) tangent(bias parameter, x, dx *graph.Node, change func(*model.Variable) *graph.Node,
	apply func(x, w *graph.Node) *graph.Node) *graph.Node {
	var dy *graph.Node
	add := func(term *graph.Node) { dy = plus(dy, term) }
	if dx != nil {
		add(apply(graph.MulScalar(dx, weights.scale), weights.variable.NodeValue(x)))
	}
	if dw := change(weights.variable); dw != nil {
		add(apply(x, graph.MulScalar(dw, weights.scale)))
	}
	if bias.variable == nil {
		return dy
	}
	if db := change(bias.variable); db != nil {
		if dy == nil {
			dy = graph.ZerosLike(apply(x, weights.node(x)))
		}
		add(graph.ExpandLeftToRank(graph.MulScalar(db, bias.scale), dy.Rank()))
	}
	return dy
}

// plus returns the sum of two nodes. nil stands for 0.
func plus(sum, term *graph.Node) *graph.Node {
	switch {
	case sum == nil:
		return term
	case term == nil:
		return sum
	}
	return graph.Add(sum, term)
}

func (p parameter) trainable() bool { return p.variable != nil && p.variable.Trainable }

func (a activation) differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node,
	derivative) {
	y := a.node(x)
	return y, scaling(graph.Gradient(graph.ReduceAllSum(y), x)[0])
}

func (a averagePool) differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node,
	derivative) {
	y := a.forward(scope, parameterization, x)
	pool := func(x *graph.Node) *graph.Node { return a.forward(scope, parameterization, x) }
	return y, linear(pool, func(δ *graph.Node) *graph.Node {
		return graph.DivScalar(spread(δ, a.window, x), float64(a.window*a.window))
	})
}

func (globalAveragePool) differentiate(_ *model.Scope, _ Parameterization, x *graph.Node) (*graph.Node, derivative) {
	mean := func(x *graph.Node) *graph.Node { return graph.ReduceMean(x, 1, 2) }
	dims := x.Shape().Dimensions
	y := globalAveragePool{}.forward(nil, 0, x)
	derivative := linear(mean, nil)
	derivative.pullback = func(δ cotangent, _ *jacobian) cotangent {
		δ = δ.merged()
		each := graph.DivScalar(graph.InsertAxes(δ.each, 2, 2), float64(dims[1]*dims[2]))
		return cotangent{each: each, shared: δ.shared, pooled: true}
	}
	return y, derivative
}

// spread copies δ, [N, C, h, w, channels], to all positions of its window in images like x. Positions outside of all
// windows become zero.
func spread(δ *graph.Node, window int, x *graph.Node) *graph.Node {
	dims, image := δ.Shape().Dimensions, x.Shape().Dimensions
	n, c, channels := dims[0], dims[1], image[3]
	h, w := image[1]/window, image[2]/window
	δ = graph.BroadcastToDims(δ, n, c, h, w, channels)
	δ = graph.BroadcastToDims(graph.Reshape(δ, n, c, h, 1, w, 1, channels), n, c, h, window, w, window, channels)
	δ = graph.Reshape(δ, n, c, h*window, w*window, channels)
	for axis := 2; axis <= 3; axis++ {
		if left := image[axis-1] % window; left > 0 {
			zeros := append([]int{}, δ.Shape().Dimensions...)
			zeros[axis] = left
			δ = graph.Concatenate([]*graph.Node{δ, graph.BroadcastToDims(graph.ScalarZero(x.Graph(), x.DType()),
				zeros...)}, axis)
		}
	}
	return δ
}

func (flatten) differentiate(_ *model.Scope, _ Parameterization, x *graph.Node) (*graph.Node, derivative) {
	vectors := func(x *graph.Node) *graph.Node { return graph.Reshape(x, x.Shape().Dimensions[0], -1) }
	return vectors(x), linear(vectors, func(δ *graph.Node) *graph.Node {
		return graph.Reshape(δ, append(append([]int{}, δ.Shape().Dimensions[:2]...), x.Shape().Dimensions[1:]...)...)
	})
}

func (identity) differentiate(_ *model.Scope, _ Parameterization, x *graph.Node) (*graph.Node, derivative) {
	return x, derivative{
		tangent:  func(dx *graph.Node, _ func(*model.Variable) *graph.Node) *graph.Node { return dx },
		pullback: func(δ cotangent, _ *jacobian) cotangent { return δ },
	}
}

func (r residual) differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node,
	derivative) {
	if len(r.branches) == 0 {
		r.forward(scope, parameterization, x) // panics
	}
	var y *graph.Node
	derivatives := make([]derivative, len(r.branches))
	for i, branch := range r.branches {
		var out *graph.Node
		out, derivatives[i] = branch.differentiate(scope.In("branch%d", i), parameterization, x)
		y = plus(y, out)
	}
	return y, derivative{
		tangent: func(dx *graph.Node, change func(*model.Variable) *graph.Node) *graph.Node {
			var sum *graph.Node
			for _, d := range derivatives {
				sum = plus(sum, d.tangent(dx, change))
			}
			return sum
		},
		pullback: func(δ cotangent, to *jacobian) cotangent {
			sum := cotangent{shared: true, pooled: true}
			for _, d := range derivatives {
				branch := d.pullback(δ, to).merged()
				sum.each = plus(sum.each, branch.each)
				sum.shared, sum.pooled = sum.shared && branch.shared, sum.pooled && branch.pooled
			}
			return sum
		},
	}
}
