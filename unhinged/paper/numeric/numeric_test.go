package numeric

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestFigures makes every figure at the paper's sizes. Every sentence about it must hold or have a known erratum.
func TestFigures(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: figures at the paper's sizes take seconds; TestSizes runs small ones")
	}
	for _, e := range Figures() {
		t.Run(e.ID, func(t *testing.T) {
			f, err := e.Run(Options{Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.2f s", f.Provenance.Duration)
			if len(f.Claims) == 0 {
				t.Error("no claims")
			}
			for _, c := range f.Claims {
				if !slices.ContainsFunc(e.Sentences(), func(s result.Sentence) bool { return s.ID == c.ID }) ||
					c.Control == "" {
					t.Errorf("a claim without a sentence that has a negative control: %s", c.Claim)
				}
				if c.Verdict == result.Fails {
					t.Errorf("fails: %s: measured %.6g, expected %.6g ± %.2g", c.Claim, c.Measured, c.Expected,
						c.Tolerance)
				} else {
					t.Logf("%s %s: %s: measured %.6g, expected %.6g ± %.2g", c.Verdict, c.Erratum, c.Claim, c.Measured,
						c.Expected, c.Tolerance)
				}
			}
		})
	}
}

// TestSizes makes every figure at small and unusual sizes. Every claim must have a measured number, and a figure must
// not change when it is written to JSON and read back.
func TestSizes(t *testing.T) {
	for _, o := range []Options{
		{P: 3, C: 2, N: 1, Steps: 50}, {P: 2, C: 5, N: 3, Steps: 1}, {P: 1, C: 3, N: 2, Steps: 2000},
		{P: 16, C: 10, N: 4, Steps: 300, Seed: 7},
	} {
		for _, e := range Figures() {
			f, err := e.Run(o)
			if err != nil {
				t.Errorf("%s at p = %d, C = %d, N = %d, %d steps: %v", e.ID, o.P, o.C, o.N, o.Steps, err)
				continue
			}
			for _, c := range f.Claims {
				if (c.Verdict == result.NotClaimed) != (c.Reason != "") {
					t.Errorf("%s: %s: %s, for the reason %q", e.ID, c.Claim, c.Verdict, c.Reason)
				}
				if math.IsNaN(float64(c.Measured)) && c.Verdict != result.NotClaimed {
					t.Errorf("%s at p = %d, C = %d, N = %d, %d steps: %q measured NaN", e.ID, o.P, o.C, o.N, o.Steps,
						c.Claim)
				}
			}
			data, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			var back result.Figure
			if err := json.Unmarshal(data, &back); err != nil {
				t.Fatal(err)
			}
			for i, c := range back.Curves {
				for name, s := range c.Series {
					if len(s) != len(f.Curves[i].Series["step"]) {
						t.Errorf("%s: series %q of %q has %d values for %d steps", e.ID, name, c.Name, len(s),
							len(f.Curves[i].Series["step"]))
					}
				}
			}
		}
	}
}

// TestOwnFeatures runs every figure from a user's samples, with unequal class sizes.
func TestOwnFeatures(t *testing.T) {
	s := dynamics.Gaussian(8, 4, 5, 3)
	s.Counts = []int{9, 6, 4, 1}
	for _, e := range Figures() {
		f, err := e.Run(Options{State: s, Steps: 500})
		if err != nil {
			t.Errorf("%s: %v", e.ID, err)
		} else if len(f.Curves) == 0 || f.Settings["features"] != "the user's" {
			t.Errorf("%s: %d curves, settings %v", e.ID, len(f.Curves), f.Settings)
		} else if len(f.Claims) == 0 {
			t.Errorf("%s: neither claims nor a reason why there are none", e.ID)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		id   string
		o    Options
		want string
	}{
		{"fig2", Options{}, "there is no numerical figure"},
		{"fig1", Options{C: 1}, "at least 2"},
		{"fig1", Options{P: -3}, "p = -3"},
		{"fig1", Options{Steps: -1}, "steps = -1"},
		{"fig1", Options{P: 1 << 20, C: 1 << 10, N: 1 << 10}, "take 24 TiB: at most 4 GiB"},
		{"fig1", Options{P: 1, C: 16000, N: 1, Steps: 10}, "at most 4 GiB"},
		{"fig4", Options{P: math.MaxInt, C: math.MaxInt, N: math.MaxInt}, "at most 4 GiB"},
		{"fig1", Options{Steps: math.MaxInt}, "can be told apart"},
		{"fig9", Options{P: 8, C: 4, N: 3, Steps: 1e15}, "spherical descent makes every one"},
		{"fig1", Options{Gammas: []float64{math.NaN()}}, "γ = NaN"},
		{"fig1", Options{Lambdas: []float64{1}}, "does not use λ"},
		{"fig4", Options{Gammas: []float64{0, 1}}, "one γ"},
		{"fig8", Options{Ratios: []float64{0}}, "s = 0"},
		{"fig9", Options{State: &dynamics.State{}}, "without features"},
	} {
		if _, err := Run(c.id, c.o); err == nil || !strings.Contains(err.Error(), c.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %+v: error %v, want one line with %q", c.id, c.o, err, c.want)
		}
	}
}

// TestExtremes checks that if there is nothing to measure, claims are withdrawn and the figure is still made.
func TestExtremes(t *testing.T) {
	small := Options{P: 20, C: 10, N: 4, Steps: 5000}
	for _, c := range []struct {
		id     string
		change func(o *Options)
		none   string // no claim with this in its text may fail
	}{
		{"fig9", func(*Options) {}, "exponentially"}, // every sample has converged before the end
		{"fig1", func(o *Options) { o.Etas = []float64{1e-18} }, "exponentially, at the rate"},
		// The second case is a descent that does not follow the flow.
		{"fig5", func(o *Options) { o.Etas = []float64{1e3} }, "exponentially, at the rate"},
		{"fig8", func(o *Options) { o.Ratios = []float64{1e-300} }, "exponentially"},
		{"fig15", func(o *Options) { o.Lambdas = []float64{0, 1e-18, 10, 50} }, "O(e"},
		{"fig7", func(o *Options) { o.Gammas = []float64{1e3} }, "λ*"}, // beyond 2/(C−2) λ* is not the threshold
	} {
		o := small
		c.change(&o)
		f, err := Run(c.id, o)
		if err != nil {
			t.Error(err)
			continue
		}
		found := false
		for _, claim := range f.Claims {
			if !strings.Contains(claim.Claim, c.none) {
				continue
			}
			found = true
			if claim.Verdict == result.Fails {
				t.Errorf("%s fails: %s: measured %.6g, expected %.6g", c.id, claim.Claim, claim.Measured,
					claim.Expected)
			}
		}
		if !found {
			t.Errorf("%s: no claim about %q: it should be there, or withdrawn", c.id, c.none)
		}
	}
}

// TestOrderOfSmallDistances checks that distances that are too small for float64 are still compared.
func TestOrderOfSmallDistances(t *testing.T) {
	for _, o := range []Options{{P: 4, C: 3, N: 2}, {P: 3, C: 2, N: 5}, {P: 1, C: 3, N: 2}} {
		for _, id := range []string{"fig1", "fig6", "fig8", "fig15"} {
			f, err := Run(id, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range f.Claims {
				// In one dimension, aligned features may be classified wrongly.
				if c.Verdict == result.Fails && c.ID != aligns.ID {
					t.Errorf("%s, p = %d, C = %d, N = %d: fails: %s: measured %g, expected %g", id, o.P, o.C, o.N,
						c.Claim,
						c.Measured, c.Expected)
				}
			}
		}
	}
}
