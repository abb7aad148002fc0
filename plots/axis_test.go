package plots

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

// checkTicks checks that the labels differ, lie in the range, and are neither too few nor too many.
func checkTicks(t *testing.T, lo, hi float64, ticks []plot.Tick, least, most int) {
	t.Helper()
	seen := map[string]bool{}
	for _, tick := range ticks {
		if tick.Label == "" {
			continue
		}
		if seen[tick.Label] {
			t.Errorf("%g … %g: label %q twice", lo, hi, tick.Label)
		}
		seen[tick.Label] = true
		if room := 1e-6 * (hi - lo); tick.Value < lo-room || tick.Value > hi+room {
			t.Errorf("%g … %g: tick at %g", lo, hi, tick.Value)
		}
	}
	if len(seen) < least || len(seen) > most {
		t.Errorf("%g … %g: %d labels, want %d to %d", lo, hi, len(seen), least, most)
	}
}

func TestLinearTicksReadBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		lo := rng.NormFloat64() * math.Pow(10, float64(rng.IntN(6)-2))
		lo, hi := padded(lo, lo+math.Pow(10, 10*rng.Float64()-5), 0.05)
		ticks := linearTicks(6)(lo, hi)
		checkTicks(t, lo, hi, ticks, 2, 7)
		for _, tick := range ticks {
			v, err := strconv.ParseFloat(strings.NewReplacer("−", "-", ",", "").Replace(tick.Label), 64)
			if err != nil || math.Abs(v-tick.Value) > 1e-6*(hi-lo) {
				t.Errorf("label %q at %g", tick.Label, tick.Value)
			}
		}
	}
}

func TestLogTicks(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		lo := 400 * rng.NormFloat64()
		hi := lo + math.Pow(10, 5*rng.Float64()-1)
		checkTicks(t, lo, hi, logTicks(8)(lo, hi), 1, 13)
	}
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{{-7, 0.3, "10⁻⁶"}, {0, 31, "10²⁰"}, {0, 5000, "10⁴⁰⁰⁰"}, {2, 2.9, "500"}, {9.3, 9.95, "4×10⁹"},
		{8.8, 9.1, "1.0×10⁹"}, {-1.2, -0.9, "0.10"}, {-7, 0.3, "1"}, {4.1, 5.8, "10⁵"}, {4.1, 5.8, "2×10⁴"},
		{1.9, 3.9, "1000"}} {
		found := false
		for _, tick := range logTicks(8)(c.lo, c.hi) {
			found = found || tick.Label == c.want
		}
		if !found {
			t.Errorf("no label %q on the axis from 10^%g to 10^%g", c.want, c.lo, c.hi)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		v, step float64
		want    string
	}{{0, 0.2, "0.0"}, {10000, 10000, "10,000"}, {9999, 1, "9999"}, {-1234567, 1, "−1,234,567"}, {0.30000000000000004,
		0.1, "0.3"}, {719.18, 0.02, "719.18"}, {-1e-17, 0.1, "0.0"}} {
		if got := decimal(c.v, c.step); got != c.want {
			t.Errorf("decimal(%g, %g) = %q, want %q", c.v, c.step, got, c.want)
		}
	}
}
