package ood

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// scores returns random scores. If there are few values, many scores are equal.
func scores(r *rand.Rand, n, values int, shift float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Floor(float64(values)*(r.Float64()+shift)) / float64(values)
	}
	return out
}

// TestAgainstDefinitions compares with sums over all pairs and all thresholds, with ties, and compares the AUROC with
// gonum's ROC curve.
func TestAgainstDefinitions(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		in, out := scores(r, 1+r.IntN(80), 1+r.IntN(40), 0.2), scores(r, 1+r.IntN(80), 1+r.IntN(40), 0)
		c, err := Compare(in, out)
		if err != nil {
			t.Fatal(err)
		}
		pairs := 0.0
		for _, a := range in {
			for _, b := range out {
				if a > b {
					pairs++
				} else if a == b {
					pairs += 0.5
				}
			}
		}
		if want := pairs / float64(len(in)*len(out)); math.Abs(c.AUROC()-want) > 1e-13 {
			t.Errorf("AUROC %v, over all pairs %v", c.AUROC(), want)
		}
		all := slices.Concat(in, out)
		labels := append(slices.Repeat([]bool{true}, len(in)), make([]bool, len(out))...)
		stat.SortWeightedLabeled(all, labels, nil)
		tpr, fpr, _ := stat.ROC(nil, all, labels, nil)
		if want := integrate.Trapezoidal(fpr, tpr); len(fpr) > 1 && math.Abs(c.AUROC()-want) > 1e-13 {
			t.Errorf("AUROC %v, gonum's %v", c.AUROC(), want)
		}
		for _, positive := range []Class{In, Out} {
			yes, no := in, out
			if positive == Out {
				yes, no = flipped(out), flipped(in)
			}
			checkCurves(t, c, positive, yes, no)
		}
	}
}

func flipped(scores []float64) []float64 {
	out := slices.Clone(scores)
	for i := range out {
		out[i] = -out[i]
	}
	return out
}

// checkCurves evaluates the definitions at every threshold.
func checkCurves(t *testing.T, c *Comparison, positive Class, yes, no []float64) {
	t.Helper()
	above := func(scores []float64, threshold float64) (count float64) {
		for _, s := range scores {
			if s >= threshold {
				count++
			}
		}
		return count
	}
	thresholds := slices.Concat(yes, no)
	slices.Sort(thresholds)
	thresholds = slices.Compact(thresholds)
	slices.Reverse(thresholds)
	average, recall := 0.0, 0.0
	for _, at := range thresholds {
		hits, false_ := above(yes, at), above(no, at)
		average += (hits/float64(len(yes)) - recall) * hits / (hits + false_)
		recall = hits / float64(len(yes))
	}
	got, trapezoid := c.AUPR(positive)
	if math.Abs(got-average) > 1e-13 || trapezoid < got-1e-13 && len(thresholds) == 1 || trapezoid > 1+1e-13 {
		t.Errorf("average precision %v (trapezoid %v), over all thresholds %v", got, trapezoid, average)
	}
	for _, tpr := range []float64{0.5, 0.8, 0.95, 1} {
		want := 1.0
		for _, at := range thresholds { // thresholds fall, so that the first that reaches tpr is the largest
			if above(yes, at) >= tpr*float64(len(yes))-1e-9 {
				want = above(no, at) / float64(len(no))
				break
			}
		}
		if rate, err := c.FPR(tpr, positive); err != nil || rate != want {
			t.Errorf("FPR %v at TPR %v, error %v; over all thresholds %v (%d and %d scores)", rate, tpr, err, want,
				len(yes), len(no))
		}
	}
}

// TestExtremes checks that separated scores give 1, 1 and 0, that equal scores give 1/2, the base rate and 1, and that
// exchanging the two sides together with the sign has no effect.
func TestExtremes(t *testing.T) {
	separated, err := Compare([]float64{3, 2}, []float64{1, 0, -1})
	if err != nil {
		t.Fatal(err)
	}
	equal, err := Compare([]float64{1, 1}, []float64{1, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, positive := range []Class{In, Out} {
		average, trapezoid := separated.AUPR(positive)
		rate, err := separated.FPR(0.95, positive)
		if separated.AUROC() != 1 || average != 1 || trapezoid != 1 || rate != 0 || err != nil {
			t.Errorf("separated: %v, %v, %v, %v, %v", separated.AUROC(), average, trapezoid, rate, err)
		}
		base := 0.4
		if positive == Out {
			base = 0.6
		}
		average, _ = equal.AUPR(positive)
		rate, err = equal.FPR(0.95, positive)
		if equal.AUROC() != 0.5 || average != base || equal.BaseRate() != 0.4 || rate != 1 || err != nil {
			t.Errorf("equal: %v, %v, %v, %v, %v", equal.AUROC(), average, equal.BaseRate(), rate, err)
		}
	}
}

// TestScores compares each score with a row that is computed by hand, and checks a row whose exponentials overflow.
func TestScores(t *testing.T) {
	z := mat.NewDense(2, 2, []float64{3, 4, 2000, 1000})
	total := math.Log(math.Exp(3) + math.Exp(4))
	for name, c := range map[string]struct{ got, want []float64 }{
		"MSP":        {MSP(z), []float64{math.Exp(4 - total), 1}},
		"energy":     {Energy(z, 1), []float64{total, 2000}},
		"energy(10)": {Energy(z, 10), []float64{10 * math.Log(math.Exp(.3)+math.Exp(.4)), 2000}},
		"max logit":  {MaxLogit(z), []float64{4, 2000}},
		"norm":       {Norm(z), []float64{5, 1000 * math.Sqrt(5)}},
	} {
		for i, v := range c.got {
			if math.Abs(v-c.want[i]) > 1e-14*c.want[i] {
				t.Errorf("%s: %v, want %v", name, c.got, c.want)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	for want, lists := range map[string][2][]float64{
		"no in-distribution scores":         {nil, {1}},
		"no out-of-distribution scores":     {{1}, nil},
		"in-distribution score 1 is NaN":    {{1, math.NaN()}, {1}},
		"out-of-distribution score 0 is Na": {{1}, {math.NaN()}},
	} {
		if _, err := Compare(lists[0], lists[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want one that says %q", err, want)
		}
	}
	c, err := Compare([]float64{1}, []float64{0})
	if err != nil {
		t.Fatal(err)
	}
	for _, tpr := range []float64{0, -1, 1.1, math.NaN()} {
		if _, err := c.FPR(tpr, In); err == nil {
			t.Errorf("a true positive rate of %v was accepted", tpr)
		}
	}
}

func Example() {
	c, err := Compare([]float64{0.9, 0.8, 0.7, 0.3}, []float64{0.6, 0.4, 0.2})
	if err != nil {
		panic(err)
	}
	average, _ := c.AUPR(In)
	fpr, err := c.FPR(0.95, In)
	fmt.Printf("AUROC %.4f, AUPR (in) %.4f, FPR95 (in) %.4f, base rate %.4f, error %v\n", c.AUROC(), average, fpr,
		c.BaseRate(), err)
	// Output: AUROC 0.8333, AUPR (in) 0.9167, FPR95 (in) 0.6667, base rate 0.5714, error <nil>
}
