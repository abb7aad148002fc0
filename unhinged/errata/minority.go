package errata

import (
	"math"

	"github.com/unhinged-lab/lab/internal/brute"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
)

// demonstrateE38 measures on the ODE (12), without eigenspaces, how fast minority prototypes merge with EFR and without
// it: per unit of time, and per e-fold of their mean.
func demonstrateE38() (Demonstration, error) {
	step := dynamics.Step{Majority: 2, Minority: 2, Large: 3, Small: 2}
	const gamma = 1. / 3
	modes := step.Modes(gamma, 0)
	start := dynamics.Gaussian(4, 4, 1, 1).CenterPrototypes()
	start.H, start.Counts = dynamics.Gaussian(4, 2, 5, 2).H, step.Sizes()
	var perFold []float64
	off := 0.0
	for _, lambda1 := range []float64{0, 2 * modes.Between} {
		growth := modes.Growth(1, lambda1, 0)
		first := 12 / growth.Minority // what shrinks is then e^{−24} of what grows
		second := first + 1/growth.Between
		var apart, mean [2]float64 // logarithms
		for i, t := range []float64{first, second} {
			one := dynamics.ConstantRate(1)
			state, err := brute.Flow(start, gamma, lambda1, 0, one, one, 0, t)
			if err != nil {
				return Demonstration{}, err
			}
			means, err := state.ClassMeans()
			if err != nil {
				return Demonstration{}, err
			}
			distance := means.Apart(2, 3)
			apart[i] = math.Log(distance)
			mean[i] = math.Log((math.Pow(means.NormW(2), 2)+math.Pow(means.NormW(3), 2))/2-distance*distance/4) / 2
		}
		merged := mean[1] - mean[0] - (apart[1] - apart[0])
		perFold = append(perFold, merged/(mean[1]-mean[0]))
		off = math.Max(off, math.Abs(merged/(second-first)-growth.Merging()))
		off = math.Max(off, math.Abs(perFold[len(perFold)-1]-growth.Merging()/growth.Between))
	}
	return Demonstration{
		ID:      "E38",
		Printed: "EFR mitigates minority collapse (here: prototypes that learn merge less per e-fold of their mean)",
		Right: "they merge at ω(σ_b) − ω(σ_min) for every λ1, ω(σ) = −λ1/2 + √(λ1²/4 + σ²): EFR makes that slower " +
			"per unit of time, faster per e-fold",
		PrintedError: math.Max(0, perFold[1]-perFold[0]), RightError: off, Tolerance: 1e-6,
	}, nil
}
