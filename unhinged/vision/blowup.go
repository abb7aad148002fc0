package vision

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// BlowUp draws the outcomes of plain UL as figure 19 does, a curve a seed, against the epoch.
func BlowUp(outcomes []Outcome) (result.Figure, error) {
	fig := result.Figure{ID: "blow-up", Title: "Plain UL: what figure 19 shows", Panels: []result.Panel{
		{Title: "(a) −Train loss", Y: "minus_loss", YLabel: "−loss", Log: true},
		{Title: "(b) ‖H‖² of one batch", Y: "feature_norm2", YLabel: "‖H‖²", Log: true},
		{Title: "(c) max‖w‖ / min‖w‖", Y: "prototype_ratio", YLabel: "ratio"},
		{Title: "(d) max‖w‖", Y: "prototype_max", YLabel: "max‖w‖", Log: true},
		{Title: "(e) Smallest angle", Y: "prototype_angle", YLabel: "degrees"},
	}}
	for i := range fig.Panels {
		fig.Panels[i].X, fig.Panels[i].XLabel = "epoch", "Epoch"
	}
	for _, o := range outcomes {
		if o.Settings.Method == "ul" && len(o.Records) > 0 {
			curve, err := mean(fmt.Sprintf("seed %d", o.Settings.Seed), []Outcome{o})
			if err != nil {
				return fig, err
			}
			fig.Curves = append(fig.Curves, curve)
		}
	}
	err := finish(&fig, outcomes)
	return fig, err
}

// blowUpClaims judges what the paper says of figure 19.
func blowUpClaims(outcomes []Outcome) []result.Claim {
	runs, blown, angle := 0, 0, 0.0
	for _, o := range outcomes {
		if o.Settings.Method != "ul" || len(o.Records) == 0 {
			continue
		}
		runs++
		if o.Diverged != nil && o.Diverged.Last.blewUp(o.Diverged.First) {
			blown++
		}
		angle += float64(o.Records[len(o.Records)-1].PrototypeAngle)
	}
	if runs == 0 {
		return nil
	}
	angle /= float64(runs)
	return []result.Claim{
		verdict("Without anchored prototypes neither weight decay nor batch normalisation limits the norms (figure 19): seeds of plain UL that blow up",
			float64(blown), float64(runs), 0, blown == runs),
		verdict("and the smallest angle between prototypes becomes very small (figure 19e): degrees at the last record, under a tenth of an ETF's of 10 classes",
			angle, 0, etfAngle/10, angle < etfAngle/10),
	}
}

// etfAngle is the angle between the prototypes of a simplex ETF of 10 classes, arccos(−1/9), in degrees.
var etfAngle = math.Acos(-1./9) * 180 / math.Pi
