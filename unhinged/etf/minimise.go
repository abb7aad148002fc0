//go:build !js

package etf

import (
	"fmt"

	"gonum.org/v1/gonum/optimize"
)

// minimise minimises the energy at scale s from the p×C matrix m (row-major).
func minimise(m []float64, p, c int, s float64) ([]float64, error) {
	problem := optimize.Problem{
		Func: func(x []float64) float64 { return energy(nil, x, p, c, s) },
		Grad: func(grad, x []float64) { energy(grad, x, p, c, s) },
	}
	result, err := optimize.Minimize(problem, m, &optimize.Settings{GradientThreshold: 1e-10, MajorIterations: 300},
		&optimize.LBFGS{})
	if result == nil || result.X == nil {
		return nil, fmt.Errorf("etf: spreading %d prototypes in dimension %d: %w", c, p, err)
	}
	// When the energy differs by rounding only, the line search finds no smaller value and reports an error. The point
	// is a minimum nevertheless.
	return result.X, nil
}
