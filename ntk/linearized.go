package ntk

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// originScope holds a copy of the variables of a model at the point that it is linearised about.
const originScope = "origin"

// Linearized builds, in place of [Network.Model], the network's first-order Taylor expansion in its parameters θ,
//
//	f(x; θ0) + J(x; θ0)(θ − θ0),
//
// whose tangent kernel is Θ_0 for every θ. θ are the variables of Model, in the same places. θ0 are their values when
// Linearized is first built (variables that do not exist are drawn then). They are kept below scope in "origin" and are
// not trainable. Gradients by θ are exact. Batch normalisation uses its averages at θ0, in training too.
func (n Network) Linearized(scope *model.Scope, parameterization Parameterization, x *graph.Node) *graph.Node {
	build := func(scope *model.Scope, x *graph.Node) *graph.Node { return n.Model(scope, parameterization, x) }
	origin, current := origin(scope, x, build)
	y, d := n.differentiate(origin, parameterization, x)
	dy := d.tangent(nil, func(v *model.Variable) *graph.Node {
		if now := current[v.Path()]; now.Trainable {
			return graph.Sub(now.NodeValue(x), v.NodeValue(x))
		}
		return nil
	})
	if dy == nil {
		return y
	}
	return graph.Add(y, dy)
}

// origin copies the variables of a model, unless the copies exist. It returns the scope of the copies, which are not
// trainable, and the original variable of each copy by the copy's path.
func origin(scope *model.Scope, x *graph.Node, f func(*model.Scope, *graph.Node) *graph.Node) (*model.Scope,
	map[string]*model.Variable) {
	shape := x.Shape().Clone()
	shape.Dimensions[0] = 1
	var used []*model.Variable
	_, err := model.CallOnce(x.Graph().Backend(), scope.Store(), func(_ *model.Scope, x *graph.Node) *graph.Node {
		f(scope.ResetVisited(), x) // creates the variables; its result is not used
		for v := range scope.IterVariables() {
			if v.InUseByGraph(x.Graph()) {
				used = append(used, v)
			}
		}
		return graph.ReduceAllSum(x)
	}, tensors.FromShape(shape))
	if err != nil {
		panic(err)
	}
	copies := scope.In(originScope)
	current := map[string]*model.Variable{}
	for _, v := range used {
		inside := strings.TrimPrefix(strings.TrimPrefix(v.Scope(), scope.Scope()), model.ScopeSeparator)
		at := copies
		if inside != "" {
			for _, name := range strings.Split(inside, model.ScopeSeparator) {
				at = at.At("%s", name)
			}
		}
		c := at.GetVariable(v.Name())
		if c == nil {
			value, err := v.MustValue().LocalClone()
			if err != nil {
				panic(fmt.Errorf("ntk: the value of %q to linearise about: %w", v.Path(), err))
			}
			c = at.VariableWithValue(v.Name(), value).SetTrainable(false)
		}
		current[c.Path()] = v
	}
	return copies.ResetVisited(), current
}
