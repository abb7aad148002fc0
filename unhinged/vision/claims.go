package vision

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/result"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// comparable is the largest loss of accuracy, in points, against CE that the paper calls "comparable or even better":
// 76.44 for CE and 74.43 for PAL on CIFAR-100, the last epochs of figure 2(b).
const comparable = 2.01

// Claims judges what the paper says of figures 2, 3 and 19 by the outcomes of a smaller network on another data set: a
// verdict is on that network and not on the paper's. A claim on two methods holds only if it does in the whole 95 %
// confidence interval of their difference over the seeds, by Welch's t-test; methods with fewer than two seeds are not
// compared.
func Claims(outcomes []Outcome) []result.Claim {
	last := func(r []Record) float64 { return 100 * r[len(r)-1].ValidationAccuracy }
	first := func(r []Record) float64 { return 100 * r[0].ValidationAccuracy }
	norm := func(r []Record) float64 { return math.Log10(r[len(r)-1].FeatureNorm2) }

	var claims []result.Claim
	judge := func(claim, a, b string, of func([]Record) float64, tolerance float64, holds func(difference, interval float64) bool) {
		difference, interval, ok := welch(lastOf(outcomes, a, of), lastOf(outcomes, b, of))
		if !ok {
			return
		}
		if tolerance == 0 {
			tolerance = interval
		}
		claim = fmt.Sprintf("%s (95 %% confidence interval ±%.2g)", claim, interval)
		claims = append(claims, verdict(claim, difference, 0, tolerance, holds(difference, interval)))
	}
	for _, m := range []struct{ name, title string }{{"pal", "PAL"}, {"pal-efr", "PAL + EFR"}, {"fnpal", "FNPAL"}, {"fnpal-rlr", "FNPAL + RLR"}} {
		judge(fmt.Sprintf("UL with %s is comparable to CE or better (section 4.1): last validation accuracy, %s − CE, in points, is with all of its interval at most %g below", m.title, m.title, comparable),
			m.name, "ce", last, comparable, func(d, interval float64) bool { return d-interval >= -comparable })
	}
	judge("EFR limits the growth of feature norms (figure 3): log10 ‖H‖² at the end, PAL + EFR − PAL, is negative",
		"pal-efr", "pal", norm, 0, func(d, interval float64) bool { return d < -interval })
	judge("RLR accelerates the convergence of FNPAL (section 4.3): validation accuracy at the first record, with − without, in points, is positive",
		"fnpal-rlr", "fnpal", first, 0, func(d, interval float64) bool { return d > interval })

	return append(claims, blowUpClaims(outcomes)...)
}

func verdict(claim string, measured, expected, tolerance float64, holds bool) result.Claim {
	c := result.Claim{Claim: claim, Measured: result.Number(measured), Expected: result.Number(expected), Tolerance: result.Number(tolerance), Verdict: result.Fails}
	if holds {
		c.Verdict = result.Holds
	}
	return c
}

// welch returns the difference of two means and the half-width of its 95 % confidence interval without the assumption
// of equal variances; false if there are fewer than two values on a side.
func welch(a, b []float64) (difference, interval float64, ok bool) {
	if len(a) < 2 || len(b) < 2 {
		return 0, 0, false
	}
	meanA, varianceA := stat.MeanVariance(a, nil)
	meanB, varianceB := stat.MeanVariance(b, nil)
	ea, eb := varianceA/float64(len(a)), varianceB/float64(len(b))
	if ea+eb == 0 {
		return meanA - meanB, 0, true
	}
	freedom := (ea + eb) * (ea + eb) / (ea*ea/float64(len(a)-1) + eb*eb/float64(len(b)-1))
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: freedom}.Quantile(0.975)
	return meanA - meanB, t * math.Sqrt(ea+eb), true
}
