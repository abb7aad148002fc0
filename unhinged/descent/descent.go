// Package descent trains the last layer by brute force: gradient descent, or gradient flow with error control, on the
// full (H, W, b), for the unhinged loss and for those it is compared with, as gomlx graphs on any backend. For the
// unhinged loss, package dynamics has the same iterates in closed form and in far less time. Package descent checks
// them, and trains with the other losses for comparison.
package descent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// BruteForce minimises the mean over the n samples of a loss of the logits Wᵀh + b, with ℓ2 regularisation, by
//
//	H' = η1(−∂L/∂H − λ1 H),   W' = η2(−∂L/∂W − λ2 W),   b' = η2(−∂L/∂b − λ2 b)   (12).
//
// Backend and Rates must be set. The zero values of the other fields give the unregularised unhinged loss at γ =
// 1/(C−1) in float64.
type BruteForce struct {
	Backend          compute.Backend
	Loss             unhinged.Criterion // nil is unhinged.Loss{}
	Rates            dynamics.Rates     // η1 and η2
	Lambda1, Lambda2 float64            // λ1 of H, λ2 of W and b
	Momentum         float64            // μ of Descend: v⁺ = μv + g + λx, x⁺ = x − ηv⁺
	Anchored         bool               // W and b stay as they are (Theorem 6)
	Spherical        bool               // features enter the loss normalised, as h/‖h‖ (Theorem 7)
	Rescale          bool               // RLR: each sample's loss times stop_gradient(‖h‖); needs Spherical
	// Tolerance of Flow: the error of a step relative to the largest element; 0 is 1e-10 (1e-5 in float32)
	Tolerance float64
	DType     dtypes.DType // Float64, which is the default, or Float32

	// Progress, if set, is called from time to time with the steps that are done and all of them. Flow counts
	// thousandths of the time.
	Progress func(done, all int)
	// Observe, if set, is called with a copy of the state at each recorded step or time.
	Observe func(time float64, state *dynamics.State)
}

// Trace holds the observables, with a value for each recorded step or time. Values that are too large for the
// floating-point type are ±Inf or NaN.
type Trace struct {
	Time                []float64 // steps, or the time of the flow
	Loss                []float64 // the mean loss, without regularisation and without RLR's factor
	Accuracy            []float64 // of argmax_c w_cᵀh, the first of equal logits
	AccuracyWithBias    []float64 // of argmax_c w_cᵀh + b_c
	NormH, NormW, NormZ []float64 // Frobenius norms of H, W and (H, W)
}

// Descend runs gradient descent from the state, which it does not change, to the last of the ascending steps. It
// returns the observables at each of the steps and the state at the last one. Step k → k+1 uses the rates at time k.
func (f BruteForce) Descend(ctx context.Context, state *dynamics.State, steps []int) (*Trace, *dynamics.State, error) {
	times := make([]float64, len(steps))
	for i, s := range steps {
		times[i] = float64(s)
	}
	return f.run(ctx, state, times, BruteForce.descender, 1)
}

// Flow integrates gradient flow from the state, which it does not change, to the last of the ascending times. It
// returns the observables at each of the times and the state at the last one. Features and prototypes must follow one
// schedule (Rates.H not set), which only transforms the time into ζ2(t) = ∫₀ᵗ η2. Momentum must be 0. The gradient of
// the hinge loss has jumps, at which the steps become short.
func (f BruteForce) Flow(ctx context.Context, state *dynamics.State, times []float64) (*Trace, *dynamics.State, error) {
	if f.Rates.H != nil {
		return nil, nil,
			errors.New("descent: flow needs features and prototypes to follow one schedule, but Rates.H is set")
	}
	if f.Momentum != 0 {
		return nil, nil, fmt.Errorf("descent: flow has no momentum, got %g", f.Momentum)
	}
	return f.run(ctx, state, times, BruteForce.flowing, last(times)/1000)
}

// stepper advances the state on the device towards a time with one execution of a graph, and returns the time reached.
type stepper func(from, to float64, x *onDevice) (reached float64, err error)

// last returns the last time, or 0.
func last(times []float64) float64 {
	if len(times) == 0 {
		return 0
	}
	return times[len(times)-1]
}

// run is the common part of Descend and Flow, given the function that makes the stepper, and the time in which Progress
// counts.
func (f BruteForce) run(ctx context.Context, state *dynamics.State, times []float64, stepping func(BruteForce,
	*onDevice) (stepper, func(), error), unit float64) (*Trace, *dynamics.State, error) {
	if f.Loss == nil {
		f.Loss = unhinged.Loss{}
	}
	if f.DType == dtypes.InvalidDType {
		f.DType = dtypes.Float64
	}
	if err := f.check(state, times); err != nil {
		return nil, nil, err
	}
	x := upload(state, f.DType)
	step, done, err := stepping(f, x)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	observer, err := f.newObserver()
	if err != nil {
		return nil, nil, err
	}
	defer observer.Finalize()

	trace := &Trace{}
	now, all := 0.0, int(math.Round(last(times)/unit))
	for _, t := range times {
		for now < t {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			if now, err = step(now, t, x); err != nil {
				return nil, nil, err
			}
			if f.Progress != nil {
				f.Progress(int(math.Round(now/unit)), all)
			}
		}
		if err := trace.record(observer, t, x); err != nil {
			return nil, nil, err
		}
		if f.Observe != nil {
			s, err := x.download(state)
			if err != nil {
				return nil, nil, err
			}
			f.Observe(t, s)
		}
	}
	final, err := x.download(state)
	return trace, final, err
}

// check returns an error if a field, the state or the times are not valid.
func (f BruteForce) check(state *dynamics.State, times []float64) error {
	if err := state.Validate(); err != nil {
		return err
	}
	switch {
	case f.Backend == nil:
		return errors.New("descent: no backend")
	case f.DType != dtypes.Float64 && f.DType != dtypes.Float32:
		return fmt.Errorf("descent: type %s: need Float64 or Float32", f.DType)
	case f.Rates.W == nil:
		return errors.New("descent: no learning rates: set Rates, for example to dynamics.Constant(0.1, 0.1)")
	case !(f.Lambda1 >= 0 && f.Lambda2 >= 0) || math.IsInf(f.Lambda1+f.Lambda2, 1):
		return fmt.Errorf("descent: regularisation λ1 = %g, λ2 = %g: both must be finite and not negative", f.Lambda1,
			f.Lambda2)
	case !(f.Momentum >= 0 && f.Momentum < 1):
		return fmt.Errorf("descent: momentum %g: must be in [0, 1)", f.Momentum)
	case !(f.Tolerance >= 0):
		return fmt.Errorf("descent: tolerance %g: must be positive, or 0 for the default", f.Tolerance)
	case f.Rescale && !f.Spherical:
		return errors.New("descent: Rescale undoes the 1/‖h‖ of normalised features: it needs Spherical")
	case len(times) == 0:
		return errors.New("descent: no steps or times to record")
	case !(times[0] >= 0) || math.IsInf(times[len(times)-1], 1) || !slices.IsSorted(times):
		return fmt.Errorf("descent: steps or times %v: must be finite, ascending and not negative", times)
	}
	if f.Spherical {
		_, n := state.H.Dims()
		for i := range n {
			if mat.Norm(state.H.ColView(i), 2) == 0 {
				return fmt.Errorf("descent: feature %d is zero: it has no direction to normalise to", i)
			}
		}
	}
	return nil
}
