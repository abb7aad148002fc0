package unhinged

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// CenteredLogits returns (w_c − w̄)ᵀ(h − h̄) + b_c, [batch, C], whose argmax is the decision rule of Appendix D.2. The
// plain argmax of w_cᵀh + b_c changes when all features move by Δ and all prototypes by sΔ; this one does not.
// (Centring W alone never changes an argmax; only the centre of the features matters.)
//
// features are [batch, p], prototypes [C, p], biases [C] or nil. mean is h̄ [p]: preferably the mean of the training
// features in which every class has the same weight. With nil it is the mean of the given features.
func CenteredLogits(features, mean, prototypes, biases *Node) *Node {
	if mean == nil {
		mean = ReduceMean(features, 0)
	}
	features = Sub(features, InsertAxes(mean, 0))
	prototypes = Sub(prototypes, ReduceAndKeep(prototypes, ReduceMean, 0))
	logits := MatMul(features, Transpose(prototypes, 0, 1))
	if biases != nil {
		logits = Add(logits, InsertAxes(biases, 0))
	}
	return logits
}

// CenteredLogits returns the logits CenteredLogits of the head's prototypes and biases. With NormalizeFeatures the
// features are normalised before they are centred.
func (h Head) CenteredLogits(scope *model.Scope, features, mean *Node) *Node {
	return CenteredLogits(h.seen(features), mean, h.usedPrototypes(scope, features), h.biasesOf(scope, features))
}
