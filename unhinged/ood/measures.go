package ood

import (
	"math/rand/v2"

	"github.com/unhinged-lab/lab/internal/bootstrap"
)

// Measures are the metrics of the paper's tables 3 and 6, from 0 to 1, and the same metrics with the other class
// positive.
type Measures struct {
	AUROC                             float64
	AUPRIn, AUPROut                   float64 // average precision, in-distribution or out-of-distribution positive
	AUPRInTrapezoid                   float64
	FPR95InPositive, FPR95OutPositive float64
}

// Measures returns all measures of the comparison.
func (c *Comparison) Measures() Measures {
	m := Measures{AUROC: c.AUROC()}
	m.AUPRIn, m.AUPRInTrapezoid = c.AUPR(In)
	m.AUPROut, _ = c.AUPR(Out)
	m.FPR95InPositive, m.FPR95OutPositive = c.fpr(0.95, In), c.fpr(0.95, Out)
	return m
}

// Intervals are bootstrap intervals of Measures.
type Intervals struct {
	AUROC, AUPRIn, AUPROut, FPR95InPositive, FPR95OutPositive bootstrap.Interval
}

// Intervals returns bootstrap intervals of 95 % over this many resamples, which draw samples in and out of distribution
// separately, with replacement. The same seed makes the same intervals.
func (c *Comparison) Intervals(resamples int, seed uint64) (Intervals, error) {
	drawn := &Comparison{make([]float64, 0, len(c.in)), make([]float64, 0, len(c.out))}
	found, err := bootstrap.Intervals(resamples, seed, func(r *rand.Rand) []float64 {
		drawn.in, drawn.out = draw(r, c.in, drawn.in[:0]), draw(r, c.out, drawn.out[:0])
		m := drawn.Measures()
		return []float64{m.AUROC, m.AUPRIn, m.AUPROut, m.FPR95InPositive, m.FPR95OutPositive}
	})
	if err != nil {
		return Intervals{}, err
	}
	return Intervals{found[0], found[1], found[2], found[3], found[4]}, nil
}

// draw appends len(scores) scores that are drawn with replacement, in ascending order.
func draw(r *rand.Rand, ascending, to []float64) []float64 {
	for i, count := range bootstrap.Counts(r, len(ascending)) {
		for range count {
			to = append(to, ascending[i])
		}
	}
	return to
}

// ROC returns the points of the ROC curve with in-distribution positive, from (0, 0) to (1, 1): one for each threshold,
// in descending order. Samples of equal score are one threshold. AUROC is the area below it by trapezoids.
func (c *Comparison) ROC() (fpr, tpr []float64) {
	i, j := len(c.in), len(c.out) // in[i:] and out[j:] are above the threshold
	fpr, tpr = []float64{0}, []float64{0}
	for i > 0 || j > 0 {
		threshold := 0.0
		switch {
		case i == 0:
			threshold = c.out[j-1]
		case j == 0:
			threshold = c.in[i-1]
		default:
			threshold = max(c.in[i-1], c.out[j-1])
		}
		for i > 0 && c.in[i-1] >= threshold {
			i--
		}
		for j > 0 && c.out[j-1] >= threshold {
			j--
		}
		fpr = append(fpr, float64(len(c.out)-j)/float64(len(c.out)))
		tpr = append(tpr, float64(len(c.in)-i)/float64(len(c.in)))
	}
	return fpr, tpr
}
