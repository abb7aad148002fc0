package ood

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// Histogram puts the scores of both kinds into this many bins of equal width, the same for both, from the smallest to
// the largest finite score; infinite ones are in the bins at the ends. It returns the limits of the bins, one more than
// bins, and the shares of the samples that are in them.
func (c *Comparison) Histogram(bins int) (limits, in, out []float64, err error) {
	if bins < 1 || bins > 1e6 {
		return nil, nil, nil, fmt.Errorf("ood: %d bins of a histogram: want 1 to 1,000,000", bins)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, scores := range [][]float64{c.in, c.out} {
		for _, s := range scores {
			if !math.IsInf(s, 0) {
				low, high = min(low, s), max(high, s)
			}
		}
	}
	if !(low < high) { // one value, or none that is finite
		if low > high {
			low, high = 0, 0
		}
		low, high = low-0.5, high+0.5
	}
	limits = make([]float64, bins+1)
	for k := range limits {
		share := float64(k) / float64(bins)
		limits[k] = low*(1-share) + high*share
	}
	count := func(scores []float64) []float64 {
		shares := make([]float64, bins)
		for _, s := range scores {
			place := min(max((s-low)/(high-low), 0), 1)
			shares[min(int(place*float64(bins)), bins-1)] += 1 / float64(len(scores))
		}
		return shares
	}
	return limits, count(c.in), count(c.out), nil
}

// Diagram draws the histograms of the scores in and out of distribution, in two colours with shared bins, and the ROC
// curve.
func (c *Comparison) Diagram(title, score string) (result.Figure, error) {
	const bins = 100 // the paper's
	limits, in, out, err := c.Histogram(bins)
	if err != nil {
		return result.Figure{}, err
	}
	var edges result.Series
	for k := range bins {
		edges = append(edges, limits[k], limits[k+1])
	}
	fpr, tpr := c.ROC()
	of := func(name string, x, y result.Series) result.Curve {
		return result.Curve{Name: name, Series: map[string]result.Series{"step": x, "y": y}}
	}
	histogram := func(name string, shares []float64) result.Curve {
		curve := of(name, edges, result.Steps(shares))
		curve.Series["y_from"] = make(result.Series, len(edges))
		return curve
	}
	curves := []result.Curve{histogram("in-distribution", in), histogram("out of distribution", out),
		of("ROC", fpr, tpr), of("chance", result.Series{0, 1}, result.Series{0, 1})}
	return result.Figure{ID: "ood", Title: title, Curves: curves, Panels: []result.Panel{
		{Title: "Histograms", Y: "y", YLabel: "share of samples", XLabel: score,
			Curves: []string{curves[0].Name, curves[1].Name}},
		{Title: fmt.Sprintf("ROC: AUROC %.2f %%", 100*c.AUROC()), Y: "y", YLabel: "true positive rate",
			XLabel: "false positive rate, in-distribution positive", Curves: []string{curves[2].Name, curves[3].Name}},
	}}, nil
}
