package layers

import (
	"hash/fnv"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Normal draws the initial value, of float32 or float64, of the scope's variable of this name: N(0, deviation²). It
// depends only on the store's seed (initializer.ParamInitialSeed) and the variable's path, so it is the same on every
// backend and in every model. (gomlx's initialisers draw on the backend, in a graph that XLA has to compile.)
func Normal(scope *model.Scope, name string, deviation float64, dtype dtypes.DType, dimensions ...int) *tensors.Tensor {
	drawn := tensors.FromShape(shapes.Make(dtype, dimensions...)) // filled in place: it may be large
	if dtype == dtypes.Float64 {
		fill[float64](drawn, deviation, Random(scope, name))
	} else {
		fill[float32](drawn, deviation, Random(scope, name))
	}
	return drawn
}

func fill[T float32 | float64](t *tensors.Tensor, deviation float64, random *rand.Rand) {
	tensors.MustMutableFlatData(t, func(flat []T) {
		for i := range flat {
			flat[i] = T(deviation * random.NormFloat64())
		}
	})
}

// Random returns the source of random numbers for the scope's variable of this name.
func Random(scope *model.Scope, name string) *rand.Rand {
	path := fnv.New64a()
	path.Write([]byte(scope.Scope() + "/" + name))
	seed := model.GetParamOr(scope, initializer.ParamInitialSeed, int64(0))
	return rand.New(rand.NewPCG(uint64(seed), path.Sum64()))
}
