package paper

import (
	"fmt"
	"math"
	"slices"

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
		flow, err := dynamics.Anchored{Gamma: gamma, Lambda: lambda, Rate: dynamics.ConstantRate(eta)}.On(pr)
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
		c := &curve{lambda: lambda, eta: eta, gamma: gamma, at: descent.At, Curve: result.Curve{
			Name: fmt.Sprintf("λ = %g", lambda), Params: map[string]float64{"gamma": gamma, "lambda": lambda, "eta": eta}, Series: series(trace),
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
	for _, c := range curves {
		rate := perStep(eta, -c.lambda)
		if c.lambda*eta >= 1 || !measurable(rate) {
			continue
		}
		measured, err := asymptote(c.at, (*dynamics.Point).LogDistanceH, rate)
		if err != nil {
			return err
		}
		r.claim(c.Name+": the error falls as O(e^{−ληt})", measured, rate, 1e-6*math.Abs(rate))
	}
	if slices.IsSorted(lambdas) && lambdas[len(lambdas)-1]*eta < 1 {
		r.ordered("larger λ accelerate the convergence (how often the error after a fiftieth of the run falls from one λ to the next)", "distance_h", r.early(curves))
	}
	if r.paper {
		start := curves[0].Series["norm_h"][0]
		plain := result.Check("(d) starts at ‖H(0)‖, not squared", start, 715.5, 3)
		r.add(result.Check("(d) is labelled ‖H‖² and starts at 715.5 (plotted)", start*start, 715.5, 3).CorrectedBy("E25", plain.Verdict == result.Holds))
		r.add(plain)
	}
	return nil
}

// early returns the curves cut off after a fiftieth of the run, before errors underflow.
func (r *run) early(curves []*curve) []*curve {
	out := make([]*curve, len(curves))
	for i, c := range curves {
		cut := *c
		cut.Series = map[string]result.Series{}
		n := 0
		for n < len(c.Series["step"]) && c.Series["step"][n] <= float64(r.o.Steps)/50 {
			n++
		}
		for name, s := range c.Series {
			cut.Series[name] = s[:n]
		}
		out[i] = &cut
	}
	return out
}
