package vision

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/layers"
)

// batchNorm normalises x [..., channels] with PyTorch's defaults. It computes in stored(x's type).
func batchNorm(scope *model.Scope, x *Node) *Node {
	return normalise(layers.BatchNorm{}, scope, x)
}

func normalise(norm layers.BatchNorm, scope *model.Scope, x *Node) *Node {
	return ConvertDType(norm.Apply(scope, ConvertDType(x, stored(x.DType()))), x.DType())
}
