package paper

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// control is a figure in which a sentence is claimed, and the change under which it must not be.
type control struct {
	of     sentence
	id     string
	o      Options
	change func(o *Options)
	want   result.Verdict // of the sentence after the change
}

// instead runs a curve at another setting than it says.
func instead(of func(s setting) setting) func(o *Options) {
	return func(o *Options) { o.tampering = &tampering{run: of} }
}

// measured changes a series after it was measured.
func measured(name string, of func(s result.Series)) func(o *Options) {
	return func(o *Options) {
		o.tampering = &tampering{series: func(_ string, s map[string]result.Series) { of(s[name]) }}
	}
}

func fill(v float64) func(s result.Series) {
	return func(s result.Series) {
		for i := range s {
			s[i] = v
		}
	}
}

func times(v float64) func(s result.Series) {
	return func(s result.Series) {
		for i := range s {
			s[i] *= v
		}
	}
}

func controls() []control {
	small := Options{P: 20, C: 10, N: 4, Steps: 5000, Seed: 3} // 1/(C−1) = .111, 2/(C−2) = .25
	with := func(change func(o *Options)) Options {
		o := small
		change(&o)
		return o
	}
	gammas := func(list ...float64) Options { return with(func(o *Options) { o.Gammas = list }) }
	beyond := func(s setting) setting { s.gamma = 0.5; return s }
	within := func(s setting) setting { s.gamma = 1. / 9; return s }
	half := func(s setting) setting { return setting{s.gamma / 2, s.lambda / 2, s.eta, s.s} }
	byLambda := func(s setting) setting { s.gamma /= 1 + 1000*s.lambda; return s }
	low := func(s setting) setting { s.lambda *= 0.9; return s }
	nearUnit := dynamics.Gaussian(20, 10, 4, 3)
	nearUnit.H.Scale(0.1/math.Sqrt(20), nearUnit.H)
	paperGammas, nearer := []float64{0.001, 0.005, 1. / 99}, []float64{0.001, 0.0105, 1. / 99}
	captioned := func(s setting) setting { s.gamma = 1. / 99; return s }
	return []control{
		{aligns, "fig1", gammas(1. / 9), instead(beyond), result.Fails},
		{aligns, "fig5", gammas(1. / 9), instead(beyond), result.Fails},
		{approaches, "fig1", small, instead(half), result.Fails},
		{approaches, "fig5", small, instead(half), result.Fails},
		{approaches, "fig6", small, instead(half), result.Fails},
		{approaches, "fig7", small, instead(half), result.Fails},
		{approaches, "fig8", small, instead(half), result.Fails},
		{approaches, "fig6", small, func(o *Options) { o.Gammas = []float64{0.5} }, result.NotClaimed},
		{grows, "fig1", small, instead(half), result.Fails},
		{grows, "fig4", small, instead(half), result.Fails},
		{grows, "fig5", small, instead(half), result.Fails},
		{grows, "fig7", small, instead(half), result.Fails},
		{fastest, "fig1", Options{Gammas: paperGammas}, func(o *Options) { o.Gammas = nearer }, result.Fails},
		{fastest, "fig1", small, func(o *Options) { o.Gammas = []float64{1. / 9, 0.5} }, result.NotClaimed},
		{orthogonal, "fig1", gammas(0.5), instead(within), result.Fails},
		{bursts, "fig1", Options{Gammas: []float64{0.05}}, measured("accuracy", fill(0.2)), result.Fails},
		{convergesToP, "fig4", with(func(o *Options) { o.Steps = 50_000 }), instead(low), result.Fails},
		{convergesToP, "fig4", with(func(o *Options) { o.Steps = 50_000 }), func(o *Options) { o.Gammas = []float64{0.5} },
			result.NotClaimed},
		{stalls, "fig4", Options{}, instead(low), result.Fails},
		{sameRatio, "fig4", small, instead(byLambda), result.Fails},
		{chance, "fig5", gammas(0.5), instead(within), result.Fails},
		{plotted, "fig5", Options{}, instead(captioned), result.Fails},
		{plotted, "fig6", Options{Etas: []float64{0.01, 0.2}}, instead(captioned), result.Fails},
		{etaOrder, "fig6", small, instead(func(s setting) setting { s.eta = 0.0005 / s.eta; return s }), result.Fails},
		{etaOrder, "fig6", small, func(o *Options) { o.Gammas = []float64{0.5} }, result.NotClaimed},
		{sameForLambda, "fig7", small, instead(byLambda), result.Fails},
		{ratioOrder, "fig8", small, instead(func(s setting) setting { s.s = 0.01 / s.s; return s }), result.Fails},
		{ratioOrder, "fig8", small, func(o *Options) { o.Ratios = []float64{0.5} }, result.NotClaimed},
		{featuresGrow, "fig9", small, measured("norm_h", func(s result.Series) { slices.Reverse(s) }), result.Fails},
		{bounded, "fig9", small, measured("norm_h", func(s result.Series) { s[len(s)-1] *= 5 }), result.Fails},
		{fallsExponentially, "fig9", small, measured("log10_distance", fill(-3)), result.Fails},
		{fallsExponentially, "fig9", small, func(o *Options) { o.Steps = 5 }, result.NotClaimed},
		{rescaledFaster, "fig9", small, func(o *Options) { o.State = nearUnit }, result.Fails},
		{anchoredApproach, "fig15", small, instead(half), result.Fails},
		{anchoredApproach, "fig15", small, func(o *Options) { o.Lambdas = []float64{0} }, result.NotClaimed},
		{lambdaOrder, "fig15", small, instead(func(s setting) setting { s.lambda = 0.1 - s.lambda; return s }), result.Fails},
		{squared, "fig15", Options{Lambdas: []float64{0.1}}, measured("norm_h", times(2)), result.Fails},
		{notSquared, "fig15", Options{Lambdas: []float64{0.1}}, measured("norm_h", times(2)), result.Fails},
	}
}

// verdicts returns those of a sentence.
func verdicts(claims []result.Claim, s sentence) (list []result.Verdict) {
	for _, c := range claims {
		if c.ID == s.id {
			list = append(list, c.Verdict)
		}
	}
	return list
}

// TestNegativeControls: every sentence of a figure holds (or is corrected) where it should, and does not under its
// control.
func TestNegativeControls(t *testing.T) {
	for _, c := range controls() {
		before, err := Run(c.id, c.o)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts(before.Claims, c.of) {
			if v != result.Holds && v != result.Corrected {
				t.Errorf("%s of %s: %s without the control", c.of.id, c.id, v)
			}
		}
		c.change(&c.o)
		after, err := Run(c.id, c.o)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts(after.Claims, c.of) {
			if v != c.want {
				t.Errorf("%s of %s: %s under its control, want %s (%s)", c.of.id, c.id, v, c.want, c.of.control)
			}
		}
		if len(verdicts(before.Claims, c.of)) == 0 || len(verdicts(after.Claims, c.of)) == 0 {
			t.Errorf("%s is not claimed of %s, or vanishes under its control", c.of.id, c.id)
		}
	}
}

// TestNegativeControlsOfStudies: the same for what is judged of measurements on networks, from measurements made up
// here.
func TestNegativeControlsOfStudies(t *testing.T) {
	all := func(claims []result.Claim, s sentence, want result.Verdict) {
		t.Helper()
		list := verdicts(claims, s)
		if len(list) == 0 {
			t.Errorf("%s: no claim", s.id)
		}
		for _, v := range list {
			if v != want {
				t.Errorf("%s: %s, want %s", s.id, v, want)
			}
		}
	}
	widths := []float64{128, 256, 512, 1024}
	// Errors as width^exponent, with two networks a width that are a little apart.
	study := func(own, infinite float64, widths ...float64) []result.Claim {
		e, f := newErrors(), &result.Figure{}
		for _, m := range widths {
			for _, apart := range []float64{0.99, 1.01} {
				for i, exponent := range []float64{infinite, own, 0} {
					values := map[string]float64{}
					for _, name := range quantities {
						values[name] = apart * math.Pow(m, exponent)
					}
					e.add(kinds[i], int(m), values)
				}
			}
		}
		e.report(f, "erf")
		e.judge(f, "erf", -1)
		return f.Claims
	}
	all(study(-1, -0.5, widths...), slopes, result.Holds)
	all(study(-0.5, 0, widths...), slopes, result.Fails) // errors times √width
	all(study(-1, -0.5, 512), slopes, result.NotClaimed)
	all(study(-1, -0.5, widths...), asPrinted, result.Corrected)
	all(study(0, -0.5, widths...), asPrinted, result.Fails)

	fall := func(exponent float64) (m, logs []float64) {
		for i, w := range append(widths, widths...) {
			m, logs = append(m, w), append(logs, exponent*math.Log(w)+0.01*float64(i%3))
		}
		return m, logs
	}
	all(kernelClaims(fall(-0.5)), slopes, result.Holds)
	all(kernelClaims(fall(0)), slopes, result.Fails)

	moved := func(exponent float64) []result.Claim {
		d := Drift{Widths: []int{128, 256, 512}, Seeds: 2, Exponent: -1}
		runs := map[string]map[int][]driftRun{}
		for _, l := range driftLosses {
			runs[l.name] = map[int][]driftRun{}
			for _, m := range d.Widths {
				for _, apart := range []float64{0.99, 1.01} {
					end := apart * math.Pow(float64(m), exponent)
					runs[l.name][m] = append(runs[l.name][m], driftRun{drift: []float64{0, end}, moved: []float64{0, 1},
						accuracy: []float64{0, 1}})
				}
			}
		}
		return d.report(runs, []int{0, 1}).Claims
	}
	all(moved(-1), slopes, result.Holds)
	all(moved(-0.5), slopes, result.Fails)

	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	gamma := 0.2
	s := Theorem8{Widths: []int{8}, Steps: 10, Rate: 0.1, Gamma: &gamma, Hidden: 1}
	for _, c := range []struct {
		tampering *tampering
		want      result.Verdict
	}{{nil, result.Holds}, {&tampering{run: func(s setting) setting { s.eta *= 1.001; return s }}, result.Fails}} {
		s.tampering = c.tampering
		off, err := s.linearized(context.Background(), backend, activations[0].layer, gaussianClasses(3, 0, 4),
			gaussianClasses(3, 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		all([]result.Claim{linearisedClaim("erf", off)}, linearised, c.want)
	}
}

// TestEverySentenceHasAControl: there is none that the tests above leave out. (TestFigures has that every claim is of a
// sentence.)
func TestEverySentenceHasAControl(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range controls() {
		tested[c.of.id] = true
	}
	// Those of TestNegativeControlsOfStudies.
	for _, s := range []sentence{slopes, asPrinted, linearised} {
		tested[s.id] = true
	}
	known := map[string]bool{}
	for _, s := range sentences {
		if known[s.id] || s.control == "" || !tested[s.id] {
			t.Errorf("sentence %s: known %t, control %q, tested %t", s.id, known[s.id], s.control, tested[s.id])
		}
		known[s.id] = true
	}
}
