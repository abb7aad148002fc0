package training

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// collapses are the measures of neural collapse, by name. All of them are 0 if the collapse is complete. Those of NC4
// are in percent.
var collapses = []struct {
	name string
	of   func(*vision.Collapse) result.Number
}{
	{"nc1_quotient", func(c *vision.Collapse) result.Number { return c.Quotient }},
	{"nc1_cdnv", func(c *vision.Collapse) result.Number { return c.CDNV }},
	{"nc2_norms", func(c *vision.Collapse) result.Number { return c.Means.NormSpread }},
	{"nc2_angles", func(c *vision.Collapse) result.Number { return c.Means.AngleSpread }},
	{"nc2_etf", func(c *vision.Collapse) result.Number { return c.Means.ETFDistance }},
	{"nc2_prototypes_norms", func(c *vision.Collapse) result.Number { return c.Prototypes.NormSpread }},
	{"nc2_prototypes_angles", func(c *vision.Collapse) result.Number { return c.Prototypes.AngleSpread }},
	{"nc2_prototypes_etf", func(c *vision.Collapse) result.Number { return c.Prototypes.ETFDistance }},
	{"nc3", func(c *vision.Collapse) result.Number { return c.Duality }},
	{"nc4_train", func(c *vision.Collapse) result.Number { return 100 * (1 - c.TrainAgreement) }},
	{"nc4_test", func(c *vision.Collapse) result.Number { return 100 * (1 - c.TestAgreement) }},
	{"distance_wm", func(c *vision.Collapse) result.Number { return c.DistanceWM }},
	{"distance_prototypes", func(c *vision.Collapse) result.Number { return c.DistancePrototypes }},
}

// collapseCurve returns the means and standard deviations of all measures over the runs, by epoch.
func collapseCurve(v variant) (result.Curve, error) {
	curve, err := mean(v.name(), v.runs)
	if err != nil {
		return curve, err
	}
	for _, q := range collapses {
		for i := range v.runs[0].Records {
			values := make([]float64, len(v.runs))
			for k, run := range v.runs {
				values[k] = math.NaN()
				if c := run.Records[i].Collapse; c != nil {
					values[k] = float64(q.of(c))
				}
			}
			m, sd := stat.MeanStdDev(values, nil)
			curve.Series[q.name] = append(curve.Series[q.name], m)
			if len(v.runs) > 1 {
				curve.Series[q.name+"_sd"] = append(curve.Series[q.name+"_sd"], sd)
			}
		}
	}
	return curve, nil
}

// NeuralCollapse draws NC1 to NC4 and the distances to the limits of Theorems 6 and 7 by epoch. Each method with a λ of
// EFR has a curve, which is the mean over its seeds with a band of one standard deviation. The curve of plain UL ends
// with the shortest of its runs. Runs of old versions have only the trace of NC1. All outcomes must be of one setup.
func NeuralCollapse(outcomes []vision.Outcome) (result.Figure, error) {
	fig := result.Figure{ID: "neural-collapse", Title: "Neural collapse: all measures are 0 where it is complete",
		Panels: []result.Panel{
			{Title: "NC1: within-class variability", Y: "within_class", YLabel: "tr(Σ_W Σ_B†)/C", Log: true},
			{Title: "NC1: ratio of the traces", Y: "nc1_quotient", YLabel: "tr Σ_W / tr Σ_B", Log: true},
			{Title: "NC1: class-distance normalised", Y: "nc1_cdnv", YLabel: "CDNV", Log: true},
			{Title: "NC2: norms of the class means", Y: "nc2_norms", YLabel: "deviation / mean"},
			{Title: "NC2: angles of the class means", Y: "nc2_angles", YLabel: "deviation of cosines"},
			{Title: "NC2: class means to an ETF", Y: "nc2_etf", YLabel: "distance"},
			{Title: "NC2: norms of the prototypes", Y: "nc2_prototypes_norms", YLabel: "deviation / mean"},
			{Title: "NC2: angles of the prototypes", Y: "nc2_prototypes_angles", YLabel: "deviation of cosines"},
			{Title: "NC2: prototypes to an ETF", Y: "nc2_prototypes_etf", YLabel: "distance"},
			{Title: "NC3: prototypes to class means", Y: "nc3", YLabel: "‖W/‖W‖ − M/‖M‖‖"},
			{Title: "NC4: not as the nearest mean, train", Y: "nc4_train", YLabel: "%"},
			{Title: "NC4: not as the nearest mean, test", Y: "nc4_test", YLabel: "%"},
			{Title: "Theorem 6: features to WM", Y: "distance_wm", YLabel: "‖Ĥ − V̂‖, V = WM"},
			{Title: "Theorem 7: features to prototypes", Y: "distance_prototypes", YLabel: "√(Σ‖ĥ − ŵ‖²/n)"},
		}}
	list, err := oneSetup(outcomes)
	if err != nil {
		return fig, err
	}
	claims := judge(collapseQuestions(list))
	if runs := commonRecords(plain(outcomes)); len(runs) > 0 {
		list = append(list, variant{method: mustMethod("ul"), runs: runs})
	}
	for _, v := range list {
		curve, err := collapseCurve(v)
		if err != nil {
			return fig, err
		}
		fig.Curves = append(fig.Curves, curve)
	}
	fig.Claims = claims
	err = finish(&fig, outcomes)
	for i := range fig.Panels {
		fig.Panels[i].X, fig.Panels[i].XLabel = "epoch", "Epoch"
		fig.Panels[i].Title = fmt.Sprintf("(%c) %s", 'a'+i, fig.Panels[i].Title)
		for _, c := range fig.Curves {
			if slices.ContainsFunc(c.Series[fig.Panels[i].Y], isFinite) {
				fig.Panels[i].Curves = append(fig.Panels[i].Curves, c.Name)
			}
		}
	}
	return fig, err
}

// commonRecords cuts all runs to the number of records of the shortest one.
func commonRecords(runs []vision.Outcome) []vision.Outcome {
	runs = slices.Clone(runs)
	for i := range runs {
		for _, other := range runs {
			runs[i].Records = runs[i].Records[:min(len(runs[i].Records), len(other.Records))]
		}
	}
	return runs
}

// mustMethod returns the method of this name, which must exist.
func mustMethod(name string) vision.Method {
	m, err := vision.MethodNamed(name)
	if err != nil {
		panic(err)
	}
	return m
}

// collapseQuestions returns the questions that theory answers for anchored prototypes, if the records have the
// measures. The distance to a theorem's limit includes NC1 to NC3. Separate tests of these would all be undecided with
// a few seeds.
func collapseQuestions(list []variant) []question {
	var asked []question
	ask := func(s result.Sentence, t ttest, names ...any) {
		if !math.IsNaN(t.difference) { // there are runs, and they have measured it
			asked = append(asked, question{s, fmt.Sprintf(s.Text, names...), t, 0, ""})
		}
	}
	of := func(o vision.Outcome, record int, number func(*vision.Collapse) result.Number) float64 {
		if c := o.Records[record].Collapse; c != nil {
			return float64(number(c))
		}
		return math.NaN()
	}
	falls := func(s result.Sentence, v variant, number func(*vision.Collapse) result.Number) {
		ask(s, student(v.of(func(o vision.Outcome) float64 {
			return of(o, 0, number) - of(o, len(o.Records)-1, number)
		})), v.name())
	}
	etf := func(o vision.Outcome) float64 {
		return of(o, len(o.Records)-1, func(c *vision.Collapse) result.Number { return c.Means.ETFDistance })
	}
	ce := find(list, "ce", 0)
	for _, v := range list {
		switch v.family() {
		case "pal":
			falls(nearerToWM, v, func(c *vision.Collapse) result.Number { return c.DistanceWM })
		case "fnpal", "fnpal-rlr":
			falls(nearerToPrototypes, v, func(c *vision.Collapse) result.Number { return c.DistancePrototypes })
		default:
			continue
		}
		if v.efr == 0 {
			ask(nearerToETF, welch(ce.of(etf), v.of(etf)), ce.name(), v.name())
		}
	}
	return asked
}
