package layers

import (
	"hash/fnv"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/unhinged-lab/lab/internal/numbers"
)

// Normal draws the initial value of the scope's variable of this name: N(0, deviation²) from the store's seed
// (initializer.ParamInitialSeed) and the variable's path, and so the same on every backend, whatever else the model has.
// (gomlx's initialisers draw on the backend, in a graph that XLA has to compile.)
func Normal(scope *model.Scope, name string, deviation float64, dtype dtypes.DType, dimensions ...int) *tensors.Tensor {
	random := Random(scope, name)
	size := 1
	for _, d := range dimensions {
		size *= d
	}
	values := make([]float64, size)
	for i := range values {
		values[i] = deviation * random.NormFloat64()
	}
	return numbers.Tensor(dtype, values, dimensions...)
}

// Random is the source of random numbers for the scope's variable of this name.
func Random(scope *model.Scope, name string) *rand.Rand {
	path := fnv.New64a()
	path.Write([]byte(scope.Scope() + "/" + name))
	seed := model.GetParamOr(scope, initializer.ParamInitialSeed, int64(0))
	return rand.New(rand.NewPCG(uint64(seed), path.Sum64()))
}
