package vision

import (
	"fmt"
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/layers"
)

// MLP is a perceptron with a hidden layer of each width, the last of which are the features: linear without bias, batch
// normalisation, ReLU. The unhinged loss has no minimum. As in the paper's networks, the normalisation keeps its
// features from growing by more than the weight decay allows.
func MLP(widths ...int) Model {
	features := func(scope *model.Scope, images *Node, lastReLU bool) *Node {
		x := Reshape(images, images.Shape().Dimensions[0], -1)
		for i, width := range widths {
			layer := scope.In("layer%d", i)
			inputs := x.Shape().Dimensions[1]
			weights := layer.VariableWithValue("weights", layers.Normal(layer, "weights", math.Sqrt(2/float64(inputs)),
				stored(x.DType()), inputs, width))
			x = batchNorm(layer, Dot(x, ConvertDType(weights.NodeValue(x), x.DType())).Product())
			if lastReLU || i < len(widths)-1 {
				x = relu(x)
			}
		}
		return ConvertDType(x, stored(x.DType()))
	}
	name := "mlp-" + strings.Trim(strings.ReplaceAll(fmt.Sprint(widths), " ", "-"), "[]")
	size := func(height, width, channels int) (size Size) {
		inputs := float64(height * width * channels)
		for _, width := range widths {
			outputs := float64(width)
			size.layer(inputs*outputs+2*outputs, outputs)
			inputs = outputs
		}
		return size
	}
	return Model{Name: name, Features: features, Dimension: widths[len(widths)-1], Size: size}
}
