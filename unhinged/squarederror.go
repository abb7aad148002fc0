package unhinged

import . "github.com/gomlx/gomlx/core/graph"

// SquaredError is ‖s − onehot‖², summed over the classes: its mean over the batch is the paper's MSE loss
// ‖WᵀH + b1ᵀ − onehot‖²_F/(CN), which is C times gomlx's MeanSquaredError.
type SquaredError struct {
	PerExample bool // Fn returns [batch] instead of the mean
}

// Fn is the loss with the framework's signature; see Criterion.
func (l SquaredError) Fn(labels, predictions []*Node) *Node {
	return fn(l.Each, l.PerExample, labels, predictions)
}

// Each returns the squared error of each example, [batch].
func (SquaredError) Each(onehot, logits *Node) *Node {
	return ReduceSum(Square(Sub(logits, onehot)), -1)
}

// LogitGradient returns 2(s − onehot).
func (SquaredError) LogitGradient(onehot, logits *Node) *Node {
	return MulScalar(Sub(logits, onehot), 2)
}
