package ntk

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/numbers"
)

// Product returns Θ(x1, x2)·v, [N1, C], for v [N2, C], of the same type as the outputs, without forming the kernel: it
// is J(x1) (J(x2)ᵀ v), a backward pass for the examples of x2, whose result has the size of the parameters, and a
// forward-mode pass for those of x1. For a model of [NewEmpirical] the second pass takes C backward passes for each
// example.
func (e *Empirical) Product(x1, x2, v *tensors.Tensor) (*tensors.Tensor, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := checkInputs(x1, x2); err != nil {
		return nil, err
	}
	if x2 == nil {
		x2 = x1
	}
	m, err := e.measure(x1.Shape())
	if err != nil {
		return nil, fmt.Errorf("ntk: kernel of inputs %s: %w", x1.Shape(), err)
	}
	if v == nil {
		return nil, errors.New("ntk: no vector to multiply the kernel with")
	}
	if want := shapes.Make(m.dtype, x2.Shape().Dimensions[0], m.outputs); !v.Shape().Equal(want) {
		return nil, fmt.Errorf("ntk: the vector that the kernel is to be multiplied with is %s, and should be %s",
			v.Shape(), want)
	}
	if at := notFinite(v); at >= 0 {
		return nil, errors.New("ntk: the vector that the kernel is to be multiplied with is not finite")
	}
	y, err := e.product(m, x1, x2, v)
	if err != nil {
		return nil, fmt.Errorf("ntk: product with the kernel of inputs %s: %w", x1.Shape(), err)
	}
	return y, nil
}

func (e *Empirical) product(m measured, x1, x2, v *tensors.Tensor) (*tensors.Tensor, error) {
	size := e.chunk(m.bytes, x1, x2)
	left, err1 := split(x1, size)
	right, err2 := split(x2, size)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	u := tensors.FromShape(shapes.Make(m.dtype, m.parameters))
	values := numbers.Of(v)
	for _, c := range right {
		part := make([]float64, size*m.outputs) // zero for the copies that fill the chunk up
		copy(part, values[c.first*m.outputs:(c.first+c.n)*m.outputs])
		sum, err := e.source.pull(c.x, numbers.Tensor(m.dtype, part, size, m.outputs), u)
		if err != nil {
			return nil, err
		}
		u.MustFinalizeAll()
		u = sum
	}
	defer u.MustFinalizeAll()
	var y []float64
	for _, c := range left {
		part, err := e.source.push(c.x, u)
		if err != nil {
			return nil, err
		}
		y = append(y, numbers.Of(part)[:c.n*m.outputs]...)
	}
	product := numbers.Tensor(m.dtype, y, x1.Shape().Dimensions[0], m.outputs)
	if at := notFinite(product); at >= 0 {
		return nil, errors.New("it is not finite: look at the variables, which may have diverged")
	}
	return product, nil
}

// LargestEigenvalue returns the largest eigenvalue of the kernel Θ(x, x), as a matrix of N·C rows, by power iteration
// with [Empirical.Product]. The estimate grows in every iteration; it is returned when it grows by less than tolerance
// relative to its size. It is an error if a thousand iterations are not enough.
func (e *Empirical) LargestEigenvalue(x *tensors.Tensor, tolerance float64) (float64, error) {
	if err := checkInputs(x, nil); err != nil {
		return 0, err
	}
	e.mu.Lock()
	m, err := e.measure(x.Shape())
	e.mu.Unlock()
	if err != nil {
		return 0, fmt.Errorf("ntk: kernel of inputs %s: %w", x.Shape(), err)
	}
	n := x.Shape().Dimensions[0]
	return powerIteration(n*m.outputs, tolerance, func(v []float64) ([]float64, error) {
		product, err := e.Product(x, nil, numbers.Tensor(m.dtype, v, n, m.outputs))
		if err != nil {
			return nil, err
		}
		return numbers.Of(product), nil
	})
}
