package ntk

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/shapes"
)

// Size is the size of a finite network. Its numbers saturate at the largest int64.
type Size struct {
	Outputs    int   // C
	Parameters int64 // trainable numbers, and the averages of BatchNorm
	// Example is the smallest number of numbers that the derivatives of one example's outputs take: the gradients of C
	// outputs by the largest layer, or the patches of a convolution.
	Example int64
}

// Size counts the parameters of the finite network for inputs of the given shape; the number of examples in it has no
// effect. Nothing is allocated, so that a network that does not fit into memory can be refused. It is an error if a
// layer does not fit its input.
func (n Network) Size(input shapes.Shape) (Size, error) {
	if err := checkShape(input); err != nil {
		return Size{}, err
	}
	c := &counting{}
	dims, err := n.count(input.Dimensions[1:], c)
	switch {
	case err != nil:
		return Size{}, fmt.Errorf("ntk: %w", err)
	case len(dims) != 1:
		return Size{}, fmt.Errorf("ntk: the network ends with images of %v: end it with Flatten or GlobalAveragePool",
			dims)
	}
	size := Size{Outputs: dims[0], Parameters: saturated(c.parameters),
		Example: saturated(max(c.patches, float64(dims[0])*c.largest))}
	if float64(size.Outputs) >= math.MaxInt32 {
		return size, fmt.Errorf("ntk: the network has %d outputs: want fewer than 2³¹", size.Outputs)
	}
	return size, nil
}

// counting holds the counters of [Network.Size].
type counting struct{ parameters, largest, patches float64 }

func saturated(v float64) int64 {
	if v >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(v)
}

func numberOf(dims ...int) float64 {
	n := 1.0
	for _, d := range dims {
		n *= float64(d)
	}
	return n
}

// misfit returns the error for inputs that do not fit a layer.
func misfit(layer Layer, takes string, dims []int) error {
	return fmt.Errorf("%s takes %s, not %v", describe(layer), takes, dims)
}

const (
	takesVectors = "vectors [features] (put flatten or gap before it)"
	takesImages  = "images [height, width, channels]"
)

func (n Network) count(dims []int, to *counting) ([]int, error) {
	var err error
	to.largest = max(to.largest, numberOf(dims...))
	for _, layer := range n.layers {
		if dims, err = layer.count(dims, to); err != nil {
			return nil, err
		}
		to.largest = max(to.largest, numberOf(dims...))
	}
	return dims, nil
}

func (d DenseLayer) count(dims []int, to *counting) ([]int, error) {
	if len(dims) != 1 {
		return nil, misfit(d, takesVectors, dims)
	}
	to.parameters += numberOf(dims[0], d.width)
	if d.bStd != 0 {
		to.parameters += float64(d.width)
	}
	return []int{d.width}, nil
}

func (c ConvLayer) count(dims []int, to *counting) ([]int, error) {
	if len(dims) != 3 {
		return nil, misfit(c, takesImages, dims)
	}
	height, _, err1 := c.filter.apply(dims[0])
	width, _, err2 := c.filter.apply(dims[1])
	if err1 != nil || err2 != nil {
		return nil, misfit(c, "images that its filter fits into (or write same)", dims)
	}
	seen := numberOf(c.filter.size, c.filter.size, dims[2])
	to.parameters += seen * float64(c.channels)
	if c.bStd != 0 {
		to.parameters += float64(c.channels)
	}
	to.patches = max(to.patches, seen*numberOf(height, width))
	return []int{height, width, c.channels}, nil
}

// pools is the method count of AveragePool and MaxPool.
func pools(layer Layer, window int, dims []int) ([]int, error) {
	if len(dims) != 3 || window < 1 || min(dims[0], dims[1]) < window {
		return nil, misfit(layer, "images [height, width, channels] with sides of at least one window", dims)
	}
	return []int{dims[0] / window, dims[1] / window, dims[2]}, nil
}

func (a averagePool) count(dims []int, _ *counting) ([]int, error) { return pools(a, a.window, dims) }
func (m maxPool) count(dims []int, _ *counting) ([]int, error)     { return pools(m, m.window, dims) }

func (g globalAveragePool) count(dims []int, _ *counting) ([]int, error) {
	if len(dims) != 3 {
		return nil, misfit(g, takesImages, dims)
	}
	return dims[2:], nil
}

func (f flatten) count(dims []int, _ *counting) ([]int, error) {
	n := numberOf(dims...)
	if n >= math.MaxInt32 {
		return nil, misfit(f, "images of fewer than 2³¹ numbers", dims)
	}
	return []int{int(n)}, nil
}

func (identity) count(dims []int, _ *counting) ([]int, error)   { return dims, nil }
func (activation) count(dims []int, _ *counting) ([]int, error) { return dims, nil }

func (batchNorm) count(dims []int, to *counting) ([]int, error) {
	to.parameters += 4 * float64(dims[len(dims)-1])
	return dims, nil
}

func (r residual) count(dims []int, to *counting) ([]int, error) {
	var first []int
	for i, branch := range r.branches {
		out, err := branch.count(dims, to)
		switch {
		case err != nil:
			return nil, err
		case i == 0:
			first = out
		case !slices.Equal(out, first):
			return nil, fmt.Errorf("branch %d of a residual ends with %v, branch 0 with %v", i, out, first)
		}
	}
	if first == nil {
		return nil, fmt.Errorf("a residual has no branches")
	}
	return first, nil
}
