package numeric

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
	for _, gamma := range r.gammas(0, 0.001, 0.005, 0.05, r.balanced()) {
		c, err := r.descend(pr, r.gammaName(gamma), gamma, 0, eta, 1)
		if err != nil {
			return err
		}
		curves = append(curves, c)
	}
	zoom := float64(r.zoomFrom())
	var tame []string // the curves in the insets, which have a common scale
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
		{Title: "(c) Distance to Z̄", Y: "distance", YLabel: "‖Ẑ(t) − Z̄/‖Z̄‖‖", Log: true,
			Lines: map[string]float64{"√2": math.Sqrt2}},
		{Title: "(d) Norm of Z", Y: "norm_z", YLabel: "‖Z(t)‖", Log: true, ZoomFrom: zoom, ZoomCurves: tame},
	}
	if r.unequal() {
		return nil
	}
	r.accuracies(curves)
	if err := r.rates("(10)", curves); err != nil {
		return err
	}
	if err := r.growth(", ‖Z‖ grows exponentially, at the largest eigenvalue times √(ζ1ζ2)", curves,
		always); err != nil {
		return err
	}
	r.fastest(curves)
	r.beyond(curves)
	return nil
}

// beyond claims what figure 1 shows for γ beyond 2/(C−2): Ẑ turns orthogonal to Z̄, and accuracy has bursts.
func (r *run) beyond(curves []*curve) {
	for _, c := range curves {
		if r.c == 2 || c.gamma <= r.limit() {
			continue
		}
		text := "for " + c.short + ", which is beyond 2/(C−2), Ẑ tends to be orthogonal to Z̄ (distance at the end)"
		if !r.follows(c) {
			r.withdraw(orthogonal, text, tooFast)
			continue
		}
		r.claim(orthogonal, text, c.last("distance"), math.Sqrt2, 1e-3)
		late := 0.0
		for i, step := range c.Series["step"] {
			if step > 0.6*float64(r.o.Steps) {
				late = math.Max(late, c.Series["accuracy"][i])
			}
		}
		if r.paper && c.gamma == 0.05 {
			shows := result.Check("for "+c.short+", the accuracy shows bursts up to about 0.35 after step 35,000 "+
				"(plotted)",
				late, 0.35, 0.05)
			r.add(bursts.Of(shows.CorrectedBy("E27", late == 1/float64(r.c))))
		}
	}
}

// fastest claims that among the γ below 2/(C−2), 1/(C−1) ends nearest to the limit. By Corollary 3 it has the largest
// exponent, but the corollary does not give the factor before the exponential.
func (r *run) fastest(curves []*curve) {
	var competing []string
	winner, smallest, balanced := math.NaN(), math.Inf(1), false
	for _, c := range curves {
		if !r.inRange(c.gamma) {
			continue
		}
		competing = append(competing, c.short)
		balanced = balanced || c.gamma == r.balanced()
		if d := c.last(result.Log10("distance")); d < smallest {
			winner, smallest = c.gamma, d
		}
	}
	text := "convergence is fastest at γ = 1/(C−1)"
	switch {
	case !balanced:
		r.withdraw(fastest, text, "it is not among the γ that are run")
	case len(competing) < 2:
		r.withdraw(fastest, text, "no other γ below 2/(C−2) is run beside it")
	default:
		other := "at the paper's sizes 0.0105 would end nearer"
		if r.o.State != nil { // of the user's features
			other = "another γ may end nearer"
		}
		r.claim(fastest, text+" (the γ of the smallest final distance among "+names(competing)+
			"; it depends on this list: "+other+", for 1/(C−1) has the largest exponent, not the smallest factor "+
			"before it)", winner, r.balanced(), 0)
	}
}
