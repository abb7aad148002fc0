package calibration

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// Diagram draws bins as the field does: the reliability diagram, bars of accuracy with the gap between accuracy and
// mean confidence over the diagonal (Niculescu-Mizil and Caruana 2005, Guo et al. 2017), and beside it the histogram of
// confidence, with no bar where a bin is empty.
func Diagram(title string, bins []Bin) result.Figure {
	total := 0
	for _, b := range bins {
		total += b.Count
	}
	var limits, accuracy, confidence, share []float64
	for _, b := range bins {
		limits = append(limits, b.Low, b.High)
		accuracy, confidence = append(accuracy, b.Accuracy), append(confidence, b.Confidence)
		share = append(share, float64(b.Count)/float64(total))
	}
	steps := func(values []float64) result.Series { return result.Steps(values) }
	curve := func(name string, y, from []float64) result.Curve {
		series := map[string]result.Series{"step": limits, "y": y}
		if from != nil {
			series["y_from"] = from
		}
		return result.Curve{Name: name, Series: series}
	}
	zero := make([]float64, len(limits))
	curves := []result.Curve{
		curve("accuracy", steps(accuracy), zero),
		curve("gap to mean confidence", steps(confidence), steps(accuracy)),
		curve("confidence = accuracy", limits, nil),
		curve("share of samples", steps(share), zero),
	}
	return result.Figure{ID: "calibration", Title: title, Curves: curves, Panels: []result.Panel{
		{Title: fmt.Sprintf("Reliability: ECE %.2f %%", 100*ECE(bins)), Y: "y", YLabel: "accuracy",
			XLabel: "confidence", Curves: []string{curves[0].Name, curves[1].Name, curves[2].Name}},
		{Title: fmt.Sprintf("Confidence: mean %.2f %%", 100*MeanConfidence(bins)), Y: "y", YLabel: "share of samples",
			XLabel: "confidence", Curves: []string{curves[3].Name}},
	}}
}

// MeanConfidence returns the mean confidence of all samples in bins. If it is above the accuracy, the difference is
// over-confidence.
func MeanConfidence(bins []Bin) float64 {
	return mean(bins, func(b Bin) float64 {
		if b.Count == 0 {
			return 0
		}
		return b.Confidence
	})
}

// EdgeGap returns the gap that the paper's figures 10 and 11 draw for a bin: from the accuracy to the bin's upper
// limit, and from 0 to it where the bin is empty (erratum E39).
func (b Bin) EdgeGap() float64 {
	if b.Count == 0 {
		return b.High
	}
	return math.Abs(b.High - b.Accuracy)
}
