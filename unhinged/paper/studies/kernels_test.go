package studies

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestConvergence uses the default widths, a smooth network and a network with ReLU. The error must fall as the theory
// predicts.
func TestConvergence(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	for _, activation := range []ntk.Layer{ntk.Erf, ntk.ReLU} {
		f, err := Convergence{X: gaussianClasses(1, 0, 4).X, Seed: 1, Network: func(width int) ntk.Network {
			return ntk.Serial(ntk.Dense(width).Std(1.5, 0.1), activation, ntk.Dense(3))
		}}.Run(context.Background(), backend)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Claims) != 1 || f.Claims[0].Verdict != result.Holds || f.Claims[0].Tolerance > 0.1 {
			t.Errorf("%v", f.Claims)
		}
		if n := len(f.Curves[0].Series["error"]); n != 6 || f.Settings["networks"] != 5*(4+4+4+4+2+1) {
			t.Errorf("%d widths, %v networks", n, f.Settings["networks"])
		}
	}
}

// TestConvergenceLinear uses a network of two dense layers without a nonlinearity. For one example with |x|²/d = q,
//
//	Θ = |W1 x|²/(dm) + q mean_c |w_c|²/m = q(χ²_m/m + χ²_{mC}/(mC)),   Θ_∞ = 2q,
//
// so that the mean square error is (1 + 1/C)/(2m). A network without a hidden layer has no error.
func TestConvergenceLinear(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	const m, classes, networks = 8, 3, 3000
	s := Convergence{X: tensors.FromValue([][]float64{{3, -1, 2}}), Widths: []int{m}, Seeds: networks, Seed: 4,
		Network: func(width int) ntk.Network { return ntk.Serial(ntk.Dense(width), ntk.Dense(classes)) }}
	f, err := s.Run(context.Background(), backend)
	if err != nil {
		t.Fatal(err)
	}
	mean, sd := f.Curves[0].Series["error"][0], f.Curves[0].Series["error_sd"][0]
	square, want := mean*mean+sd*sd*(networks-1)/networks, (1+1./classes)/(2*m)
	// The factor is √3, because the tail is heavier than that of the normal distribution, whose factor is √2.
	if four := 4 * want * math.Sqrt(3./networks); math.Abs(square-want) > four {
		t.Errorf("mean square error %g, want %g ± %g", square, want, four)
	}
	if len(f.Claims) != 0 {
		t.Errorf("one width has no slope: %v", f.Claims)
	}

	s.Network, s.Seeds = func(int) ntk.Network { return ntk.Serial(ntk.Dense(classes)) }, 2
	if f, err = s.Run(context.Background(), backend); err != nil {
		t.Fatal(err)
	}
	if e := f.Curves[0].Series["error"][0]; e > 1e-15 {
		t.Errorf("a linear model's kernel is off by %g", e)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Run(ctx, backend); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
