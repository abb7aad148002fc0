package ood

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/integrate"

	"github.com/unhinged-lab/lab/plots"
)

// tied returns scores of which many are equal.
func tied(random *rand.Rand, n int, shift float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Round(4*(random.NormFloat64()+shift)) / 4
	}
	return out
}

// TestROC compares each point with counts at a threshold, and the area below the curve with AUROC, with and without
// ties.
func TestROC(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	for range 30 {
		in, out := tied(random, 1+random.IntN(50), 0.7), tied(random, 1+random.IntN(50), 0)
		c, err := Compare(in, out)
		if err != nil {
			t.Fatal(err)
		}
		fpr, tpr := c.ROC()
		if area := integrate.Trapezoidal(fpr, tpr); math.Abs(area-c.AUROC()) > 1e-12 {
			t.Errorf("the area is %v, AUROC %v", area, c.AUROC())
		}
		last := len(fpr) - 1
		if fpr[0] != 0 || tpr[0] != 0 || fpr[last] != 1 || tpr[last] != 1 {
			t.Errorf("from (%v, %v) to (%v, %v)", fpr[0], tpr[0], fpr[last], tpr[last])
		}
		for _, threshold := range append(in, out...) {
			share := func(scores []float64) float64 {
				return float64(floats.Count(func(s float64) bool { return s >= threshold }, scores)) /
					float64(len(scores))
			}
			x, y, found := share(out), share(in), false
			for i := range fpr {
				found = found || math.Abs(fpr[i]-x) < 1e-12 && math.Abs(tpr[i]-y) < 1e-12
			}
			if !found {
				t.Errorf("(%v, %v), of the threshold %v, is not on the curve", x, y, threshold)
			}
		}
	}
}

// TestHistogram checks that the bins are the same for both kinds of samples, and that they hold every sample once, also
// infinite and equal scores.
func TestHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for _, scores := range [][2][]float64{
		{tied(random, 100, 1), tied(random, 70, 0)}, {{2, 2}, {2}}, {{math.Inf(1), 1}, {math.Inf(-1), 0}},
		{{math.Inf(1)}, {math.Inf(-1)}},
	} {
		c, err := Compare(scores[0], scores[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, bins := range []int{1, 7, 100} {
			limits, in, out, err := c.Histogram(bins)
			if err != nil || len(limits) != bins+1 || math.Abs(floats.Sum(in)-1) > 1e-12 ||
				math.Abs(floats.Sum(out)-1) > 1e-12 {
				t.Fatalf("%d bins: %d limits, shares %v and %v, error %v", bins, len(limits), in, out, err)
			}
			for k := range bins {
				if !(limits[k] < limits[k+1]) {
					t.Errorf("bin %d is from %v to %v", k, limits[k], limits[k+1])
				}
			}
		}
		figure, err := c.Diagram("test", "score")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plots.SVG(figure); err != nil {
			t.Error(err)
		}
	}
	c, err := Compare([]float64{0, 1, 2, 4}, []float64{1})
	if err != nil {
		t.Fatal(err)
	}
	if _, in, out, err := c.Histogram(4); err != nil || !floats.EqualApprox(in, []float64{.25, .25, .25, .25}, 1e-15) ||
		!floats.Equal(out, []float64{0, 1, 0, 0}) {
		t.Errorf("%v and %v, error %v", in, out, err)
	}
	if _, _, _, err := c.Histogram(0); err == nil {
		t.Error("0 bins were accepted")
	}
}

// TestIntervals checks that at least nine of ten intervals contain the AUROC of the distribution of the scores, which
// is Φ(1/√2) for normal scores that differ by 1 in the mean, and that the same seed gives the same intervals.
func TestIntervals(t *testing.T) {
	const truth = 0.7602499389065233 // Φ(1/√2)
	random, held := rand.New(rand.NewPCG(7, 7)), 0
	for range 60 {
		in, out := make([]float64, 150), make([]float64, 100)
		for i := range in {
			in[i] = 1 + random.NormFloat64()
		}
		for i := range out {
			out[i] = random.NormFloat64()
		}
		c, err := Compare(in, out)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Intervals(400, 3)
		if err != nil {
			t.Fatal(err)
		}
		if got.AUROC.Low <= truth && truth <= got.AUROC.High {
			held++
		}
		m := c.Measures()
		if !(got.AUPRIn.Low < m.AUPRIn && m.AUPROut < got.AUPROut.High) || got.FPR95InPositive.Low > m.FPR95InPositive {
			t.Errorf("%+v, measured %+v", got, m)
		}
		if again, err := c.Intervals(400, 3); err != nil || again != got {
			t.Errorf("again %+v (%v), before %+v", again, err, got)
		}
	}
	if held < 53 || held == 60 {
		t.Errorf("%d of 60 intervals hold the true AUROC", held)
	}
}

// TestMillion checks that a million scores of each kind take only seconds.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("a million samples")
	}
	random, start := rand.New(rand.NewPCG(8, 8)), time.Now()
	c, err := Compare(tied(random, 1_000_000, 1), tied(random, 1_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if m := c.Measures(); !(m.AUROC > 0.75 && m.AUROC < 0.77) {
		t.Errorf("AUROC %v", m.AUROC)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}
