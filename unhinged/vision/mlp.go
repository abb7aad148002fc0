package vision

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// MLP is a perceptron with a hidden layer of each width, the last of which are the features: linear without bias,
// batch normalisation, ReLU. As in the paper's networks it is the normalisation that keeps the features of an unhinged
// loss, which has no minimum, from growing by more than the weight decay allows.
func MLP(widths ...int) Model {
	features := func(scope *model.Scope, images *Node, lastReLU bool) *Node {
		x := Reshape(images, images.Shape().Dimensions[0], -1)
		for i, width := range widths {
			layer := scope.In("layer%d", i)
			inputs := x.Shape().Dimensions[1]
			weights := layer.VariableWithValue("weights", normal(layer, math.Sqrt(2/float64(inputs)), stored(x.DType()), inputs, width))
			x = batchNorm(layer, Dot(x, ConvertDType(weights.NodeValue(x), x.DType())).Product())
			if lastReLU || i < len(widths)-1 {
				x = relu(x)
			}
		}
		return ConvertDType(x, stored(x.DType()))
	}
	return Model{Name: "mlp-" + strings.Trim(strings.ReplaceAll(fmt.Sprint(widths), " ", "-"), "[]"), Features: features}
}

// normal draws N(0, deviation²) on the host from the store's seed (initializer.ParamInitialSeed) and the scope's path: the
// same on every backend, whatever else the model has. (An initializer would put it into a graph that XLA has to compile.)
func normal(scope *model.Scope, deviation float64, dtype dtypes.DType, dimensions ...int) *tensors.Tensor {
	path := fnv.New64a()
	path.Write([]byte(scope.Scope()))
	random := rand.New(rand.NewPCG(uint64(model.GetParamOr(scope, initializer.ParamInitialSeed, int64(0))), path.Sum64()))
	draw := func() float64 { return deviation * random.NormFloat64() }
	size := shapes.Make(dtype, dimensions...).Size()
	if dtype == dtypes.Float64 {
		values := make([]float64, size)
		for i := range values {
			values[i] = draw()
		}
		return tensors.FromFlatDataAndDimensions(values, dimensions...)
	}
	values := make([]float32, size)
	for i := range values {
		values[i] = float32(draw())
	}
	return tensors.FromFlatDataAndDimensions(values, dimensions...)
}
