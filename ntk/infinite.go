package ntk

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Infinite computes the kernels of a network of infinite width in the NTK parameterisation. The widths that the network
// was described with play no part in them, nor does the width of the last layer: the kernels are those of one output, and
// different outputs are independent.
type Infinite struct {
	network  Network
	products *graph.Exec
}

// Infinite returns the kernels of the network. The backend multiplies the inputs of networks of vectors; the rest runs on
// the host, on all cores, in float64.
func (n Network) Infinite(backend compute.Backend) *Infinite {
	return &Infinite{n, graph.MustNewExec(backend, func(x1, x2 *graph.Node) *graph.Node {
		vectors := func(x *graph.Node) *graph.Node { return graph.Reshape(x, x.Shape().Dimensions[0], -1) }
		return graph.Einsum("id,jd->ij", vectors(x1), vectors(x2))
	})}
}

// Kernels are the two kernels between examples, [N1, N2], or [N] on the diagonal.
type Kernels struct {
	NNGP *tensors.Tensor // covariance of the outputs at initialisation
	NTK  *tensors.Tensor // neural tangent kernel
}

// Kernels returns the kernels between the examples of x1 and those of x2, or of x1 with itself if x2 is nil. The inputs
// are [N, features] or [N, height, width, channels], both float32 or both float64, which is what the kernels will be.
//
// Both are accurate to rounding also where two inputs point almost the same way, where the textbook formulas lose half of
// the digits. (After pooling, inputs that differ by δ relative to their size are told apart with a relative error of
// 1e-16/δ.)
//
// Memory beyond the inputs and the kernels is small for vectors, 24 bytes for each position of a pair of images for each
// of the few layers alive at a time and for each core, and with pooling 24 bytes for each pair of positions.
//
// There is an error if an input is not finite, if shapes or types do not match or fit the network, and if the network has
// no kernel: a Residual of correlated branches, or an output that is still an image.
func (inf *Infinite) Kernels(x1, x2 *tensors.Tensor) (*Kernels, error) {
	return inf.kernels(x1, x2, false)
}

// Diagonal returns the kernels of each example with itself, [N], without computing the others.
func (inf *Infinite) Diagonal(x *tensors.Tensor) (*Kernels, error) {
	return inf.kernels(x, nil, true)
}

func (inf *Infinite) kernels(x1, x2 *tensors.Tensor, diagonal bool) (*Kernels, error) {
	if x1 == nil {
		return nil, errors.New("ntk: no inputs")
	}
	symmetric := x2 == nil
	if symmetric {
		x2 = x1
	}
	if s1, s2 := x1.Shape(), x2.Shape(); s1.DType != s2.DType || s1.Rank() != s2.Rank() {
		return nil, fmt.Errorf("ntk: inputs of shapes %s and %s do not match", s1, s2)
	}
	vectors := len(inf.network.layers) > 0 && inf.network.layers[0] == Flatten
	p := &pairs{symmetric: symmetric, diagonal: diagonal}
	var err error
	if p.x1, err = readInputs(x1, vectors); err != nil {
		return nil, err
	}
	p.x2 = p.x1
	if !symmetric {
		if p.x2, err = readInputs(x2, vectors); err != nil {
			return nil, err
		}
	}
	if p.x1.layout != p.x2.layout || p.x1.channels != p.x2.channels {
		return nil, fmt.Errorf("ntk: inputs of shapes %s and %s do not match", x1.Shape(), x2.Shape())
	}
	if p.program, err = compile(inf.network, p.x1.layout); err != nil {
		return nil, err
	}
	p.q1 = p.variances(p.x1)
	p.q2 = p.q1
	if !symmetric {
		p.q2 = p.variances(p.x2)
	}
	if !p.x1.image() && !diagonal {
		products, err := inf.products.Call(x1, x2)
		if err != nil {
			return nil, fmt.Errorf("ntk: multiplying the inputs: %w", err)
		}
		p.products = products[0]
		defer p.products.MustFinalizeAll()
	}
	if x1.DType() == dtypes.Float32 {
		return solve[float32](p)
	}
	return solve[float64](p)
}
