package ntk

import (
	"runtime"

	"github.com/gomlx/compute/shapes"
)

// Memory estimates the bytes that [Infinite.Kernels] takes for inputs of the given shape (whatever its number of
// examples) beyond the inputs themselves: pair·N1·N2 + example·(N1 + N2) + fixed, the two kernels included. The errors are
// those of Kernels about shapes.
func (inf *Infinite) Memory(input shapes.Shape) (pair, example, fixed int64, err error) {
	if err := checkShape(input); err != nil {
		return 0, 0, 0, err
	}
	p, err := inf.program(input)
	if err != nil {
		return 0, 0, 0, err
	}
	images := p.shapes[0].image()
	const float64Size = 8
	size := int64(input.DType.Size())
	pair = 2 * size // both kernels
	if !images {
		pair += 2 * size // the products of the inputs, on the backend and here
	}
	example = int64(input.Size()/input.Dimensions[0]) * float64Size
	for r, shape := range p.shapes {
		example += int64(shape.positions()) * float64Size
		if images {
			fixed += 3 * float64Size * int64(p.size(register(r))) * int64(runtime.GOMAXPROCS(0)) // more than are alive at a time
		}
	}
	return pair, example, fixed, nil
}
