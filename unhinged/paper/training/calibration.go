package training

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/unhinged/calibration"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/paper/paperdata"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// The names of the curves of a reliability diagram in figures 10 and 11. Each panel shows both meanings of a gap
// (erratum E39). The paper shades the gap from the accuracy to the bin's right edge, and in an empty bin from 0 to it.
// The gap of the ECE is between the accuracy and the mean confidence.
const (
	accuracyBars = "accuracy"
	edgeGap      = "gap as the paper draws it, to the bin's right edge"
	meanLine     = "mean confidence (published: the bin's middle)"
	diagonal     = "confidence = accuracy"
)

// calibrationSetting says which runs belong to a figure. Figure 10 is about long-tailed CIFAR-10, and figure 11 about
// long-tailed CIFAR-100, as its printed accuracies show. Runs on other long-tailed data sets are shown with figure 10,
// and runs on step-wise subsets with figure 11.
func calibrationSetting(number int, s vision.Settings) bool {
	ofEleven := s.Dataset == "cifar-100" || s.Imbalance.Kind == datasets.Step
	return s.Imbalance.Kind != "" && (number == 11) == ofEleven
}

// Calibration draws figure 10 or 11: accuracy and ECE by λ, the published reliability diagrams, and the reliability
// diagrams of CE in the runs with this imbalance that have outputs. A diagram has the images of all seeds of a variant
// together.
func Calibration(number int) func([]vision.Outcome) (result.Figure, error) {
	return func(outcomes []vision.Outcome) (result.Figure, error) {
		id := fmt.Sprintf("fig%d", number)
		fig := result.Figure{ID: id, Title: "Calibration", Settings: map[string]any{},
			Claims: publishedCalibrationClaims(number, paperdata.Calibration())}
		var printed []paperdata.Reliability
		for _, p := range paperdata.Calibration() {
			if p.Figure == number {
				printed = append(printed, p)
			}
		}
		runs, measures, err := withOutputs(outcomes, func(s vision.Settings) bool {
			return calibrationSetting(number, s)
		})
		if err != nil {
			return fig, err
		}
		lambdaPanels(&fig, printed, runs, measures)
		reliabilityPanels(&fig, printed, runs, measures)
		fig.Claims = append(fig.Claims, calibrationClaims(runs, measures)...)
		if len(runs) == 0 {
			fig.Settings["needs"] = needsOutputs("with such an imbalance")
			return fig, nil
		}
		return fig, origin(&fig, runs)
	}
}

// lambdaPanels draws accuracy and ECE against λ, with a curve for each imbalance, published or of our runs. For our
// runs λ is converted to the value that has the same meaning for the paper's batches.
func lambdaPanels(fig *result.Figure, printed []paperdata.Reliability, runs []vision.Outcome,
	measures map[string]*outputMeasures) {
	add := func(name string, lambda, accuracy, ece float64) *result.Curve {
		c := curveOf(fig, name)
		for key, v := range map[string]float64{"step": 1e6 * lambda, "acc": accuracy, "ece": ece} {
			c.Series[key] = append(c.Series[key], v)
		}
		return c
	}
	for _, p := range printed {
		add(fmt.Sprintf("the paper, ρ = %g", p.Ratio), p.Lambda, p.Accuracy, p.ECE)
	}
	for _, setup := range Setups(runs) {
		for _, v := range crossEntropies(setup) {
			accuracy, sdAccuracy := stat.MeanStdDev(v.of(measuredAccuracy(measures)), nil)
			ece, sd := stat.MeanStdDev(v.of(measuredECE(measures)), nil)
			c := add("ours: "+dataTitle(setup[0].Settings), v.paperLambda(), accuracy, ece)
			c.Params["seeds"] = float64(len(v.runs))
			c.Series["acc_sd"] = append(c.Series["acc_sd"], sdAccuracy)
			c.Series["ece_sd"] = append(c.Series["ece_sd"], sd)
		}
	}
	for _, y := range []struct{ key, title, label string }{{"acc", "Accuracy by λ", "accuracy, %"},
		{"ece", "ECE by λ", "ECE, %"}} {
		panel := result.Panel{Title: y.title, Y: y.key, YLabel: y.label, XLabel: "10⁶ λ of EFR, for batches of 256"}
		for _, c := range fig.Curves {
			panel.Curves = append(panel.Curves, c.Name)
		}
		fig.Panels = append(fig.Panels, panel)
	}
}

// reliabilityPanels draws the reliability diagrams.
func reliabilityPanels(fig *result.Figure, printed []paperdata.Reliability, runs []vision.Outcome,
	measures map[string]*outputMeasures) {
	diagram := map[string]result.Series{}
	curves := map[string]map[string]result.Series{accuracyBars: {}, edgeGap: {}, meanLine: {}, diagonal: {}}
	add := func(title, xlabel string, bins []calibration.Bin) {
		key := fmt.Sprintf("panel%d", len(fig.Panels))
		var limits, accuracy, empty, edge, confidence []float64
		for _, b := range bins {
			limits = append(limits, b.Low, b.High)
			accuracy, confidence = append(accuracy, b.Accuracy), append(confidence, b.Confidence)
			edge = append(edge, b.High)
			if b.Count == 0 {
				empty = append(empty, 0)
			} else {
				empty = append(empty, b.Accuracy)
			}
		}
		curves[accuracyBars][key] = result.Steps(accuracy)
		curves[accuracyBars][key+"_from"] = make(result.Series, len(limits))
		curves[edgeGap][key] = result.Steps(edge)
		curves[edgeGap][key+"_from"] = result.Steps(empty)
		curves[meanLine][key] = result.Steps(confidence)
		curves[diagonal][key] = limits
		diagram["step"] = limits
		fig.Panels = append(fig.Panels, result.Panel{Title: title, Y: key, YLabel: "accuracy", XLabel: xlabel,
			Curves: []string{accuracyBars, edgeGap, meanLine, diagonal}})
	}
	for _, p := range printed {
		var bins []calibration.Bin
		for k, accuracy := range p.Bins {
			b := calibration.Bin{Low: float64(k) / 15, High: float64(k+1) / 15, Accuracy: accuracy,
				Confidence: math.NaN()}
			if !math.IsNaN(accuracy) {
				b.Count, b.Confidence = 1, (float64(k)+0.5)/15
			}
			bins = append(bins, b)
		}
		add(fmt.Sprintf("ρ = %g, λ = %g: %.1f, ECE %.1f", p.Ratio, p.Lambda, p.Accuracy, p.ECE),
			"confidence (the paper, "+p.Dataset+")", bins)
	}
	for _, setup := range Setups(runs) {
		for _, v := range crossEntropies(setup) {
			s := setup[0].Settings
			add(fmt.Sprintf("ours, ρ = %g, λ = %g: %s, ECE %s", s.Imbalance.Ratio, v.efr,
				meanSD(v, 1, measuredAccuracy(measures)), meanSD(v, 1, measuredECE(measures))),
				fmt.Sprintf("confidence (%s, %s)", s.Dataset, s.Imbalance.Kind), pooled(v, measures))
		}
	}
	for _, name := range []string{accuracyBars, edgeGap, meanLine, diagonal} {
		curves[name]["step"] = diagram["step"]
		fig.Curves = append(fig.Curves, result.Curve{Name: name, Series: curves[name]})
	}
}

// pooled returns the bins of all runs of a variant together.
func pooled(v variant, measures map[string]*outputMeasures) []calibration.Bin {
	var out []calibration.Bin
	for _, o := range v.runs {
		for k, b := range measures[o.Folder].bins {
			if k == len(out) {
				out = append(out, calibration.Bin{Low: b.Low, High: b.High})
			}
			if b.Count > 0 {
				out[k].Count += b.Count
				out[k].Accuracy += float64(b.Count) * b.Accuracy
				out[k].Confidence += float64(b.Count) * b.Confidence
			}
		}
	}
	for k := range out {
		out[k].Accuracy /= float64(out[k].Count) // NaN if the bin is empty
		out[k].Confidence /= float64(out[k].Count)
	}
	return out
}

func measuredAccuracy(measures map[string]*outputMeasures) func(vision.Outcome) float64 {
	return func(o vision.Outcome) float64 { return measures[o.Folder].accuracy }
}

func measuredECE(measures map[string]*outputMeasures) func(vision.Outcome) float64 {
	return func(o vision.Outcome) float64 { return measures[o.Folder].ece }
}

// crossEntropies returns the variants of CE, by λ.
func crossEntropies(outcomes []vision.Outcome) []variant {
	return slices.DeleteFunc(variants(outcomes), func(v variant) bool {
		return v.family() != "ce" || len(v.runs) == 0
	})
}

// publishedCalibrationClaims judges what the paper's own figure shows.
func publishedCalibrationClaims(number int, printed []paperdata.Reliability) []result.Claim {
	plain := map[float64]paperdata.Reliability{}
	for _, p := range printed {
		if p.Figure == number && p.Lambda == 0 {
			plain[p.Ratio] = p
		}
	}
	better := map[float64]bool{}
	lower, cells := 0, 0
	for _, p := range printed {
		if p.Figure != number || p.Lambda == 0 {
			continue
		}
		cells++
		if p.ECE < plain[p.Ratio].ECE {
			lower++
			if p.Accuracy > plain[p.Ratio].Accuracy {
				better[p.Ratio] = true
			}
		}
	}
	var without []string
	for _, ratio := range slices.Sorted(maps.Keys(plain)) {
		if !better[ratio] {
			without = append(without, fmt.Sprintf("ρ = %g", ratio))
		}
	}
	text := fmt.Sprintf(paperCalibrates.Text, number, len(plain))
	note := fmt.Sprintf(" (the ECE is lower than at λ = 0 in %d of %d panels", lower, cells)
	if len(without) > 0 {
		note += "; no λ does so at " + strings.Join(without, ", ")
	}
	return []result.Claim{paperCalibrates.Of(result.Check(text+note+")", float64(len(better)), float64(len(plain)), 0))}
}

// calibrationClaims judges the statements of sections 4.2 and C.3 about calibration by runs of CE, separately in each
// setup. Runs with and without EFR are paired by their seeds.
func calibrationClaims(runs []vision.Outcome, measures map[string]*outputMeasures) []result.Claim {
	overConfidence := func(o vision.Outcome) float64 {
		m := measures[o.Folder]
		return m.confidence - m.accuracy
	}
	var claims []result.Claim
	for _, setup := range Setups(runs) {
		list := crossEntropies(setup)
		plain := find(list, "ce", 0)
		title := dataTitle(setup[0].Settings)
		var asked []question
		var suits suitability
		for _, v := range list {
			if v.efr == 0 {
				continue
			}
			claim := title + ": " + fmt.Sprintf(lessOverConfident.Text, plain.name(), v.name())
			asked = append(asked, question{lessOverConfident, claim, paired(plain, v, overConfidence), 0, ""})
			suits.try(v, paired(v, plain, measuredAccuracy(measures)), paired(plain, v, measuredECE(measures)))
		}
		claims = append(claims, judge(askable(asked))...)
		if suits.tried > 0 {
			claims = append(claims, suits.judge(title))
		}
	}
	return claims
}

// askable leaves out the questions without a single pair of runs.
func askable(asked []question) []question {
	return slices.DeleteFunc(asked, func(q question) bool { return math.IsNaN(q.difference) })
}

// suitability is the test of whether some λ improves both accuracy and ECE in a setup.
type suitability struct {
	tried int
	// For each λ there are p-values for an improvement and for a deterioration of accuracy and of ECE. holds is the
	// smallest over λ of the larger p-value of the two improvements, times the number of λ (Bonferroni). fails is the
	// largest over λ of twice the smaller p-value of the two deteriorations.
	holds, fails float64
	best         string // λ with the smallest p-value, and its differences
	gain         float64
}

// try adds a λ with the differences of accuracy and of ECE, which are positive for an improvement.
func (s *suitability) try(v variant, accuracy, ece ttest) {
	if math.IsNaN(accuracy.difference) {
		return
	}
	holds := 2 * max(accuracy.below(0), ece.below(0)) // two-sided, as the other tests are
	fails := min(1, 4*min(accuracy.above(0), ece.above(0)))
	if s.tried == 0 || holds < s.holds || math.IsNaN(s.holds) {
		s.holds, s.gain = holds, min(accuracy.difference, ece.difference)
		s.best = fmt.Sprintf("%s: accuracy %s, ECE %s points", v.name(), signed(accuracy.difference),
			signed(-ece.difference))
	}
	s.fails = max(s.fails, fails)
	s.tried++
}

// judge returns the verdict.
func (s suitability) judge(title string) result.Claim {
	holds := min(1, float64(s.tried)*s.holds)
	c := result.Claim{Measured: result.Number(s.gain), Tolerance: result.Number(math.NaN()), Verdict: result.Undecided}
	note := fmt.Sprintf("p = %.2g that none does, %.2g that one does", holds, s.fails)
	switch {
	case math.IsNaN(holds) || math.IsNaN(s.fails):
		note = "too few seeds to tell"
	case holds <= level:
		c.Verdict = result.Holds
	case s.fails <= level:
		c.Verdict = result.Fails
	}
	c.Claim = fmt.Sprintf("%s: %s > 0 (%s; %s)", title, suitable.Text, note, s.best)
	return suitable.Of(c)
}

// CalibrationTable has the calibration of all finished runs with outputs, as Markdown: mean ± standard deviation over
// the seeds, in percent, except for NLL and the Brier score.
func CalibrationTable(outcomes []vision.Outcome) (string, error) {
	runs, measures, err := withOutputs(outcomes, func(vision.Settings) bool { return true })
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString("| data | method | λ for batches of 256 | seeds | accuracy | mean confidence | ECE | " +
		"ECE, temperature cross-fitted | NLL | Brier |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, setup := range Setups(runs) {
		for _, v := range variants(setup) {
			if len(v.runs) == 0 {
				continue
			}
			fmt.Fprintf(&text, "| %s, %s | %s | %g | %d |", dataTitle(setup[0].Settings), setup[0].Settings.Model,
				v.name(), v.paperLambda(), len(v.runs))
			for _, column := range []struct {
				decimals int
				of       func(*outputMeasures) float64
			}{
				{2, func(m *outputMeasures) float64 { return m.accuracy }},
				{2, func(m *outputMeasures) float64 { return m.confidence }},
				{2, func(m *outputMeasures) float64 { return m.ece }},
				{2, func(m *outputMeasures) float64 { return m.scaledECE }},
				{3, func(m *outputMeasures) float64 { return m.nll }},
				{3, func(m *outputMeasures) float64 { return m.brier }},
			} {
				fmt.Fprintf(&text, " %s |", meanSD(v, column.decimals, func(o vision.Outcome) float64 {
					return column.of(measures[o.Folder])
				}))
			}
			text.WriteString("\n")
		}
	}
	return text.String(), nil
}
