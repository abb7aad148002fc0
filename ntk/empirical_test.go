package ntk

import (
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"gonum.org/v1/gonum/floats"
)

// naiveKernel is the full kernel in float64 from Jacobians on the Go backend: one gradient for each output of each example.
func naiveKernel(t *testing.T, store *model.Store, f func(*model.Scope, *graph.Node) *graph.Node, x1, x2 *tensors.Tensor) *tensors.Tensor {
	t.Helper()
	backend, err := compute.NewWithConfig("go")
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
				gradients = append(gradients, graph.Reshape(graph.Gradient(graph.ReduceAllSum(graph.Mul(graph.Reshape(y, -1), one)), v.NodeValue(x))[0], -1))
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
	return tensors.FromFlatDataAndDimensions(kernel, x1.Shape().Dimensions[0], x2.Shape().Dimensions[0], outputs, outputs)
}

func TestEmpirical(t *testing.T) {
	for name, network := range networks() {
		if name == "identity" {
			continue
		}
		for _, parameterization := range []Parameterization{NTKParameterization, StandardParameterization} {
			draw := func(dtype dtypes.DType) (*model.Store, *tensors.Tensor, *tensors.Tensor) {
				return seeded(1), normals(1, dtype, dims(name, 4)...), normals(2, dtype, dims(name, 3)...)
			}
			store, x1, x2 := draw(dtypes.Float64)
			want := naiveKernel(t, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
				return network.Model(scope, parameterization, x)
			}, x1, x2)
			backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
				store, x1, x2 := draw(dtype)
				got, err := network.Empirical(backend, store.RootScope(), parameterization).Full(x1, x2)
				if err != nil {
					t.Fatal(err)
				}
				sameKernel(t, name, got, want, tolerance)
			})
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
