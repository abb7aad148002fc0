package dynamics_test

import (
	"errors"
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// Two trajectories from one state are compared at the same times, whichever theorem they belong to: Theorem 4's closed
// form, Theorem 8 with the kernel I, which is the same, gradient descent, and Theorem 6, whose prototypes are fixed.
func ExampleTrajectory() {
	state := dynamics.Gaussian(16, 4, 5, 1)
	rates := dynamics.Constant(0.1, 0.1)
	free, err1 := dynamics.Regularized{Gamma: 1. / 3, Lambda1: 0.05, Lambda2: 0.05, Rates: rates}.From(state)
	kernel, err2 := dynamics.Invariant{Gamma: 1. / 3, Lambda1: 0.05, Lambda2: 0.05, Rates: rates}.From(state)
	anchored, err3 := dynamics.Anchored{Gamma: 1. / 3, Lambda1: 0.05, Rates: rates}.From(state)
	if err := errors.Join(err1, err2, err3); err != nil {
		fmt.Println(err)
		return
	}
	show := func(name string, trace *dynamics.Trace, err error) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for i, t := range trace.Time {
			fmt.Printf("%-10s t = %4.0f: accuracy %.2f, ln‖Z‖ = %.3f, ln distance of H = %.3f\n",
				name, t, trace.Accuracy[i], trace.LogNormZ[i], trace.LogDistanceH[i])
		}
	}
	for _, c := range []struct {
		name string
		dynamics.Trajectory
	}{{"Theorem 4", free}, {"Theorem 8", kernel}, {"Theorem 6", anchored}} {
		trace, err := c.Trace([]float64{0, 100, 1000})
		show(c.name, trace, err)
	}
	descent, err := free.Descent(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := descent.Trace([]int{0, 100, 1000})
	show("descent", trace, err)
	// Output:
	// Theorem 4  t =    0: accuracy 0.40, ln‖Z‖ = 3.007, ln distance of H = 0.140
	// Theorem 4  t =  100: accuracy 1.00, ln‖Z‖ = 3.179, ln distance of H = -0.572
	// Theorem 4  t = 1000: accuracy 1.00, ln‖Z‖ = 11.990, ln distance of H = -13.855
	// Theorem 8  t =    0: accuracy 0.40, ln‖Z‖ = 3.007, ln distance of H = 0.140
	// Theorem 8  t =  100: accuracy 1.00, ln‖Z‖ = 3.179, ln distance of H = -0.572
	// Theorem 8  t = 1000: accuracy 1.00, ln‖Z‖ = 11.990, ln distance of H = -13.855
	// Theorem 6  t =    0: accuracy 0.40, ln‖Z‖ = 3.007, ln distance of H = 0.319
	// Theorem 6  t =  100: accuracy 1.00, ln‖Z‖ = 2.825, ln distance of H = -0.163
	// Theorem 6  t = 1000: accuracy 1.00, ln‖Z‖ = 3.149, ln distance of H = -5.174
	// descent    t =    0: accuracy 0.40, ln‖Z‖ = 3.007, ln distance of H = 0.140
	// descent    t =  100: accuracy 1.00, ln‖Z‖ = 3.175, ln distance of H = -0.569
	// descent    t = 1000: accuracy 1.00, ln‖Z‖ = 11.942, ln distance of H = -13.819
}

// The run of section D.1 at γ = 1/(C−1) is computed without iterating: the closed form gives 50,000 steps of gradient
// descent.
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

// Weight decay above λ* makes everything shrink, and weight decay below λ* lets everything grow; the direction is the
// same (Corollary 5).
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
		limit, err := flow.Limit()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("λ = %.4f: growth %+.4f per unit of ζ2, approach %.4f, collapses %v\n", lambda, limit.Growth,
			limit.Rate, limit.Collapses)
	}
	// Output:
	// λ = 0.0745: growth +0.0745 per unit of ζ2, approach 0.1491, collapses true
	// λ = 0.1491: growth +0.0000 per unit of ζ2, approach 0.1491, collapses true
	// λ = 0.2981: growth -0.1491 per unit of ζ2, approach 0.1491, collapses true
}

// Descent.At gives the exact iterates for any schedule and momentum.
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

// A network of infinite width is trained on four of five inputs. The prediction for the fifth input is a function of
// time, also at t = ∞.
func ExampleInvariant() {
	inputs := []float64{-1.2, -0.7, 0.8, 1.1, 0.5} // the last input is not used in training
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
	for _, point := range append(points, limit.Point) {
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
