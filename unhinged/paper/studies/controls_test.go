package studies

import (
	"context"
	"math"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestNegativeControlsOfStudies applies negative controls to the sentences about networks. The measurements are made up
// here.
func TestNegativeControlsOfStudies(t *testing.T) {
	all := func(claims []result.Claim, s result.Sentence, want result.Verdict) {
		t.Helper()
		var list []result.Verdict
		for _, c := range claims {
			if c.ID == s.ID {
				list = append(list, c.Verdict)
			}
		}
		if len(list) == 0 {
			t.Errorf("%s: no claim", s.ID)
		}
		for _, v := range list {
			if v != want {
				t.Errorf("%s: %s, want %s", s.ID, v, want)
			}
		}
	}
	widths := []float64{128, 256, 512, 1024}
	// Errors are width^exponent, with two slightly different networks for each width.
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

	ends := map[string][]float64{"apart": {0.6, 0.4, 0.3}, "drift": {0.1, 0.05, 0.02}}
	exchanged := map[string][]float64{"apart": {0.3, 0.4, 0.6}, "drift": {0.02, 0.05, 0.1}}
	all(Lazy{Widths: []int{64, 128, 256}}.claims(ends), widerIsNearer, result.Holds)
	all(Lazy{Widths: []int{64, 128, 256}}.claims(exchanged), widerIsNearer, result.Fails)
	all(Lazy{Widths: []int{64}}.claims(ends), widerIsNearer, result.NotClaimed)

	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	gamma := 0.2
	s := Theorem8{Widths: []int{8}, Steps: 10, Rate: 0.1, Gamma: &gamma, Hidden: 1}
	for _, c := range []struct {
		tampering float64
		want      result.Verdict
	}{{0, result.Holds}, {1e-4, result.Fails}} {
		s.tampering = c.tampering
		off, err := s.linearized(context.Background(), backend, activations[0].layer, gaussianClasses(3, 0, 4),
			gaussianClasses(3, 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		all([]result.Claim{linearisedClaim("erf", off)}, linearised, c.want)
	}
}
