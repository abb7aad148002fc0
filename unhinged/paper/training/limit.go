package training

import (
	"math"

	"github.com/unhinged-lab/lab/unhinged/vision"
)

// AnchoredLimit is the limit of the features under EFR by Theorem 6, h = (1+γ)w_y/(2λB), with anchored prototypes of
// unit norm that sum to zero. It gives their ‖H‖² in a batch of B images, and the objective at the limit, mean loss +
// λ‖H‖². No features have a smaller one, so that no network can have a smaller train loss.
func AnchoredLimit(gamma, efr float64, batch int) (norm2, loss float64) {
	n := float64(batch)
	return n * math.Pow((1+gamma)/(2*efr*n), 2), -(1 + gamma) * (1 + gamma) / (4 * efr * n)
}

// Alignment is the mean of cos(h, w_y) over the images, each weighted by ‖h‖ (and all by their root mean square), that
// a batch under EFR must have to reach this objective with this ‖H‖². It is at most 1, by Cauchy and Schwarz.
func Alignment(gamma, efr float64, batch int, norm2, loss float64) float64 {
	return (efr*norm2 - loss) / ((1 + gamma) * math.Sqrt(norm2/float64(batch)))
}

// limit is AnchoredLimit at the settings of a run of PAL with EFR. γ = 1/(C−1) is minus the cosine of an ETF's angle,
// and prototypes of norm s pull s times as hard.
func limit(o vision.Outcome) (norm2, loss float64) {
	gamma, norm := -math.Cos(float64(last(o).PrototypeAngle)*math.Pi/180), last(o).PrototypeMax
	norm2, loss = AnchoredLimit(gamma, o.Settings.Head.FeatureRegularization, o.Settings.Batch)
	return norm * norm * norm2, norm * norm * loss
}

// PublishedEnd is the last value of a curve of a published figure.
type PublishedEnd struct {
	Figure           string
	Classes          int
	EFR, Norm2, Loss float64
}

// PublishedEnds returns the last values of the curves of PAL with EFR in figures 12(d,e), 13(d,e) and 14(a,b), read off
// the paths of the published PDF.
func PublishedEnds() []PublishedEnd {
	return []PublishedEnd{
		{"12", 10, 5e-6, 3.78e7, -236.4}, {"12", 10, 1e-5, 1.062e7, -119.3}, {"12", 10, 5e-5, 4.66e5, -23.76},
		{"13", 100, 5e-6, 2.97e7, -193.6}, {"13", 100, 1e-5, 8.38e6, -97.8}, {"13", 100, 5e-5, 3.81e5, -19.57},
		{"14", 100, 1e-5, 4.27e7, -593.6},
	}
}
