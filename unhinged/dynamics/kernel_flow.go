package dynamics

import (
	"fmt"
	"math"
)

// Invariant is Theorem 8 as it holds for any network whose neural tangent kernel stays what it is (errata E6, E7): with
// the kernel κ⊗I_p
//
//	H' = η1 (W M κ − λ1 H),   W' = η2 (H Mᵀ − λ2 W),   b' = η2 (M 1 − λ2 b),   H_*' = η1 (W M κ_* − λ1 H_*)
//
// and with a full one vec(H)' = η1 (K vec(W M) − λ1 vec(H)). λ1 is weight decay of the network's parameters Θ, for a
// model linear in Θ; a penalty on the features is FeaturePenalty.
//
// Gradient flow and gradient descent take one eigendecomposition, of MκMᵀ (C×C; pC×pC for a full kernel); the
// kernel's own eigenvalues are not needed, and it may be singular.
type Invariant struct {
	Gamma, Lambda1, Lambda2 float64
	Rates                   Rates
	Kernel                  Kernel
	Anchored                bool // prototypes and biases fixed, as in Theorem 6; λ2 and η2 then have no meaning
}

// From decomposes the kernel and returns the gradient flow from the state, which must not change afterwards.
func (v Invariant) From(s *State) (*KernelFlow, error) {
	if err := validPenalties(v.Lambda1, v.Lambda2, v.Anchored); err != nil {
		return nil, err
	}
	if err := v.Rates.validateMoving(); err != nil {
		return nil, err
	}
	core, err := v.Kernel.decompose(s, v.Gamma)
	if err != nil {
		return nil, err
	}
	f := &KernelFlow{kernelCore: core, rates: v.Rates, lambda1: v.Lambda1, lambda2: v.Lambda2, anchored: v.Anchored}
	f.modes = make([][]kernelMode, len(core.d))
	for j, d := range core.d {
		for _, sigma2 := range core.sigma2 {
			f.modes[j] = append(f.modes[j], newKernelMode(d*sigma2, v.Rates.ratio(), v.Lambda1, v.Lambda2))
		}
	}
	f.race()
	return f, nil
}

// KernelFlow is a solution of Theorem 8 in closed form, or with rates of their own (Rates.H) mode by mode.
type KernelFlow struct {
	*kernelCore
	rates            Rates
	lambda1, lambda2 float64
	anchored         bool
	modes            [][]kernelMode // [multiplier][mode]
	wins             [][]bool       // the modes whose ω⁺ is the largest eigenvalue of all
	first, second    float64        // that, and the next
	target           *coefficients  // what distances are measured to; nil if there is nothing
}

// At returns the flow at time t ≥ 0.
func (f *KernelFlow) At(t float64) (*KernelPoint, error) { return one(f.Points([]float64{t})) }

// Trace returns the observables at ascending times. Distances and gaps are measured to Limit().Direction.
func (f *KernelFlow) Trace(times []float64) (*Trace, error) { return traceOf(times, f.Points) }

// Points returns the flow at ascending times; with Rates.H in one pass.
func (f *KernelFlow) Points(times []float64) ([]*KernelPoint, error) {
	if err := ascending(times); err != nil {
		return nil, err
	}
	points := make([]*KernelPoint, len(times))
	switch {
	case f.anchored:
		for i, zeta := range integrals(f.rates.featureSchedule(), times) {
			points[i] = f.anchoredPoint(flowGrowth{zeta})
		}
	case f.rates.H != nil:
		all, err := f.integrateResponses(f.lambda1, f.lambda2, f.rates, times)
		if err != nil {
			return nil, err
		}
		for i, zeta := range integrals(f.rates.W, times) {
			points[i] = f.recorded(all[i], flowGrowth{zeta})
		}
	default:
		for i, zeta := range integrals(f.rates.W, times) {
			points[i] = f.closed(flowGrowth{zeta})
		}
	}
	return points, nil
}

// Descent returns gradient descent on the same objective, with momentum μ in [0, 1).
func (f *KernelFlow) Descent(momentum float64) (*KernelDescent, error) {
	if err := validMomentum(momentum); err != nil {
		return nil, err
	}
	return &KernelDescent{f, momentum}, nil
}

// KernelDescent is gradient descent of Theorem 8: at constant rates powers where the flow has exponentials, with a
// schedule or momentum the exact iterates, a small recursion a mode. v(t+1) = μ v(t) + gradient + λx, x(t+1) = x −
// η(t)v(t+1), v(0) = 0. (Distances to the limit are then plain differences, with float64's 10⁻¹⁶ as their floor.)
type KernelDescent struct {
	f        *KernelFlow
	momentum float64
}

// At returns the iterate after the given number of steps.
func (d *KernelDescent) At(step int) (*KernelPoint, error) {
	return one(d.points([]float64{float64(step)}))
}

// Trace returns the observables after ascending numbers of steps.
func (d *KernelDescent) Trace(steps []int) (*Trace, error) {
	return traceOf(timesOf(steps), d.points)
}

// Points returns the iterates after ascending numbers of steps; with a schedule or momentum in one pass.
func (d *KernelDescent) Points(steps []int) ([]*KernelPoint, error) { return d.points(timesOf(steps)) }

func (d *KernelDescent) points(times []float64) ([]*KernelPoint, error) {
	f := d.f
	if err := ascending(times); err != nil {
		return nil, err
	}
	if f.anchored {
		omega := []float64{-f.lambda1}
		return descend(f.rates.featureSchedule(), d.momentum, omega, omega, times, f.anchoredPoint)
	}
	points := make([]*KernelPoint, len(times))
	if eta, ok := f.rates.W.(ConstantRate); ok && f.rates.H == nil && d.momentum == 0 {
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
	biases := recordGrowth([]float64{-f.lambda2}, []float64{-f.lambda2}, d.momentum, eta2, steps)
	for i, r := range f.recordResponses(f.lambda1, f.lambda2, d.momentum, eta1, eta2, steps) {
		points[i] = f.recorded(r, biases[i])
	}
	return points, nil
}

// closed evaluates the closed form; the winners' part is taken out of what remains without cancellation.
func (f *KernelFlow) closed(g smooth) *KernelPoint {
	now, rest := f.newResponses(), f.newResponses()
	now.rest = g.of(-f.rates.ratio() * f.lambda1)
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
	p.rest, p.restLog = f.assemble(rest)
	p.lead = [2]float64{lead.at(p.log), lead.at(p.log)}
	return p
}

// recorded makes a point of responses that have no common eigenvectors: its distance to the target is a plain
// difference.
func (f *KernelFlow) recorded(r responses, biases growth) *KernelPoint {
	p := f.point(r, biases)
	p.subtract = true
	return p
}

func (f *KernelFlow) point(r responses, biases growth) *KernelPoint {
	p := &KernelPoint{core: f.kernelCore, target: f.target, biasDecay: biases.of(-f.lambda2),
		biasGain: biases.driven(-f.lambda2)}
	p.now, p.log = f.assemble(r)
	return p
}

// anchoredPoint is H(t) = e^{−λζ}H0 + ((1−e^{−λζ})/λ)·W M κ, for λ = 0 H0 + ζ·W M κ.
func (f *KernelFlow) anchoredPoint(g growth) *KernelPoint {
	decay, driven := g.of(-f.lambda1), g.driven(-f.lambda1)
	p := &KernelPoint{
		core: f.kernelCore, target: f.target, lead: [2]float64{1, 1}, biasDecay: scaled{1, 0}, restLog: decay.log,
		now: coefficients{decay.at(0), f.w0, scaledCopy(driven, f.w0)},
	}
	if f.lambda1 == 0 {
		p.lead[0] = driven
		p.rest = coefficients{decay.sign, scaledCopy(0, f.w0), scaledCopy(0, f.w0)}
	} else {
		p.rest = coefficients{decay.sign, scaledCopy(0, f.w0), scaledCopy(-decay.sign/f.lambda1, f.w0)}
	}
	return p
}

// race finds the eigenvalues that win as ζ2 → ∞ and what they leave.
func (f *KernelFlow) race() {
	f.wins = make([][]bool, len(f.modes))
	for j := range f.wins {
		f.wins[j] = make([]bool, len(f.sigma2))
	}
	if f.anchored {
		limit := f.lambda1
		if limit == 0 {
			if f.Threshold() == 0 {
				return
			}
			limit = 1
		}
		f.target, f.first, f.second = &coefficients{0, f.w0, scaledCopy(1/limit, f.w0)}, 0, -f.lambda1
		return
	}
	largest := f.Threshold() * f.Threshold()
	f.first, f.second = math.Inf(-1), -f.rates.ratio()*f.lambda1
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
		f.target = &coefficients{0, scaledCopy(math.Exp(log), target.w), scaledCopy(math.Exp(log), target.i)}
	}
}

// Threshold returns λ*, the regularisation λ1 = λ2 at which the winner neither grows nor shrinks: the root of the
// largest eigenvalue of d·MκMᵀ, for κ = I that of Corollary 5.
func (f *KernelFlow) Threshold() float64 {
	largest := 0.0
	for _, d := range f.d {
		largest = math.Max(largest, d*f.sigma2[len(f.sigma2)-1])
	}
	return math.Sqrt(largest)
}

// KernelLimit is what a KernelFlow does as ζ2 → ∞. With rates of their own (Rates.H), unless anchored, it is that of s
// = η1(0)/η2(0) for ever, which a flow whose ratio changes need not tend to.
type KernelLimit struct {
	// Direction is the limit of Z/‖Z‖, the part of the start in the leading eigenspace of d·MκMᵀ; also at points never
	// trained on. Its scale has no meaning, except with anchored prototypes and λ1 > 0, where it is the limit itself,
	// (W M κ/λ1, W). With anchored prototypes and λ1 = 0 its features are the direction W M κ that ζ1·W M κ grows
	// along.
	Direction *KernelPoint
	// Growth is the exponent per unit of ζ2: ‖Z‖ ~ exp(Growth·ζ2); 0 with anchored prototypes.
	Growth float64
	// Rate is the exponent of the approach per unit of ζ2 (ζ1 with anchored prototypes); 0 means that there is none, or
	// that it is slower.
	Rate float64
}

// Limit returns what wins; an error if the loss sees nothing of the kernel (M κ Mᵀ = 0), so that no direction does.
func (f *KernelFlow) Limit() (*KernelLimit, error) {
	if f.target == nil {
		return nil,
			fmt.Errorf("dynamics: M κ Mᵀ = 0: the loss does not move the features, and there is no direction that wins")
	}
	direction := &KernelPoint{core: f.kernelCore, now: *f.target, target: f.target, lead: [2]float64{1, 1},
		rest: f.target.plus(-1, *f.target)}
	if f.anchored {
		direction.biasDecay = scaled{1, 0}
	}
	return &KernelLimit{Direction: direction, Growth: f.first, Rate: f.first - f.second}, nil
}
