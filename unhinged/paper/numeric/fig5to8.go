package numeric

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// readings returns the values of γ to run. The paper's captions say 1/(C−1), but its curves are those of 1/(2(C−1))
// (erratum E24): it returns both, or the user's value. The erratum does not concern the user's features.
func (r *run) readings() []float64 {
	if r.o.State != nil {
		return several(r.o.Gammas, r.balanced())
	}
	return several(r.o.Gammas, r.balanced(), r.balanced()/2)
}

// asPlotted compares a number that was read off the paper's curve (to ±0.3 %) with both readings of γ. Another seed
// changes norms by .3 %, and errors that depend on E2 by some percent.
func (r *run) asPlotted(text string, captioned, halved, read, relative float64) {
	if !r.paper || math.IsNaN(captioned) || math.IsNaN(halved) {
		return
	}
	tolerance := relative * read
	text = fmt.Sprintf("%s (plotted; captioned γ = 1/(C−1), measured here; γ = 1/(2(C−1)) gives %.3g)", text, halved)
	claim := result.Check(text, captioned, read, tolerance)
	r.add(plotted.Of(claim.CorrectedBy("E24", math.Abs(halved-read) <= tolerance)))
}

// sweep runs one curve for each value and each reading of γ and lays out the five panels of figures 6, 7 and 8 for each
// reading.
func (r *run) sweep(pr *dynamics.Projection, values []float64, logNorms bool, one func(gamma, v float64) (*curve,
	error)) ([][]*curve, error) {
	gammas := r.readings()
	var out [][]*curve
	for i, gamma := range gammas {
		var curves []*curve
		var names []string
		for _, v := range values {
			c, err := one(gamma, v)
			if err != nil {
				return nil, err
			}
			if len(gammas) > 1 {
				c.group = r.gammaName(gamma)
				c.Name += ", " + c.group
				r.figure.Curves[len(r.figure.Curves)-1].Name = c.Name
			}
			curves, names = append(curves, c), append(names, c.Name)
		}
		out = append(out, curves)
		suffix := ""
		if len(gammas) > 1 {
			suffix = ", " + r.gammaName(gamma)
		}
		for j, p := range []result.Panel{
			{Title: "Train accuracy", Y: "accuracy", YLabel: "Train accuracy"},
			{Title: "Distance of H", Y: "distance_h", YLabel: "‖Ĥ(t) − H̄/‖H̄‖‖", Log: true, YMin: floor},
			{Title: "Distance of W", Y: "distance_w", YLabel: "‖Ŵ(t) − W̄/‖W̄‖‖", Log: true, YMin: floor},
			{Title: "Norm of H", Y: "norm_h", YLabel: "‖H(t)‖", Log: logNorms},
			{Title: "Norm of W", Y: "norm_w", YLabel: "‖W(t)‖", Log: logNorms},
		} {
			p.Title = fmt.Sprintf("(%c) %s%s", 'a'+5*i+j, p.Title, suffix)
			p.Curves = names
			r.figure.Panels = append(r.figure.Panels, p)
		}
	}
	return out, nil
}

// at returns the final value of a series of the curve whose parameter has the value, or NaN if there is no such curve.
func at(curves []*curve, parameter string, value float64, name string) float64 {
	for _, c := range curves {
		if c.Params[parameter] == value {
			return c.last(name)
		}
	}
	return math.NaN()
}

func figure5(r *run) error {
	eta := first(r.o.Etas, 0.1)
	pr, err := r.project(r.smallW())
	if err != nil {
		return err
	}
	var curves []*curve
	var tame []string
	for _, gamma := range r.gammas(0, 0.1, 0.01, 0.001, r.balanced(), r.balanced()/2) {
		star, err := r.star(pr, gamma)
		if err != nil {
			return err
		}
		c, err := r.descend(pr, r.gammaName(gamma), gamma, star, eta, 1)
		if err != nil {
			return err
		}
		curves = append(curves, c)
		if r.c == 2 || gamma <= r.limit() {
			tame = append(tame, c.Name)
		}
	}
	r.squares("norm_h", "norm_w")
	r.figure.Panels = []result.Panel{
		{Title: "(a) Train accuracy", Y: "accuracy", YLabel: "Train accuracy"},
		{Title: "(b) Distance of H", Y: "distance_h", YLabel: "‖Ĥ(t) − Ĥ1⁺‖", Log: true},
		{Title: "(c) Distance of W", Y: "distance_w", YLabel: "‖Ŵ(t) − Ŵ1⁺‖", Log: true},
		{Title: "(d) Norm of H", Y: "norm_h2", YLabel: "‖H(t)‖²", Log: true, Curves: tame},
		{Title: "(e) Norm of W", Y: "norm_w2", YLabel: "‖W(t)‖²", Log: true, Curves: tame},
	}
	if r.unequal() {
		return nil
	}
	r.accuracies(curves)
	if err := r.rates("Corollary 5", curves); err != nil {
		return err
	}
	if err := r.growth(", weight decay λ* avoids exponential growth", curves, r.outside); err != nil {
		return err
	}
	for _, c := range curves {
		if r.c == 2 || c.gamma <= r.limit() {
			continue
		}
		text := "for " + c.short +
			", which is beyond 2/(C−2), alignment classifies nothing (accuracy at the end: chance)"
		if !r.follows(c) {
			r.withdraw(chance, text, tooFast)
			continue
		}
		r.claim(chance, text, c.last("accuracy"), 1/float64(r.c), 0)
	}
	for _, of := range []struct{ series, text string }{{"distance_h", "‖Ĥ − Ĥ1⁺‖"}, {"distance_w", "‖Ŵ − Ŵ1⁺‖"}} {
		name := of.series
		r.asPlotted(of.text+" of the curve \"1/(C−1)\" ends at 3.33e-5", at(curves, "gamma", r.balanced(), name),
			at(curves, "gamma", r.balanced()/2, name), 3.33e-5, 0.1)
	}
	return nil
}

func figure6(r *run) error {
	pr, err := r.project(r.smallW())
	if err != nil {
		return err
	}
	etas := several(r.o.Etas, 0.001, 0.01, 0.1, 0.2, 0.5)
	sweep, err := r.sweep(pr, etas, true, func(gamma, eta float64) (*curve, error) {
		star, err := r.star(pr, gamma)
		if err != nil {
			return nil, err
		}
		return r.descend(pr, "η = "+number(eta), gamma, star, eta, 1)
	})
	if err != nil || r.unequal() {
		return err
	}
	for _, curves := range sweep {
		if err := r.rates("Corollary 5", curves); err != nil {
			return err
		}
		r.ordered(etaOrder,
			"larger learning rates accelerate convergence (how often the final distance falls from one "+
				"η to the next)", "distance", "eta2", curves, r.outside)
	}
	if len(sweep) == 2 {
		r.asPlotted("‖Ŵ − W̄/‖W̄‖‖ at η = 0.01 ends at .0368", at(sweep[0], "eta2", 0.01, "distance_w"),
			at(sweep[1], "eta2", 0.01, "distance_w"), 0.0368, 0.1)
		r.asPlotted("‖Ĥ − H̄/‖H̄‖‖ at η = 0.2 ends at 1.13e-8", at(sweep[0], "eta2", 0.2, "distance_h"),
			at(sweep[1], "eta2", 0.2, "distance_h"), 1.13e-8, 0.1)
	}
	return nil
}

func figure7(r *run) error {
	eta := first(r.o.Etas, 0.1)
	pr, err := r.project(r.smallW())
	if err != nil {
		return err
	}
	const star = -1 // stands for λ*, which depends on γ
	sweep, err := r.sweep(pr, several(r.o.Lambdas, 1e-5, 1e-4, 1e-3, 5e-3, star), true,
		func(gamma, lambda float64) (*curve, error) {
			threshold, err := r.star(pr, gamma)
			if err != nil {
				return nil, err
			}
			if lambda == star {
				lambda = threshold
			}
			return r.descend(pr, lambdaName(lambda, threshold), gamma, lambda, eta, 1)
		})
	if err != nil || r.unequal() {
		return err
	}
	for _, curves := range sweep {
		if err := r.rates("Corollary 5", curves); err != nil {
			return err
		}
		if err := r.growthByLambda(curves); err != nil {
			return err
		}
		if err := r.same(sameForLambda, "the distance of H to the limit is the same for every λ", curves,
			dynamics.Point.LogDistanceH); err != nil {
			return err
		}
	}
	if len(sweep) == 2 {
		r.asPlotted("‖W‖ at λ = 1e-5 ends at 8.52e8", at(sweep[0], "lambda", 1e-5, "norm_w"),
			at(sweep[1], "lambda", 1e-5, "norm_w"), 8.52e8, 0.01)
		r.asPlotted("‖Ĥ − H̄/‖H̄‖‖ at λ = 1e-3 ends at 3.33e-5", at(sweep[0], "lambda", 1e-3, "distance_h"),
			at(sweep[1], "lambda", 1e-3, "distance_h"), 3.33e-5, 0.1)
	}
	return nil
}

// growthByLambda claims how ‖Z‖ grows below, at and above λ*.
func (r *run) growthByLambda(curves []*curve) error {
	var below, at, above, beyond []*curve
	for _, c := range curves {
		switch growth, _ := r.exponents(c); {
		case !r.inRange(c.gamma):
			beyond = append(beyond, c)
		case c.star:
			at = append(at, c)
		case growth > 0:
			below = append(below, c)
		default:
			above = append(above, c)
		}
	}
	for _, part := range []struct {
		text   string
		curves []*curve
	}{
		{" (below λ*), ‖Z‖ grows exponentially", below},
		{", ‖Z‖ neither grows nor shrinks", at},
		{" (above λ*), ‖Z‖ shrinks exponentially (E4: the proof has the signs swapped, the statement is right)",
			above},
		{", ‖Z‖ grows below λ*, shrinks above it and does neither at λ*", beyond}, // is withdrawn
	} {
		if len(part.curves) > 0 {
			if err := r.growth(part.text, part.curves, r.outside); err != nil {
				return err
			}
		}
	}
	return nil
}

func figure8(r *run) error {
	eta := first(r.o.Etas, 0.5)
	pr, err := r.project(r.smallW())
	if err != nil {
		return err
	}
	ratios := several(r.o.Ratios, 0.01, 0.05, 0.1, 0.5, 1)
	sweep, err := r.sweep(pr, ratios, false, func(gamma, s float64) (*curve, error) {
		star, err := r.star(pr, gamma)
		if err != nil {
			return nil, err
		}
		return r.descend(pr, "s = "+number(s), gamma, star, eta, s)
	})
	if err != nil || r.unequal() {
		return err
	}
	for _, curves := range sweep {
		if err := r.rates("Corollary 5", curves); err != nil {
			return err
		}
		r.ordered(ratioOrder, "larger s converge faster (how often the final distance falls from one s to the next)",
			"distance", "s", curves, r.outside)
	}
	if len(sweep) == 2 {
		r.asPlotted("‖Ŵ − W̄/‖W̄‖‖ at s = 0.05 ends at .00275", at(sweep[0], "s", 0.05, "distance_w"),
			at(sweep[1], "s", 0.05, "distance_w"), 0.00275, 0.1)
		r.asPlotted("‖Ĥ − H̄/‖H̄‖‖ at s = 0.1 ends at 1.22e-3", at(sweep[0], "s", 0.1, "distance_h"),
			at(sweep[1], "s", 0.1, "distance_h"), 1.22e-3, 0.03)
	}
	return nil
}
