package dynamics

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/internal/dormandprince"
)

// Integrate solves x' = f(t, x) from t0 to t1 ≥ t0 by the Dormand–Prince pair of orders 5 and 4 with the given error
// tolerance, relative to the largest |x_i| (Dormand and Prince, J. Comput. Appl. Math. 6 (1980) 19–26).
func Integrate(f func(t float64, x, dx []float64), t0, t1 float64, x []float64, tolerance float64) ([]float64, error) {
	return integrate(f, t0, t1, x, tolerance, func([]float64) {})
}

// integrate is Integrate with a function that is called with x after every step. For a linear system this function may
// rescale x.
func integrate(f func(t float64, x, dx []float64), t0, t1 float64, x []float64, tolerance float64,
	after func(x []float64)) ([]float64, error) {
	n := len(x)
	x = append([]float64(nil), x...)
	var k [7][]float64
	for i := range k {
		k[i] = make([]float64, n)
	}
	y := make([]float64, n)
	t, h := t0, (t1-t0)/100
	for steps := 0; t < t1; steps++ {
		if steps > 10_000_000 || h < 1e-15*math.Max(math.Abs(t), math.Abs(t1)) {
			return nil,
				fmt.Errorf("dynamics: the ODE solver is stuck at t = %v (step %v): the rates change too fast or are "+
					"not finite", t, h)
		}
		if t+h > t1 {
			h = t1 - t
		}
		f(t, x, k[0])
		for i := 1; i < 7; i++ {
			for j := range y {
				sum := 0.0
				for l := range i {
					sum += dormandprince.Stages[i][l] * k[l][j]
				}
				y[j] = x[j] + h*sum
			}
			f(t+dormandprince.Nodes[i]*h, y, k[i])
		}
		size, err := 0.0, 0.0 // y is the fifth-order solution: its weights are the last stage's
		for j := range y {
			e := 0.0
			for l := range k {
				e += dormandprince.Errors[l] * k[l][j]
			}
			size = math.Max(size, math.Abs(y[j]))
			err = math.Max(err, math.Abs(h*e))
		}
		ratio := err / (tolerance*size + math.SmallestNonzeroFloat64)
		if math.IsNaN(ratio) {
			return nil, fmt.Errorf("dynamics: the derivative is not finite at t = %v", t)
		}
		if ratio <= 1 {
			t += h
			copy(x, y)
			after(x)
		}
		h *= math.Min(5, math.Max(0.2, 0.9*math.Pow(math.Max(ratio, 1e-10), -0.2)))
	}
	return x, nil
}
