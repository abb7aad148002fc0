package unhinged

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// LogitAdjusted is the cross-entropy of adjusted logits, −log softmax(s + τ log π)_y, where π_c = n_c/Σ_j n_j is the
// share of class c among the training examples (Menon et al., "Long-tail learning via logit adjustment", 2021,
// equation (10), where τ = 1).
type LogitAdjusted struct {
	Tau        float64
	Sizes      []int // n_c ≥ 1 of each class
	PerExample bool  // Fn returns [batch] instead of the mean
}

// WithSizes returns the loss for classes of these sizes.
func (l LogitAdjusted) WithSizes(sizes []int) Criterion {
	l.Sizes = sizes
	return l
}

// Fn is the loss with the framework's signature; see Criterion.
func (l LogitAdjusted) Fn(labels, predictions []*Node) *Node {
	return fn(l.Each, l.PerExample, labels, predictions)
}

// Each returns the loss of each example, [batch].
func (l LogitAdjusted) Each(onehot, logits *Node) *Node {
	return CrossEntropy{}.Each(onehot, l.adjusted(logits))
}

// LogitGradient returns softmax(s + τ log π) − onehot.
func (l LogitAdjusted) LogitGradient(onehot, logits *Node) *Node {
	return CrossEntropy{}.LogitGradient(onehot, l.adjusted(logits))
}

func (l LogitAdjusted) adjusted(logits *Node) *Node {
	total := 0.0
	for _, n := range l.Sizes {
		total += float64(n)
	}
	return Add(logits, perClass("LogitAdjusted", l.Sizes, logits, func(n float64) float64 {
		return l.Tau * math.Log(n/total)
	}))
}

// LDAM is the label-distribution-aware margin loss: the cross-entropy after Scale·Δ_y was subtracted from the logit of
// the example's own class, with
//
//	Δ_c = Largest·(min_j n_j / n_c)^(1/4).
//
// The logits are those of a cosine classifier, Scale·ŵ_cᵀĥ: Head with NormalizeFeatures, NormalizePrototypes, and
// LogitScale equal to Scale (Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss",
// 2019, equation (13), whose code has Largest = 0.5 and Scale = 30).
type LDAM struct {
	Largest    float64 // the margin of the smallest class, as a cosine
	Scale      float64
	Sizes      []int // n_c ≥ 1 of each class
	PerExample bool  // Fn returns [batch] instead of the mean
}

// WithSizes returns the loss for classes of these sizes.
func (l LDAM) WithSizes(sizes []int) Criterion {
	l.Sizes = sizes
	return l
}

// Fn is the loss with the framework's signature; see Criterion.
func (l LDAM) Fn(labels, predictions []*Node) *Node {
	return fn(l.Each, l.PerExample, labels, predictions)
}

// Each returns the loss of each example, [batch].
func (l LDAM) Each(onehot, logits *Node) *Node {
	return CrossEntropy{}.Each(onehot, l.adjusted(onehot, logits))
}

// LogitGradient returns softmax of the logits with the margin, minus onehot.
func (l LDAM) LogitGradient(onehot, logits *Node) *Node {
	return CrossEntropy{}.LogitGradient(onehot, l.adjusted(onehot, logits))
}

func (l LDAM) adjusted(onehot, logits *Node) *Node {
	smallest := math.Inf(1)
	for _, n := range l.Sizes {
		smallest = math.Min(smallest, float64(n))
	}
	return Sub(logits, Mul(onehot, perClass("LDAM", l.Sizes, logits, func(n float64) float64 {
		return l.Scale * l.Largest * math.Pow(smallest/n, 0.25)
	})))
}

// perClass returns a number of each class, from its size, as [1, C].
func perClass(name string, sizes []int, logits *Node, of func(n float64) float64) *Node {
	if classes := logits.Shape().Dimensions[1]; len(sizes) != classes {
		Panicf("unhinged: %s has the sizes of %d classes, and the logits are of %d", name, len(sizes), classes)
	}
	values := make([]float64, len(sizes))
	for c, n := range sizes {
		if n < 1 {
			Panicf("unhinged: %s: class %d has %d examples: need at least 1", name, c, n)
		}
		values[c] = of(float64(n))
	}
	return ConvertDType(InsertAxes(Const(logits.Graph(), values), 0), logits.DType())
}

// EffectiveWeights returns weights of classes that are inverse to their effective numbers of examples,
//
//	w_c ∝ (1−β)/(1−β^{n_c}),   Σ_c w_c = C,
//
// for β in [0, 1): β = 0 weighs all examples alike (Cui et al., "Class-Balanced Loss Based on Effective Number of
// Samples", 2019, equation (5), which recommends β = 0.9999).
func EffectiveWeights(beta float64, sizes []int) []float64 {
	weights := make([]float64, len(sizes))
	sum := 0.0
	for c, n := range sizes {
		// −expm1(n·log β) is 1 − β^n without its cancellation.
		weights[c] = 1
		if beta > 0 {
			weights[c] = (1 - beta) / -math.Expm1(float64(n)*math.Log(beta))
		}
		sum += weights[c]
	}
	for c := range weights {
		weights[c] *= float64(len(sizes)) / sum
	}
	return weights
}
