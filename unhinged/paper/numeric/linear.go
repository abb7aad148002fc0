package numeric

import (
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// curve is the result of a regularised (or unconstrained) gradient descent, with its settings.
type curve struct {
	result.Curve
	short, group          string  // the name without the common setting of its group, and this setting
	gamma, lambda, eta, s float64 // η = η2, η1 = s·η2
	star                  bool    // λ = λ*
	collapses             bool    // E1⁺ wins alone
	flow                  *dynamics.Flow
	at                    func(step int) (dynamics.Point, error)
}

// setting has the settings of a curve.
type setting struct{ gamma, lambda, eta, s float64 }

// descend runs gradient descent (12) at constant rates η1 = s·η, η2 = η and λ1 = λ2 = λ.
func (r *run) descend(pr *dynamics.Projection, name string, gamma, lambda, eta, s float64) (*curve, error) {
	flowAt := func(x setting) (*dynamics.Flow, error) {
		return dynamics.Regularized{Gamma: x.gamma, Lambda1: x.lambda, Lambda2: x.lambda,
			Rates: dynamics.Constant(x.s*x.eta, x.eta)}.On(pr)
	}
	said := setting{gamma, lambda, eta, s}
	flow, err := flowAt(said)
	if err != nil {
		return nil, err
	}
	limit, err := flow.Limit()
	if err != nil {
		return nil, err
	}
	c := &curve{
		Curve: result.Curve{
			Name:   name,
			Params: map[string]float64{"gamma": gamma, "lambda": lambda, "eta1": s * eta, "eta2": eta, "s": s},
		},
		short: name, gamma: gamma, lambda: lambda, eta: eta, s: s,
		star: lambda == flow.Threshold(), collapses: limit.Collapses,
	}
	if ran := r.o.tampering.settings(said); ran != said {
		if flow, err = flowAt(ran); err != nil {
			return nil, err
		}
	}
	descent, err := flow.Descent(0)
	if err != nil {
		return nil, err
	}
	trace, err := descent.Trace(r.steps())
	if err != nil {
		return nil, err
	}
	c.Series, c.flow, c.at = series(trace), flow, descent.At
	r.draw(c.Curve)
	return c, nil
}

// Curve returns a trace as a curve with the series of the figures: loss, accuracy, accuracy_with_bias, distance (_h,
// _w), norm_h, norm_w, norm_z, gap_h, gap_w (‖H − H̄‖, ‖W − W̄‖), log_norm_ratio (ln‖H‖ − ln‖W‖), bias_min, bias_max;
// those on a log axis also as log10_….
func Curve(name string, t *dynamics.Trace) result.Curve {
	return result.Curve{Name: name, Params: map[string]float64{}, Series: series(t)}
}

func series(t *dynamics.Trace) map[string]result.Series {
	ratio := make([]float64, len(t.Time))
	for i := range ratio {
		ratio[i] = t.LogNormH[i] - t.LogNormW[i]
	}
	s := map[string]result.Series{
		"step": t.Time, "loss": t.Loss, result.Log10("loss"): scaleLogs(t.LogAbsLoss, 1),
		"accuracy": t.Accuracy, "accuracy_with_bias": t.AccuracyWithBias,
		"log_norm_ratio": ratio, "bias_min": t.BiasMin, "bias_max": t.BiasMax,
	}
	for name, logs := range map[string][]float64{
		"distance": t.LogDistance, "distance_h": t.LogDistanceH, "distance_w": t.LogDistanceW,
		"norm_h": t.LogNormH, "norm_w": t.LogNormW, "norm_z": t.LogNormZ, "gap_h": t.LogGapH, "gap_w": t.LogGapW,
	} {
		addLogs(s, name, logs, 1)
	}
	return s
}

// addLogs adds exp(power·logs) under the name, and its base-10 logarithm.
func addLogs(s map[string]result.Series, name string, logs []float64, power float64) {
	log10 := scaleLogs(logs, power)
	plain := make(result.Series, len(logs))
	for i, l := range log10 {
		plain[i] = math.Pow(10, l)
	}
	s[name], s[result.Log10(name)] = plain, log10
}

func scaleLogs(logs []float64, power float64) result.Series {
	out := make(result.Series, len(logs))
	for i, l := range logs {
		out[i] = power * l / math.Ln10
	}
	return out
}

// squares adds the squares of series under their names with "2" appended, for panels that show squares.
func (r *run) squares(names ...string) {
	for _, c := range r.figure.Curves {
		for _, name := range names {
			log10 := c.Series[result.Log10(name)]
			natural := make([]float64, len(log10))
			for i, l := range log10 {
				natural[i] = l * math.Ln10
			}
			addLogs(c.Series, name+"2", natural, 2)
		}
	}
}

// last returns the final value of a series.
func (c *curve) last(name string) float64 {
	s := c.Series[name]
	return s[len(s)-1]
}

// perStep returns the exponent log(1 + ηω) per step of gradient descent for an exponent ω per unit of ζ2.
func perStep(eta, omega float64) float64 { return math.Log1p(eta * omega) }

// exponents returns the paper's exponents per step of ‖Z‖ and of the distance to the limit, for the curve's γ, λ and s.
// With ω2 of Corollary 5's proof (without the division of p. 35, erratum E15; for λ = 0 and s = 1 it is (10)), they are
// ω2 of the larger one of σ1 and |σ2|, and the difference of ω2 at the two.
func (r *run) exponents(c *curve) (growth, approach float64) {
	omega2 := func(sigma float64) float64 {
		return (math.Sqrt(c.lambda*c.lambda*(c.s-1)*(c.s-1)+4*c.s*sigma*sigma) - c.lambda*(c.s+1)) / 2
	}
	sigma1, sigma2 := dynamics.Sigma(c.gamma, r.c, r.n)
	sigma2 = math.Abs(sigma2)
	growth = perStep(c.eta, omega2(max(sigma1, sigma2)))
	return growth, perStep(c.eta, omega2(min(sigma1, sigma2))) - growth
}

// follows reports whether descent follows the flow, which the sentences are about: no component changes its sign from
// step to step.
func (r *run) follows(c *curve) bool {
	sigma1, sigma2 := dynamics.Sigma(c.gamma, r.c, r.n)
	return c.eta*((1+c.s)*c.lambda+math.Sqrt(c.s)*max(sigma1, math.Abs(sigma2))) < 1
}

// measurable reports whether the steps that asymptote needs can be represented.
func measurable(rate float64) bool { return rate < -1e-12 }

// asymptote returns the exponent per step of the quantity whose logarithm is logOf. It measures between the steps at
// which exp(rate·step) is e^-3000 and e^-4000, where faster terms have vanished. The closed form evaluates these steps
// at no cost, even if the figure's run is shorter.
func asymptote(at func(step int) (dynamics.Point, error), logOf func(dynamics.Point) float64, rate float64) (float64,
	error) {
	first, last := int(-3000/rate), int(-4000/rate)
	a, err := at(first)
	if err != nil {
		return 0, err
	}
	b, err := at(last)
	if err != nil {
		return 0, err
	}
	return (logOf(b) - logOf(a)) / float64(last-first), nil
}

// spread returns the largest difference of a quantity of the flow between the curves, over the run. (In descent there
// would be further differences of the order of η.)
func (r *run) spread(curves []*curve, quantity func(dynamics.Point) float64) (float64, error) {
	largest := 0.0
	for i := range 51 {
		low, high := math.Inf(1), math.Inf(-1)
		for _, c := range curves {
			p, err := c.flow.At(float64(i) / 50 * float64(r.o.Steps))
			if err != nil {
				return 0, err
			}
			low, high = math.Min(low, quantity(p)), math.Max(high, quantity(p))
		}
		largest = math.Max(largest, high-low)
	}
	return largest, nil
}
