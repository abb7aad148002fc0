package dynamics_test

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
)

// Minority prototypes merge: there are five classes of 5,000 samples and five of 50. EFR delays the merging.
func ExampleImbalanced() {
	step := dynamics.Step{Majority: 5, Minority: 5, Large: 5000, Small: 50}
	classes := dynamics.Classes{Sizes: step.Sizes(), Gamma: 1. / 9}
	modes := step.Modes(classes.Gamma, 0)
	for _, lambda1 := range []float64{0, modes.Between} {
		flow, err := dynamics.Imbalanced{Classes: classes, Lambda1: lambda1,
			Rates: dynamics.Constant(0.1, 0.1)}.From(dynamics.Unstructured(classes.Sizes, 1))
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, t := range []float64{10_000, 30_000} {
			m, err := flow.At(t)
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("λ1 = %.4f, t = %.0f: cosine of two minority prototypes %.2f, feature norms %.3f\n", lambda1, t,
				m.Cosine(8, 9), m.NormH(9)/m.NormH(0))
		}
	}
	// Output:
	// λ1 = 0.0000, t = 10000: cosine of two minority prototypes 0.77, feature norms 0.769
	// λ1 = 0.0000, t = 30000: cosine of two minority prototypes 1.00, feature norms 0.033
	// λ1 = 0.0022, t = 10000: cosine of two minority prototypes 0.48, feature norms 0.400
	// λ1 = 0.0022, t = 30000: cosine of two minority prototypes 1.00, feature norms 0.038
}
