package vision

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/unhinged-lab/lab/unhinged"
)

// Method is a way of training a classifier: a loss and a head, and whether the network keeps its last ReLU.
type Method struct {
	Name  string // for the command line and for files
	Title string // as in the paper's legends
	// Criterion is a loss of package unhinged. If it has a method WithSizes, this is called with the number of training
	// images of each class.
	Criterion Criterion
	Head      unhinged.Head // its Classes and Seed are set from the data and the training
	LastReLU  bool

	// Beta > 0 weighs the images of a batch by unhinged.EffectiveWeights of their classes, divided by their mean over
	// the batch, from the share WeightFrom of all steps on.
	Beta, WeightFrom float64
}

// Criterion is the interface that a training needs of a loss. unhinged.Criterion and unhinged.AdjustedLoss implement
// it.
type Criterion interface {
	Fn(labels, predictions []*Node) *Node
}

// Methods returns the methods that the paper's section 4 compares, with plain UL, whose prototypes are trained and
// whose norms blow up; those of Appendix D; other losses with the paper's heads; and usual methods for classes of
// unequal sizes. Methods with EFR have the λ that the paper compares with the other methods (erratum E28).
func Methods() []Method {
	return slices.Concat(paperMethods(), appendixMethods(), otherLosses(), imbalancedMethods())
}

// The heads of several methods.
var (
	biasedHead   = unhinged.Head{UseBias: true}
	anchoredHead = unhinged.Head{Prototypes: unhinged.ETF}
	fnpalHead    = unhinged.Head{Prototypes: unhinged.ETF, NormalizeFeatures: true}
	cosineHead   = unhinged.Head{NormalizeFeatures: true, NormalizePrototypes: true, LogitScale: cosineScale}
)

// rescaled returns the head with the paper's rescaled rate.
func rescaled(head unhinged.Head) unhinged.Head {
	head.RescaleRate = true
	return head
}

func paperMethods() []Method {
	regularised := anchoredHead
	regularised.FeatureRegularization = 5e-6
	return []Method{
		{Name: "ce", Title: "CE", Criterion: unhinged.CrossEntropy{}, Head: biasedHead,
			LastReLU: true},
		{Name: "pal", Title: "UL (PAL)", Criterion: unhinged.Loss{}, Head: anchoredHead},
		{Name: "pal-efr", Title: "UL* (PAL + EFR)", Criterion: unhinged.Loss{}, Head: regularised},
		{Name: "fnpal", Title: "UL (FNPAL)", Criterion: unhinged.Loss{}, Head: fnpalHead},
		{Name: "fnpal-rlr", Title: "UL (FNPAL) + RLR", Criterion: unhinged.Loss{}, Head: rescaled(fnpalHead)},
		{Name: "ul", Title: "UL (trainable prototypes)", Criterion: unhinged.Loss{}, Head: biasedHead,
			LastReLU: true},
	}
}

// appendixMethods are those of Appendix D: prototypes that start from an ETF, or from a large one, and are trained
// (D.1); and the adjusted sample margin loss (D.3, for which the paper names no ε).
func appendixMethods() []Method {
	return []Method{
		{Name: "ul-etf", Title: "UL (trainable, from an ETF)", Criterion: unhinged.Loss{},
			Head: unhinged.Head{Prototypes: unhinged.ETFInitialized}},
		{Name: "ul-etf10", Title: "UL (trainable, from 10 × an ETF)", Criterion: unhinged.Loss{},
			Head: unhinged.Head{Prototypes: unhinged.ETFInitialized, Scale: 10}},
		{Name: "fnpal-adjusted", Title: "UL (FNPAL), adjusted at ε = 0.1",
			Criterion: unhinged.AdjustedLoss{Epsilon: 0.1}, Head: fnpalHead},
	}
}

// cosineScale is the factor of the logits of cosine classifiers, as in LDAM's code; face recognition has 30 to 64.
const cosineScale = 30

// otherLosses are cross-entropy, squared error and hinge with trained and with anchored prototypes, and the cosine
// classifier of face recognition, plain and with the paper's rescaled rate.
func otherLosses() []Method {
	return []Method{
		{Name: "ce-etf", Title: "CE (ETF)", Criterion: unhinged.CrossEntropy{}, Head: anchoredHead},
		{Name: "mse", Title: "MSE", Criterion: unhinged.SquaredError{}, Head: biasedHead,
			LastReLU: true},
		{Name: "mse-etf", Title: "MSE (ETF)", Criterion: unhinged.SquaredError{}, Head: anchoredHead},
		{Name: "hinge", Title: "Hinge", Criterion: unhinged.Hinge{}, Head: biasedHead,
			LastReLU: true},
		{Name: "hinge-etf", Title: "Hinge (ETF)", Criterion: unhinged.Hinge{}, Head: anchoredHead},
		{Name: "cosine", Title: "CE (cosine)", Criterion: unhinged.CrossEntropy{}, Head: cosineHead},
		{Name: "cosine-rlr", Title: "CE (cosine) + RLR", Criterion: unhinged.CrossEntropy{},
			Head: rescaled(cosineHead)},
	}
}

// imbalancedMethods have the constants of the papers that introduce them; LDAM-DRW reweights from 80 % of the steps on.
func imbalancedMethods() []Method {
	const beta = 0.9999
	ldam := unhinged.LDAM{Largest: 0.5, Scale: cosineScale}
	return []Method{
		{Name: "ce-cb", Title: "CE, class-balanced weights", Criterion: unhinged.CrossEntropy{}, Head: biasedHead,
			LastReLU: true, Beta: beta},
		{Name: "ce-la", Title: "CE, logit adjustment", Criterion: unhinged.LogitAdjusted{Tau: 1}, Head: biasedHead,
			LastReLU: true},
		{Name: "ldam", Title: "LDAM", Criterion: ldam, Head: cosineHead, LastReLU: true},
		{Name: "ldam-drw", Title: "LDAM-DRW", Criterion: ldam, Head: cosineHead, LastReLU: true, Beta: beta,
			WeightFrom: 0.8},
	}
}

// criterion returns the run's loss for the classes of its data.
func (r *run) criterion() Criterion {
	if sized, ok := r.Method.Criterion.(interface {
		WithSizes(sizes []int) unhinged.Criterion
	}); ok {
		return sized.WithSizes(r.data.Train.ClassCounts(len(r.data.Classes)))
	}
	return r.Method.Criterion
}

// weighted returns the labels of a batch, and the weights of its images behind them if the method has some.
func (r *run) weighted(scope *model.Scope, labels *Node) []*Node {
	if r.Method.Beta == 0 {
		return []*Node{labels}
	}
	g, classes := labels.Graph(), len(r.data.Classes)
	byClass := unhinged.EffectiveWeights(r.Method.Beta, r.data.Train.ClassCounts(classes))
	weights := MatMul(OneHot(labels, classes, dtypes.Float32),
		ConvertDType(InsertAxes(Const(g, byClass), -1), dtypes.Float32))
	weights = Squeeze(weights, -1)
	weights = Div(weights, ReduceAllMean(weights))
	if from := int64(math.Ceil(r.Method.WeightFrom * float64(r.steps))); from > 0 {
		step := optimizer.GetGlobalStepVar(scope).NodeValue(g)
		weights = Where(GreaterOrEqual(step, Scalar(g, step.DType(), from)), weights, OnesLike(weights))
	}
	return []*Node{labels, weights}
}

// MethodNamed finds one of Methods.
func MethodNamed(name string) (Method, error) {
	var names []string
	for _, m := range Methods() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fmt.Errorf("no method is called %q; there are %s", name, strings.Join(names, ", "))
}

// variant returns the method's name, followed by "-efr" and λ if λ is not the method's own: ce-efr5e-06, pal-efr1e-05.
func (m Method) variant() string {
	if own, err := MethodNamed(m.Name); err != nil || own.Head.FeatureRegularization == m.Head.FeatureRegularization {
		return m.Name
	}
	return fmt.Sprintf("%s-efr%g", strings.TrimSuffix(m.Name, "-efr"), m.Head.FeatureRegularization)
}
