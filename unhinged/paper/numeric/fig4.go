package numeric

import (
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// star returns λ* of Corollary 5, or for unequal class sizes the threshold of the flow itself.
func (r *run) star(pr *dynamics.Projection, gamma float64) (float64, error) {
	if r.n > 0 {
		return dynamics.CriticalLambda(gamma, r.c, r.n), nil
	}
	flow, err := dynamics.Unconstrained{Gamma: gamma, Rates: dynamics.Constant(1, 1)}.On(pr)
	if err != nil {
		return 0, err
	}
	return flow.Threshold(), nil
}

func lambdaName(lambda, star float64) string {
	if lambda == star {
		return "λ = λ*"
	}
	return "λ = " + number(lambda)
}

func figure4(r *run) error {
	gamma := first(r.o.Gammas, r.balanced())
	eta := first(r.o.Etas, 0.1)
	pr, err := r.project(r.smallW())
	if err != nil {
		return err
	}
	star, err := r.star(pr, gamma)
	if err != nil {
		return err
	}
	var curves []*curve
	for _, lambda := range several(r.o.Lambdas, star, 1e-3, 2e-3, 0) {
		c, err := r.descend(pr, lambdaName(lambda, star), gamma, lambda, eta, 1)
		if err != nil {
			return err
		}
		curves = append(curves, c)
	}
	r.squares("norm_w", "gap_w")
	r.figure.Panels = []result.Panel{
		{Title: "(a) Norm of W", Y: "norm_w2", YLabel: "‖W(t)‖²", Log: true},
		{Title: "(b) Difference of W and P", Y: "gap_w2", YLabel: "‖W(t) − P‖²", Log: true},
		{Title: "(c) Difference of norms", Y: "log_norm_ratio", YLabel: "ln‖H‖ − ln‖W‖"},
	}
	if r.unequal() {
		return nil
	}
	var below []*curve
	for _, c := range curves {
		switch {
		case c.lambda < star:
			below = append(below, c)
		case c.lambda == star:
			r.atThreshold(c)
		}
	}
	if len(below) > 0 {
		if err := r.growth(" (below λ*), the norm grows exponentially", below, r.outside); err != nil {
			return err
		}
	}
	return r.same(sameRatio, "ln‖H‖ − ln‖W‖ is the same for every λ", curves,
		func(p dynamics.Point) float64 { return p.LogNormH() - p.LogNormW() })
}

// atThreshold claims what figure 4(b) shows at λ*.
func (r *run) atThreshold(c *curve) {
	text := "for λ = λ*, W converges to P (‖W − P‖² at the end)"
	if reason := r.outside(c); reason != "" {
		r.withdraw(convergesToP, text, reason)
		return
	}
	gap := c.last("gap_w2")
	r.claim(convergesToP, text, gap, 0, 1e-9)
	if r.paper {
		stuck := result.Check("for λ = λ*, ‖W − P‖² stalls between 7e-5 and 9e-5 (plotted; single precision)", gap,
			8e-5,
			1e-5)
		r.add(stalls.Of(stuck.CorrectedBy("E26", gap <= 1e-9)))
	}
}
