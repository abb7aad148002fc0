package ntk

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/numbers"
)

// NewEmpirical returns the kernel of any gomlx model f that maps inputs x to outputs [N, C]. θ are the trainable
// variables in scope's store that f uses.
//
// It runs C backward passes for each example, one example at a time. f may be any model that gomlx can differentiate
// and whose outputs for an example depend on that example alone. Batch normalisation must be in evaluation mode, with
// constant statistics: it is an error if f changes a variable, as batch normalisation does in training mode, or if an
// example's outputs depend on the other examples of the batch. (gomlx's norm.BatchNorm can be differentiated in
// evaluation mode with UseBackendInference(false) only; max pooling on XLA only.) For networks made by [Serial],
// [Network.Empirical] is much faster.
func NewEmpirical(backend compute.Backend, scope *model.Scope, f func(scope *model.Scope,
	x *graph.Node) *graph.Node) *Empirical {
	g := &general{scope: scope, f: f, independent: map[string]bool{}}
	g.row = model.MustNewExec(backend, scope.Store(), g.gradient).SetMaxCache(-1)
	g.beside = model.MustNewExec(backend, scope.Store(), func(_ *model.Scope, x *graph.Node) *graph.Node {
		alone, _ := g.outputs(x)
		both, _ := g.outputs(graph.Concatenate([]*graph.Node{x, graph.ZerosLike(x)}, 0))
		difference := graph.ReduceAllMax(graph.Abs(graph.Sub(alone, graph.Slice(both, graph.AxisElem(0)))))
		return graph.Div(difference, graph.OnePlus(graph.ReduceAllMax(graph.Abs(alone))))
	}).SetMaxCache(-1)
	g.pulled = model.MustNewExec(backend, scope.Store(), func(_ *model.Scope, x, v, u *graph.Node) *graph.Node {
		return graph.Add(u, g.gradient(nil, x, v))
	}).SetMaxCache(-1)
	g.along = model.MustNewExec(backend, scope.Store(), func(_ *model.Scope, x, v, u *graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.Mul(u, g.gradient(nil, x, v)))
	}).SetMaxCache(-1)
	g.stack = graph.MustNewExec(backend, func(rows []*graph.Node) *graph.Node {
		return graph.Reshape(graph.Stack(rows, 0), -1, g.classes, rows[0].Shape().Size())
	}).SetMaxCache(-1)
	return newEmpirical(backend, scope.Store(), g)
}

// general is the source for any model.
type general struct {
	scope                      *model.Scope
	f                          func(*model.Scope, *graph.Node) *graph.Node
	row, beside, pulled, along *model.Exec
	stack                      *graph.Exec
	independent                map[string]bool // by shape of the examples: checked
	classes                    int
	dtype                      dtypes.DType // of the outputs
}

// outputs builds f and returns its outputs and the variables that they depend on.
func (g *general) outputs(x *graph.Node) (*graph.Node, []*model.Variable) {
	y := g.f(g.scope.ResetVisited(), x)
	g.classes, g.dtype = checkOutputs(x, y), y.DType()
	for v := range g.scope.Store().IterVariables() {
		if v.InUseByGraph(x.Graph()) && v.ChangedInGraph(x.Graph()) {
			panic(fmt.Errorf("the model changes its variable %q: it has to be in evaluation mode", v.Path()))
		}
	}
	return y, trainable(g.scope.Store(), x.Graph())
}

// trainable returns the trainable variables that the graph uses.
func trainable(store *model.Store, g *graph.Graph) []*model.Variable {
	var variables []*model.Variable
	for v := range store.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			variables = append(variables, v)
		}
	}
	return variables
}

// gradient returns the gradient of Σ v·f(x), as one vector.
func (g *general) gradient(_ *model.Scope, x, v *graph.Node) *graph.Node {
	y, variables := g.outputs(x)
	return gradient(graph.ReduceAllSum(graph.Mul(y, v)), variables)
}

// gradient returns the gradient of a number by the variables, one variable after the other in one vector.
func gradient(y *graph.Node, variables []*model.Variable) *graph.Node {
	if len(variables) == 0 {
		panic(errors.New("the network has no trainable variables"))
	}
	nodes := make([]*graph.Node, len(variables))
	for i, v := range variables {
		nodes[i] = v.NodeValue(y)
	}
	gradients := graph.Gradient(y, nodes...)
	for i, gradient := range gradients {
		gradients[i] = graph.Reshape(gradient, -1)
	}
	return graph.Concatenate(gradients, 0)
}

func (g *general) measure(x *graph.Node) measured {
	y, variables := g.outputs(x)
	row := gradient(graph.ReduceAllSum(y), variables)
	jacobian := slices.Repeat([]*graph.Node{graph.ExpandAxes(row, 0)}, 2*g.classes*x.Shape().Dimensions[0])
	graph.Concatenate(jacobian, 0) // the rows, and the result of stack
	return measured{outputs: g.classes, parameters: row.Shape().Size(), dtype: g.dtype}
}

func (g *general) forms(bool) []form { return []form{{}} }

func (g *general) factors(x *tensors.Tensor, _ bool) ([]*tensors.Tensor, error) {
	rows, err := g.rows(x, g.row)
	if err != nil {
		return nil, err
	}
	args := make([]any, len(rows))
	for i, row := range rows {
		args[i] = row
		defer row.MustFinalizeAll()
	}
	return g.stack.Call(args...)
}

// rows calls exec for each example and each output, with the rest as further arguments.
func (g *general) rows(x *tensors.Tensor, exec *model.Exec, rest ...any) ([]*tensors.Tensor, error) {
	alone, err := split(x, 1)
	if err != nil {
		return nil, err
	}
	if err := g.check(alone[0].x); err != nil {
		return nil, err
	}
	var rows []*tensors.Tensor
	for _, example := range alone {
		for c := range g.classes {
			results, err := exec.Call(append([]any{example.x, unit(g.dtype, g.classes, c)}, rest...)...)
			if err != nil {
				return nil, err
			}
			rows = append(rows, results[0])
		}
	}
	return rows, nil
}

// check compares the outputs of an example alone with its outputs in a batch with another one, once for each shape.
func (g *general) check(x *tensors.Tensor) error {
	if g.independent[examples(x.Shape())] {
		return nil
	}
	results, err := g.beside.Call(x)
	if err != nil {
		return err
	}
	if difference := numbers.Of(results[0])[0]; difference > 1e-3 {
		return fmt.Errorf("an example's outputs change by %.2g of their size when another one is beside it: the "+
			"model has to be in evaluation mode, and must not mix examples", difference)
	}
	g.independent[examples(x.Shape())] = true
	return nil
}

func (g *general) pull(x, v, u *tensors.Tensor) (*tensors.Tensor, error) {
	alone, err := split(x, 1)
	if err != nil {
		return nil, err
	}
	if err := g.check(alone[0].x); err != nil {
		return nil, err
	}
	return one(g.pulled.Call(x, v, u))
}

func (g *general) push(x, u *tensors.Tensor) (*tensors.Tensor, error) {
	rows, err := g.rows(x, g.along, u)
	if err != nil {
		return nil, err
	}
	var y []float64
	for _, row := range rows {
		y = append(y, numbers.Of(row)...)
	}
	return numbers.Tensor(g.dtype, y, x.Shape().Dimensions[0], g.classes), nil
}

func one(results []*tensors.Tensor, err error) (*tensors.Tensor, error) {
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// unit returns the unit vector [1, size] with a one at index i.
func unit(dtype dtypes.DType, size, i int) *tensors.Tensor {
	v := make([]float64, size)
	v[i] = 1
	return numbers.Tensor(dtype, v, 1, size)
}
