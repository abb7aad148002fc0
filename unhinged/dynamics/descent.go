package dynamics

import (
	"fmt"
	"math"
)

// Descent is gradient descent with momentum μ, v(t+1) = μ v(t) + gradient + λx, x(t+1) = x − η(t)v(t+1), v(0) = 0: the
// exact iterates, as powers where the flow has exponentials.
type Descent struct {
	points func(times []float64) ([]*Point, error) // of ascending whole times
}

func newDescent(momentum float64, points func(times []float64) ([]*Point, error)) (*Descent, error) {
	if err := validMomentum(momentum); err != nil {
		return nil, err
	}
	return &Descent{func(times []float64) ([]*Point, error) {
		if err := ascending(times); err != nil {
			return nil, err
		}
		return points(times)
	}}, nil
}

func validMomentum(momentum float64) error {
	if momentum < 0 || momentum >= 1 || math.IsNaN(momentum) {
		return fmt.Errorf("dynamics: momentum %v: must be in [0, 1)", momentum)
	}
	return nil
}

// At returns the iterate after the given number of steps.
func (d *Descent) At(step int) (*Point, error) { return one(d.points([]float64{float64(step)})) }

// Trace returns the observables after ascending numbers of steps.
func (d *Descent) Trace(steps []int) (*Trace, error) { return traceOf(timesOf(steps), d.points) }

func timesOf(steps []int) []float64 {
	times := make([]float64, len(steps))
	for i, s := range steps {
		times[i] = float64(s)
	}
	return times
}

// descend returns the points that gradient descent makes of the given eigenvalues after the given numbers of steps.
func descend[P any](rate Schedule, momentum float64, omegas, drives []float64, times []float64,
	point func(growth) P) ([]P, error) {
	points := make([]P, len(times))
	if eta, ok := rate.(ConstantRate); ok && momentum == 0 {
		for i, t := range times {
			points[i] = point(powerGrowth{float64(eta), t})
		}
		return points, nil
	}
	if err := countable(times); err != nil {
		return nil, err
	}
	steps := wholes(times)
	for i, g := range recordGrowth(omegas, drives, momentum, tabulate(rate.At, steps), steps) {
		points[i] = point(g)
	}
	return points, nil
}

// MaxSteps is the most steps of gradient descent that are made one by one.
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
