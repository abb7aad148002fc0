package dynamics

import (
	"fmt"
	"math"
)

// Trajectory is gradient flow from an initial state under one of the theorems. Every theorem is a type with a method
// From(state) that returns one, so that any two theorems can be compared with the same calls:
//
//	Theorem 2, 4    Unconstrained, Regularized    *Flow
//	Theorem 6       Anchored                      *AnchoredFlow
//	Theorem 7       Spherical                     *SphericalFlow
//	Theorem 8       Invariant                     *KernelFlow
//	(25)            MSE, FeaturePenalty           *DualFlow
//
// The time t is the upper end of the integral ζ(t) = ∫₀ᵗ η of the learning rate η: at a constant rate, one unit of time
// is one step of gradient descent. Times are finite and not negative, and several times must ascend. For t = ∞ there is
// Limit.
type Trajectory interface {
	// At returns gradient flow at time t.
	At(t float64) (Point, error)
	// Points returns gradient flow at each of the times, in one pass where the flow has no closed form.
	Points(times []float64) ([]Point, error)
	// Trace returns the observables of the points at the times, without their states.
	Trace(times []float64) (*Trace, error)
	// Limit returns the limit for ζ → ∞, and the rate of the approach. It is an error if there is no limit or if the
	// limit is not known.
	Limit() (Limit, error)
	// Descent returns gradient descent on the same objective with momentum μ in [0, 1). Theorem 7 is about μ = 0 only.
	Descent(momentum float64) (*Descent, error)
}

var _ = []Trajectory{(*Flow)(nil), (*AnchoredFlow)(nil), (*SphericalFlow)(nil), (*KernelFlow)(nil), (*DualFlow)(nil)}

// Point is the state Z = (H, W) and the biases b of a trajectory at one time. Scales are natural logarithms, because Z
// may be too large or too small for float64. Distances and gaps are those to the point Z̄ = (H̄, W̄) of the
// trajectory's Limit, with two exceptions: a Flow with equal class sizes measures them to Z̄ of Corollaries 3 and 5
// (Flow.Collapse) even where another direction wins, and Theorem 7 measures them from the normalised features. They are
// NaN if there is no Z̄, and −Inf at Z̄.
type Point interface {
	// Loss returns the loss of the training samples without penalties, and the natural logarithm of its absolute value.
	// The loss is ±Inf if it is too large for float64. It is the unhinged loss (3), −Tr(Mᵀ Wᵀ H) − (M1)ᵀb, except for
	// MSE, which has ‖WᵀH + b1ᵀ − onehot‖²/n.
	Loss() (loss, logAbs float64)
	// Accuracy returns the share of training samples whose class is argmax_c w_cᵀh + b_c, or without the biases
	// argmax_c w_cᵀh. The first of equal logits counts.
	Accuracy(withBias bool) float64
	// Biases returns b, C numbers.
	Biases() []float64
	// LogNormH returns ln‖H‖, LogNormW ln‖W‖ and LogNormZ ln‖(H, W)‖ (Frobenius).
	LogNormH() float64
	LogNormW() float64
	LogNormZ() float64
	// LogDistance returns ln‖Z/‖Z‖ − Z̄/‖Z̄‖‖, LogDistanceH and LogDistanceW the same of H and of W.
	LogDistance() float64
	LogDistanceH() float64
	LogDistanceW() float64
	// LogGapH returns ln‖H − H̄‖, LogGapW ln‖W − W̄‖: without normalisation, so that they fall only to a finite limit.
	LogGapH() float64
	LogGapW() float64
	// State builds (H, W, b). It is an error if their numbers are too large for float64. Direction always works.
	State() (*State, error)
	// Direction builds Z/‖Z‖, with the biases on the same scale.
	Direction() *State

	accuracies(biasesDiffer bool) (without, with float64) // both; with is computed only if the biases differ
}

// Limit is what a trajectory tends to as ζ → ∞. Its rates are per unit of ζ2, the integral of η2; with fixed prototypes
// per unit of ζ1, the integral of η1. If η1 and η2 follow schedules of their own (Rates.H), the limit is that of the
// constant ratio s = η1(0)/η2(0). A flow whose ratio changes may have another limit.
type Limit struct {
	// Point is the limit of the state if Finite is true. Otherwise it is the limit of the direction: its scale and its
	// biases then have no meaning, and Point.Direction returns the direction. If W is fixed and H grows,
	// Point.State().H is the direction of H.
	Point  Point
	Finite bool
	// Growth is the exponent of ‖Z‖ ~ exp(Growth·ζ): 0 at λ = λ*, negative above it.
	Growth float64
	// Rate is the exponent of the approach, ‖Z/‖Z‖ − Z̄/‖Z̄‖‖ ~ exp(−Rate·ζ) (erratum E15: without a divisor C√N). It
	// is 0 if the approach is slower than exponential, and +Inf if the state is at its limit from the start.
	Rate float64
	// Collapses reports whether the limit is that of Corollaries 3 and 5: within-class collapse and self-duality. It is
	// false for γ > 2/(C−2), for γ = 0 and γ = 2/(C−2), where two eigenspaces have the same eigenvalue, for unequal
	// class sizes, and for every trajectory but a Flow, because the corollaries are about no other.
	Collapses bool
}

// solution is a function that returns the points of a trajectory at ascending times. Its three methods are those of a
// Trajectory that follow from it.
type solution func(times []float64) ([]Point, error)

// Points returns the points at ascending times ≥ 0.
func (s solution) Points(times []float64) ([]Point, error) {
	if err := ascending(times); err != nil {
		return nil, err
	}
	return s(times)
}

// At returns the point at time t ≥ 0.
func (s solution) At(t float64) (Point, error) {
	points, err := s.Points([]float64{t})
	if err != nil {
		return nil, err
	}
	return points[0], nil
}

// Trace returns the observables of the points at ascending times ≥ 0.
func (s solution) Trace(times []float64) (*Trace, error) {
	points, err := s.Points(times)
	if err != nil {
		return nil, err
	}
	return traceOf(times, points), nil
}

// ascending returns an error if the list of times is empty, if a time is not a finite number ≥ 0, or if the times do
// not ascend.
func ascending(times []float64) error {
	if len(times) == 0 {
		return fmt.Errorf("dynamics: no times to evaluate at")
	}
	for i, t := range times {
		if t < 0 || math.IsNaN(t) || math.IsInf(t, 0) {
			return fmt.Errorf("dynamics: time %d is %v: must be finite and not negative (for t → ∞ ask for Limit)", i,
				t)
		}
		if i > 0 && t < times[i-1] {
			return fmt.Errorf("dynamics: time %d is %v, before %v: times must ascend", i, t, times[i-1])
		}
	}
	return nil
}
