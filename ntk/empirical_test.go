package ntk

import (
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"gonum.org/v1/gonum/floats"
)

var reference = sync.OnceValues(func() (compute.Backend, error) {
	backend, _, err := backends.Open("go")
	return backend, err
})

func onGo(backend compute.Backend) bool { return backends.Name(backend) == "go" }

// naiveKernel returns the full kernel in float64 from Jacobians on the Go backend, with one gradient for each output of
// each example.
func naiveKernel(t *testing.T, store *model.Store, f func(*model.Scope, *graph.Node) *graph.Node, x1,
	x2 *tensors.Tensor) *tensors.Tensor {
	t.Helper()
	backend, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	outputs := 0
	exec := model.MustNewExec(backend, store, func(scope *model.Scope, x, output *graph.Node) *graph.Node {
		y := f(scope, x)
		outputs = y.Shape().Dimensions[1]
		var gradients []*graph.Node
		one := graph.OneHot(output, outputs, y.DType())
		for v := range store.IterVariables() {
			if v.Trainable && v.InUseByGraph(x.Graph()) {
				gradients = append(gradients, graph.Reshape(graph.Gradient(graph.ReduceAllSum(graph.Mul(graph.Reshape(y,
					-1), one)), v.NodeValue(x))[0], -1))
			}
		}
		return graph.Concatenate(gradients, 0)
	})
	jacobian := func(x *tensors.Tensor) (all [][]float64) {
		for n := range x.Shape().Dimensions[0] {
			for c := int32(0); c == 0 || int(c) < outputs; c++ {
				all = append(all, values(exec.MustCall(rows(x, n), c)[0]))
			}
		}
		return all
	}
	j1, j2 := jacobian(x1), jacobian(x2)
	var kernel []float64
	for n := range x1.Shape().Dimensions[0] {
		for m := range x2.Shape().Dimensions[0] {
			for c := range outputs {
				for k := range outputs {
					kernel = append(kernel, floats.Dot(j1[n*outputs+c], j2[m*outputs+k]))
				}
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(kernel, x1.Shape().Dimensions[0], x2.Shape().Dimensions[0], outputs,
		outputs)
}

// finiteNetworks have a finite-width kernel; some of them have no infinite-width kernel.
func finiteNetworks() map[string]Network {
	all := networks()
	delete(all, "identity")
	conv := Conv(4, 3).Same().Std(1.4, 0.1)
	all["max pool, batch norm"] = Serial(conv, BatchNorm, ReLU, MaxPool(2), conv, BatchNorm, Abs, Conv(3, 2).Std(1,
		0.3), GlobalAveragePool, BatchNorm, Erf, Dense(3).Std(1, 0.5))
	all["two outputs"] = Serial(Conv(3, 2), GELU, Residual(Flatten, Serial(GlobalAveragePool, ReLU, Dense(60))),
		Dense(2))
	all["means only"] = Serial(GlobalAveragePool, Dense(1).Std(1, 1))
	all["convolution last"] = Serial(conv, ReLU, Conv(2, 3).Std(1, 1), GlobalAveragePool)
	all["all convolutions"] = Serial(conv, Sin, Conv(2, 4).Stride(2).Std(1, 1), Flatten)
	all["mixed"] = Serial(conv, Residual(Identity, Serial(ReLU, conv)), ReLU, Residual(Flatten,
		Serial(GlobalAveragePool, Dense(120))), Dense(2))
	return all
}

// naive returns the full kernel of a network in float64.
func naive(t *testing.T, network Network, parameterization Parameterization, store *model.Store, x1,
	x2 *tensors.Tensor) *tensors.Tensor {
	return naiveKernel(t, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
		return network.Model(scope, parameterization, x)
	}, x1, x2)
}

// TestEmpirical compares every form of the kernel with naive Jacobians.
func TestEmpirical(t *testing.T) {
	for name, network := range finiteNetworks() {
		for _, parameterization := range []Parameterization{NTKParameterization, StandardParameterization} {
			draw := func(dtype dtypes.DType) (*model.Store, *tensors.Tensor, *tensors.Tensor) {
				return seeded(1), normals(1, dtype, dims(name, 4)...), normals(2, dtype, dims(name, 3)...)
			}
			store, x1, x2 := draw(dtypes.Float64)
			want := naive(t, network, parameterization, store, x1, x2)
			self := naive(t, network, parameterization, store, x1, x1)
			backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType,
				tolerance float64) {
				if onXLA := map[string]dtypes.DType{"max pool, batch norm": dtypes.Float64,
					"mixed": dtypes.Float32}; !onGo(backend) &&
					(parameterization == StandardParameterization || onXLA[name] != dtype) {
					return // compilation by XLA takes long
				}
				store, x1, x2 := draw(dtype)
				e := network.Empirical(backend, store.RootScope(), parameterization)
				check := func(what string, got *tensors.Tensor, err error, want *tensors.Tensor) {
					t.Helper()
					if err != nil {
						t.Fatalf("%s: %s: %v", name, what, err)
					}
					sameKernel(t, name+": "+what, got, want, tolerance)
				}
				got, err := e.Full(x1, x2)
				check("full", got, err, want)
				got, err = e.TraceSum(x1, x2)
				check("trace", got, err, outputsOf(want, traced))
				got, err = e.PerOutput(x1, x2)
				check("per output", got, err, outputsOf(want, perOutput))
				got, err = e.Diagonal(x1)
				check("diagonal", got, err, outputsOf(self, diagonal))
				got, err = e.Full(x1, nil)
				check("symmetric", got, err, self)
				exactlySymmetric(t, name, got)
			})
		}
	}
}

// outputsOf reduces the full kernel to the requested outputs.
func outputsOf(kernel *tensors.Tensor, want contraction) *tensors.Tensor {
	dims := kernel.Shape().Dimensions
	n, m, outputs := dims[0], dims[1], dims[2]
	k := values(kernel)
	var picked []float64
	for i := range n * m {
		block := k[i*outputs*outputs:][:outputs*outputs]
		trace := 0.0
		for c := range outputs {
			trace += block[c*outputs+c]
			if want == perOutput {
				picked = append(picked, block[c*outputs+c])
			}
		}
		if want == traced {
			picked = append(picked, trace)
		}
		if want == diagonal && i/m == i%m {
			picked = append(picked, block...)
		}
	}
	shape := map[contraction][]int{traced: {n, m}, perOutput: {n, m, outputs}, diagonal: {n, outputs, outputs}}[want]
	return tensors.FromFlatDataAndDimensions(picked, shape...)
}

func exactlySymmetric(t *testing.T, what string, kernel *tensors.Tensor) {
	t.Helper()
	dims := kernel.Shape().Dimensions
	n, outputs := dims[0], 1
	if len(dims) == 4 {
		outputs = dims[2]
	}
	k := values(kernel)
	for i := range n * outputs {
		for j := range i {
			at := func(i, j int) float64 {
				return k[((i/outputs*n+j/outputs)*outputs+i%outputs)*outputs+j%outputs]
			}
			if at(i, j) != at(j, i) {
				t.Fatalf("%s: [%d, %d] and [%d, %d] differ", what, i, j, j, i)
			}
		}
	}
}

func sameKernel(t *testing.T, what string, got, want *tensors.Tensor, tolerance float64) {
	t.Helper()
	if !slices.Equal(got.Shape().Dimensions, want.Shape().Dimensions) {
		t.Fatalf("%s: shape %s, want %s", what, got.Shape(), want.Shape())
	}
	g, w := values(got), values(want)
	size := 0.0
	for _, v := range w {
		size = max(size, v, -v)
	}
	for i := range g {
		near(t, what, g[i]/size, w[i]/size, tolerance)
	}
}
