package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestIntegrals compares ζ with sums of fine midpoints between the places where a schedule jumps.
func TestIntegrals(t *testing.T) {
	rng := rand.New(rand.NewPCG(20, 1))
	jumps := FuncRate(func(t float64) float64 { return 1 + math.Mod(math.Floor(t), 3) })
	for range 20 {
		eta := rng.Float64()
		for _, s := range []Schedule{
			ConstantRate(eta), ConstantRate(0), CosineRate{eta, 7}, CosineRate{eta, 100}, StepRate{eta, 0.3, 2},
			StepRate{eta, 0, 2}, StepRate{eta, 1, 2},
			ExponentialRate{eta, 0.9}, ExponentialRate{eta, 1}, ExponentialRate{eta, 1.1}, jumps,
		} {
			times := []float64{0, 1, 2, 2, 4, 7, 10, 20 * rng.Float64(), 20 * rng.Float64(), 20 * rng.Float64()}
			slices.Sort(times)
			zetas := integrals(s, times)
			want, at := 0.0, 0.0
			for i, until := range times {
				for at < until {
					next := math.Min(math.Floor(at)+1, until)
					const parts = 2000
					for k := range parts {
						want += s.At(at+(next-at)*(float64(k)+0.5)/parts) * (next - at) / parts
					}
					at = next
				}
				what := fmt.Sprintf("%T%v to %v", s, s, until)
				closeTo(t, what, zetas[i], want, 1e-7)
				closeTo(t, what, zetas[i], s.Integral(until), 1e-13)
			}
		}
	}
}

// TestIntegralsPassOnce counts the calls of a user's schedule: they must not grow with the times asked for.
func TestIntegralsPassOnce(t *testing.T) {
	calls := 0
	rate := FuncRate(func(t float64) float64 { calls++; return 1 / (1 + t) })
	times := make([]float64, 401)
	for i := range times {
		times[i] = float64(5 * i)
	}
	closeTo(t, "∫ 1/(1+t)", integrals(rate, times)[400], math.Log(2001), 1e-8)
	if calls > 8*2000 {
		t.Errorf("%d calls for 2000 unit intervals of 8 nodes", calls)
	}
}

func TestRatesRefused(t *testing.T) {
	s := Gaussian(2, 2, 1, 1)
	warmup := FuncRate(func(t float64) float64 { return math.Min(t, 10) / 10 })
	for _, c := range []struct {
		rates Rates
		want  string
	}{
		{Rates{}, "Rates.W"}, {Follow(-1, ConstantRate(1)), "s = η1/η2"}, {Constant(1, 0), "s = η1/η2"},
		{Constant(1, math.NaN()), "NaN"},
		{Follow(1, CosineRate{Initial: 1}), "Steps = 0"}, {Follow(1, StepRate{Initial: 1, Factor: .1}), "Every = 0"},
		{Follow(1, ExponentialRate{Initial: 1}), "Factor = 0"}, {Rates{W: warmup, H: warmup}, "η2(0) = 0"},
	} {
		if _, err := (Unconstrained{Rates: c.rates}).From(s); err == nil || !strings.Contains(err.Error(), c.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: error %v, want one line with %q", c.rates, err, c.want)
		}
	}
	if _, err := (Unconstrained{Rates: Follow(2, warmup)}).From(s); err != nil {
		t.Errorf("a warm-up that both follow: %v", err)
	}
}
