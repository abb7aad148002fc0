package unhinged

import . "github.com/gomlx/gomlx/core/graph"

// SampleMargin returns m(h, y) = s_y − max_{j≠y} s_j of each example, [batch]: positive where it is classified
// correctly. labels are class numbers or one-hot rows, logits [batch, C]. Always −m ≥ L_γ at γ = 1/(C−1).
func SampleMargin(labels, logits *Node) *Node {
	onehot := oneHot(labels, logits)
	others := Where(GreaterThan(onehot, ZerosLike(onehot)), Infinity(logits.Graph(), logits.DType(), -1), logits)
	return Sub(Squeeze(target(onehot, logits), -1), ReduceMax(others, -1))
}
