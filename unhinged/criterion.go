// Package unhinged has the unhinged loss, related losses, and the heads that the paper trains with it, as gomlx graph
// code. Each loss has the signature of gomlx's losses (loss.LossFn), and a Head can follow any model.
//
// Shapes are those of the framework: logits [batch, C], features [batch, p] and prototypes [C, p], with a row for each
// example or class.
package unhinged

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/train/loss"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// Criterion is a classification loss of the logits. The unhinged loss and the losses that it is compared with implement
// it.
type Criterion interface {
	// Fn is the loss as a loss.LossFn. predictions[0] are the logits [batch, C]; labels[0] are class numbers from 0
	// ([batch] or [batch, 1] of integers; one out of range counts as no class) or one-hot rows [batch, C] of any type.
	// As in gomlx, labels may have a mask and weights, both [batch], in any order. It returns the mean over the batch
	// (over the unmasked examples if there is a mask), or, if PerExample is set, the losses [batch], 0 where masked.
	Fn(labels, predictions []*Node) *Node

	// Each returns the loss of each example, [batch], given one-hot labels and logits, both [batch, C].
	Each(onehot, logits *Node) *Node

	// LogitGradient returns the gradient of Each by the logits, [batch, C], in closed form. It is needed inside of a
	// While loop, which gomlx cannot differentiate.
	LogitGradient(onehot, logits *Node) *Node
}

// fn is Criterion.Fn, given Each.
func fn(each func(onehot, logits *Node) *Node, perExample bool, labels, predictions []*Node) *Node {
	logits := predictions[0]
	if logits.Rank() != 2 || !logits.DType().IsFloat() {
		Panicf("unhinged: the logits must be floats of shape [batch, C], got %s", logits.Shape())
	}
	onehot := oneHot(labels[0], logits)
	weights, mask := loss.CheckExtraLabelsForWeightsAndMask(perExampleShape(logits), labels[1:])
	if mask != nil { // a masked number may be NaN and must not reach the gradient
		logits = Where(BroadcastToShape(InsertAxes(mask, -1), logits.Shape()), logits, ZerosLike(logits))
	}
	losses := each(onehot, logits)
	if weights != nil {
		losses = Mul(losses, weights)
	}
	return reduce(losses, mask, perExample)
}

// reduce masks the losses [batch]. It returns their mean, or the losses themselves if perExample is set.
func reduce(losses, mask *Node, perExample bool) *Node {
	if mask != nil {
		losses = Where(mask, losses, ZerosLike(losses))
	}
	switch {
	case perExample:
		return losses
	case mask != nil:
		return MaskedReduceAllMean(losses, mask)
	default:
		return ReduceAllMean(losses)
	}
}

// perExampleShape is [batch] in the type of x [batch, …].
func perExampleShape(x *Node) shapes.Shape {
	return shapes.Make(x.DType(), x.Shape().Dimensions[0])
}

// oneHot returns labels of any accepted form as one-hot rows of the logits' shape and type.
func oneHot(labels, logits *Node) *Node {
	batch, classes := logits.Shape().Dimensions[0], logits.Shape().Dimensions[1]
	if classes < 2 {
		Panicf("unhinged: logits %s have %d class(es): need at least 2", logits.Shape(), classes)
	}
	shape := labels.Shape()
	switch {
	case shape.Rank() == 2 && shape.Dimensions[0] == batch && shape.Dimensions[1] == classes:
		return ConvertDType(labels, logits.DType())
	case shape.DType.IsInt() && shape.Size() == batch && (shape.Rank() == 1 || shape.Rank() == 2 &&
		shape.Dimensions[1] == 1):
		return OneHot(Reshape(labels, batch), classes, logits.DType())
	}
	Panicf("unhinged: labels %s do not fit logits %s: need integers [%d] or [%d, 1], or one-hot rows [%d, %d]",
		shape, logits.Shape(), batch, batch, batch, classes)
	return nil
}

// gammaOr returns γ, or its default 1/(C−1) for the C classes of the logits.
func gammaOr(gamma *float64, logits *Node) float64 {
	if gamma == nil {
		return 1 / float64(logits.Shape().Dimensions[1]-1)
	}
	if !(*gamma >= 0) {
		Panicf("unhinged: γ is %g: it must not be negative", *gamma)
	}
	return *gamma
}

// target returns the logit of each example's own class, [batch, 1].
func target(onehot, logits *Node) *Node {
	return ReduceAndKeep(Mul(onehot, logits), ReduceSum, -1)
}
