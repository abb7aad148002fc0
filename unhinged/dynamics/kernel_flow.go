package dynamics

import (
	"fmt"
	"math"
)

// Invariant is Theorem 8, in the form that holds for any network whose neural tangent kernel does not change (errata
// E6, E7). With the kernel κ⊗I_p it is
//
//	H' = η1 (W M κ − λ1 H),   W' = η2 (H Mᵀ − λ2 W),   b' = η2 (M 1 − λ2 b),   H_*' = η1 (W M κ_* − λ1 H_*)
//
// and with a full kernel vec(H)' = η1 (K vec(W M) − λ1 vec(H)). H_* are the features of points that are not trained on.
//
// Gradient flow and gradient descent need one eigendecomposition, of MκMᵀ (C×C; pC×pC for a full kernel). The
// eigenvalues of the kernel itself are not needed, and it may be singular.
type Invariant struct {
	Gamma    float64 // γ ≥ 0, the weight of the non-target logits, exactly as given: 0 means 0
	Lambda1  float64 // λ1 ≥ 0, weight decay of Θ, for a model linear in its parameters Θ (FeaturePenalty penalises H)
	Lambda2  float64 // λ2 ≥ 0, of prototypes and biases
	Rates    Rates   // η1 of the network, η2 of prototypes and biases
	Kernel   Kernel  // of the training samples; the zero value is the identity (Theorems 2 and 4)
	Anchored bool    // prototypes and biases are fixed, as in Theorem 6: λ2 must be 0, and η2 has no meaning
}

// From decomposes the kernel and returns the gradient flow from the state, which must not change afterwards. It is an
// error if a constant is out of range, or if the kernel has another size than the state or is not positive
// semi-definite.
func (v Invariant) From(s *State) (*KernelFlow, error) {
	if err := validPenalties(v.Lambda1, v.Lambda2, v.Anchored); err != nil {
		return nil, err
	}
	if err := v.Rates.validateMoving(v.Anchored); err != nil {
		return nil, err
	}
	core, err := v.Kernel.decompose(s, v.Gamma)
	if err != nil {
		return nil, err
	}
	f := &KernelFlow{kernelCore: core, rates: v.Rates, lambda1: v.Lambda1, lambda2: v.Lambda2, anchored: v.Anchored}
	f.solution = f.solve
	if f.anchored {
		f.anchor()
		return f, nil
	}
	f.modes = make([][]kernelMode, len(core.d))
	for j, d := range core.d {
		for _, sigma2 := range core.sigma2 {
			f.modes[j] = append(f.modes[j], newKernelMode(d*sigma2, v.Rates.Ratio(), v.Lambda1, v.Lambda2))
		}
	}
	f.race()
	return f, nil
}

// KernelFlow is the Trajectory of Theorem 8, in closed form. (If η1 and η2 follow schedules of their own, Rates.H,
// gradient flow is integrated mode by mode.) At constant rates without momentum, gradient descent has powers where the
// flow has exponentials. Otherwise descent is a small recursion for each mode, whose iterates are exact too, but whose
// distances to the limit are plain differences: they are accurate to about 10⁻¹⁶ (float64) and not below.
type KernelFlow struct {
	*kernelCore
	solution
	rates            Rates
	lambda1, lambda2 float64
	anchored         bool
	modes            [][]kernelMode // [multiplier][mode]
	wins             [][]bool       // the modes whose ω⁺ is the largest eigenvalue of all
	first, second    float64        // the largest eigenvalue, and the next one
	target           *kernelState   // distances are measured to it; nil if there is no limit
}

func (f *KernelFlow) solve(times []float64) ([]Point, error) {
	switch {
	case f.anchored:
		return pointsOf(flowGrowths(f.rates.featureSchedule(), times), f.anchoredPoint), nil
	case f.rates.H == nil:
		return pointsOf(flowGrowths(f.rates.W, times), f.closed), nil
	}
	all, err := f.integrateResponses(f.lambda1, f.lambda2, f.rates, times)
	if err != nil {
		return nil, err
	}
	return f.recorded(all, flowGrowths(f.rates.W, times)), nil
}

// Descent returns gradient descent on the same objective, with momentum μ in [0, 1).
func (f *KernelFlow) Descent(momentum float64) (*Descent, error) {
	return newDescent(momentum, func(times []float64) ([]Point, error) {
		if f.anchored {
			omega := []float64{-f.lambda1}
			growths, err := descentGrowths(f.rates.featureSchedule(), momentum, omega, omega, times)
			return pointsOf(growths, f.anchoredPoint), err
		}
		if eta, ok := f.rates.W.(ConstantRate); ok && f.rates.H == nil && momentum == 0 {
			points := make([]Point, len(times))
			for i, t := range times {
				points[i] = f.closed(powerGrowth{float64(eta), t})
			}
			return points, nil
		}
		if err := countable(times); err != nil {
			return nil, err
		}
		steps := wholes(times)
		eta1, eta2 := tabulate(f.rates.Features, steps), tabulate(f.rates.W.At, steps)
		biases := recordGrowth([]float64{-f.lambda2}, []float64{-f.lambda2}, momentum, eta2, steps)
		return f.recorded(f.recordResponses(f.lambda1, f.lambda2, momentum, eta1, eta2, steps), biases), nil
	})
}

// closed evaluates the closed form for the growth at, which must be smooth. The rest is computed without the part of
// the largest eigenvalue, so that nothing cancels.
func (f *KernelFlow) closed(at growth) *point {
	g := at.(smooth)
	now, rest := f.newResponses(), f.newResponses()
	now.rest = g.of(-f.rates.Ratio() * f.lambda1)
	rest.rest = now.rest
	lead := scaled{}
	for j := range f.modes {
		for k, m := range f.modes[j] {
			now.modes[j][k] = m.after(g)
			rest.modes[j][k] = now.modes[j][k]
			if f.wins[j][k] {
				rest.modes[j][k], lead = m.trailing(g), g.of(m.plus)
			}
		}
	}
	p := f.point(now, g)
	p.lead = [2]float64{lead.at(p.log), lead.at(p.log)}
	left, restLog := f.assemble(rest)
	p.rest, p.restLog = f.stateOf(left).flat, restLog
	return p
}

// recorded returns the points of responses that have no common eigenvectors. Their distance to the target is a plain
// difference.
func (f *KernelFlow) recorded(all []responses, biases []growth) []Point {
	points := make([]Point, len(all))
	for i, r := range all {
		p := f.point(r, biases[i])
		p.subtract = true
		points[i] = p
	}
	return points
}

func (f *KernelFlow) point(r responses, biases growth) *point {
	now, log := f.assemble(r)
	p := f.pointOf(f.stateOf(now))
	p.log, p.biasDecay, p.biasGain = log, biases.of(-f.lambda2), biases.driven(-f.lambda2)
	return p
}

// pointOf returns the point of a state, with the start's biases.
func (f *KernelFlow) pointOf(now kernelState) *point {
	p := &point{now: now, b: f.state.B, drift: f.drift, biasDecay: scaled{1, 0}}
	if f.target != nil {
		p.target = f.target.flat
	}
	return p
}

// anchoredPoint is H(t) = e^{−λζ}H0 + ((1−e^{−λζ})/λ)·W M κ, for λ = 0 H0 + ζ·W M κ.
func (f *KernelFlow) anchoredPoint(g growth) *point {
	decay, driven := g.of(-f.lambda1), g.driven(-f.lambda1)
	none := scaledCopy(0, f.w0)
	p := f.pointOf(f.stateOf(coefficients{decay.at(0), f.w0, scaledCopy(driven, f.w0)}))
	p.lead, p.restLog = [2]float64{1, 1}, decay.log
	if f.lambda1 == 0 {
		p.lead[0] = driven
		p.rest = f.stateOf(coefficients{decay.sign, none, none}).flat
	} else {
		p.rest = f.stateOf(coefficients{decay.sign, none, scaledCopy(-decay.sign/f.lambda1, f.w0)}).flat
	}
	return p
}

// anchor finds the limit (W M κ/λ, W), or for λ = 0 the direction in which H grows.
func (f *KernelFlow) anchor() {
	f.first, f.second = 0, -f.lambda1
	limit := f.lambda1
	if limit == 0 {
		if f.Threshold() == 0 {
			return
		}
		limit = 1
	}
	f.aim(coefficients{0, f.w0, scaledCopy(1/limit, f.w0)})
}

// aim sets the state that distances are measured to.
func (f *KernelFlow) aim(c coefficients) {
	target := f.stateOf(c)
	f.target = &target
}

// race finds the largest eigenvalue, which dominates as ζ2 → ∞ ("wins"), and the part of the initial state that belongs
// to it.
func (f *KernelFlow) race() {
	f.wins = make([][]bool, len(f.modes))
	for j := range f.wins {
		f.wins[j] = make([]bool, len(f.sigma2))
	}
	largest := f.Threshold() * f.Threshold()
	f.first, f.second = math.Inf(-1), -f.rates.Ratio()*f.lambda1
	lead := f.newResponses()
	for j, d := range f.d {
		for k, m := range f.modes[j] {
			f.second = math.Max(f.second, m.minus)
			if sigma2 := d * f.sigma2[k]; sigma2 > 0 && sigma2 >= largest*(1-1e-13) {
				f.wins[j][k] = true
				lead.modes[j][k] = m.leading()
				f.first = math.Max(f.first, m.plus)
			} else {
				f.second = math.Max(f.second, m.plus)
			}
		}
	}
	if largest > 0 {
		target, log := f.assemble(lead)
		f.aim(coefficients{0, scaledCopy(math.Exp(log), target.w), scaledCopy(math.Exp(log), target.i)})
	}
}

// Threshold returns λ*, the regularisation λ1 = λ2 at which the largest eigenvalue is 0, so that the state neither
// grows nor shrinks: the square root of the largest eigenvalue of d·MκMᵀ. For κ = I it is that of Corollary 5.
func (f *KernelFlow) Threshold() float64 {
	largest := 0.0
	for _, d := range f.d {
		largest = math.Max(largest, d*f.sigma2[len(f.sigma2)-1])
	}
	return math.Sqrt(largest)
}

// Limit returns the part of the initial state in the leading eigenspace of d·MκMᵀ, which dominates as ζ2 → ∞. With
// anchored prototypes it is (W M κ/λ1, W), and for λ1 = 0 the direction W M κ in which H grows. It also applies to
// points that are not trained on. If M κ Mᵀ = 0, the loss does not move the features, no direction dominates, and Limit
// returns an error.
func (f *KernelFlow) Limit() (Limit, error) {
	if f.target == nil {
		return Limit{},
			fmt.Errorf("dynamics: M κ Mᵀ = 0: the loss does not move the features, so that no direction dominates")
	}
	end := f.pointOf(*f.target)
	end.lead, end.rest = [2]float64{1, 1}, f.target.combined(0, 0, *f.target)
	l := Limit{Point: end, Growth: f.first, Rate: f.first - f.second, Finite: f.first == 0 &&
		(!f.anchored || f.lambda1 > 0)}
	if !f.anchored {
		end.biasDecay = scaled{}
		if l.Finite {
			end.biasGain = 1 / f.lambda2
		}
	}
	return l, nil
}
