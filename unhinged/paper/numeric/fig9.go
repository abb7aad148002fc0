package numeric

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

func figure9(r *run) error {
	if r.o.Steps > dynamics.MaxSteps {
		return fmt.Errorf("steps = %d: spherical descent makes every one, and at most %d", r.o.Steps, dynamics.MaxSteps)
	}
	gamma := first(r.o.Gammas, r.balanced())
	state := r.state(1).CenterPrototypes()
	r.figure.Settings["prototypes"] = fmt.Sprint(r.figure.Settings["prototypes"], ", centred so that W1 = 0")
	planes, err := state.Planes(gamma)
	if err != nil {
		return err
	}
	etas := several(r.o.Etas, 0.1, 0.5, 1, 5, 10)
	steps, normW := r.steps(), mat.Norm(state.W, 2)
	finals := map[bool][]float64{}
	var claims spherical
	for i, rescale := range []bool{false, true} {
		suffix, label := "", ""
		if rescale {
			suffix, label = " (RLR)", ", rescaled learning rate"
		}
		var names []string
		for _, eta := range etas {
			ran := r.o.tampering.settings(setting{gamma: gamma, eta: eta})
			d, err := dynamics.Spherical{Gamma: gamma, Rates: dynamics.Constant(ran.eta, ran.eta),
				Rescale: rescale}.On(planes)
			if err != nil {
				return err
			}
			trace, err := d.Record(steps)
			if err != nil {
				return err
			}
			c := result.Curve{
				Name:   "η = " + number(eta) + suffix,
				Params: map[string]float64{"gamma": gamma, "eta": eta, "rescale": float64(i)},
				Series: sphericalSeries(trace, steps, normW),
			}
			r.draw(c)
			names = append(names, c.Name)
			log := c.Series[result.Log10("distance")]
			finals[rescale] = append(finals[rescale], log[len(log)-1])
			claims.measure(c, d, trace.Last)
		}
		for j, p := range []result.Panel{
			{Title: "Train accuracy", Y: "accuracy", YLabel: "Train accuracy"},
			{Title: "Error", Y: "distance", YLabel: "‖Ĥ(t) − Ŵ(I⊗1ᵀ)‖", Log: true, YMin: floor},
			{Title: "Norm of H", Y: "norm_h", YLabel: "‖H(t)‖"},
		} {
			p.Title, p.Curves = fmt.Sprintf("(%c) %s%s", 'a'+3*i+j, p.Title, label), names
			r.figure.Panels = append(r.figure.Panels, p)
		}
	}
	r.each(featuresGrow, "", ", ‖H‖ is non-decreasing (largest relative fall, rounding apart)", claims.falls)
	r.each(bounded, "", ", ‖H‖ stays below 4‖H(0)‖ (excess at the end; E18)", claims.excess)
	r.each(fallsExponentially, "", ", the error falls exponentially (intervals, once it is below 0.01, in which it "+
		"falls more slowly than −log(1−α) of the slowest sample)", claims.slow)
	r.rescaled(etas, finals[false], finals[true])
	return nil
}

// sphericalSeries returns the series of a trace, given ‖W‖, which is constant.
func sphericalSeries(trace *dynamics.SphericalTrace, steps []int, normW float64) map[string]result.Series {
	series := map[string]result.Series{"loss": trace.Loss, "accuracy": trace.Accuracy, "norm_h": trace.NormH}
	for k, s := range steps {
		series["step"] = append(series["step"], float64(s))
		series["norm_w"] = append(series["norm_w"], normW)
		series["norm_z"] = append(series["norm_z"], math.Hypot(trace.NormH[k], normW))
	}
	addLogs(series, "distance", trace.LogGapH, 1)
	return series
}

// rescaled claims that RLR ends with a smaller error for every η, except where the error is 0 with and without RLR.
func (r *run) rescaled(etas, without, with []float64) {
	text := "the rescaled learning rate converges faster"
	var compared []string
	faster := 0
	for i, eta := range etas {
		if math.IsInf(without[i], -1) && math.IsInf(with[i], -1) {
			continue
		}
		compared = append(compared, "η = "+number(eta))
		if with[i] < without[i] {
			faster++
		}
	}
	if len(compared) == 0 {
		r.withdraw(rescaledFaster, text, "the error is 0 at the end with and without it")
		return
	}
	r.claim(rescaledFaster, "for "+names(compared)+", "+text+" (for how many η the final error is smaller; RLR "+
		"raises the rate where ‖h‖ > 1)",
		float64(faster), float64(len(compared)), 0)
}

// spherical holds measurements for the statements of Theorem 7, one for each curve.
type spherical struct{ falls, excess, slow []measurement }

// measure adds a curve. Without the theorem's step-size condition (as corrected: E5, E16), only that ‖H‖ does not
// decrease is true.
func (s *spherical) measure(c result.Curve, d *dynamics.SphericalFlow, last *dynamics.SphericalPoint) {
	norm, falls := c.Series["norm_h"], 0.0
	for i := 1; i < len(norm); i++ {
		falls = math.Max(falls, (norm[i-1]-norm[i])/norm[i])
	}
	s.falls = append(s.falls, measurement{name: c.Name, measured: falls, tolerance: 1e-12})
	if len(d.Violations()) > 0 {
		outside := measurement{name: c.Name, outside: "the learning rate violates the theorem's step-size condition"}
		s.excess, s.slow = append(s.excess, outside), append(s.slow, outside)
		return
	}
	excess := math.Max(0, norm[len(norm)-1]/norm[0]-dynamics.GrowthBound)
	s.excess = append(s.excess, measurement{name: c.Name, measured: excess})
	// The error is a sum over samples, each with its own rate, and never falls more slowly than its slowest term. (Rate
	// leaves out samples that have reached their target. At the end this may be all samples.)
	slow, slowest := 0, 0.0
	for _, alpha := range last.StepSizes() {
		slowest = math.Max(slowest, 1-alpha)
	}
	rate := -math.Log(slowest)
	step, log := c.Series["step"], c.Series[result.Log10("distance")]
	for i := 1; i < len(step); i++ {
		if log[i-1] < -2 && (log[i]-log[i-1])*math.Ln10 > -0.99*rate*(step[i]-step[i-1]) {
			slow++
		}
	}
	m := measurement{name: c.Name, measured: float64(slow)}
	if !(log[len(log)-1] < -2) {
		m.outside = "the error does not come below 0.01 in so few steps"
	}
	s.slow = append(s.slow, m)
}
