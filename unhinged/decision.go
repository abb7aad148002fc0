package unhinged

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// CenteredLogits returns (w_c − w̄)ᵀ(h − h̄) + b_c, [batch, C], whose argmax is the decision rule of Appendix D.2. The
// plain argmax of w_cᵀh + b_c changes when all features move by Δ and all prototypes by sΔ; this one does not.
// (Centring W alone never changes an argmax; it is the features' centre that counts.)
//
// features are [batch, p], prototypes [C, p], biases [C] or nil. mean is h̄ [p], best that of the training features
// with every class counting equally; nil takes the mean of the features given.
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

// CenteredLogits are those of the head's prototypes and biases, on features centred as its prototypes see them: with
// NormalizeFeatures, after the normalisation.
func (h Head) CenteredLogits(scope *model.Scope, features, mean *Node) *Node {
	return CenteredLogits(h.seen(features), mean, h.usedPrototypes(scope, features), h.biasesOf(scope, features))
}
