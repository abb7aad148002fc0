package training

import (
	"fmt"
	"math"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// BlowUp draws the outcomes of plain UL as figure 19 does, with a curve for each seed. A curve ends at the record
// before the norms blew up or before the first number that is not finite, and the legend gives the step at which this
// happened. The axis is the step, while the paper draws epochs, with norms beyond 10⁷ at the first one. All outcomes
// must be of one setup.
func BlowUp(outcomes []vision.Outcome) (result.Figure, error) {
	fig := result.Figure{ID: "fig19", Title: "Plain UL falls over (figure 19)", Claims: blowUpClaims(outcomes),
		Panels: []result.Panel{
			{Title: "(a) −Train loss", Y: "minus_loss", YLabel: "−loss", Log: true},
			{Title: "(b) One batch's ‖H‖²", Y: "feature_norm2", YLabel: "‖H‖²", Log: true},
			{Title: "(c) max‖w‖ / min‖w‖", Y: "prototype_ratio", YLabel: "ratio"},
			{Title: "(d) min‖w‖", Y: "prototype_min", YLabel: "min‖w‖", Log: true},
			{Title: "(e) Smallest angle between prototypes", Y: "prototype_angle", YLabel: "degrees"},
		}}
	for i := range fig.Panels {
		fig.Panels[i].X, fig.Panels[i].XLabel = "step", "Step"
	}
	runs := plain(outcomes)
	if _, err := oneSetup(runs); err != nil {
		return fig, err
	}
	for _, o := range runs {
		curve, err := mean(seedTitle(o), []vision.Outcome{o})
		if err != nil {
			return fig, err
		}
		for _, r := range o.Records {
			curve.Series["prototype_min"] = append(curve.Series["prototype_min"], r.PrototypeMin)
		}
		if o.Diverged != nil {
			curve.Params["stopped_at_step"] = float64(o.Diverged.Step)
		}
		fig.Curves = append(fig.Curves, curve)
	}
	err := finish(&fig, outcomes)
	return fig, err
}

// plain returns the outcomes of plain UL that have a record to draw.
func plain(outcomes []vision.Outcome) []vision.Outcome {
	return slices.DeleteFunc(slices.Clone(outcomes), func(o vision.Outcome) bool {
		return o.Settings.Method != "ul" ||
			len(o.Records) == 0
	})
}

// seedTitle names the curve of one run, and says how it ended.
func seedTitle(o vision.Outcome) string {
	title := fmt.Sprintf("seed %d", o.Settings.Seed)
	switch {
	case o.Diverged == nil:
		return title
	case o.Diverged.BlewUp():
		return fmt.Sprintf("%s, blown up at step %d", title, o.Diverged.Step)
	}
	return fmt.Sprintf("%s, not finite at step %d", title, o.Diverged.Step)
}

// Numbers of figure 19's curves, which were read from the paths of the published PDF: the smallest ratio of panel (c),
// which is the first one, and the largest angle of panel (e), in degrees.
const (
	publishedRatio = 7.11
	publishedAngle = 10.91
)

// blowUpClaims judges what the paper says of figure 19. A ratio or an angle counts as "very large" or "very small" if
// it is at least as extreme as on all curves of the figure.
func blowUpClaims(outcomes []vision.Outcome) []result.Claim {
	all, blown := 0, 0
	for _, o := range outcomes {
		if o.Settings.Method == "ul" {
			all++
			if o.Diverged != nil && o.Diverged.BlewUp() {
				blown++
			}
		}
	}
	if all == 0 {
		return nil
	}
	var ratios, angles []float64
	for _, o := range plain(outcomes) {
		ratios = append(ratios, lateRatio(o))
		angles = append(angles, publishedAngle-float64(last(o).PrototypeAngle))
	}
	claims := []result.Claim{blowsUp.Of(result.Check(blowsUp.Text, float64(blown), float64(all), 0))}
	if ratios == nil { // all blew up before their first record
		return claims
	}
	return append(claims, judge([]question{
		{largeRatio, largeRatio.Text, student(ratios), math.Log10(publishedRatio), ""},
		{smallAngle, smallAngle.Text, student(angles), 0, ""},
	})...)
}

// stableClaims judges whether runs with anchored prototypes come to their end.
func stableClaims(outcomes []vision.Outcome) []result.Claim {
	all, ended := 0, 0
	for _, v := range variants(outcomes) {
		if v.family() != "ce" && v.family() != "ul" {
			all += len(v.runs) + v.diverged
			ended += len(v.runs)
		}
	}
	if all == 0 {
		return nil
	}
	return []result.Claim{stable.Of(result.Check(stable.Text, float64(ended), float64(all), 0))}
}

// lateRatio returns the mean of log₁₀(max‖w‖/min‖w‖) over the records of the second half of a run.
func lateRatio(o vision.Outcome) float64 {
	sum, n := 0.0, 0
	for _, r := range o.Records {
		if 2*r.Step >= last(o).Step {
			sum += math.Log10(r.PrototypeMax / r.PrototypeMin)
			n++
		}
	}
	return sum / float64(n)
}
