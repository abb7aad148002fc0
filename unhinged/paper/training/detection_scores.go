package training

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/ood"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// histogramBins is the paper's number of bins of each histogram of scores.
const histogramBins = 100

const (
	inside  = "in-distribution"
	outside = "out of distribution"
)

// ScoreHistograms draws figures 3 and 16 to 18 for some of the paper's scores. First come the numbers of tables 3 or 6
// for these scores. Then come, for CE with each λ in the balanced runs that have outputs, the histograms of the scores
// in and out of distribution (of the first seed, in two colours with shared bins) and the ROC curves (means over the
// seeds).
func ScoreHistograms(id string, table int, judged string, of ...string) func([]vision.Outcome) (result.Figure, error) {
	return func(outcomes []vision.Outcome) (result.Figure, error) {
		fig := result.Figure{ID: id, Title: "Scores in and out of distribution", Settings: map[string]any{}}
		runs, measures, err := withOutputs(outcomes, detectionSetting)
		if err != nil {
			return fig, err
		}
		publishedDetection(&fig, table, of)
		fig.Claims = detectionClaims(separates, runs, measures, []string{"ce"}, []string{judged})
		for _, setup := range Setups(runs) {
			for _, set := range shownSets(setup, measures) {
				for _, s := range of {
					if err := scorePanels(&fig, setup, set, s); err != nil {
						return fig, err
					}
				}
			}
		}
		pad(&fig)
		return fig, detectionOrigin(&fig, runs, measures)
	}
}

// shownSets returns the sets of images whose histograms are drawn: SVHN if a run has it and otherwise other data sets,
// and left-out classes. Noise is drawn only if there are no other sets. Tables 3 and 6 have all sets.
func shownSets(setup []vision.Outcome, measures map[string]*outputMeasures) []string {
	all := setNames(setup, measures)
	shown := slices.DeleteFunc(slices.Clone(all), func(set string) bool {
		if set == "svhn" || set == vision.UnknownSet {
			return false
		}
		return slices.Contains(all, "svhn") || !slices.Contains(datasets.Names(), set)
	})
	if len(shown) == 0 && slices.Contains(all, vision.UniformSet) {
		shown = []string{vision.UniformSet}
	}
	return shown
}

// scorePanels adds, for a score and a set of images, a panel of histograms for each λ of CE, and one of ROC curves.
func scorePanels(fig *result.Figure, setup []vision.Outcome, set, name string) error {
	var curves []string
	key := fmt.Sprintf("roc%d", len(fig.Panels))
	grid := make(result.Series, 101)
	for i := range grid {
		grid[i] = float64(i) / 100
	}
	trained := setup[0].Settings.Dataset
	if known := setup[0].Settings.Known; known != "" {
		trained += " " + string(known)
	}
	for _, v := range crossEntropies(setup) {
		var rates [][]float64 // true positive rates on the grid, of each run
		for i, o := range v.runs {
			outputs, err := o.ReadOutputs()
			if err != nil {
				return err
			}
			c, err := ood.Compare(score(name, outputs.Sets[vision.TestSet]), score(name, outputs.Sets[set]))
			if err != nil {
				return err
			}
			rates = append(rates, onGrid(c, grid))
			if i == 0 {
				label := fmt.Sprintf("%s (%s, seed %d)", name, trained, o.Settings.Seed)
				if err := histogramPanel(fig, c, v.name()+": "+set, label); err != nil {
					return err
				}
			}
		}
		curve := curveOf(fig, "ROC of "+v.name())
		curves = append(curves, curve.Name)
		curve.Series["step"] = grid
		for i := range grid {
			values := make([]float64, len(rates))
			for k := range rates {
				values[k] = rates[k][i]
			}
			mean, sd := stat.MeanStdDev(values, nil)
			curve.Series[key] = append(curve.Series[key], mean)
			curve.Series[key+"_sd"] = append(curve.Series[key+"_sd"], sd)
		}
	}
	if len(curves) > 0 {
		fig.Panels = append(fig.Panels, result.Panel{Title: fmt.Sprintf("ROC: %s, %s", name, set), Y: key,
			YLabel: "true positive rate", XLabel: "false positive rate (" + trained + ")", Curves: curves})
	}
	return nil
}

// histogramPanel adds the histograms of a comparison.
func histogramPanel(fig *result.Figure, c *ood.Comparison, title, xlabel string) error {
	key := fmt.Sprintf("score%d", len(fig.Panels))
	limits, in, out, err := c.Histogram(histogramBins)
	if err != nil {
		return err
	}
	var edges result.Series
	for k := range in {
		edges = append(edges, limits[k], limits[k+1])
	}
	for i, name := range []string{inside, outside} {
		series := curveOf(fig, name).Series
		series[key+"_x"], series[key] = edges, result.Steps([][]float64{in, out}[i])
		series[key+"_from"] = make(result.Series, len(edges))
	}
	fig.Panels = append(fig.Panels, result.Panel{Title: title, X: key + "_x", XLabel: xlabel, Y: key,
		YLabel: "share of images", Curves: []string{inside, outside}})
	return nil
}

// onGrid returns the true positive rates at these false positive rates, by linear interpolation between the points of
// the ROC curve.
func onGrid(c *ood.Comparison, grid []float64) []float64 {
	fpr, tpr := c.ROC()
	out, i := make([]float64, len(grid)), 0
	for k, x := range grid {
		for i+1 < len(fpr) && fpr[i+1] <= x {
			i++
		}
		out[k] = tpr[i]
		if i+1 < len(fpr) {
			out[k] += (x - fpr[i]) / (fpr[i+1] - fpr[i]) * (tpr[i+1] - tpr[i])
		}
	}
	return out
}
