package paper

import (
	"math"

	"github.com/unhinged-lab/lab/unhinged/result"
)

func figure1(r *run) error {
	eta := first(r.o.Etas, 0.1)
	pr, err := r.project(r.smallW())
	if err != nil {
		return err
	}
	var curves []*curve
	for _, gamma := range several(r.o.Gammas, 0, 0.001, 0.005, 0.05, r.balanced()) {
		c, err := r.descend(pr, r.gammaName(gamma), gamma, 0, eta, 1)
		if err != nil {
			return err
		}
		curves = append(curves, c)
	}
	zoom := float64(r.zoomFrom())
	var tame []string // the curves that share a scale, for the insets
	for _, c := range curves {
		if r.c == 2 || c.gamma < r.limit() {
			tame = append(tame, c.Name)
		}
	}
	if len(tame) == 0 {
		zoom = 0
	}
	r.figure.Panels = []result.Panel{
		{Title: "(a) Train loss", Y: "loss", YLabel: "Loss", ZoomFrom: zoom, ZoomCurves: tame},
		{Title: "(b) Train accuracy", Y: "accuracy", YLabel: "Train accuracy"},
		{Title: "(c) Distance to Z̄", Y: "distance", YLabel: "‖Ẑ(t) − Z̄/‖Z̄‖‖", Log: true, Lines: map[string]float64{"√2": math.Sqrt2}},
		{Title: "(d) Norm of Z", Y: "norm_z", YLabel: "‖Z(t)‖", Log: true, ZoomFrom: zoom, ZoomCurves: tame},
	}
	if r.n == 0 {
		return nil // the sentences are about equal class sizes
	}
	r.accuracies(curves)
	if err := r.rates("(10)", curves); err != nil {
		return err
	}
	fastest, smallest := math.NaN(), math.Inf(1)
	for _, c := range curves {
		if d := c.last(result.Log10("distance")); r.inRange(c.gamma) && d < smallest {
			fastest, smallest = c.gamma, d
		}
	}
	for _, c := range curves {
		if err := r.grows(c, ": ‖Z‖ grows exponentially, at exp of the largest eigenvalue times √(ζ1ζ2)"); err != nil {
			return err
		}
		switch {
		case c.gamma == r.balanced() && len(curves) > 1:
			r.claim("convergence is fastest at γ = 1/(C−1) (the γ of the smallest final distance)", fastest, c.gamma, 0)
		case r.c > 2 && c.gamma > r.limit():
			r.claim(c.Name+" > 2/(C−2): Ẑ tends to be orthogonal to Z̄, distance √2", c.last("distance"), math.Sqrt2, 1e-3)
			late := 0.0
			for i, step := range c.Series["step"] {
				if step > 0.6*float64(r.o.Steps) {
					late = math.Max(late, c.Series["accuracy"][i])
				}
			}
			if r.paper && c.gamma == 0.05 {
				chance := 1 / float64(r.c)
				bursts := result.Check(c.Name+": the accuracy shows bursts up to about 0.35 after step 35,000 (plotted)", late, 0.35, 0.05)
				r.add(bursts.CorrectedBy("E27", late == chance))
			}
		}
	}
	return nil
}
