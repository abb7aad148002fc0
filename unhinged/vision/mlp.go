package vision

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Model is a network without its last, linear layer.
type Model struct {
	Name string
	// Features maps images [batch, height, width, 1], whose pixels have mean 0 and standard deviation 1 over the training
	// set, to features [batch, p]. Without lastReLU the last layer's is left out, so that features can be negative.
	Features func(scope *model.Scope, images *Node, lastReLU bool) *Node
}

// MLP is a perceptron with a hidden layer of each width, the last of which are the features: linear without bias,
// batch normalisation, ReLU. As in the paper's networks it is the normalisation that keeps the features of an unhinged
// loss, which has no minimum, from growing by more than the weight decay allows.
func MLP(widths ...int) Model {
	features := func(scope *model.Scope, images *Node, lastReLU bool) *Node {
		x := Reshape(images, images.Shape().Dimensions[0], -1)
		for i, width := range widths {
			layer := scope.In("layer%d", i)
			inputs := x.Shape().Dimensions[1]
			weights := layer.VariableWithValue("weights", shapes.CastAsDType(normal(layer, math.Sqrt(2/float64(inputs)), inputs, width), x.DType()))
			x = batchNorm(layer, Dot(x, weights.NodeValue(x)).Product())
			if lastReLU || i < len(widths)-1 {
				x = MaxScalar(x, 0)
			}
		}
		return x
	}
	return Model{Name: "mlp-" + strings.Trim(strings.ReplaceAll(fmt.Sprint(widths), " ", "-"), "[]"), Features: features}
}

// batchNorm normalises each feature of x [batch, p] over the batch, or in evaluation by the running averages, then
// scales and shifts it; ε = 1e-5 and averages of momentum 0.9, PyTorch's defaults. (gomlx's norm.BatchNorm has the wrong
// gradient on backends without a batch normalisation operation of their own.)
func batchNorm(scope *model.Scope, x *Node) *Node {
	const epsilon, momentum = 1e-5, 0.9
	row := func(value float64) any {
		return shapes.CastAsDType([][]float64{slices.Repeat([]float64{value}, x.Shape().Dimensions[1])}, x.DType())
	}
	scale := scope.VariableWithValue("scale", row(1))
	shift := scope.VariableWithValue("shift", row(0))
	mean := scope.VariableWithValue("mean", row(0)).SetTrainable(false)
	variance := scope.VariableWithValue("variance", row(1)).SetTrainable(false)

	g, n := x.Graph(), float64(x.Shape().Dimensions[0])
	m, v := mean.NodeValue(g), variance.NodeValue(g)
	if scope.IsTraining(g) {
		m = ReduceAndKeep(x, ReduceMean, 0)
		v = ReduceAndKeep(Square(Sub(x, m)), ReduceMean, 0)
		average := func(old *model.Variable, batch *Node) {
			batch = StopGradient(batch)
			old.SetNodeValue(Add(MulScalar(old.NodeValue(g), momentum), MulScalar(batch, 1-momentum)))
		}
		average(mean, m)
		average(variance, MulScalar(v, n/(n-1))) // the unbiased estimate, as PyTorch keeps it
	}
	normalised := Div(Sub(x, m), Sqrt(AddScalar(v, epsilon)))
	return Add(Mul(normalised, scale.NodeValue(g)), shift.NodeValue(g))
}

// normal draws N(0, deviation²) on the host from the store's seed (initializer.ParamInitialSeed) and the scope's path: the
// same on every backend, whatever else the model has. (An initializer would put it into a graph that XLA has to compile.)
func normal(scope *model.Scope, deviation float64, rows, columns int) [][]float64 {
	path := fnv.New64a()
	path.Write([]byte(scope.Scope()))
	random := rand.New(rand.NewPCG(uint64(model.GetParamOr(scope, initializer.ParamInitialSeed, int64(0))), path.Sum64()))
	values := make([][]float64, rows)
	for i := range values {
		values[i] = make([]float64, columns)
		for j := range values[i] {
			values[i][j] = deviation * random.NormFloat64()
		}
	}
	return values
}
