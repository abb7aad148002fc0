// Package bootstrap makes confidence intervals by resampling (Efron 1979).
package bootstrap

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Interval is a 95 % confidence interval by the percentile method: the 2.5th and the 97.5th percentile of a statistic
// over resamples. Where the statistic is biased, as the ECE is, the resamples have that bias once more.
type Interval struct{ Low, High float64 }

// Intervals returns the interval of each statistic that of returns for a resample, over this many resamples. The same
// seed makes the same intervals. It returns an error for fewer than 2 resamples or more than a million.
func Intervals(resamples int, seed uint64, of func(*rand.Rand) []float64) ([]Interval, error) {
	if resamples < 2 || resamples > 1e6 {
		return nil, fmt.Errorf("%d bootstrap resamples: want 2 to 1,000,000", resamples)
	}
	random := rand.New(rand.NewPCG(seed, 0xb007))
	var columns [][]float64
	for range resamples {
		for k, v := range of(random) {
			if k == len(columns) {
				columns = append(columns, nil)
			}
			columns[k] = append(columns[k], v)
		}
	}
	out := make([]Interval, len(columns))
	for k, values := range columns {
		out[k] = Interval{math.NaN(), math.NaN()}
		if !slices.ContainsFunc(values, math.IsNaN) {
			slices.Sort(values)
			out[k] = Interval{stat.Quantile(0.025, stat.Empirical, values, nil),
				stat.Quantile(0.975, stat.Empirical, values, nil)}
		}
	}
	return out, nil
}

// Counts draws n of n samples with replacement, and returns how often each is drawn.
func Counts(random *rand.Rand, n int) []int {
	counts := make([]int, n)
	for range n {
		counts[random.IntN(n)]++
	}
	return counts
}
