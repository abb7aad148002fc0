package paper

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// star returns λ* of Corollary 5, for unequal class sizes the threshold of the flow itself.
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
	return fmt.Sprintf("λ = %g", lambda)
}

func figure4(r *run) error {
	if err := unused(map[string][]float64{"s": r.o.Ratios}); err != nil {
		return err
	}
	gamma, err := single("γ", r.o.Gammas, r.balanced())
	if err != nil {
		return err
	}
	eta, err := single("η", r.o.Etas, 0.1)
	if err != nil {
		return err
	}
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
	if r.n == 0 || !r.inRange(gamma) {
		return nil
	}
	spread := 0.0
	for _, c := range curves {
		for i, v := range c.Series["log_norm_ratio"] {
			spread = math.Max(spread, math.Abs(v-curves[0].Series["log_norm_ratio"][i]))
		}
		if c.lambda < star {
			want := perStep(c.eta, c.omega)
			r.claim(c.Name+" < λ*: ‖W‖ grows exponentially", c.slope("norm_w"), want, 0.01*want)
		}
		if !c.star {
			continue
		}
		gap := c.last("gap_w2")
		converges := result.Check("λ = λ*: W converges to P (‖W − P‖² at the end)", gap, 0, 1e-9)
		r.add(converges)
		if r.paper {
			stalls := result.Check("λ = λ*: ‖W − P‖² stalls between 7e-5 and 9e-5 (plotted; single precision)", gap, 8e-5, 1e-5)
			r.add(stalls.CorrectedBy("E26", converges.Verdict == result.Holds))
		}
	}
	if len(curves) > 1 {
		r.claim("ln‖H‖ − ln‖W‖ is the same for every λ (largest difference between the curves)", spread, 0, 2e-3)
	}
	return nil
}
