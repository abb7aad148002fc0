package ntk

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Infinite computes the kernels of a network of infinite width in the NTK parameterisation. The widths in the
// description of the network have no effect on them, not even the width of the last layer: the kernels are those of one
// output, and different outputs are independent.
type Infinite struct {
	network               Network
	products, gram, whole *graph.Exec
	factors               dtypes.DType // of whole
}

// Infinite returns the kernels of the network. The backend multiplies the inputs of networks of vectors; the rest runs
// on the host, on all cores, in float64.
func (n Network) Infinite(backend compute.Backend) *Infinite {
	vectors := func(x *graph.Node) *graph.Node { return graph.Reshape(x, x.Shape().Dimensions[0], -1) }
	return &Infinite{
		network: n,
		factors: wholeFactors(backend),
		whole: graph.MustNewExec(backend, func(x1, x2 *graph.Node) *graph.Node {
			return graph.Dot(x1, x2).WithOutputDType(dtypes.Float32).General([]int{1}, nil, []int{1}, nil)
		}),
		products: graph.MustNewExec(backend, func(x1, x2 *graph.Node) *graph.Node {
			return graph.Einsum("id,jd->ij", vectors(x1), vectors(x2))
		}),
		gram: graph.MustNewExec(backend, func(x *graph.Node) []*graph.Node {
			x = vectors(x)
			n := x.Shape().Dimensions[0]
			var products []*graph.Node
			for from := 0; from < n; from += gramRows(n) {
				rows := graph.Slice(x, graph.AxisRange(from, min(from+gramRows(n), n)))
				products = append(products, graph.Einsum("id,jd->ij", rows, graph.Slice(x, graph.AxisRange(from))))
			}
			return products
		}),
	}
}

// gramRows returns the number of examples in a block, where each block is multiplied with itself and the examples after
// it. With a quarter of n examples, 5/8 of all products are computed.
func gramRows(n int) int { return max(128, (n+3)/4) }

// Kernels are the two kernels between examples, [N1, N2], or [N] on the diagonal.
type Kernels struct {
	NNGP *tensors.Tensor // covariance of the outputs at initialisation
	NTK  *tensors.Tensor // neural tangent kernel
}

// Kernels returns the kernels between the examples of x1 and those of x2, or of x1 with itself if x2 is nil. The inputs
// are [N, features] or [N, height, width, channels], both float32 or both float64, and the kernels have the same type.
//
// Both are accurate to rounding, also for two inputs with almost the same direction, for which the textbook formulas
// lose half of the digits. (After pooling, inputs that differ by δ relative to their size are told apart with a
// relative error of 1e-16/δ.)
//
// Memory beyond the inputs and the kernels is small for vectors. For images it is, for each core and for each of the
// few layers that are in memory at a time, 24 bytes for each position of a pair of images, and with pooling 24 bytes
// for each pair of positions.
//
// It is an error if an input is not finite, if shapes or types do not match or do not fit the network, or if the
// network has no kernel by the package's rules: if the input of a nonlinearity is not Gaussian in the limit, if the
// branches of a Residual are correlated, or if the output is an image. The error names the layer, and what to write
// instead.
//
// For a network that does not end with a dense layer or a convolution, the kernels are the means over its outputs.
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
	if x2 == nil {
		x2 = x1
	}
	for _, x := range []*tensors.Tensor{x1, x2} {
		if err := checkShape(x.Shape()); err != nil {
			return nil, err
		}
	}
	s1, s2 := x1.Shape(), x2.Shape()
	if s1.DType != s2.DType || !slices.Equal(s1.Dimensions[1:], s2.Dimensions[1:]) {
		return nil, fmt.Errorf("ntk: inputs of shapes %s and %s do not match", s1, s2)
	}
	program, err := inf.program(s1)
	if err != nil {
		return nil, err
	}
	if s1.DType == dtypes.Float32 {
		return kernels(&pairs[float32]{program: program, diagonal: diagonal, single: true}, inf, x1, x2,
			math.MaxFloat32)
	}
	return kernels(&pairs[float64]{program: program, diagonal: diagonal}, inf, x1, x2, math.MaxFloat64)
}

// checkShape returns an error if the inputs are neither vectors nor images, or neither float32 nor float64.
func checkShape(inputs shapes.Shape) error {
	switch {
	case inputs.Rank() != 2 && inputs.Rank() != 4 || inputs.Size() == 0:
		return fmt.Errorf("ntk: inputs are [examples, features] or [examples, height, width, channels] and not "+
			"empty, not %s", inputs)
	case inputs.DType != dtypes.Float32 && inputs.DType != dtypes.Float64:
		return fmt.Errorf("ntk: inputs are float32 or float64, not %s", inputs.DType)
	}
	return nil
}

// program returns the network's program for inputs of a shape. If the network begins with Flatten, images become
// vectors.
func (inf *Infinite) program(inputs shapes.Shape) (*program, error) {
	var input layout
	if inputs.Rank() == 4 && !(len(inf.network.layers) > 0 && inf.network.layers[0] == Flatten) {
		input = layout{inputs.Dimensions[1], inputs.Dimensions[2]}
	}
	return compile(inf.network, input)
}

// kernels reads the inputs into p and computes the kernels. The squares of the inputs must not exceed largest.
func kernels[T float32 | float64](p *pairs[T], inf *Infinite, x1, x2 *tensors.Tensor, largest float64) (*Kernels,
	error) {
	input := p.program.shapes[0]
	var err error
	if p.x1, err = read(flat[T](x1), x1.Shape().Dimensions[0], input, largest); err != nil {
		return nil, err
	}
	p.v1 = p.variances(p.x1)
	p.symmetric, p.x2, p.v2 = x1 == x2, p.x1, p.v1
	if !p.symmetric {
		if p.x2, err = read(flat[T](x2), x2.Shape().Dimensions[0], input, largest); err != nil {
			return nil, err
		}
		p.v2 = p.variances(p.x2)
	}
	if !p.diagonal && !input.image() {
		p.rows = p.x1.n
		exec, args := inf.products, []any{x1, x2}
		if p.symmetric {
			p.rows = gramRows(p.x1.n)
			exec, args = inf.gram, []any{x1}
		}
		results, err := exec.Call(args...)
		if err != nil {
			return nil, fmt.Errorf("ntk: multiplying the inputs: %w", err)
		}
		for _, result := range results {
			defer result.MustFinalizeAll()
			p.products = append(p.products, flat[T](result))
		}
	}
	k := p.kernels(x1.DType())
	runtime.KeepAlive(x1)
	runtime.KeepAlive(x2)
	return k, nil
}

// kernels computes the kernels, of T's type, once the inputs are read and multiplied.
func (p *pairs[T]) kernels(dtype dtypes.DType) *Kernels {
	dims := []int{p.x1.n, p.x2.n}
	if p.diagonal {
		dims = dims[:1]
	}
	shape := shapes.Make(dtype, dims...)
	k := &Kernels{NNGP: tensors.FromShape(shape), NTK: tensors.FromShape(shape)}
	tensors.MustMutableFlatData(k.NNGP, func(nngp []T) {
		tensors.MustMutableFlatData(k.NTK, func(ntk []T) { p.solve(nngp, ntk) })
	})
	return k
}

// flat returns the memory of a tensor. It is valid as long as the tensor is.
func flat[T float32 | float64 | uint8](t *tensors.Tensor) (memory []T) {
	tensors.MustConstFlatData(t, func(flat []T) { memory = flat })
	return memory
}
