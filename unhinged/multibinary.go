package unhinged

import . "github.com/gomlx/gomlx/core/graph"

// MultiBinary is the multi-binary cross-entropy softplus(−s_y) + γ Σ_{j≠y} softplus(s_j) of Appendix A, one binary
// classifier a class. It bounds the unhinged loss of the same γ from above; γ = 1 is the usual sum of binary
// cross-entropies.
type MultiBinary struct {
	Gamma      *float64 // γ ≥ 0; nil is 1/(C−1)
	PerExample bool     // Fn returns [batch] instead of the mean
}

// Fn is the loss with the framework's signature; see Criterion.
func (l MultiBinary) Fn(labels, predictions []*Node) *Node {
	return fn(l.Each, l.PerExample, labels, predictions)
}

// Each returns the multi-binary cross-entropy of each example, [batch].
func (l MultiBinary) Each(onehot, logits *Node) *Node {
	weight, sign := l.weightAndSign(onehot, logits)
	return ReduceSum(Mul(weight, Softplus(Mul(sign, logits))), -1)
}

// LogitGradient returns −σ(−s_y) at the target and γσ(s_j) elsewhere, σ the logistic function.
func (l MultiBinary) LogitGradient(onehot, logits *Node) *Node {
	weight, sign := l.weightAndSign(onehot, logits)
	return Mul(Mul(weight, sign), Sigmoid(Mul(sign, logits)))
}

// weightAndSign returns 1 and −1 at the target, γ and 1 elsewhere.
func (l MultiBinary) weightAndSign(onehot, logits *Node) (weight, sign *Node) {
	gamma := gammaOr(l.Gamma, logits)
	return AddScalar(MulScalar(onehot, 1-gamma), gamma), OneMinus(MulScalar(onehot, 2))
}
