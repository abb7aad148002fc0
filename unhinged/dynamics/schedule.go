package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate/quad"
)

// Schedule is a learning rate over time: gradient descent uses At(step) for the update from step to step+1,
// gradient flow the integral ζ(t) = ∫₀ᵗ η.
type Schedule interface {
	At(t float64) float64
	Integral(t float64) float64
}

// ConstantRate is η(t) = value.
type ConstantRate float64

func (r ConstantRate) At(float64) float64         { return float64(r) }
func (r ConstantRate) Integral(t float64) float64 { return float64(r) * t }

// CosineRate anneals from Initial to 0 over Steps: η(t) = ½·Initial·(1 + cos(πt/Steps)), and 0 after.
type CosineRate struct{ Initial, Steps float64 }

func (r CosineRate) At(t float64) float64 {
	if t >= r.Steps {
		return 0
	}
	return r.Initial / 2 * (1 + math.Cos(math.Pi*t/r.Steps))
}

func (r CosineRate) Integral(t float64) float64 {
	t = math.Min(t, r.Steps)
	return r.Initial / 2 * (t + r.Steps/math.Pi*math.Sin(math.Pi*t/r.Steps))
}

// StepRate multiplies Initial by Factor every Every steps.
type StepRate struct{ Initial, Factor, Every float64 }

func (r StepRate) At(t float64) float64 {
	return r.Initial * math.Pow(r.Factor, math.Floor(t/r.Every))
}

func (r StepRate) Integral(t float64) float64 {
	whole := math.Floor(t / r.Every)
	sum := whole
	if r.Factor != 1 {
		sum = (math.Pow(r.Factor, whole) - 1) / (r.Factor - 1)
	}
	return r.Initial*r.Every*sum + (t-whole*r.Every)*r.At(t)
}

// ExponentialRate is η(t) = Initial·Factorᵗ, 0 < Factor.
type ExponentialRate struct{ Initial, Factor float64 }

func (r ExponentialRate) At(t float64) float64 { return r.Initial * math.Pow(r.Factor, t) }

func (r ExponentialRate) Integral(t float64) float64 {
	l := math.Log(r.Factor)
	if l == 0 {
		return r.Initial * t
	}
	return r.Initial * math.Expm1(l*t) / l
}

// FuncRate is any η(t). Its integral is taken by Gauss–Legendre quadrature on unit intervals, so it should be
// smooth within a step.
type FuncRate func(t float64) float64

func (f FuncRate) At(t float64) float64 { return f(t) }

func (f FuncRate) Integral(t float64) float64 { return f.between(0, t) }

func (f FuncRate) between(from, to float64) float64 {
	sum := 0.0
	for from < to {
		next := math.Min(math.Floor(from)+1, to)
		sum += quad.Fixed(f, from, next, 8, nil, 0)
		from = next
	}
	return sum
}

// integrals returns ζ at ascending times. A FuncRate is integrated in one pass.
func integrals(s Schedule, times []float64) []float64 {
	zetas := make([]float64, len(times))
	f, isFunc := s.(FuncRate)
	zeta, from := 0.0, 0.0
	for i, t := range times {
		if isFunc {
			zeta, from = zeta+f.between(from, t), t
			zetas[i] = zeta
		} else {
			zetas[i] = s.Integral(t)
		}
	}
	return zetas
}

// Rates are the learning rates of the features (η1) and of prototypes and biases (η2). Every theorem takes them in this
// form. Where prototypes are fixed only η1 matters, and H alone may be set.
type Rates struct {
	W Schedule // η2
	// S is the ratio s = η1/η2, if it does not change over time. The zero value means 1.
	S float64
	// H, if set, is a schedule of its own for η1, and S is ignored. If prototypes learn, there is then no closed form:
	// gradient flow is integrated with error control, and gradient descent is computed step by step. Distances and
	// limits are those of the constant ratio s = η1(0)/η2(0), as in the corollaries.
	H Schedule
}

// Constant returns constant learning rates η1 for the features and η2 > 0 for prototypes and biases.
func Constant(eta1, eta2 float64) Rates {
	if eta1 == 0 {
		return Rates{W: ConstantRate(eta2), H: ConstantRate(0)}
	}
	return Rates{W: ConstantRate(eta2), S: eta1 / eta2}
}

// Follow returns learning rates that both follow one schedule: η1 = s·η2.
func Follow(s float64, schedule Schedule) Rates {
	if s == 0 {
		return Rates{W: schedule, H: ConstantRate(0)}
	}
	return Rates{W: schedule, S: s}
}

// Ratio returns s = η1/η2. If the two follow schedules of their own it is η1(0)/η2(0), as the corollaries define it.
func (r Rates) Ratio() float64 {
	switch {
	case r.H != nil:
		return r.H.At(0) / r.W.At(0)
	case r.S == 0:
		return 1
	}
	return r.S
}

// Features returns η1 at time t.
func (r Rates) Features(t float64) float64 {
	if r.H != nil {
		return r.H.At(t)
	}
	return r.Ratio() * r.W.At(t)
}

func (r Rates) validate() error {
	if r.W == nil {
		return fmt.Errorf("dynamics: Rates.W, the learning rate η2 of the prototypes, is not set: use Constant(η1, " +
			"η2) or a Schedule")
	}
	if r.S < 0 || math.IsNaN(r.S) || math.IsInf(r.S, 0) {
		return fmt.Errorf("dynamics: ratio s = η1/η2 is %v: must be finite and positive", r.S)
	}
	if err := validRate("η2", r.W); err != nil {
		return err
	}
	if r.H == nil {
		return nil
	}
	if err := validRate("η1", r.H); err != nil {
		return err
	}
	if r.W.At(0) == 0 {
		return fmt.Errorf("dynamics: η2(0) = 0: the ratio s = η1(0)/η2(0) that limits are taken at is undefined: " +
			"begin with a positive rate, or set S and not H")
	}
	return nil
}

// validateFeatures is validate where only the features learn.
func (r Rates) validateFeatures() error {
	if r.H != nil {
		return validRate("η1", r.H)
	}
	return r.validate()
}

// validateMoving is validate for features that a kernel moves; with anchored prototypes only the features learn.
func (r Rates) validateMoving(anchored bool) error {
	valid := r.validate
	if anchored {
		valid = r.validateFeatures
	}
	if err := valid(); err != nil {
		return err
	}
	if r.H != nil && r.H.At(0) == 0 {
		return fmt.Errorf("dynamics: η1(0) = 0: the features would not move, and no kernel is needed: use Regularized")
	}
	return nil
}

// validRate checks the parameters of the known schedules and the rate at time 0. Other values of a schedule, which is a
// function, are not checked.
func validRate(name string, s Schedule) error {
	switch r := s.(type) {
	case CosineRate:
		if !(r.Steps > 0) {
			return fmt.Errorf("dynamics: learning rate %s: CosineRate.Steps = %v: must be positive", name, r.Steps)
		}
	case StepRate:
		if !(r.Every > 0) || !(r.Factor >= 0) {
			return fmt.Errorf("dynamics: learning rate %s: StepRate with Every = %v, Factor = %v: Every must be "+
				"positive, Factor not negative", name, r.Every, r.Factor)
		}
	case ExponentialRate:
		if !(r.Factor > 0) {
			return fmt.Errorf("dynamics: learning rate %s: ExponentialRate.Factor = %v: must be positive", name,
				r.Factor)
		}
	}
	if eta := s.At(0); eta < 0 || math.IsNaN(eta) || math.IsInf(eta, 0) {
		return fmt.Errorf("dynamics: learning rate %s(0) = %v: must be finite and not negative", name, eta)
	}
	return nil
}

// featureSchedule returns η1 as a schedule.
func (r Rates) featureSchedule() Schedule {
	if r.H != nil {
		return r.H
	}
	if eta, ok := r.W.(ConstantRate); ok {
		return ConstantRate(r.Ratio() * float64(eta))
	}
	return scaledRate{r.Ratio(), r.W}
}

// scaledRate is s·η2(t).
type scaledRate struct {
	s    float64
	rate Schedule
}

func (r scaledRate) At(t float64) float64       { return r.s * r.rate.At(t) }
func (r scaledRate) Integral(t float64) float64 { return r.s * r.rate.Integral(t) }
