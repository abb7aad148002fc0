package studies

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestTheorem8 uses the default sizes. The exponents of the theory must hold, and the theorem as printed must fail.
func TestTheorem8(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	var calls []int
	f, err := Theorem8{Seed: 1, Progress: func(done, all int) {
		calls = append(calls, done,
			all)
	}}.Run(context.Background(), backend)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f s", f.Provenance.Duration)
	all := len(activations) * 5 * (4 + 4 + 4 + 2 + 1)
	if n := len(calls); n != 2*all || calls[n-2] != all || calls[n-1] != all {
		t.Errorf("%d calls of Progress for %d networks", n/2, all)
	}
	if want := len(activations) * (2*len(quantities) + 2); len(f.Claims) != want {
		t.Errorf("%d claims, want %d", len(f.Claims), want)
	}
	for _, c := range f.Claims {
		want := result.Holds
		if strings.Contains(c.Claim, "as printed") {
			want = result.Corrected
		}
		if c.Verdict != want {
			t.Errorf("%s: %s: measured %.4g, expected %.4g ± %.2g", c.Verdict, c.Claim, c.Measured, c.Expected,
				c.Tolerance)
		}
	}
	for _, c := range f.Curves {
		for name, s := range c.Series {
			if len(s) != 5 || slices.ContainsFunc(s, math.IsNaN) {
				t.Errorf("%s: series %s is %v", c.Name, name, s)
			}
		}
	}
}

// TestTheorem8Exact uses networks without a nonlinearity and without hidden layers, which are linear in their
// parameters. Descent must equal the closed form of both kernels up to rounding. The kernel as printed predicts no
// change at unseen points.
func TestTheorem8Exact(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	gamma := 0.2
	s := Theorem8{Widths: []int{8}, Seeds: 2, Steps: 30, Rate: 0.1, Gamma: &gamma}
	e := newErrors()
	train, test := gaussianClasses(3, 0, 4), gaussianClasses(3, 1, 2)
	if err := s.compare(context.Background(), backend, ntk.Identity, 8, train, test, e, func() {}); err != nil {
		t.Fatal(err)
	}
	for i, kind := range kinds {
		for name, logs := range e.logs[kind] {
			if len(logs) != 2 {
				t.Fatalf("%d networks", len(logs))
			}
			for _, l := range logs {
				switch {
				case i < 2 && l > math.Log(1e-12):
					t.Errorf("kernel %s: %s off by %g", kind, name, math.Exp(l))
				case i == 2 && name == "features_test" && math.Abs(l) > 1e-12:
					t.Errorf("kernel %s: unseen points are off by %g of the way they moved", kind, math.Exp(l))
				}
			}
		}
	}
}

func TestTheorem8Refuses(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Theorem8{}).Run(ctx, backend); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for want, s := range map[string]Theorem8{"widths [0 1]": {Widths: []int{0, 1}},
		"widths [2 1]": {Widths: []int{2, 1}}, "-1 networks": {Seeds: -1}} {
		if _, err := s.Run(context.Background(), backend); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
}

// TestSlope fits a line with known residuals. In R, summary(lm(c(1, 3, 2, 5) ~ c(0, 1, 2, 3))) has slope 1.1 ± 0.5196.
func TestSlope(t *testing.T) {
	x := []float64{1, math.E, math.Exp(2), math.Exp(3)}
	slope, sd := Slope(x, []float64{1, 3, 2, 5})
	if math.Abs(slope-1.1) > 1e-12 || math.Abs(sd-math.Sqrt(0.27)) > 1e-12 {
		t.Errorf("slope %g ± %g", slope, sd)
	}
	if slope, _ := Slope(x[:2], []float64{1, 2}); !math.IsNaN(slope) {
		t.Errorf("two points: slope %g", slope)
	}
}
