package unhinged

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	. "github.com/gomlx/gomlx/support/exceptions"
	"github.com/unhinged-lab/lab/unhinged/etf"
	"gonum.org/v1/gonum/mat"
)

// Prototypes is the kind of the classifier's weights.
type Prototypes int

const (
	// Trainable prototypes start from U(−1/√p, 1/√p), as PyTorch's linear layer does.
	Trainable Prototypes = iota
	// ETF prototypes are anchored: a simplex ETF that is not trained (PAL). For p < C−1 no simplex ETF exists, and the
	// prototypes are those of etf.Spread.
	ETF
	// ETFInitialized prototypes start from that ETF and are trained (Appendix D.1).
	ETFInitialized
)

// Head is a linear classifier that can follow any gomlx model: logits = LogitScale·Wh + b, with prototypes W [C, p].
// With Classes alone it is a plain linear layer without bias. The paper's methods (section 4):
//
//	PAL          Head{Classes: C, Prototypes: ETF}
//	PAL + EFR    Head{Classes: C, Prototypes: ETF, FeatureRegularization: 5e-7}
//	FNPAL        Head{Classes: C, Prototypes: ETF, NormalizeFeatures: true}
//	FNPAL + RLR  Head{Classes: C, Prototypes: ETF, NormalizeFeatures: true, RescaleRate: true}
//	D.1          Head{Classes: C, Prototypes: ETFInitialized, Scale: 10}
//
// The model before it should end without a ReLU, so that features can be negative. Prototypes and initial values are
// computed on the host from Seed and are the same on every backend. Variables: "prototypes" [C, p], "biases" [C].
type Head struct {
	Classes           int        // C ≥ 2
	Prototypes        Prototypes // trainable, anchored ETF, or trainable from an ETF
	Scale             float64    // factor s of the initial prototypes; 0 is 1
	NormalizeFeatures bool       // the prototypes see ĥ = h/‖h‖
	// Loss multiplies each example by stop_gradient(‖h‖) (RLR); needs NormalizeFeatures
	RescaleRate           bool
	FeatureRegularization float64 // λ of EFR: adds λ Σ ‖h‖² over the batch (a sum, no ½) to the objective
	UseBias               bool    // trainable biases
	Seed                  uint64  // of the prototypes' initial values and the ETF's position
	LogitScale            float64 `json:",omitempty"` // factor of Wh, the inverse of a temperature; 0 is 1
	NormalizePrototypes   bool    `json:",omitempty"` // the logits are of ŵ = w/‖w‖: a cosine classifier
}

// Apply returns the logits [batch, C] of features [batch, p]. It creates the head's variables in scope, or uses those
// that are there. It registers the feature regularisation with gomlx's trainer, in evaluation too, as gomlx's own
// regularisers do.
func (h Head) Apply(scope *model.Scope, features *Node) *Node {
	if h.RescaleRate && !h.NormalizeFeatures {
		Panicf("unhinged: RescaleRate undoes the 1/‖h‖ of normalised features: it needs NormalizeFeatures")
	}
	if h.FeatureRegularization != 0 {
		train.AddRegularizationLoss(MulScalar(L2NormSquare(features), h.FeatureRegularization))
	}
	logits := MatMul(h.seen(features), Transpose(h.usedPrototypes(scope, features), 0, 1))
	if biases := h.biasesOf(scope, features); biases != nil {
		logits = Add(logits, InsertAxes(biases, 0))
	}
	return logits
}

// Predictions returns {logits, features, prototypes}, with the features before any normalisation. A model function that
// returns them can be trained with Loss and AdjustedLoss, and its features can be measured.
func (h Head) Predictions(scope *model.Scope, features *Node) []*Node {
	return []*Node{h.Apply(scope, features), features, h.PrototypesOf(scope, features)}
}

// Loss returns the loss to train this head with, given the Fn of a Criterion or one of gomlx's losses. With RescaleRate
// it multiplies each example's loss by stop_gradient(‖h‖), footnote 15; otherwise it is l itself. predictions[1] must
// then be the features.
func (h Head) Loss(l loss.LossFn) loss.LossFn {
	if !h.RescaleRate {
		return l
	}
	return func(labels, predictions []*Node) *Node {
		if len(predictions) < 2 {
			Panicf("unhinged: RescaleRate needs predictions {logits, features, …}, got %d", len(predictions))
		}
		features := predictions[1]
		rate := StopGradient(Squeeze(L2Norm(features, -1), -1))
		weights, mask := loss.CheckExtraLabelsForWeightsAndMask(perExampleShape(features), labels[1:])
		if weights != nil {
			rate = Mul(rate, weights)
		}
		labels = []*Node{labels[0], rate}
		if mask != nil {
			labels = append(labels, mask)
		}
		return l(labels, predictions)
	}
}

// PrototypesOf returns the prototypes [C, p] in the features' type.
func (h Head) PrototypesOf(scope *model.Scope, features *Node) *Node {
	if features.Rank() != 2 || !features.DType().IsFloat() {
		Panicf("unhinged: the features must be floats of shape [batch, p], got %s", features.Shape())
	}
	if h.Classes < 2 {
		Panicf("unhinged: the head has %d class(es): need at least 2", h.Classes)
	}
	p := features.Shape().Dimensions[1]
	v := scope.GetVariable("prototypes")
	if v == nil {
		v = scope.VariableWithValue("prototypes", h.initialPrototypes(p, features.DType()))
	}
	v.Shape().Assert(features.DType(), h.Classes, p)
	return v.SetTrainable(h.Prototypes != ETF).NodeValue(features)
}

// biasesOf returns the biases [C], or nil.
func (h Head) biasesOf(scope *model.Scope, features *Node) *Node {
	if !h.UseBias {
		return nil
	}
	v := scope.GetVariable("biases")
	if v == nil {
		rng := rand.New(rand.NewPCG(h.Seed, 1))
		b := uniform(rng, 1, h.Classes, 1/math.Sqrt(float64(features.Shape().Dimensions[1])))
		v = scope.VariableWithValue("biases", hostTensor(b.RawMatrix().Data, features.DType(), h.Classes))
	}
	return v.NodeValue(features)
}

// seen returns the features that are multiplied by the prototypes: normalised ones with NormalizeFeatures.
func (h Head) seen(features *Node) *Node {
	if h.NormalizeFeatures {
		return L2Normalize(features, -1)
	}
	return features
}

// usedPrototypes returns the prototypes as the logits have them, [C, p]: normalised if they are to be, and times
// LogitScale.
func (h Head) usedPrototypes(scope *model.Scope, features *Node) *Node {
	prototypes := h.PrototypesOf(scope, features)
	if h.NormalizePrototypes {
		prototypes = L2Normalize(prototypes, -1)
	}
	if h.LogitScale != 0 {
		prototypes = MulScalar(prototypes, h.LogitScale)
	}
	return prototypes
}

// initialPrototypes returns the prototypes to start from, [C, p].
func (h Head) initialPrototypes(p int, dtype dtypes.DType) *tensors.Tensor {
	var w *mat.Dense
	switch h.Prototypes {
	case Trainable:
		w = uniform(rand.New(rand.NewPCG(h.Seed, 0)), h.Classes, p, 1/math.Sqrt(float64(p)))
	case ETF, ETFInitialized:
		columns, _, err := etf.Prototypes(p, h.Classes, h.Seed)
		if err != nil {
			panic(err)
		}
		w = mat.DenseCopyOf(columns.T())
	default:
		Panicf("unhinged: the head has prototypes of kind %d: need Trainable, ETF or ETFInitialized", h.Prototypes)
	}
	if h.Scale != 0 {
		w.Scale(h.Scale, w)
	}
	return hostTensor(w.RawMatrix().Data, dtype, h.Classes, p)
}

// uniform returns a rows×cols matrix of U(−bound, bound) numbers.
func uniform(rng *rand.Rand, rows, cols int, bound float64) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	for i := range rows {
		for j := range cols {
			m.Set(i, j, bound*(2*rng.Float64()-1))
		}
	}
	return m
}

// hostTensor returns numbers as a tensor of a floating-point type.
func hostTensor(values []float64, dtype dtypes.DType, dims ...int) *tensors.Tensor {
	switch dtype {
	case dtypes.Float64:
		return tensors.FromFlatDataAndDimensions(values, dims...)
	case dtypes.Float32:
		narrow := make([]float32, len(values))
		for i, v := range values {
			narrow[i] = float32(v)
		}
		return tensors.FromFlatDataAndDimensions(narrow, dims...)
	}
	Panicf("unhinged: heads work in float32 and float64, not %s", dtype)
	return nil
}
