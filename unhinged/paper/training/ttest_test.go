package training

import (
	"math"
	"testing"
)

// The data set sleep of R has the hours of extra sleep under two drugs. The expected numbers are printed by the
// examples in R's help pages for t.test and for sleep: t.test(extra ~ group) and the paired test.
var (
	sleep1 = []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
	sleep2 = []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
)

func TestWelchAsInR(t *testing.T) {
	w := welch(sleep1, sleep2)
	for _, c := range []struct {
		name            string
		got, want, last float64 // last is one unit of the last printed digit
	}{
		{"t", w.difference / w.err, -1.8608, 1e-4},
		{"df", w.freedom, 17.776, 1e-3},
		{"p-value", w.p(0), 0.07939, 1e-5},
		{"lower end", w.difference - w.interval(), -3.3654832, 1e-7},
		{"upper end", w.difference + w.interval(), 0.2054832, 1e-7},
	} {
		if math.Abs(c.got-c.want) > 0.51*c.last {
			t.Errorf("%s = %.9g, R has %g", c.name, c.got, c.want)
		}
	}
}

func TestStudentAsInR(t *testing.T) {
	paired := make([]float64, len(sleep1))
	for i := range paired {
		paired[i] = sleep1[i] - sleep2[i]
	}
	s := student(paired)
	for _, c := range []struct {
		name            string
		got, want, last float64
	}{
		{"t", s.difference / s.err, -4.0621, 1e-4},
		{"df", s.freedom, 9, 1},
		{"p-value", s.p(0), 0.002833, 1e-6},
		{"lower end", s.difference - s.interval(), -2.4598858, 1e-7},
		{"upper end", s.difference + s.interval(), -0.7001142, 1e-7},
	} {
		if math.Abs(c.got-c.want) > 0.51*c.last {
			t.Errorf("%s = %.9g, R has %g", c.name, c.got, c.want)
		}
	}
}

func TestTooFewOrEqualValues(t *testing.T) {
	for _, single := range []ttest{student([]float64{1}), welch([]float64{1}, []float64{1, 2}),
		welch(nil, []float64{1, 2})} {
		if p := single.p(0); !math.IsNaN(p) || !math.IsNaN(single.interval()) {
			t.Errorf("p = %g and interval %g from a single value", p, single.interval())
		}
	}
	equal := welch([]float64{2, 2}, []float64{1, 1, 1})
	if equal.p(0) != 0 || equal.p(1) != 1 || equal.interval() != 0 {
		t.Errorf("without any spread: p of 0 is %g, of the difference itself %g; interval %g", equal.p(0), equal.p(1),
			equal.interval())
	}
}

// This is the example of Wikipedia's article on the Holm–Bonferroni method: for the p-values 0.01, 0.04, 0.03 and 0.005
// at α = 0.05, the fourth and the first are rejected. The adjusted p-values are by hand: the ordered ones times 4, 3, 2
// and 1, and never less than the one before.
func TestHolm(t *testing.T) {
	got := holm([]float64{0.01, 0.04, math.NaN(), 0.03, 0.005, 0.9})
	want := []float64{0.04, 0.09, math.NaN(), 0.09, 0.025, 0.9}
	for i := range want {
		if math.IsNaN(got[i]) != math.IsNaN(want[i]) || math.Abs(got[i]-want[i]) > 1e-15 {
			t.Errorf("corrected %g, should be %g", got, want)
			break
		}
	}
	got = holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, rejected := range []bool{true, false, false, true} {
		if (got[i] <= 0.05) != rejected {
			t.Errorf("corrected %g at %d", got[i], i)
		}
	}
}

// TestSeedsAsInR: R's power.t.test gives n = 16.71477 for two samples, one standard deviation apart, at power 0.8.
// power.t.test(type = "one.sample", delta = 0.5, power = 0.8) gives n = 33.36713. The answer must not depend on the
// number of seeds from which the spread was measured.
func TestSeedsAsInR(t *testing.T) {
	for _, seeds := range []float64{3, 10, 40} {
		two := ttest{1, math.Sqrt(2 / seeds), 2 * (seeds - 1), seeds}
		one := ttest{0.5, math.Sqrt(1 / seeds), seeds - 1, seeds}
		if n, m := two.needed(0, 0.05), one.needed(0, 0.05); n != 17 || m != 34 {
			t.Errorf("measured with %g seeds: %g and %g needed, R has 17 and 34", seeds, n, m)
		}
	}
	if n := (ttest{1e-9, 1, 4, 3}).needed(0, 0.05); !math.IsInf(n, 1) {
		t.Errorf("%g seeds for a difference of 1e-9", n)
	}
	if n := student([]float64{1}).needed(0, 0.05); !math.IsNaN(n) {
		t.Errorf("%g seeds from a single one", n)
	}
}
