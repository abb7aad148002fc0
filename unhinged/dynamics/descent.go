package dynamics

import (
	"fmt"
	"math"
)

// Descent is gradient descent with momentum μ,
//
//	v(t+1) = μ v(t) + gradient + λx,   x(t+1) = x − η(t)v(t+1),   v(0) = 0,
//
// after any number of steps. The iterates are exact: they have powers where the flow has exponentials. At constant
// rates and without momentum the cost does not depend on the number of steps. With a schedule or momentum, and for
// Theorem 7, every step is computed, and at most MaxSteps.
type Descent struct {
	iterates solution // at times that are whole numbers
	// trace, if set, returns the trace without holding all iterates at once.
	trace func(times []float64) (*Trace, error)
}

func newDescent(momentum float64, iterates solution) (*Descent, error) {
	if momentum < 0 || momentum >= 1 || math.IsNaN(momentum) {
		return nil, fmt.Errorf("dynamics: momentum %v: must be in [0, 1)", momentum)
	}
	return &Descent{iterates: iterates}, nil
}

// At returns the iterate after the given number of steps.
func (d *Descent) At(step int) (Point, error) { return d.iterates.At(float64(step)) }

// Points returns the iterates after ascending numbers of steps, in one pass.
func (d *Descent) Points(steps []int) ([]Point, error) { return d.iterates.Points(timesOf(steps)) }

// Trace returns the observables after ascending numbers of steps.
func (d *Descent) Trace(steps []int) (*Trace, error) {
	times := timesOf(steps)
	if d.trace == nil {
		return d.iterates.Trace(times)
	}
	if err := ascending(times); err != nil {
		return nil, err
	}
	return d.trace(times)
}

func timesOf(steps []int) []float64 {
	times := make([]float64, len(steps))
	for i, s := range steps {
		times[i] = float64(s)
	}
	return times
}

// flowGrowths returns the growth of components under gradient flow, one for each of the given times.
func flowGrowths(rate Schedule, times []float64) []growth {
	growths := make([]growth, len(times))
	for i, zeta := range integrals(rate, times) {
		growths[i] = flowGrowth{zeta}
	}
	return growths
}

// descentGrowths returns the growth of components under gradient descent, one for each of the given numbers of steps.
// It knows the eigenvalues in omegas, and the driven components of the eigenvalues in drives.
func descentGrowths(rate Schedule, momentum float64, omegas, drives, times []float64) ([]growth, error) {
	if eta, ok := rate.(ConstantRate); ok && momentum == 0 {
		growths := make([]growth, len(times))
		for i, t := range times {
			growths[i] = powerGrowth{float64(eta), t}
		}
		return growths, nil
	}
	if err := countable(times); err != nil {
		return nil, err
	}
	steps := wholes(times)
	return recordGrowth(omegas, drives, momentum, tabulate(rate.At, steps), steps), nil
}

// pointsOf returns the point at each of the growths.
func pointsOf(growths []growth, at func(growth) *point) []Point {
	points := make([]Point, len(growths))
	for i, g := range growths {
		points[i] = at(g)
	}
	return points
}

// MaxSteps is the largest number of steps of gradient descent that are computed one by one.
const MaxSteps = 200_000_000

// countable refuses numbers of steps that cannot be run one by one.
func countable(times []float64) error {
	if last := times[len(times)-1]; last > MaxSteps {
		return fmt.Errorf("dynamics: %g steps of a schedule or with momentum: at most %d are run; a constant rate "+
			"without momentum has no such limit", last, MaxSteps)
	}
	return nil
}

// wholes turns times that are counts of steps back into integers.
func wholes(times []float64) []int {
	steps := make([]int, len(times))
	for i, t := range times {
		steps[i] = int(t)
	}
	return steps
}

// tabulate returns the rate of every step up to the last of the given steps.
func tabulate(rate func(t float64) float64, steps []int) []float64 {
	etas := make([]float64, steps[len(steps)-1])
	for t := range etas {
		etas[t] = rate(float64(t))
	}
	return etas
}
