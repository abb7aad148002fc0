package ntk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Descent trains a network of finite width by plain gradient descent: every step uses all examples, the loss is the
// mean over them, there is no momentum, and one step is one unit of the time of package dynamics:
//
//	Θ ← Θ − η1(∂L/∂Θ + λ1 Θ),   W ← W − η2(∂L/∂W + λ2 W),   b ← b − η2(∂L/∂b + λ2 b),
//
// where Θ are the network's parameters, and W and b those of the head. As long as the tangent kernel does not change,
// the outputs of the network obey H' = η1 W M Θ_0 (Θ_0 the kernel), the flow of Theorem 8.
type Descent struct {
	Backend          compute.Backend
	Network          Network
	Parameterization Parameterization
	Linearized       bool // train Network.Linearized, whose kernel never changes, in place of Network.Model
	// Head is the classifier, with trained or anchored prototypes, on the features that the network ends with. Without
	// it the network's outputs are the logits.
	Head             *unhinged.Head
	Loss             unhinged.Criterion // nil is unhinged.Loss{}
	Rates            dynamics.Rates     // η1 of the network, η2 of the head; step k → k+1 uses the rates at time k
	Lambda1, Lambda2 float64            // weight decay λ1 of the network, λ2 of the head

	// Progress, if set, is called after every step with the number of steps done and the last one.
	Progress func(step, last int)
	// Observe, if set, is called at each recorded step, when the store holds the parameters of that step. An error that
	// it returns ends the training.
	Observe func(r Record) error
}

// Examples are inputs [N, features] or [N, height, width, channels], float32 or float64, with their classes from 0.
type Examples struct {
	X      *tensors.Tensor
	Labels []int
}

// Outputs are the outputs of a network, or of theory, for some examples, with a row for each example.
type Outputs struct {
	Features *mat.Dense // [N, p], nil without a head
	Logits   *mat.Dense // [N, C]
	Accuracy float64    // the share of the examples whose own class has the largest logit, the first of equal ones
}

// Record is the state of the training at a recorded step or time.
type Record struct {
	Time        float64    // steps, or the time of gradient flow
	Loss        float64    // mean over the training examples, without weight decay and the head's regularisation
	Train, Test Outputs    // Test is empty if there are no test examples
	Prototypes  *mat.Dense // [C, p], with a row for each class; nil without a head
	Biases      []float64  // nil if the head has none
}

// HeadScope is the scope, under the root, of the head's variables. The network's variables are in the root scope, as
// Network.Model keeps them.
const (
	HeadScope = "head"
	headPath  = "/" + HeadScope
)

// Train calls [Descent.On] and [Trainer.Train] once.
func (d Descent) Train(ctx context.Context, store *model.Store, examples, test Examples, steps []int) ([]Record,
	error) {
	t, err := d.On(store)
	if err != nil {
		return nil, err
	}
	defer t.Finalize()
	return t.Train(ctx, examples, test, steps)
}

// Trainer is a descent on the variables of one store. It is compiled once for each shape of inputs.
type Trainer struct {
	Descent
	advance, predict *model.Exec
	meanLoss         *graph.Exec
}

// On returns the trainer of the network whose variables are, or will be, in the store. Variables that do not exist yet
// are created, the network's from the store's seed (initializer.ParamInitialSeed) and the head's from Head.Seed. To
// begin with prototypes of your own, set the variable "/head/prototypes" [C, p] before. The parameters stay on the
// device, and in the store.
func (d Descent) On(store *model.Store) (t *Trainer, err error) {
	if d.Loss == nil {
		d.Loss = unhinged.Loss{}
	}
	t = &Trainer{Descent: d}
	if d.Backend == nil {
		return nil, errors.New("ntk: no backend")
	}
	if t.advance, err = model.NewExec(d.Backend, store, d.step); err != nil {
		return nil, err
	}
	if t.predict, err = model.NewExec(d.Backend, store, func(scope *model.Scope,
		x *graph.Node) []*graph.Node {
		return d.predictions(scope, x)
	}); err != nil {
		return nil, err
	}
	t.meanLoss, err = graph.NewExec(d.Backend, func(labels, logits *graph.Node) *graph.Node {
		return graph.ReduceAllMean(d.Loss.Each(graph.OneHot(labels, logits.Shape().Dimensions[1], logits.DType()),
			logits))
	})
	return t, err
}

// Finalize frees the compiled programs. The store's variables stay.
func (t *Trainer) Finalize() {
	t.advance.Finalize()
	t.predict.Finalize()
	t.meanLoss.Finalize()
}

// Train runs gradient descent up to the last of the ascending steps, with the store's values as step 0, and returns a
// record for each of the steps. It computes in the number type of the examples. The test examples may be left out.
//
// There is an error if examples and labels do not match, if the loss is no longer finite, and when ctx is done.
func (t *Trainer) Train(ctx context.Context, examples, test Examples, steps []int) ([]Record, error) {
	if err := t.check(examples, test, steps); err != nil {
		return nil, err
	}
	labels := make([]int32, len(examples.Labels))
	for i, y := range examples.Labels {
		labels[i] = int32(y)
	}
	y := tensors.FromValue(labels)

	observe := func(now int) (r Record, err error) {
		r.Time = float64(now)
		logits, err := t.observe(examples, &r.Train, &r)
		if err != nil {
			return r, err
		}
		loss, err := t.meanLoss.Call(y, logits)
		if err != nil {
			return r, err
		}
		if r.Loss = numbers.Of(loss[0])[0]; math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0) {
			return r,
				fmt.Errorf("ntk: after %d steps the loss is %v: the learning rates are too large, or the "+
					"numbers for %s", now, r.Loss, examples.X.DType())
		}
		if test.X != nil {
			_, err = t.observe(test, &r.Test, nil)
		}
		if err == nil && t.Observe != nil {
			err = t.Observe(r)
		}
		return r, err
	}

	var records []Record
	now, last := 0, steps[len(steps)-1]
	for _, target := range steps {
		for ; now < target; now++ {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if _, err := t.advance.Call(examples.X, y, t.Rates.Features(float64(now)),
				t.Rates.W.At(float64(now))); err != nil {
				return nil, fmt.Errorf("ntk: step %d: %w", now, err)
			}
			if t.Progress != nil {
				t.Progress(now+1, last)
			}
		}
		r, err := observe(now)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// check returns an error if a setting, the examples or the steps are not valid.
func (d Descent) check(examples, test Examples, steps []int) error {
	switch {
	case d.Rates.W == nil:
		return errors.New("ntk: no learning rates: set Rates, for example to dynamics.Constant(0.1, 0.1)")
	case !(d.Lambda1 >= 0 && d.Lambda2 >= 0) || math.IsInf(d.Lambda1+d.Lambda2, 1):
		return fmt.Errorf("ntk: weight decay λ1 = %g, λ2 = %g: both must be finite and not negative", d.Lambda1,
			d.Lambda2)
	case len(steps) == 0 || steps[0] < 0 || !slices.IsSorted(steps):
		return fmt.Errorf("ntk: steps %v: need at least one, ascending and not negative", steps)
	case examples.X == nil:
		return errors.New("ntk: no examples to train on")
	}
	if err := checkInputs(examples.X, test.X); err != nil {
		return err
	}
	for _, e := range []Examples{examples, test} {
		if e.X == nil && len(e.Labels) == 0 {
			continue
		}
		if e.X == nil {
			return fmt.Errorf("ntk: %d labels without inputs", len(e.Labels))
		}
		if e.X.Shape().Dimensions[0] != len(e.Labels) {
			return fmt.Errorf("ntk: %d labels for inputs %s: need one for each row", len(e.Labels), e.X.Shape())
		}
		if low := slices.Min(e.Labels); low < 0 {
			return fmt.Errorf("ntk: label %d: classes are numbered from 0", low)
		}
	}
	return nil
}

// predictions returns the logits, the features if there is a head, its prototypes and, if it has them, its biases.
func (d Descent) predictions(scope *model.Scope, x *graph.Node) []*graph.Node {
	build := d.Network.Model
	if d.Linearized {
		build = d.Network.Linearized
	}
	y := build(scope, d.Parameterization, x)
	if d.Head == nil {
		return []*graph.Node{y}
	}
	head := scope.In(HeadScope)
	predictions := d.Head.Predictions(head, y)
	if biases := head.GetVariable("biases"); biases != nil {
		predictions = append(predictions, biases.NodeValue(y))
	}
	return predictions
}

// step builds one step of gradient descent.
func (d Descent) step(scope *model.Scope, inputs []*graph.Node) []*graph.Node {
	x, labels := inputs[0], inputs[1]
	predictions := d.predictions(scope, x)
	loss := d.Loss.Fn
	if d.Head != nil {
		loss = d.Head.Loss(loss)
	}
	objective := loss([]*graph.Node{labels}, predictions)
	if regularization := train.GetRegularizationLoss(x.Graph()); regularization != nil {
		objective = graph.Add(objective, regularization)
	}
	var variables []*model.Variable
	var nodes []*graph.Node
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(x.Graph()) {
			variables, nodes = append(variables, v), append(nodes, v.NodeValue(x))
		}
	}
	for i, gradient := range graph.Gradient(objective, nodes...) {
		eta, lambda := inputs[2], d.Lambda1
		if variables[i].Scope() == headPath {
			eta, lambda = inputs[3], d.Lambda2
		}
		direction := graph.Add(gradient, graph.MulScalar(nodes[i], lambda))
		variables[i].SetNodeValue(graph.Sub(nodes[i], graph.Mul(direction, graph.ConvertDType(eta, x.DType()))))
	}
	return []*graph.Node{objective}
}

// observe sets the outputs on the examples and, if r is not nil, the prototypes of r. It returns the logits.
func (t *Trainer) observe(e Examples, outputs *Outputs, r *Record) (logits *tensors.Tensor, err error) {
	predictions, err := t.predict.Call(e.X)
	if err != nil {
		return nil, err
	}
	if classes := predictions[0].Shape().Dimensions[1]; slices.Max(e.Labels) >= classes {
		return nil, fmt.Errorf("ntk: label %d, but there are %d logits", slices.Max(e.Labels), classes)
	}
	outputs.Logits = numbers.Matrix(predictions[0])
	outputs.Accuracy = Accuracy(outputs.Logits, e.Labels)
	if t.Head != nil {
		outputs.Features = numbers.Matrix(predictions[1])
		if r != nil {
			r.Prototypes = numbers.Matrix(predictions[2])
			if len(predictions) > 3 {
				r.Biases = numbers.Of(predictions[3])
			}
		}
	}
	return predictions[0], nil
}

// Accuracy returns the share of the rows of logits whose largest value, the first one of equal values, is at the row's
// label.
func Accuracy(logits mat.Matrix, labels []int) float64 {
	right := 0
	for i, y := range labels {
		if floats.MaxIdx(mat.Row(nil, i, logits)) == y {
			right++
		}
	}
	return float64(right) / float64(len(labels))
}
