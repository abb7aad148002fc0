package numeric

import (
	"math"
	"slices"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// control is a figure that claims a sentence, with a change under which the sentence must not hold.
type control struct {
	of     result.Sentence
	id     string
	o      Options
	change func(o *Options)
	want   result.Verdict // the verdict on the sentence after the change
}

// instead computes a curve with other settings than the curve states.
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
		{convergesToP, "fig4", with(func(o *Options) { o.Steps = 50_000 }),
			func(o *Options) { o.Gammas = []float64{0.5} },
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
		{lambdaOrder, "fig15", small, instead(func(s setting) setting { s.lambda = 0.1 - s.lambda; return s }),
			result.Fails},
		{squared, "fig15", Options{Lambdas: []float64{0.1}}, measured("norm_h", times(2)), result.Fails},
		{notSquared, "fig15", Options{Lambdas: []float64{0.1}}, measured("norm_h", times(2)), result.Fails},
	}
}

// verdicts returns the verdicts on a sentence.
func verdicts(claims []result.Claim, s result.Sentence) (list []result.Verdict) {
	for _, c := range claims {
		if c.ID == s.ID {
			list = append(list, c.Verdict)
		}
	}
	return list
}

// TestNegativeControls checks that every sentence of a figure holds (or is corrected), and that it does not under its
// control.
func TestNegativeControls(t *testing.T) {
	for _, c := range controls() {
		before, err := Run(c.id, c.o)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts(before.Claims, c.of) {
			if v != result.Holds && v != result.Corrected {
				t.Errorf("%s of %s: %s without the control", c.of.ID, c.id, v)
			}
		}
		c.change(&c.o)
		after, err := Run(c.id, c.o)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts(after.Claims, c.of) {
			if v != c.want {
				t.Errorf("%s of %s: %s under its control, want %s (%s)", c.of.ID, c.id, v, c.want, c.of.Control)
			}
		}
		if len(verdicts(before.Claims, c.of)) == 0 || len(verdicts(after.Claims, c.of)) == 0 {
			t.Errorf("%s is not claimed of %s, or vanishes under its control", c.of.ID, c.id)
		}
	}
}

// TestEverySentenceHasAControl checks that the tests above leave no sentence out. (TestFigures checks that every claim
// belongs to a sentence.)
func TestEverySentenceHasAControl(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range controls() {
		tested[c.of.ID] = true
	}
	known := map[string]bool{}
	for _, s := range sentences {
		if known[s.ID] || s.Control == "" || !tested[s.ID] {
			t.Errorf("sentence %s: known %t, control %q, tested %t", s.ID, known[s.ID], s.Control, tested[s.ID])
		}
		known[s.ID] = true
	}
}
