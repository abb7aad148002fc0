package errata

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/calibration"
	"github.com/unhinged-lab/lab/unhinged/paper/paperdata"
)

// demonstrateE39 bins a classifier that is perfectly calibrated: of 600 samples with the confidence j/600, j are
// classified correctly, for j = 201 … 600. The right reading of a reliability diagram finds no gap.
func demonstrateE39() (Demonstration, error) {
	var confidence []float64
	var correct []bool
	for j := 201; j <= 600; j++ {
		for i := range 600 {
			confidence, correct = append(confidence, float64(j)/600), append(correct, i < j)
		}
	}
	bins, err := calibration.Binning{}.Of(confidence, correct)
	if err != nil {
		return Demonstration{}, err
	}
	drawn := 0.0
	for _, b := range bins {
		drawn += float64(b.Count) / float64(len(correct)) * b.EdgeGap()
	}
	empty, all := 0, 0
	for _, panel := range paperdata.Calibration() {
		for _, accuracy := range panel.Bins {
			all++
			if math.IsNaN(accuracy) {
				empty++
			}
		}
	}
	return Demonstration{
		ID: "E39",
		Printed: fmt.Sprintf("figures 10 and 11: the gap of a bin is from its accuracy to its right edge k/15, and the "+
			"whole of k/15 in %d empty bins of %d (here: the mean gap of a perfectly calibrated classifier)", empty, all),
		Right:        "it is from its accuracy to its mean confidence, and an empty bin has none",
		PrintedError: drawn, RightError: calibration.ECE(bins), Tolerance: 1e-12,
	}, nil
}
