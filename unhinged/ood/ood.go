// Package ood scores how much a sample looks like the training distribution, and measures how well such scores tell
// samples of the distribution from others (section 4.2, tables 3 and 6). A higher score always means in-distribution.
package ood

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// MSP returns the maximum softmax probability of each row of logits [n, C] (Hendrycks and Gimpel 2017).
func MSP(logits *mat.Dense) []float64 {
	return rows(logits, func(z []float64) float64 { return math.Exp(floats.Max(z) - floats.LogSumExp(z)) })
}

// Energy returns T·ln Σ_c exp(z_c/T) of each row z of logits [n, C], the negative energy of Liu et al. (2020). The
// paper has T = 1.
func Energy(logits *mat.Dense, temperature float64) []float64 {
	return rows(logits, func(z []float64) float64 {
		scaled := floats.ScaleTo(make([]float64, len(z)), 1/temperature, z)
		return temperature * floats.LogSumExp(scaled)
	})
}

// MaxLogit returns the largest logit of each row of logits [n, C] (Hendrycks et al. 2022).
func MaxLogit(logits *mat.Dense) []float64 { return rows(logits, floats.Max) }

// Norm returns the Euclidean norm of each row of features [n, p].
func Norm(features *mat.Dense) []float64 {
	return rows(features, func(h []float64) float64 { return floats.Norm(h, 2) })
}

func rows(m *mat.Dense, score func([]float64) float64) []float64 {
	n, _ := m.Dims()
	out := make([]float64, n)
	for i := range out {
		out[i] = score(m.RawRowView(i))
	}
	return out
}

// Comparison has the scores of samples in distribution and of samples out of distribution. "Positive" is the class that
// a measure looks for. A measure whose positive class is "out" uses every score with the opposite sign.
type Comparison struct {
	in, out []float64 // ascending
}

// Compare returns the comparison of the scores of in-distribution samples with those of others. The slices are not
// changed. An error is returned if one of them is empty or has a NaN.
func Compare(in, out []float64) (*Comparison, error) {
	for name, scores := range map[string][]float64{"in-distribution": in, "out-of-distribution": out} {
		if len(scores) == 0 {
			return nil, errors.New("ood: there are no " + name + " scores")
		}
		if i := slices.IndexFunc(scores, math.IsNaN); i >= 0 {
			return nil, fmt.Errorf("ood: %s score %d is NaN", name, i)
		}
	}
	c := &Comparison{slices.Clone(in), slices.Clone(out)}
	slices.Sort(c.in)
	slices.Sort(c.out)
	return c, nil
}

// BaseRate returns the share of in-distribution samples: the AUPR with in-distribution positive that random scores
// have.
func (c *Comparison) BaseRate() float64 {
	return float64(len(c.in)) / float64(len(c.in)+len(c.out))
}

// AUROC returns the probability that an in-distribution sample scores higher than another one, where equal scores count
// one half: the area under the ROC curve, which is the same for either positive class.
func (c *Comparison) AUROC() float64 {
	sum, below, upTo := 0.0, 0, 0
	for _, s := range c.in {
		for below < len(c.out) && c.out[below] < s {
			below++
		}
		for upTo < len(c.out) && c.out[upTo] <= s {
			upTo++
		}
		sum += float64(below) + float64(upTo-below)/2
	}
	return sum / float64(len(c.in)) / float64(len(c.out))
}

// FPR returns the share of negative samples that are called positive at the largest threshold at which at least the
// share tpr of the positive ones is; samples whose score is at least the threshold are called positive. The paper's
// FPR95 has tpr = 0.95 and in-distribution positive. An error is returned for a tpr outside of (0, 1].
func (c *Comparison) FPR(tpr float64, positive Class) (float64, error) {
	if !(tpr > 0 && tpr <= 1) {
		return 0, fmt.Errorf("ood: the true positive rate is %v: want one above 0, and at most 1", tpr)
	}
	return c.fpr(tpr, positive), nil
}

func (c *Comparison) fpr(tpr float64, positive Class) float64 {
	yes, no := c.sides(positive)
	// The smallest count whose share reaches tpr; the factor is for shares like 0.95·20, which rounds to above 19.
	count := max(int(math.Ceil(tpr*float64(len(yes))*(1-1e-12))), 1)
	threshold := yes[len(yes)-count]
	first, _ := slices.BinarySearch(no, threshold)
	return float64(len(no)-first) / float64(len(no))
}

// AUPR returns two areas under the curve of precision against recall. average is the average precision, Σ_k (R_k −
// R_{k−1}) P_k over the thresholds in descending order, as scikit-learn's average_precision_score has it; trapezoid
// joins the points by straight lines, from recall 0 at precision 1, which is too optimistic (Davis and Goadrich 2006).
// Samples of equal score are one threshold.
func (c *Comparison) AUPR(positive Class) (average, trapezoid float64) {
	yes, no := c.sides(positive)
	i, j := len(yes), len(no) // yes[i:] and no[j:] are above the threshold
	recall, precision := 0.0, 1.0
	for i > 0 {
		threshold := yes[i-1]
		if j > 0 && no[j-1] > threshold {
			threshold = no[j-1]
		}
		for i > 0 && yes[i-1] >= threshold {
			i--
		}
		for j > 0 && no[j-1] >= threshold {
			j--
		}
		found, called := float64(len(yes)-i), float64(len(yes)-i+len(no)-j)
		r, p := found/float64(len(yes)), found/called
		average += (r - recall) * p
		trapezoid += (r - recall) * (p + precision) / 2
		recall, precision = r, p
	}
	return average, trapezoid
}

// Class is the class that a measure counts as positive.
type Class int

const (
	In  Class = iota // in-distribution, as in the paper's tables
	Out              // out of distribution
)

// sides returns the scores of the positive and the negative samples, ascending, higher meaning positive.
func (c *Comparison) sides(positive Class) (yes, no []float64) {
	if positive == In {
		return c.in, c.out
	}
	return negated(c.out), negated(c.in)
}

func negated(ascending []float64) []float64 {
	out := make([]float64, len(ascending))
	for i, s := range ascending {
		out[len(out)-1-i] = -s
	}
	return out
}
