package unhinged

import . "github.com/gomlx/gomlx/core/graph"

// Loss is the unhinged loss, equation (1):
//
//	L_γ(s, y) = −s_y + γ Σ_{j≠y} s_j,   s = Wh + b.
//
// With γ = 1/(C−1) it is the multi-class hinge loss without its maximum and without its margin (erratum E20: the
// paper's page 5 prints its negative). It is linear in the logits, so that they grow without bound in unconstrained
// training.
//
// One rule holds for γ everywhere in this module: a γ of 0 means 0. If γ may be left out, the field is a pointer (in
// package paper and in the command a list), and nil (an empty list) means 1/(C−1), or the values of the paper's figure.
// A plain float64 field has no default.
type Loss struct {
	Gamma      *float64 // γ ≥ 0, the weight of the non-target logits; nil is 1/(C−1)
	PerExample bool     // Fn returns [batch] instead of the mean
}

// Fn is the loss with the framework's signature; see Criterion.
func (l Loss) Fn(labels, predictions []*Node) *Node {
	return fn(l.Each, l.PerExample, labels, predictions)
}

// Each returns L_γ of each example, [batch].
func (l Loss) Each(onehot, logits *Node) *Node {
	return ReduceSum(Mul(l.LogitGradient(onehot, logits), logits), -1)
}

// LogitGradient returns −1 at the target and γ elsewhere, whatever the logits are.
func (l Loss) LogitGradient(onehot, logits *Node) *Node {
	gamma := gammaOr(l.Gamma, logits)
	return AddScalar(MulScalar(onehot, -1-gamma), gamma)
}
