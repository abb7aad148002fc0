package unhinged

import . "github.com/gomlx/gomlx/core/graph"

// CrossEntropy is −log softmax(s)_y: gomlx's SparseCategoricalCrossEntropyLogits and CategoricalCrossEntropyLogits in
// one. In contrast to these it can return the loss of each example.
type CrossEntropy struct {
	PerExample bool // Fn returns [batch] instead of the mean
}

// Fn is the loss with the framework's signature; see Criterion.
func (l CrossEntropy) Fn(labels, predictions []*Node) *Node {
	return fn(l.Each, l.PerExample, labels, predictions)
}

// Each returns the cross-entropy of each example, [batch].
func (CrossEntropy) Each(onehot, logits *Node) *Node {
	return Neg(ReduceSum(Mul(onehot, LogSoftmax(logits)), -1))
}

// LogitGradient returns softmax(s) − onehot.
func (CrossEntropy) LogitGradient(onehot, logits *Node) *Node {
	return Sub(Softmax(logits), onehot)
}
