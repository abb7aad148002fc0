package studies

import (
	"context"
	"math"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// The measurements of the following negative controls are made up here.

// wantVerdict checks that there are claims on a sentence, and that all of them have this verdict.
func wantVerdict(t *testing.T, claims []result.Claim, s result.Sentence, want result.Verdict) {
	t.Helper()
	found := false
	for _, c := range claims {
		if c.ID != s.ID {
			continue
		}
		found = true
		if c.Verdict != want {
			t.Errorf("%s: %s, want %s", s.ID, c.Verdict, want)
		}
	}
	if !found {
		t.Errorf("%s: no claim", s.ID)
	}
}

// wide are the widths of the made-up networks.
func wide() []float64 { return []float64{128, 256, 512, 1024} }

// TestControlsOfTheorem8 has errors of the closed forms that are width^exponent, with two slightly different networks
// for each width.
func TestControlsOfTheorem8(t *testing.T) {
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
	wantVerdict(t, study(-1, -0.5, wide()...), slopes, result.Holds)
	wantVerdict(t, study(-0.5, 0, wide()...), slopes, result.Fails) // errors times √width
	wantVerdict(t, study(-1, -0.5, 512), slopes, result.NotClaimed)
	wantVerdict(t, study(-1, -0.5, wide()...), asPrinted, result.Corrected)
	wantVerdict(t, study(0, -0.5, wide()...), asPrinted, result.Fails)
}

// TestControlsOfKernels has differences of kernels that are width^exponent.
func TestControlsOfKernels(t *testing.T) {
	fall := func(exponent float64) (m, logs []float64) {
		for i, w := range append(wide(), wide()...) {
			m, logs = append(m, w), append(logs, exponent*math.Log(w)+0.01*float64(i%3))
		}
		return m, logs
	}
	wantVerdict(t, kernelClaims(fall(-0.5)), slopes, result.Holds)
	wantVerdict(t, kernelClaims(fall(0)), slopes, result.Fails)
}

// TestControlsOfDrift has kernels that change by width^exponent.
func TestControlsOfDrift(t *testing.T) {
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
	wantVerdict(t, moved(-1), slopes, result.Holds)
	wantVerdict(t, moved(-0.5), slopes, result.Fails)
}

// TestControlsOfLazy exchanges the ends of the narrowest and the widest network.
func TestControlsOfLazy(t *testing.T) {
	ends := map[string][]float64{"apart": {0.6, 0.4, 0.3}, "drift": {0.1, 0.05, 0.02}}
	exchanged := map[string][]float64{"apart": {0.3, 0.4, 0.6}, "drift": {0.02, 0.05, 0.1}}
	wantVerdict(t, Lazy{Widths: []int{64, 128, 256}}.claims(ends), widerIsNearer, result.Holds)
	wantVerdict(t, Lazy{Widths: []int{64, 128, 256}}.claims(exchanged), widerIsNearer, result.Fails)
	wantVerdict(t, Lazy{Widths: []int{64}}.claims(ends), widerIsNearer, result.NotClaimed)
}

// TestControlOfLinearised compares a linearised network with the closed form for another learning rate.
func TestControlOfLinearised(t *testing.T) {
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
		wantVerdict(t, []result.Claim{linearisedClaim("erf", off)}, linearised, c.want)
	}
}
