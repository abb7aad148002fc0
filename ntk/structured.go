package ntk

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// structured is the source for networks of this package's layers.
type structured struct {
	backend          compute.Backend
	scope            *model.Scope
	network          Network
	parameterization Parameterization
	execs            [2]*model.Exec
	noted            [2][]form
	pulled, pushed   *model.Exec
}

func newStructured(backend compute.Backend, scope *model.Scope, network Network,
	parameterization Parameterization) *structured {
	s := &structured{backend: backend, scope: scope, network: network, parameterization: parameterization}
	for i := range s.execs {
		s.execs[i] = model.MustNewExec(backend, scope.Store(), func(_ *model.Scope, x *graph.Node) []*graph.Node {
			j := s.jacobian(x, i == 1)
			if len(j.factors) == 0 {
				panic(errors.New("the network has no trainable variables"))
			}
			var nodes []*graph.Node
			s.noted[i] = nil
			for _, f := range j.factors {
				s.noted[i] = append(s.noted[i], f.form)
				nodes = append(nodes, f.nodes...)
			}
			return nodes
		}).SetMaxCache(-1)
	}
	s.pulled = model.MustNewExec(backend, scope.Store(), func(_ *model.Scope, x, v, u *graph.Node) *graph.Node {
		y, _ := network.differentiate(scope.ResetVisited(), parameterization, x)
		return graph.Add(u, gradient(graph.ReduceAllSum(graph.Mul(y, v)), trainable(scope.Store(), x.Graph())))
	}).SetMaxCache(-1)
	s.pushed = model.MustNewExec(backend, scope.Store(), func(_ *model.Scope, x, u *graph.Node) *graph.Node {
		_, d := network.differentiate(scope.ResetVisited(), parameterization, x)
		first, changes := 0, map[*model.Variable]*graph.Node{}
		for _, v := range trainable(scope.Store(), x.Graph()) {
			size := v.Shape().Size()
			changes[v] = graph.Reshape(graph.Slice(u, graph.AxisRange(first, first+size)), v.Shape().Dimensions...)
			first += size
		}
		return d.tangent(nil, func(v *model.Variable) *graph.Node { return changes[v] })
	}).SetMaxCache(-1)
	return s
}

// jacobian computes the Jacobian by applying the pullbacks of all layers to the identity at the outputs.
func (s *structured) jacobian(x *graph.Node, trace bool) *jacobian {
	y, d := s.network.differentiate(s.scope.ResetVisited(), s.parameterization, x)
	outputs := checkOutputs(x, y)
	one := graph.DiagonalWithValue(graph.ScalarOne(x.Graph(), y.DType()), outputs)
	j := &jacobian{trace: trace, outputs: outputs}
	d.pullback(cotangent{each: graph.InsertAxes(one, 0), shared: true}, j)
	return j
}

// checkOutputs panics if y is not [N, C], and returns C.
func checkOutputs(x, y *graph.Node) int {
	if y.Rank() != 2 || y.Shape().Dimensions[0] != x.Shape().Dimensions[0] || y.DType() != dtypes.Float32 &&
		y.DType() != dtypes.Float64 {
		panic(fmt.Errorf("the outputs are %s, and should be [examples, outputs], float32 or float64: end the network "+
			"with Flatten or GlobalAveragePool", y.Shape()))
	}
	return y.Shape().Dimensions[1]
}

func at(trace bool) int {
	if trace {
		return 1
	}
	return 0
}

func (s *structured) forms(trace bool) []form { return s.noted[at(trace)] }

func (s *structured) factors(x *tensors.Tensor, trace bool) ([]*tensors.Tensor, error) {
	return s.execs[at(trace)].Call(x)
}

func (s *structured) measure(x *graph.Node) measured {
	j := s.jacobian(x, false)
	m := measured{outputs: j.outputs, dtype: x.DType()}
	for _, v := range trainable(s.scope.Store(), x.Graph()) {
		m.parameters += v.Shape().Size()
	}
	return m
}

func (s *structured) pull(x, v, u *tensors.Tensor) (*tensors.Tensor, error) {
	return one(s.pulled.Call(x, v, u))
}

func (s *structured) push(x, u *tensors.Tensor) (*tensors.Tensor, error) {
	return one(s.pushed.Call(x, u))
}
