package ntk_test

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// One description gives both the kernels of infinite width and a network of finite width.
func Example() {
	backend, _ := must.M2(backends.Open("go"))
	network := ntk.Serial(ntk.Dense(512).Std(1.5, 0.1), ntk.ReLU, ntk.Dense(512).Std(1.5, 0.1), ntk.ReLU, ntk.Dense(10))

	x := tensors.FromValue([][]float64{{1, 0, 0}, {1, 1e-9, 0}, {0, 1, 1}})
	kernels := must.M1(network.Infinite(backend).Kernels(x, nil))
	fmt.Printf("NNGP %.4f\n", kernels.NNGP.Value())
	fmt.Printf("NTK  %.4f\n", kernels.NTK.Value())

	exec := model.MustNewExec(backend, model.NewStore(), func(scope *model.Scope, x *graph.Node) *graph.Node {
		return network.Model(scope, ntk.NTKParameterization, x)
	})
	fmt.Println("outputs", exec.MustCall(x)[0].Shape())
	// Output:
	// NNGP [[0.4325 0.4325 0.3038] [0.4325 0.4325 0.3038] [0.3038 0.3038 0.8544]]
	// NTK  [[1.2925 1.2925 0.4266] [1.2925 1.2925 0.4266] [0.4266 0.4266 2.5581]]
	// outputs (Float64)[3, 10]
}
