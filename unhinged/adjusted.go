package unhinged

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/train/loss"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// AdjustedLoss is the adjusted sample margin loss, equation (104), for normalised features and anchored prototypes with
// W1 = 0. With c = ŵ_yᵀĥ,
//
//	L⁰_γ = L_γ(Wĥ, y)           if c ≥ −1 + ε,
//	       −(1+γ)(w_y + δ)ᵀĥ    if c < −1 + ε,
//	δ = −(1+k)(I − ĥĥᵀ)w_y,   k = c√(1−(1−ε)²) / ((1−ε)√(1−c²)),
//
// δ has a stopped gradient, and w_y + δ has the cosine −1 + ε to ĥ (erratum E8: with the printed I + ĥĥᵀ it does not).
// Because δ ⟂ ĥ, the value of the loss is that of L_γ. Only its gradient by h is multiplied by −k, so that it does not
// vanish at c = −1, where the gradient of L_γ does. At c = −1 the direction of δ is not determined: the tangent nearest
// to the coordinate axis of the smallest |ĥ_i| is taken.
type AdjustedLoss struct {
	Gamma      *float64 // γ ≥ 0; nil is 1/(C−1)
	Epsilon    float64  // ε in (0, 1); the paper names no value
	PerExample bool     // Fn returns [batch] instead of the mean
}

// Fn is the loss as a loss.LossFn. Its predictions are those of Head.Predictions: predictions[1] are the features
// [batch, p] and predictions[2] the prototypes [C, p]; predictions[0], the logits, are ignored. Labels are those of
// Criterion.
func (l AdjustedLoss) Fn(labels, predictions []*Node) *Node {
	if len(predictions) != 3 {
		Panicf("unhinged: the adjusted loss needs predictions {logits, features, prototypes}, got %d", len(predictions))
	}
	features, prototypes := predictions[1], predictions[2]
	weights, mask := loss.CheckExtraLabelsForWeightsAndMask(perExampleShape(features), labels[1:])
	if mask != nil {
		features = Where(BroadcastToShape(InsertAxes(mask, -1), features.Shape()), features, ZerosLike(features))
	}
	losses := l.Each(labels[0], features, prototypes)
	if weights != nil {
		losses = Mul(losses, weights)
	}
	return reduce(losses, mask, l.PerExample)
}

// Each returns the loss of each example, [batch], given class numbers or one-hot rows, features [batch, p] and
// prototypes [C, p].
func (l AdjustedLoss) Each(labels, features, prototypes *Node) *Node {
	if !(l.Epsilon > 0 && l.Epsilon < 1) {
		Panicf("unhinged: the adjusted loss has ε = %g: it must be in (0, 1)", l.Epsilon)
	}
	direction := L2Normalize(features, -1)
	logits := MatMul(direction, Transpose(prototypes, 0, 1))
	onehot := oneHot(labels, logits)
	own := MatMul(onehot, prototypes) // w_y
	gamma := gammaOr(l.Gamma, logits)

	length := L2Norm(own, -1)
	cosine := Div(target(onehot, logits), Where(IsZero(length), OnesLike(length), length))

	// w_y + δ = ‖w_y‖c(ĥ − û√(1−(1−ε)²)/(1−ε)) with û = (I − ĥĥᵀ)w_y, normalised: the same, without (104)'s 0/0.
	slope := math.Sqrt(1-(1-l.Epsilon)*(1-l.Epsilon)) / (1 - l.Epsilon)
	moved := Mul(Mul(length, cosine), Sub(direction, MulScalar(tangent(own, length, direction), slope)))
	delta := StopGradient(Sub(moved, own))
	adjusted := MulScalar(ReduceSum(Mul(Add(own, delta), direction), -1), -1-gamma)

	stuck := LessThan(Squeeze(cosine, -1), Scalar(features.Graph(), features.DType(), l.Epsilon-1))
	return Where(stuck, adjusted, Loss{Gamma: l.Gamma}.Each(onehot, logits))
}

// tangent returns the unit vectors along (I − ĥĥᵀ)w, [batch, p]. Where this vector is zero up to rounding, it returns
// the unit vector along (I − ĥĥᵀ)e_i, where ĥ_i is the coordinate of ĥ with the smallest absolute value.
func tangent(w, length, direction *Node) *Node {
	rounding := 1e-12
	if direction.DType() != dtypes.Float64 {
		rounding = 1e-5
	}
	project := func(x *Node) *Node {
		return Sub(x, Mul(direction, ReduceAndKeep(Mul(direction, x), ReduceSum, -1)))
	}
	along := project(w)
	p := direction.Shape().Dimensions[1]
	axis := OneHot(ArgMin(Abs(direction), -1), p, direction.DType())
	none := LessOrEqual(L2Norm(along, -1), MulScalar(length, rounding))
	along = Where(BroadcastToShape(none, along.Shape()), axis, along)
	// The second projection removes the part along ĥ that rounding left.
	return L2Normalize(project(L2Normalize(project(along), -1)), -1)
}
