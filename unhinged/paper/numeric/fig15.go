package numeric

import (
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

func figure15(r *run) error {
	gamma := first(r.o.Gammas, r.balanced())
	eta := first(r.o.Etas, 0.1)
	pr, err := r.project(1)
	if err != nil {
		return err
	}
	lambdas := several(r.o.Lambdas, 0, 0.001, 0.005, 0.01, 0.05, 0.1)
	r.dense = r.o.Steps * 7 / 100 // 3,500 of 50,000
	var curves []*curve
	for _, lambda := range lambdas {
		ran := r.o.tampering.settings(setting{gamma: gamma, lambda: lambda, eta: eta})
		flow, err := dynamics.Anchored{Gamma: ran.gamma, Lambda1: ran.lambda, Rates: dynamics.Constant(ran.eta,
			ran.eta)}.On(pr)
		if err != nil {
			return err
		}
		descent, err := flow.Descent(0)
		if err != nil {
			return err
		}
		trace, err := descent.Trace(r.steps())
		if err != nil {
			return err
		}
		name := "λ = " + number(lambda)
		c := &curve{short: name, lambda: lambda, eta: eta, gamma: gamma, at: descent.At, Curve: result.Curve{
			Name: name, Params: map[string]float64{"gamma": gamma, "lambda": lambda, "eta": eta}, Series: series(trace),
		}}
		curves = append(curves, c)
		r.draw(c.Curve)
	}
	r.figure.Panels = []result.Panel{
		{Title: "(a) Train loss", Y: "loss", YLabel: "Loss"},
		{Title: "(b) Train accuracy", Y: "accuracy", YLabel: "Train accuracy", MaxStep: float64(r.dense)},
		{Title: "(c) Distance of H to W M", Y: "distance_h", YLabel: "‖Ĥ(t) − W M/‖W M‖‖", Log: true, YMin: floor},
		{Title: "(d) Norm of H", Y: "norm_h", YLabel: "‖H(t)‖"},
	}
	return r.anchoredClaims(curves, eta)
}

// anchoredClaims judges the sentences about figure 15.
func (r *run) anchoredClaims(curves []*curve, eta float64) (err error) {
	outside := func(c *curve) string {
		if c.lambda*eta >= 1 {
			return tooFast
		}
		return ""
	}
	var all []measurement
	for _, c := range curves {
		m := measurement{name: c.short, outside: outside(c), expected: perStep(eta, -c.lambda)}
		switch {
		case m.outside != "":
		case c.lambda == 0:
			m.outside = "without λ there is no exponential"
		case !measurable(m.expected):
			m.outside = tooSmall
		default:
			if m.measured, err = asymptote(c.at, dynamics.Point.LogDistanceH, m.expected); err != nil {
				return err
			}
			m.tolerance = 1e-6 * math.Abs(m.expected)
		}
		all = append(all, m)
	}
	r.each(anchoredApproach, "", ", the error falls as O(e^{−ληt}) (exponent per step)", all)
	r.ordered(lambdaOrder, "larger λ accelerate the convergence (how often the final error falls from one λ to the "+
		"next)", "distance_h", "lambda", curves, outside)
	if r.paper {
		start := curves[0].Series["norm_h"][0]
		plain := result.Check("(d) starts at ‖H(0)‖, not squared", start, 715.5, 3)
		printed := result.Check("(d) is labelled ‖H‖² and starts at 715.5 (plotted)", start*start, 715.5, 3)
		r.add(squared.Of(printed.CorrectedBy("E25", plain.Verdict == result.Holds)))
		r.add(notSquared.Of(plain))
	}
	return nil
}
