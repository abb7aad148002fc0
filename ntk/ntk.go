// Package ntk describes neural networks as values and computes their kernels in the limit of infinite width:
//
//	net := ntk.Serial(ntk.Dense(512), ntk.ReLU, ntk.Dense(512), ntk.ReLU, ntk.Dense(10))
//	net.Model(scope, ntk.NTKParameterization, x)  // a gomlx model of finite width
//	net.Infinite(backend).Kernels(x1, x2)         // its NNGP and NTK
//
// With weights and biases of variance one, a layer in the NTK parameterisation is
//
//	z = σ_w/√n W·x + σ_b b,   n the number of inputs that each output sees,
//
// and as the widths grow the outputs become a Gaussian process with covariance K, the NNGP kernel (Neal 1996; Lee et
// al. 2018), while Θ(x, y) = Σ_θ ∂f(x)/∂θ ∂f(y)/∂θ tends to the neural tangent kernel (Jacot et al. 2018). Layer by
// layer
//
//	dense          K ← σ_w² K + σ_b²                  Θ ← σ_w² Θ + K
//	convolution    K ← σ_w² mean_o K(p+o, q+o) + σ_b²  Θ ← σ_w² mean_o Θ(p+o, q+o) + K
//	nonlinearity   K ← E[φ(u)φ(v)]                    Θ ← Θ·E[φ'(u)φ'(v)],   (u, v) ~ N(0, K)
//	pooling        both: the mean over the pairs of positions (p, q) of the two windows
//	flatten        both: the mean over the positions (p, p)
//	sum            both: the sum over the branches
//
// where the K on the right of Θ is the new one, and a convolution's zero padding counts as positions where K = Θ = 0.
//
// These rules hold under two assumptions. For a network that does not satisfy them, there is an error instead of a
// kernel:
//
//   - The input of a nonlinearity is Gaussian in the limit. This is true for the outputs of dense layers and
//     convolutions, for their means over positions, and for sums of independent ones. It is false for the network's
//     input, the output of a nonlinearity, the means of such an output over positions, and sums with any of these,
//     until a dense layer or a convolution follows. The entries of a flattened image are Gaussian, but not identically
//     distributed.
//   - The branches of a sum are uncorrelated, and infinitely wide, so that none of them is the network's input.
package ntk

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Layer is a part of a network, or a whole one: one of this package's layers and nonlinearities, [Serial] or
// [Residual].
type Layer interface {
	// forward builds the finite layer, with its variables in scope.
	forward(scope *model.Scope, parameterization Parameterization, x *graph.Node) *graph.Node
	// differentiate returns the output of forward, with batch statistics as constants, and its derivative.
	differentiate(scope *model.Scope, parameterization Parameterization, x *graph.Node) (*graph.Node, derivative)
	// count returns the dimensions of an example's output, given those of its input, and adds the sizes of the layer to
	// to.
	count(dims []int, to *counting) ([]int, error)
	// infinite appends the layer's steps to the program and returns the register that holds its output.
	infinite(p *program, input register) (register, error)
}

// Parameterization says how a finite network stores its weights. The distribution of its function at initialisation is
// the same in both, but the speed at which gradient descent moves each layer differs.
type Parameterization int

const (
	// NTKParameterization: W, b ~ N(0, 1) and z = σ_w/√n W·x + σ_b b. Its tangent kernel has an infinite-width limit.
	NTKParameterization Parameterization = iota
	// StandardParameterization: W ~ N(0, σ_w²/n), b ~ N(0, σ_b²) and z = W·x + b. Its tangent kernel grows with the
	// width.
	StandardParameterization
)

// Network is a sequence of layers.
type Network struct{ layers []Layer }

// Serial returns the network that applies layers one after the other.
func Serial(layers ...Layer) Network {
	if i := slices.Index(layers, nil); i >= 0 {
		exceptions.Panicf("ntk: layer %d of %d of a Serial is nil", i, len(layers))
	}
	return Network{layers}
}

// Model builds the finite network on x: [batch, features], or [batch, height, width, channels] for networks of images.
// Its variables are in scope, with a sub-scope for each layer. Those that do not exist yet are drawn on the host from
// the store's seed (initializer.ParamInitialSeed) and their path, and are the same on every backend. Model panics, as
// graph building does, if a layer does not fit its input.
func (n Network) Model(scope *model.Scope, parameterization Parameterization, x *graph.Node) *graph.Node {
	return n.forward(scope, parameterization, x)
}

func (n Network) forward(scope *model.Scope, parameterization Parameterization, x *graph.Node) *graph.Node {
	for i, layer := range n.layers {
		x = layer.forward(scope.In("layer%d", i), parameterization, x)
	}
	return x
}

func (n Network) infinite(p *program, r register) (register, error) {
	for i, layer := range n.layers {
		var err error
		if r, err = p.at(fmt.Sprintf("layer%d", i), layer, r); err != nil {
			return 0, err
		}
	}
	return r, nil
}
