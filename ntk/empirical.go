package ntk

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Empirical computes the tangent kernel of a network of finite width,
//
//	Θ(x, y)[n,m,c,k] = Σ_θ ∂f_c(x_n)/∂θ · ∂f_k(y_m)/∂θ,
//
// at the values that the trainable variables θ have when a method is called. A call after some training gives the
// kernel at that time; see [Drift].
//
// Inputs are [N, ...], float32 or float64 as the variables are, and so are the kernels. If the second inputs are nil,
// they are the first ones, and the kernel is exactly symmetric. It is an error if an input is not finite, if the inputs
// do not fit the network or each other, or if the kernel is not finite.
//
// Examples are processed in chunks, so that no more than about MemoryBudget bytes are in use besides the kernel. Graphs
// are compiled when a chunk size first occurs.
type Empirical struct {
	MemoryBudget int64 // 1 GiB by default

	backend compute.Backend
	store   *model.Store
	source  source
	mu      sync.Mutex // one calculation at a time, because the source stores the forms of the factors

	contractions map[contraction]*graph.Exec
	measured     map[string]measured // by shape of the examples
}

// A source computes the Jacobians of chunks of examples.
type source interface {
	// factors returns the factors of the Jacobian of the examples.
	factors(x *tensors.Tensor, trace bool) ([]*tensors.Tensor, error)
	// forms returns the forms of the factors, after the first call of factors with the same trace.
	forms(trace bool) []form
	// measure builds the graph of one chunk, and returns everything but the bytes.
	measure(x *graph.Node) measured
	// pull adds Σ_n,c v[n,c] ∂f_c(x_n)/∂θ to u, a vector of all parameters.
	pull(x, v, u *tensors.Tensor) (*tensors.Tensor, error)
	// push returns Σ_θ ∂f_c(x_n)/∂θ u[θ], [N, C].
	push(x, u *tensors.Tensor) (*tensors.Tensor, error)
}

func newEmpirical(backend compute.Backend, store *model.Store, source source) *Empirical {
	return &Empirical{MemoryBudget: 1 << 30, backend: backend, store: store, source: source,
		contractions: map[contraction]*graph.Exec{}, measured: map[string]measured{}}
}

// Empirical returns the kernel of the finite network whose variables are where [Network.Model] keeps them. Those that
// do not exist yet are drawn as Model draws them. Variables that are not trainable do not contribute to the kernel.
//
// It is computed layer by layer: the Jacobian of a dense layer is an outer product and is never formed, and that of a
// convolution is a sum of outer products over positions.
func (n Network) Empirical(backend compute.Backend, scope *model.Scope, parameterization Parameterization) *Empirical {
	return newEmpirical(backend, scope.Store(), newStructured(backend, scope, n, parameterization))
}

// Full returns Θ(x1, x2), [N1, N2, C, C] for C outputs.
func (e *Empirical) Full(x1, x2 *tensors.Tensor) (*tensors.Tensor, error) {
	return e.kernel(full, x1, x2)
}

// TraceSum returns Σ_c Θ(x1, x2)[·,·,c,c], [N1, N2].
func (e *Empirical) TraceSum(x1, x2 *tensors.Tensor) (*tensors.Tensor, error) {
	return e.kernel(traced, x1, x2)
}

// TraceMean returns Σ_c Θ(x1, x2)[·,·,c,c]/C, [N1, N2], which for wide networks tends to the NTK of [Network.Infinite].
func (e *Empirical) TraceMean(x1, x2 *tensors.Tensor) (*tensors.Tensor, error) {
	kernel, err := e.TraceSum(x1, x2)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	scale := 1 / float64(e.measured[examples(x1.Shape())].outputs)
	e.mu.Unlock()
	if kernel.DType() == dtypes.Float32 {
		err = tensors.MutableFlatData(kernel, func(flat []float32) {
			for i := range flat {
				flat[i] *= float32(scale)
			}
		})
	} else {
		err = tensors.MutableFlatData(kernel, func(flat []float64) {
			for i := range flat {
				flat[i] *= scale
			}
		})
	}
	return kernel, err
}

// PerOutput returns Θ(x1, x2)[·,·,c,c], [N1, N2, C], the kernel of each output with itself.
func (e *Empirical) PerOutput(x1, x2 *tensors.Tensor) (*tensors.Tensor, error) {
	return e.kernel(perOutput, x1, x2)
}

// Diagonal returns the kernel of each example with itself, [N, C, C], without computing the others.
func (e *Empirical) Diagonal(x *tensors.Tensor) (*tensors.Tensor, error) {
	return e.kernel(diagonal, x, nil)
}

func (e *Empirical) kernel(want contraction, x1, x2 *tensors.Tensor) (*tensors.Tensor, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := checkInputs(x1, x2); err != nil {
		return nil, err
	}
	m, err := e.measure(x1.Shape())
	if err != nil {
		return nil, fmt.Errorf("ntk: empirical kernel of inputs %s: %w", x1.Shape(), err)
	}
	chunk := e.chunk(m.bytes, x1, x2)
	tiles := &tiling{empirical: e, want: want, symmetric: x2 == nil}
	if tiles.rows, err = split(x1, chunk); err != nil {
		return nil, err
	}
	tiles.columns = tiles.rows
	if x2 != nil {
		if tiles.columns, err = split(x2, chunk); err != nil {
			return nil, err
		}
	}
	if err := tiles.run(); err != nil {
		return nil, fmt.Errorf("ntk: empirical kernel of inputs %s: %w", x1.Shape(), err)
	}
	return tiles.kernel, nil
}

func checkInputs(x1, x2 *tensors.Tensor) error {
	if x1 == nil {
		return errors.New("ntk: no inputs")
	}
	for _, x := range []*tensors.Tensor{x1, x2} {
		if x == nil {
			continue
		}
		shape := x.Shape()
		if shape.Rank() < 2 || shape.Size() == 0 {
			return fmt.Errorf("ntk: inputs are [examples, ...] and not empty, not %s", shape)
		}
		if shape.DType != dtypes.Float32 && shape.DType != dtypes.Float64 {
			return fmt.Errorf("ntk: inputs are float32 or float64, not %s", shape.DType)
		}
		if shape.DType != x1.DType() || !slices.Equal(shape.Dimensions[1:], x1.Shape().Dimensions[1:]) {
			return fmt.Errorf("ntk: inputs of shapes %s and %s do not match", x1.Shape(), shape)
		}
		if at := notFinite(x); at >= 0 {
			size := shape.Size() / shape.Dimensions[0]
			return fmt.Errorf("ntk: example %d has an infinite number or NaN among its inputs, number %d: they must "+
				"be finite", at/size, at%size)
		}
	}
	return nil
}

// notFinite returns the index of the first number that is not finite, or −1.
func notFinite(t *tensors.Tensor) int {
	at := -1
	switch t.DType() {
	case dtypes.Float32:
		tensors.MustConstFlatData(t, func(flat []float32) {
			at = slices.IndexFunc(flat, func(v float32) bool { return v-v != 0 })
		})
	case dtypes.Float64:
		tensors.MustConstFlatData(t, func(flat []float64) {
			at = slices.IndexFunc(flat, func(v float64) bool { return v-v != 0 })
		})
	}
	return at
}

// Memory estimates the bytes that each example of a chunk takes beyond the parameters, and returns the number of
// outputs, for inputs of the given shape with any number of examples. Variables that do not exist yet are drawn: call
// [Network.Size] before, if they may be too many. If one example takes more than the MemoryBudget, a chunk is one
// example.
func (e *Empirical) Memory(input shapes.Shape) (example int64, outputs int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m, err := e.measure(input)
	if err != nil {
		return 0, 0, fmt.Errorf("ntk: empirical kernel of inputs %s: %w", input, err)
	}
	return m.bytes, m.outputs, nil
}

// measured holds the sizes of a model for inputs of one shape.
type measured struct {
	outputs, parameters int
	dtype               dtypes.DType // of the outputs
	bytes               int64        // at most, for an example
}

func examples(x shapes.Shape) string { return fmt.Sprint(x.DType, x.Dimensions[1:]) }

// measure returns the sizes for examples of a shape. It builds the graph for one example and for two without running
// it, and creates the variables that do not exist. Operations that compilers fuse with their neighbours, and whose
// results they do not store, are not counted.
func (e *Empirical) measure(shape shapes.Shape) (measured, error) {
	key := examples(shape)
	if m, ok := e.measured[key]; ok {
		return m, nil
	}
	var m measured
	shape = shape.Clone()
	var bytes [2]int64
	for i := range bytes {
		shape.Dimensions[0] = 1 + i
		_, err := model.CallOnce(e.backend, e.store, func(_ *model.Scope, x *graph.Node) *graph.Node {
			m = e.source.measure(x)
			for _, node := range x.Graph().Nodes() {
				switch node.Type() {
				case graph.NodeTypeDotGeneral, graph.NodeTypeConvGeneral, graph.NodeTypeTranspose,
					graph.NodeTypeConcatenate, graph.NodeTypeReverse:
					bytes[i] += node.Shape().ByteSize()
				}
			}
			return graph.ReduceAllSum(x)
		}, tensors.FromShape(shape))
		if err != nil {
			return m, err
		}
	}
	m.bytes = bytes[1] - bytes[0]
	e.measured[key] = m
	return m, nil
}

// chunk returns the number of examples in a chunk. The chunks are as equal as possible.
func (e *Empirical) chunk(bytes int64, inputs ...*tensors.Tensor) int {
	most := 0
	for _, x := range inputs {
		if x != nil {
			most = max(most, x.Shape().Dimensions[0])
		}
	}
	fit := max(1, min(e.MemoryBudget/max(1, bytes), math.MaxInt32))
	chunks := (most + int(fit) - 1) / int(fit)
	return (most + chunks - 1) / chunks
}

// A chunk is a group of examples. If there are too few, copies of an example fill it up.
type chunk struct {
	x        *tensors.Tensor
	first, n int // which examples of the inputs they are
}

func split(x *tensors.Tensor, size int) ([]chunk, error) {
	n := x.Shape().Dimensions[0]
	if n == size {
		return []chunk{{x, 0, n}}, nil
	}
	var chunks []chunk
	var failed error
	err := x.ConstBytes(func(all []byte) {
		example := len(all) / n
		shape := x.Shape().Clone()
		shape.Dimensions[0] = size
		for first := 0; first < n && failed == nil; first += size {
			c := chunk{tensors.FromShape(shape), first, min(size, n-first)}
			failed = c.x.MutableBytes(func(some []byte) {
				filled := copy(some, all[first*example:])
				for filled < len(some) {
					filled += copy(some[filled:], all[(n-1)*example:])
				}
			})
			chunks = append(chunks, c)
		}
	})
	return chunks, errors.Join(err, failed)
}

// contract returns the kernel of two chunks, given the factors of their Jacobians.
func (e *Empirical) contract(want contraction, left, right []*tensors.Tensor) (*tensors.Tensor, error) {
	exec := e.contractions[want]
	if exec == nil {
		exec = graph.MustNewExec(e.backend, func(nodes []*graph.Node) *graph.Node {
			var l, r jacobian
			for _, f := range e.source.forms(want == traced) {
				n := 2
				if f.kind == plain {
					n = 1
				}
				l.add(f, nodes[:n]...)
				r.add(f, nodes[n:2*n]...)
				nodes = nodes[2*n:]
			}
			return want.contract(&l, &r)
		}).SetMaxCache(-1)
		e.contractions[want] = exec
	}
	var args []any
	for _, f := range e.source.forms(want == traced) {
		n := 2
		if f.kind == plain {
			n = 1
		}
		for _, side := range []*[]*tensors.Tensor{&left, &right} {
			for _, t := range (*side)[:n] {
				args = append(args, t)
			}
			*side = (*side)[n:]
		}
	}
	results, err := exec.Call(args...)
	if err != nil {
		return nil, err
	}
	return results[0], nil
}
