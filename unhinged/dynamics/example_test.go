package dynamics_test

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// Figure 1's run at γ = 1/(C−1), without ever iterating: 50,000 steps of gradient descent in closed form.
func ExampleUnconstrained() {
	state := dynamics.Gaussian(512, 100, 10, 1)
	state.W.Scale(math.Sqrt(2.0/512), state.W) // W0 ~ N(0, 2/p)
	flow, err := dynamics.Unconstrained{Gamma: 1.0 / 99, Rates: dynamics.Constant(0.1, 0.1)}.From(state)
	if err != nil {
		fmt.Println(err)
		return
	}
	descent, err := flow.Descent(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	point, err := descent.At(50_000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("accuracy %.0f, ‖Z‖ = %.3g, distance to Z̄ %.2g\n", point.Accuracy(false), math.Exp(point.LogNormZ()),
		math.Exp(point.LogDistance()))
	// Output: accuracy 1, ‖Z‖ = 1.37e+09, distance to Z̄ 5e-07
}

// Weight decay above λ* shrinks everything, below it everything grows; the direction is the same (Corollary 5).
func ExampleRegularized() {
	state := dynamics.Gaussian(16, 4, 5, 1)
	star := dynamics.CriticalLambda(1.0/3, 4, 5)
	for _, lambda := range []float64{0.5 * star, star, 2 * star} {
		flow, err := dynamics.Regularized{Gamma: 1.0 / 3, Lambda1: lambda, Lambda2: lambda,
			Rates: dynamics.Constant(0.1, 0.1)}.From(state)
		if err != nil {
			fmt.Println(err)
			return
		}
		limit := flow.Limit()
		fmt.Printf("λ = %.4f: growth %+.4f per unit of ζ2, approach %.4f, collapses %v\n", lambda, limit.Growth,
			limit.Rate, limit.Collapses)
	}
	// Output:
	// λ = 0.0745: growth +0.0745 per unit of ζ2, approach 0.1491, collapses true
	// λ = 0.1491: growth +0.0000 per unit of ζ2, approach 0.1491, collapses true
	// λ = 0.2981: growth -0.1491 per unit of ζ2, approach 0.1491, collapses true
}

// The exact iterates of any schedule, momentum included.
func ExampleFlow_Descent() {
	state := dynamics.Gaussian(8, 3, 2, 1)
	rates := dynamics.Follow(1, dynamics.CosineRate{Initial: 0.5, Steps: 1000})
	flow, err := dynamics.Unconstrained{Gamma: 0.5, Rates: rates}.From(state)
	if err != nil {
		fmt.Println(err)
		return
	}
	descent, err := flow.Descent(0.9)
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := descent.Trace([]int{0, 500, 1000})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("log10 ‖Z‖: %.1f %.1f %.1f\n", trace.LogNormZ[0]/math.Ln10, trace.LogNormZ[1]/math.Ln10,
		trace.LogNormZ[2]/math.Ln10)
	// Output: log10 ‖Z‖: 1.0 73.7 99.8
}

// A network of infinite width on five inputs, of which it sees four: the prediction for the fifth as a function of
// time, and at t = ∞.
func ExampleInvariant() {
	inputs := []float64{-1.2, -0.7, 0.8, 1.1, 0.5} // the last is never trained on
	kernel := mat.NewDense(5, 5, nil)
	kernel.Apply(func(i, j int,
		_ float64) float64 {
		return math.Exp(-(inputs[i] - inputs[j]) * (inputs[i] - inputs[j]))
	}, kernel)
	state := dynamics.Gaussian(3, 2, 2, 1) // classes 0, 0, 1, 1
	start := dynamics.Gaussian(3, 2, 1, 2).H.Slice(0, 3, 0, 1).(*mat.Dense)

	flow, err := dynamics.Invariant{
		Gamma: 1, Rates: dynamics.Constant(0.5, 0.5), Kernel: dynamics.Kernel{Samples: kernel.Slice(0, 4, 0,
			4).(*mat.Dense)},
	}.From(state)
	if err != nil {
		fmt.Println(err)
		return
	}
	unseen, err := flow.Test(start, kernel.Slice(0, 4, 4, 5).(*mat.Dense))
	if err != nil {
		fmt.Println(err)
		return
	}
	points, err := flow.Points([]float64{0, 2, 20, 20_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	limit, err := flow.Limit()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, point := range append(points, limit.Direction) {
		class, err := unseen.Predict(point, false)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("train accuracy %.2f, unseen point in class %d\n", point.Accuracy(false), class[0])
	}
	fmt.Printf("‖Z‖ grows as exp(%.3f ζ)\n", limit.Growth)
	// Output:
	// train accuracy 0.75, unseen point in class 0
	// train accuracy 1.00, unseen point in class 1
	// train accuracy 1.00, unseen point in class 1
	// train accuracy 1.00, unseen point in class 1
	// train accuracy 1.00, unseen point in class 1
	// ‖Z‖ grows as exp(0.939 ζ)
}
