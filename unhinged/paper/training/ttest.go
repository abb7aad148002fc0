package training

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// ttest has the numbers of a t-test on a mean, or on the difference of two means.
type ttest struct {
	difference float64
	err        float64 // its standard error; NaN if there are too few values for one
	freedom    float64
	seeds      float64 // values in each sample, for two samples their harmonic mean
}

// student returns the t-test on the mean of a sample.
func student(sample []float64) ttest {
	mean, variance := stat.MeanVariance(sample, nil) // NaN of a single value
	n := float64(len(sample))
	return ttest{mean, math.Sqrt(variance / n), n - 1, n}
}

// welch returns the t-test on the difference of the means of a and b, whose variances may differ.
func welch(a, b []float64) ttest {
	x, y := student(a), student(b)
	ex, ey := x.err*x.err, y.err*y.err
	t := ttest{x.difference - y.difference, math.Sqrt(ex + ey), (ex + ey) * (ex + ey) / (ex*ex/x.freedom +
		ey*ey/y.freedom), 2 / (1/x.seeds + 1/y.seeds)}
	if t.err == 0 {
		t.freedom = min(x.freedom, y.freedom) // the least that Welch's formula gives
	}
	return t
}

// interval returns half the width of the 95 % confidence interval of the difference.
func (t ttest) interval() float64 {
	if math.IsNaN(t.err) {
		return math.NaN()
	}
	return t.err * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: t.freedom}.Quantile(0.975)
}

// below returns the one-sided p-value of the hypothesis that the true difference is at most bound. A small p-value
// shows that the difference is above bound. It is NaN if there are too few values.
func (t ttest) below(bound float64) float64 {
	switch {
	case math.IsNaN(t.err):
		return math.NaN()
	case t.err == 0: // all values are equal
		if t.difference > bound {
			return 0
		}
		return 1
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: t.freedom}.Survival((t.difference - bound) / t.err)
}

// above returns the one-sided p-value of the hypothesis that the true difference is at least bound.
func (t ttest) above(bound float64) float64 {
	return ttest{-t.difference, t.err, t.freedom, t.seeds}.below(-bound)
}

// p returns the two-sided p-value of the hypothesis that the true difference is bound. It is NaN if there are too few
// values.
func (t ttest) p(bound float64) float64 {
	if math.IsNaN(t.err) || t.difference == bound && t.err == 0 {
		return t.err + 1 // 1, or NaN
	}
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: t.freedom}.CDF(-math.Abs(t.difference-bound)/t.err)
}

// power is the probability of a decision with the computed number of seeds.
const power = 0.8

// mostSeeds is the largest number of seeds that needed tries.
const mostSeeds = 1000

// needed returns the smallest number of seeds of each method with which a two-sided t-test at this level detects the
// difference from bound with probability power, if the true difference and spread are the measured ones. The test's
// noncentral t is approximated by a central one that is shifted by (difference − bound)/error. needed returns NaN if
// there are too few values to estimate the spread, and +Inf above mostSeeds.
func (t ttest) needed(bound, level float64) float64 {
	if math.IsNaN(t.err) {
		return math.NaN()
	}
	for n := 2.; n <= mostSeeds; n++ {
		nu := t.freedom * (n - 1) / (t.seeds - 1)
		student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: nu}
		moved := math.Abs(t.difference-bound) / (t.err * math.Sqrt(t.seeds/n))
		if student.CDF(moved-student.Quantile(1-level/2)) >= power {
			return n
		}
	}
	return math.Inf(1)
}

// holm corrects p-values for their number: rejecting where they are below α gives at least one false rejection with a
// probability of no more than α, whatever they depend on (Holm, A simple sequentially rejective multiple test
// procedure, 1979). NaN are not counted.
func holm(p []float64) []float64 {
	var order []int
	for i := range p {
		if !math.IsNaN(p[i]) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	corrected, least := slices.Clone(p), 0.0
	for k, i := range order {
		least = max(least, min(1, float64(len(order)-k)*p[i]))
		corrected[i] = least
	}
	return corrected
}
