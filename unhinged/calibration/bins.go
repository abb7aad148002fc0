// Package calibration measures how well a classifier's confidence agrees with its accuracy: the expected calibration
// error and its relatives, the negative log-likelihood, the Brier score, and temperature scaling (section 4.2, figures
// 10 and 11).
//
// A confidence is the largest probability of a sample's softmax, from 1/C to 1.
package calibration

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Binning says how confidences are put into bins.
type Binning struct {
	Bins      int  // 0 stands for 15, the paper's number
	EqualMass bool // bins of equal numbers of samples, in place of equal width
}

// Bin is one bin of a reliability diagram: the samples whose confidence is in (Low, High]. The first bin contains 0,
// too.
type Bin struct {
	Low, High  float64
	Count      int
	Accuracy   float64 // share of the samples that are classified correctly; NaN if the bin is empty
	Confidence float64 // their mean confidence; NaN if the bin is empty
}

// Gap is |Accuracy − Confidence|, and 0 for an empty bin.
func (b Bin) Gap() float64 {
	if b.Count == 0 {
		return 0
	}
	return math.Abs(b.Accuracy - b.Confidence)
}

// Of returns the bins of samples with these confidences; correct says which samples are classified correctly. The bins
// of equal width are (k/Bins, (k+1)/Bins]; those of equal mass hold ⌊n/Bins⌋ or one more of the n samples in the order
// of their confidences, and begin where the bin before them ends. Equal confidences may then fall into two bins, in the
// order of the samples. An error is returned for confidences outside of [0, 1], for slices of different lengths, for no
// samples, and for fewer samples than bins of equal mass.
func (b Binning) Of(confidence []float64, correct []bool) ([]Bin, error) {
	count, n := b.Bins, len(confidence)
	if count == 0 {
		count = 15
	}
	switch {
	case n != len(correct):
		return nil, fmt.Errorf("calibration: %d confidences and %d decisions: want as many", n, len(correct))
	case n == 0:
		return nil, errors.New("calibration: there are no samples")
	case count < 1 || count > 1e6:
		return nil, fmt.Errorf("calibration: %d bins: want 1 to 1,000,000", count)
	case b.EqualMass && n < count:
		return nil, fmt.Errorf("calibration: %d samples cannot fill %d bins of equal mass", n, count)
	}
	for i, p := range confidence {
		if !(p >= 0 && p <= 1) {
			return nil, fmt.Errorf("calibration: the confidence of sample %d is %v: want 0 to 1", i, p)
		}
	}
	bins := make([]Bin, count)
	for k := range bins {
		bins[k].Low, bins[k].High = float64(k)/float64(count), float64(k+1)/float64(count)
	}
	add := func(k, i int) {
		bins[k].Count++
		bins[k].Confidence += confidence[i]
		if correct[i] {
			bins[k].Accuracy++
		}
	}
	if b.EqualMass {
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(confidence[i], confidence[j]) })
		for k := range bins {
			from, to := k*n/count, (k+1)*n/count
			for _, i := range order[from:to] {
				add(k, i)
			}
			bins[k].High = confidence[order[to-1]]
			if k > 0 {
				bins[k].Low = bins[k-1].High
			}
		}
	} else {
		for i, p := range confidence {
			add(place(p, count), i)
		}
	}
	for k := range bins {
		bins[k].Accuracy /= float64(bins[k].Count) // NaN if the bin is empty
		bins[k].Confidence /= float64(bins[k].Count)
	}
	return bins, nil
}

// place returns the k with k/count < p ≤ (k+1)/count, and 0 for p = 0. The limits are compared as the floating-point
// numbers that Bin has, so that a confidence that equals a limit is in the bin that the limit closes.
func place(p float64, count int) int {
	k := min(max(int(math.Ceil(p*float64(count)))-1, 0), count-1)
	for k > 0 && p <= float64(k)/float64(count) {
		k--
	}
	for k < count-1 && p > float64(k+1)/float64(count) {
		k++
	}
	return k
}

// ECE returns the expected calibration error Σ_b |S_b|/n · |accuracy − confidence| of bins (Naeini et al. 2015, Guo et
// al. 2017). With bins of equal mass it is the adaptive calibration error.
func ECE(bins []Bin) float64 {
	return mean(bins, Bin.Gap)
}

// MCE returns the maximum calibration error: the largest gap of a bin that is not empty.
func MCE(bins []Bin) float64 {
	largest := 0.0
	for _, b := range bins {
		largest = max(largest, b.Gap())
	}
	return largest
}

// RMSCE returns the root mean square calibration error, √(Σ_b |S_b|/n · (accuracy − confidence)²).
func RMSCE(bins []Bin) float64 {
	return math.Sqrt(mean(bins, func(b Bin) float64 { return b.Gap() * b.Gap() }))
}

// mean returns the mean of a bin's value over samples.
func mean(bins []Bin, value func(Bin) float64) float64 {
	sum, n := 0.0, 0
	for _, b := range bins {
		sum += float64(b.Count) * value(b)
		n += b.Count
	}
	return sum / float64(n)
}
