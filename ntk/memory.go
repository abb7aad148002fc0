package ntk

import (
	"fmt"
	"runtime"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// Memory estimates the bytes that [Infinite.Kernels] takes for inputs of the given shape (whatever its number of
// examples) beyond the inputs themselves: pair·N1·N2 + example·(N1 + N2) + fixed, the two kernels included. The errors are
// those of Kernels about shapes.
func (inf *Infinite) Memory(input shapes.Shape) (pair, example, fixed int64, err error) {
	if rank := input.Rank(); rank != 2 && rank != 4 || input.Size() == 0 {
		return 0, 0, 0, fmt.Errorf("ntk: inputs are [examples, features] or [examples, height, width, channels] and not empty, not %s", input)
	}
	if input.DType != dtypes.Float32 && input.DType != dtypes.Float64 {
		return 0, 0, 0, fmt.Errorf("ntk: inputs are float32 or float64, not %s", input.DType)
	}
	dims := input.Dimensions
	var positions layout
	if len(dims) == 4 && !(len(inf.network.layers) > 0 && inf.network.layers[0] == Flatten) {
		positions = layout{dims[1], dims[2]}
	}
	p, err := compile(inf.network, positions)
	if err != nil {
		return 0, 0, 0, err
	}
	const float64Size = 8
	size := int64(input.DType.Size())
	pair = 2 * size // both kernels
	if !positions.image() {
		pair += 2 * size // the products of the inputs, on the backend and here
	}
	example = int64(input.Size()/dims[0]) * float64Size
	for r, shape := range p.shapes {
		example += int64(shape.positions()) * float64Size
		if positions.image() {
			fixed += 3 * float64Size * int64(p.size(register(r))) * int64(runtime.GOMAXPROCS(0)) // more than are alive at a time
		}
	}
	return pair, example, fixed, nil
}
