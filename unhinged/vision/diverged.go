package vision

import (
	"fmt"
	"math"
)

// Diverged is the error of a training whose norms blew up or whose numbers are no longer finite.
type Diverged struct {
	Epoch int         `json:"epoch"` // counted from 1
	Step  int64       `json:"step"`  // counted from 1
	First StepSummary `json:"first"` // of the first step; zero if that one was not finite
	Last  StepSummary `json:"last"`  // of the last step with finite numbers
}

// StepSummary has the numbers that every step of a training reports.
type StepSummary struct {
	Loss             float64 `json:"loss"`              // of the batch, the regularisation of features included
	FeatureNorm      float64 `json:"feature_norm"`      // ‖H‖_F of the batch, before any normalisation
	LargestPrototype float64 `json:"largest_prototype"` // max_c ‖w_c‖
}

// blowUp is the factor by which a norm may grow from its value at the first step: beyond it, a training is stopped.
// Trainings stay far below it if the loss has a minimum or if the prototypes are anchored. Plain UL exceeds it, with a
// loss near −1e16. If such a training were continued, batch normalisation would overflow, and the network would no
// longer change, without a NaN.
const blowUp = 1e8

func (g StepSummary) finite() bool {
	return isFinite(g.Loss) && isFinite(g.FeatureNorm) && isFinite(g.LargestPrototype)
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func (g StepSummary) blewUp(first StepSummary) bool {
	return g.FeatureNorm > blowUp*first.FeatureNorm || g.LargestPrototype > blowUp*first.LargestPrototype
}

// BlewUp reports whether norms grew by more than the factor blowUp while the numbers were still finite.
func (d *Diverged) BlewUp() bool { return d.Last.blewUp(d.First) }

func (d *Diverged) Error() string {
	if d.First == (StepSummary{}) {
		return "stopped at step 1, where the loss, the features or the prototypes are not finite: the settings, λ of " +
			"EFR and the prototypes' scale among them, are too large for the numbers they are computed in"
	}
	norms := fmt.Sprintf("‖H‖ of the batch went from %.3g to %.3g, the largest ‖w‖ from %.3g to %.3g, the loss from "+
		"%.3g to %.3g",
		d.First.FeatureNorm, d.Last.FeatureNorm, d.First.LargestPrototype, d.Last.LargestPrototype, d.First.Loss,
		d.Last.Loss)
	if d.Last.blewUp(d.First) {
		remedy := "Nothing bounds this loss: anchor the prototypes (pal), normalise the features (fnpal) or penalise " +
			"them (pal-efr)"
		if d.Last.Loss > d.First.Loss {
			remedy = "The loss grew with them: try a lower learning rate"
		}
		return fmt.Sprintf("stopped at step %d (epoch %d), where the norms blew up: %s. %s", d.Step, d.Epoch, norms,
			remedy)
	}
	return fmt.Sprintf("stopped at step %d (epoch %d), where the loss, the features or the prototypes are no longer "+
		"finite, though their norms were ordinary before: "+
		"%s. Try a lower learning rate", d.Step, d.Epoch, norms)
}
