package ntk

import (
	"runtime"

	"github.com/gomlx/compute/shapes"
)

// Memory estimates the bytes that [Infinite.Kernels] takes, beyond the inputs themselves, for inputs of the given shape
// (the number of examples in it has no effect): pair·N1·N2 + example·(N1 + N2) + fixed, including the two kernels. It
// returns the errors of Kernels about shapes.
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
	worker := 0.0 // numbers for each core
	for r, shape := range p.shapes {
		example += int64(shape.positions()) * float64Size
		if images {
			entries := numberOf(shape.height, shape.width)
			if p.full {
				entries *= entries
			}
			worker += 3 * max(1, entries) // an upper bound of the number in memory at a time
		}
		if r == 0 {
			continue
		}
		if a, ok := p.steps[r-1].operation.(*affine); ok && shape.image() {
			wide := numberOf(shape.width-1, a.stride) + float64(a.size) // see affine.sum
			if p.full {
				wide *= wide
			}
			worker += wide
		}
	}
	return pair, example, saturated(worker * float64Size * float64(runtime.GOMAXPROCS(0))), nil
}
