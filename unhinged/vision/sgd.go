package vision

import (
	"errors"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	. "github.com/gomlx/gomlx/support/exceptions"
	"github.com/unhinged-lab/lab/internal/layers"
)

// SGD is stochastic gradient descent with momentum and coupled weight decay, as PyTorch's torch.optim.SGD has it
// (dampening 0). For every trainable variable x, biases and normalisation included,
//
//	g = ∂loss/∂x + λx,   v ← μv + g,   x ← x − η_t v,   or with Nesterov x ← x − η_t (g + μv),
//
// where v starts at 0 and the rate η_t follows Schedule. It implements gomlx's optimizer.Interface and
// train.OptimizeWithGradients; gomlx's own SGD has neither momentum nor decay.
type SGD struct {
	LearningRate float64 // η, the highest rate
	Momentum     float64 // μ
	WeightDecay  float64 // λ
	Nesterov     bool
	Schedule     Schedule // how the rate goes from step 0 to step T
	Steps        int64    // T; 0 keeps the rate constant

	// ShiftRate is the factor of the rate of the shifts of batch normalisation, whose decay λ is divided by it; 0 is 1.
	// (arXiv 2404.00498 has 64.)
	ShiftRate float64

	// Accumulated says that AccumulateGraph was used: UpdateGraph adds the accumulated gradient to the gradient of its
	// own loss, and then clears it.
	Accumulated bool
}

var (
	_ optimizer.Interface         = SGD{}
	_ train.OptimizeWithGradients = SGD{}
)

// velocities and sums are the scopes, under optimizer.Scope, of the v of every variable, and of the gradient gathered
// for it.
const velocities, sums = "velocity", "gradient"

// UpdateGraph adds one step of descent on the scalar loss to the graph; it counts in gomlx's global step.
func (s SGD) UpdateGraph(scope *model.Scope, g *Graph, loss *Node) {
	gradients := gradients(scope, loss)
	if s.Accumulated {
		for i, v := range trainable(scope, g) {
			sum := s.of(scope, v, sums)
			gradients[i] = Add(sum.NodeValue(g), gradients[i])
			sum.SetNodeValue(ZerosLike(gradients[i]))
		}
	}
	s.UpdateGraphWithGradients(scope, gradients, loss.DType())
}

// UpdateGraphWithGradients is UpdateGraph with given gradients, one for each trainable variable that the graph uses, in
// the order of scope.IterVariables. gomlx's trainer calls it when it accumulates gradients itself. Accumulated has no
// effect here.
func (s SGD) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, _ dtypes.DType) {
	if len(gradients) == 0 {
		return
	}
	g := gradients[0].Graph()
	variables := trainable(scope, g)
	if len(variables) != len(gradients) {
		Panicf("SGD: %d gradients for %d trainable variables of the graph", len(gradients), len(variables))
	}
	rate := s.rate(SubScalar(optimizer.IncrementGlobalStep(g, dtypes.Float64), 1))
	for i, v := range variables {
		x, velocity := v.NodeValue(g), s.of(scope, v, velocities)
		factor := 1.
		if s.ShiftRate != 0 && v.Name() == layers.ShiftName {
			factor = s.ShiftRate
		}
		gradient := Add(gradients[i], MulScalar(x, s.WeightDecay/factor))
		updated := Add(MulScalar(velocity.NodeValue(g), s.Momentum), gradient)
		velocity.SetNodeValue(updated)
		if s.Nesterov {
			updated = Add(gradient, MulScalar(updated, s.Momentum))
		}
		v.SetNodeValue(Sub(x, Mul(ConvertDType(MulScalar(rate, factor), x.DType()), updated)))
	}
}

// AccumulateGraph adds the gradient of the scalar loss to the gradient that the next step of UpdateGraph, with
// Accumulated set, uses.
func (s SGD) AccumulateGraph(scope *model.Scope, g *Graph, loss *Node) {
	gradients := gradients(scope, loss)
	for i, v := range trainable(scope, g) {
		sum := s.of(scope, v, sums)
		sum.SetNodeValue(Add(sum.NodeValue(g), gradients[i]))
	}
}

// gradients returns the gradients of the loss by the variables of trainable.
func gradients(scope *model.Scope, loss *Node) []*Node {
	if !loss.Shape().IsScalar() {
		Panicf("SGD: the loss must be a scalar, its shape is %s", loss.Shape())
	}
	return scope.BuildTrainableVariablesGradientsGraph(loss)
}

// trainable lists the trainable variables that the graph uses. It must be called before SGD adds variables of its own.
func trainable(scope *model.Scope, g *Graph) (variables []*model.Variable) {
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			variables = append(variables, v)
		}
	}
	return variables
}

// of returns SGD's own variable of a kind for v. It has the shape of v and starts at 0.
func (s SGD) of(scope *model.Scope, v *model.Variable, kind string) *model.Variable {
	own := scope.Store().Scope(model.JoinPath("/", optimizer.Scope, kind, v.Scope()))
	return own.VariableWithValue(v.Name(), tensors.FromShape(v.Shape())).SetTrainable(false)
}

// Clear removes the velocities and the accumulated gradients.
func (s SGD) Clear(scope *model.Scope) error {
	return errors.Join(scope.Store().DeleteVariablesInScope(model.JoinPath("/", optimizer.Scope, velocities)),
		scope.Store().DeleteVariablesInScope(model.JoinPath("/", optimizer.Scope, sums)))
}
