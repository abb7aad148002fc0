package unhinged

import . "github.com/gomlx/gomlx/core/graph"

// Hinge is the multi-class hinge loss Σ_{j≠y} max(0, s_j − s_y + m).
type Hinge struct {
	Margin     *float64 // m; nil is 1
	PerExample bool     // Fn returns [batch] instead of the mean
}

// Fn is the loss with the framework's signature; see Criterion.
func (l Hinge) Fn(labels, predictions []*Node) *Node {
	return fn(l.Each, l.PerExample, labels, predictions)
}

// Each returns the hinge loss of each example, [batch].
func (l Hinge) Each(onehot, logits *Node) *Node {
	return ReduceSum(Mul(OneMinus(onehot), MaxScalar(l.violations(onehot, logits), 0)), -1)
}

// LogitGradient returns 1 at each class that violates the margin, and minus their number at the target.
func (l Hinge) LogitGradient(onehot, logits *Node) *Node {
	violating := ConvertDType(GreaterThan(l.violations(onehot, logits), ScalarZero(logits.Graph(), logits.DType())),
		logits.DType())
	violating = Mul(OneMinus(onehot), violating)
	return Sub(violating, Mul(onehot, ReduceAndKeep(violating, ReduceSum, -1)))
}

// violations returns s_j − s_y + m, [batch, C].
func (l Hinge) violations(onehot, logits *Node) *Node {
	margin := 1.0
	if l.Margin != nil {
		margin = *l.Margin
	}
	return AddScalar(Sub(logits, target(onehot, logits)), margin)
}
