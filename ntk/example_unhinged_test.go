package ntk_test

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// A network of infinite width learns exclusive or, and predicts points that it was not trained on.
func ExampleUnhinged() {
	backend, _ := must.M2(backends.Open("go"))
	kernels := ntk.Serial(ntk.Dense(1).Std(1, 0.5), ntk.ReLU, ntk.Dense(1)).Infinite(backend)
	x, labels := tensors.FromValue([][]float64{{1, 1}, {1, -1}, {-1, 1}, {-1, -1}}), []int{0, 1, 1, 0}
	unseen := tensors.FromValue([][]float64{{2, 1}, {-1, 3}})

	trained := must.M1(ntk.Unhinged{Gamma: 1}.Train(must.M1(kernels.Kernels(x, nil)).NTK, labels))
	must.M(trained.Test(must.M1(kernels.Kernels(x, unseen)).NTK, []int{0, 1}))
	fmt.Println(trained)
	for _, t := range []float64{1, 100} {
		r := must.M1(trained.At(t))
		fmt.Printf("t = %3g: loss %.3f, logits of unseen points %.3f %.3f\n", t, r.Loss, r.Test.Logits.RawRowView(0),
			r.Test.Logits.RawRowView(1))
	}
	limit := must.M1(trained.Limit())
	fmt.Printf("t = ∞: accuracy %g, on unseen points %g\n", limit.Train.Accuracy, limit.Test.Accuracy)
	// Output:
	// Theorem 8 for logits: γ = 1, λ1 = 0, λ2 = 0, 4 examples and 2 unseen of 2 classes
	// t =   1: loss -0.258, logits of unseen points [0.156 -0.156] [-0.165 0.165]
	// t = 100: loss -25.794, logits of unseen points [15.621 -15.621] [-16.503 16.503]
	// t = ∞: accuracy 1, on unseen points 1
}
