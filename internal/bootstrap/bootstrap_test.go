package bootstrap

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// TestMean checks that for large n the interval of a mean is the normal one, mean ± 1.96 σ/√n, and that the seed
// determines the interval.
func TestMean(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, 2000)
	for i := range values {
		values[i] = 3 + 2*random.NormFloat64()
	}
	mean := func(r *rand.Rand) []float64 {
		sum := 0.0
		for i, count := range Counts(r, len(values)) {
			sum += float64(count) * values[i]
		}
		return []float64{sum / float64(len(values)), math.NaN()}
	}
	got, err := Intervals(4000, 7, mean)
	if err != nil {
		t.Fatal(err)
	}
	middle, half := floats.Sum(values)/2000, 1.96*2/math.Sqrt(2000)
	if math.Abs(got[0].Low-(middle-half)) > 0.1*half || math.Abs(got[0].High-(middle+half)) > 0.1*half {
		t.Errorf("%v, want %v ± %v", got[0], middle, half)
	}
	if !math.IsNaN(got[1].Low) || !math.IsNaN(got[1].High) {
		t.Errorf("a statistic that is NaN has the interval %v", got[1])
	}
	again, err := Intervals(4000, 7, mean)
	if err != nil || again[0] != got[0] {
		t.Errorf("the same seed gives %v and %v (%v)", got[0], again[0], err)
	}
	if other, err := Intervals(4000, 8, mean); err != nil || other[0] == got[0] {
		t.Errorf("another seed gives the same interval %v (%v)", other[0], err)
	}
}

func TestIntervalsRefuses(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 1_000_001} {
		if _, err := Intervals(n, 1, func(*rand.Rand) []float64 { return nil }); err == nil {
			t.Errorf("%d resamples were accepted", n)
		}
	}
}
