package training

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/unhinged/ood"
	"github.com/unhinged-lab/lab/unhinged/paper/paperdata"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// detectionMetrics are the metrics of tables 3 and 6, in percent. For all of them in-distribution is the positive
// class.
var detectionMetrics = []struct {
	name   string
	better float64 // 1 if higher is better, else −1
	of     func(ood.Measures) float64
}{
	{"FPR95", -1, func(m ood.Measures) float64 { return 100 * m.FPR95InPositive }},
	{"AUROC", 1, func(m ood.Measures) float64 { return 100 * m.AUROC }},
	{"AUPR", 1, func(m ood.Measures) float64 { return 100 * m.AUPRIn }},
}

// detectionFamilies are the losses of a table: UL is PAL.
func detectionFamilies(table int) []string {
	if table == 6 {
		return []string{"ce"}
	}
	return []string{"ce", "pal"}
}

// detectionSetting says which runs belong to tables 3 and 6 and their figures.
func detectionSetting(s vision.Settings) bool { return s.Imbalance.Kind == "" }

// Detection draws table 3 or 6. There is a panel for each metric, data set and set of images out of distribution, the
// published ones first, and a curve for each loss and score, against the λ of EFR. Our numbers are of all balanced runs
// that have outputs.
func Detection(table int) func([]vision.Outcome) (result.Figure, error) {
	return func(outcomes []vision.Outcome) (result.Figure, error) {
		fig := result.Figure{ID: fmt.Sprintf("table%d", table), Title: "Detection of images out of distribution",
			Settings: map[string]any{},
			Claims:   publishedDetectionClaims(table, paperdata.Table(table))}
		runs, measures, err := withOutputs(outcomes, detectionSetting)
		if err != nil {
			return fig, err
		}
		publishedDetection(&fig, table, paperScores)
		sentence := detects
		if table == 6 {
			sentence = detectsByLambda
		}
		fig.Claims = append(fig.Claims, detectionClaims(sentence, runs, measures, detectionFamilies(table),
			paperScores)...)
		for i, setup := range Setups(runs) {
			recordedDetection(&fig, i, setup, measures, detectionFamilies(table))
		}
		pad(&fig)
		return fig, detectionOrigin(&fig, runs, measures)
	}
}

// detectionOrigin notes which runs are missing, which runs are shown instead, and where the runs come from.
func detectionOrigin(fig *result.Figure, runs []vision.Outcome, measures map[string]*outputMeasures) error {
	if len(runs) == 0 {
		fig.Settings["needs"] = needsOutputs("on balanced classes")
		return nil
	}
	if sets := setNames(runs, measures); !slices.Contains(sets, "svhn") {
		fig.Settings["needs"] = fmt.Sprintf("SVHN, which the paper has, is in no run (copy it as `unhinged data list` "+
			"says and train again): %s stand beside under their own names, and are not counted as reproduced",
			strings.Join(sets, ", "))
	}
	return origin(fig, runs)
}

// curveOf returns the curve of this name. It adds the curve if the figure does not have it.
func curveOf(fig *result.Figure, name string) *result.Curve {
	i := slices.IndexFunc(fig.Curves, func(c result.Curve) bool { return c.Name == name })
	if i < 0 {
		i = len(fig.Curves)
		fig.Curves = append(fig.Curves, result.Curve{Name: name, Params: map[string]float64{},
			Series: map[string]result.Series{}})
	}
	return &fig.Curves[i]
}

// publishedDetection draws a table's numbers of some scores.
func publishedDetection(fig *result.Figure, table int, of []string) {
	numbers := paperdata.Table(table)
	for _, dataset := range []string{"CIFAR-10", "CIFAR-100"} {
		for _, metric := range detectionMetrics {
			key := dataset + "_" + metric.name
			panel := result.Panel{Title: fmt.Sprintf("Paper: %s, %s against SVHN", metric.name, dataset), Y: key,
				YLabel: metric.name + ", %", XLabel: "λ of EFR: none, then each in order"}
			for _, d := range numbers {
				if d.Dataset != dataset || d.Metric != metric.name || !slices.Contains(of, d.Score) {
					continue
				}
				c := curveOf(fig, d.Loss+", "+d.Score)
				c.Series[key] = append(c.Series[key], d.Percent)
				if !slices.Contains(panel.Curves, c.Name) {
					panel.Curves = append(panel.Curves, c.Name)
				}
			}
			fig.Panels = append(fig.Panels, panel)
		}
	}
}

// recordedDetection draws the runs of one setup.
func recordedDetection(fig *result.Figure, number int, setup []vision.Outcome, measures map[string]*outputMeasures,
	families []string) {
	letter := string(rune('a' + number%26))
	list := slices.DeleteFunc(variants(setup), func(v variant) bool {
		return len(v.runs) == 0 || !slices.Contains(families, v.family())
	})
	if len(list) == 0 {
		return
	}
	fig.Settings[letter] = fmt.Sprintf("%s: `%s`", setupTitle(setup[0].Settings), setupCommand(setup[0]))
	for _, set := range setNames(setup, measures) {
		for _, metric := range detectionMetrics {
			key := letter + "_" + set + "_" + metric.name
			panel := result.Panel{Title: fmt.Sprintf("Ours (%s): %s, %s (%s)", letter, metric.name, set,
				distance(set, setup[0].Settings.Dataset)), Y: key, YLabel: metric.name + ", %",
				XLabel: "λ of EFR: none, then each in order"}
			for _, v := range list {
				for _, s := range paperScores {
					c := curveOf(fig, familyTitle(v.family())+", "+s)
					mean, sd := stat.MeanStdDev(v.of(detection(measures, set, s, metric.of)), nil)
					c.Series[key] = append(c.Series[key], mean)
					c.Series[key+"_sd"] = append(c.Series[key+"_sd"], sd)
					if !slices.Contains(panel.Curves, c.Name) {
						panel.Curves = append(panel.Curves, c.Name)
					}
				}
			}
			fig.Panels = append(fig.Panels, panel)
		}
	}
}

func familyTitle(family string) string {
	if family == "pal" {
		return "UL"
	}
	return "CE"
}

// detection returns a metric of a run, and NaN if the run does not have it.
func detection(measures map[string]*outputMeasures, set, score string, metric func(ood.Measures) float64,
) func(vision.Outcome) float64 {
	return func(o vision.Outcome) float64 {
		m, found := measures[o.Folder].detection[set][score]
		if !found {
			return math.NaN()
		}
		return metric(m)
	}
}

// pad gives all series of a curve one length.
func pad(fig *result.Figure) {
	for _, c := range fig.Curves {
		longest := 0
		for _, values := range c.Series {
			longest = max(longest, len(values))
		}
		if _, found := c.Series["step"]; !found {
			c.Series["step"] = nil
			for i := range longest {
				c.Series["step"] = append(c.Series["step"], float64(i))
			}
		}
		for name, values := range c.Series {
			for len(values) < longest {
				values = append(values, math.NaN())
			}
			c.Series[name] = values
		}
	}
}

// publishedRow is a row of table 3 or 6, for one score.
type publishedRow struct {
	dataset, loss, score string
	lambda               float64
}

// publishedRows returns the rows of a table in its order, and their metrics.
func publishedRows(table int, numbers []paperdata.Cell) ([]publishedRow, map[publishedRow]map[string]float64) {
	var order []publishedRow
	values := map[publishedRow]map[string]float64{}
	for _, d := range numbers {
		if d.Table != table {
			continue
		}
		r := publishedRow{d.Dataset, d.Loss, d.Score, d.Lambda}
		if values[r] == nil {
			values[r] = map[string]float64{}
			order = append(order, r)
		}
		values[r][d.Metric] = d.Percent
	}
	return order, values
}

// Contradictions names the pairs of methods in the paper's table 3 or 6, with equal data set and score, in which one
// method has the better FPR95 and the worse AUPR. Pairs with the largest difference in AUPR come first.
func Contradictions(table int) []string { return contradictions(table, paperdata.Table(table)) }

func contradictions(table int, numbers []paperdata.Cell) []string {
	order, values := publishedRows(table, numbers)
	type contradiction struct {
		loss float64
		text string
	}
	var found []contradiction
	for _, better := range order {
		for _, other := range order {
			a, b := values[better], values[other]
			if better.dataset == other.dataset && better.score == other.score && a["FPR95"] < b["FPR95"] &&
				a["AUPR"] < b["AUPR"] {
				found = append(found, contradiction{b["AUPR"] - a["AUPR"], fmt.Sprintf("%s, %s: %s with λ = %g has "+
					"FPR95 "+
					"%.2f and AUPR %.2f, %s with λ = %g has %.2f and %.2f", better.dataset, better.score, better.loss,
					better.lambda, a["FPR95"], a["AUPR"], other.loss, other.lambda, b["FPR95"], b["AUPR"])})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b contradiction) int { return cmp.Compare(b.loss, a.loss) })
	var texts []string
	for _, c := range found {
		texts = append(texts, c.text)
	}
	return texts
}

// publishedDetectionClaims judges a table's own numbers: whether EFR improves all of them, and whether the metrics
// agree.
func publishedDetectionClaims(table int, numbers []paperdata.Cell) []result.Claim {
	order, values := publishedRows(table, numbers)
	improved, cells, agree, pairs := 0, 0, 0, 0
	for i, a := range order {
		plain := a
		plain.lambda = 0
		for _, metric := range detectionMetrics {
			if a == plain {
				continue
			}
			cells++
			if metric.better*(values[a][metric.name]-values[plain][metric.name]) > 0 {
				improved++
			}
		}
		for _, b := range order[i+1:] {
			if a.dataset != b.dataset || a.score != b.score {
				continue
			}
			pairs++
			signs := map[bool]bool{}
			for _, metric := range detectionMetrics {
				signs[metric.better*(values[a][metric.name]-values[b][metric.name]) > 0] = true
			}
			if len(signs) == 1 {
				agree++
			}
		}
	}
	note := ""
	if list := contradictions(table, numbers); len(list) > 0 {
		note = fmt.Sprintf(" (FPR95 and AUPR contradict each other in %d; the worst is %s)", len(list), list[0])
	}
	return []result.Claim{
		paperDetects.Of(result.Check(fmt.Sprintf(paperDetects.Text, table, cells), float64(improved), float64(cells),
			0)),
		paperAgrees.Of(result.Check(fmt.Sprintf(paperAgrees.Text, table, pairs)+note, float64(agree), float64(pairs),
			0)),
	}
}

// detectionClaims judges by the mean AUROC of some scores whether EFR improves the detection: in each setup, for each
// loss and λ, and separately for the far and the near sets of images. Runs with and without EFR are paired by their
// seeds.
func detectionClaims(s result.Sentence, runs []vision.Outcome, measures map[string]*outputMeasures, families,
	of []string) []result.Claim {
	var claims []result.Claim
	for _, setup := range Setups(runs) {
		var asked []question
		list := variants(setup)
		sets := map[string][]string{}
		for _, set := range setNames(setup, measures) {
			how := distance(set, setup[0].Settings.Dataset)
			sets[how] = append(sets[how], set)
		}
		for _, v := range list {
			plain := find(list, v.family(), 0)
			if v.efr == 0 || !slices.Contains(families, v.family()) {
				continue
			}
			for _, how := range []string{"far", "near"} {
				mean := func(metric func(ood.Measures) float64) func(vision.Outcome) float64 {
					return func(o vision.Outcome) float64 {
						var values []float64
						for _, set := range sets[how] {
							for _, score := range of {
								values = append(values, detection(measures, set, score, metric)(o))
							}
						}
						return floats.Sum(values) / float64(len(values))
					}
				}
				names := []any{v.name(), plain.name(), how, strings.Join(sets[how], ", ")}
				if s.ID == separates.ID {
					names = append([]any{strings.Join(of, ", ")}, names...)
				}
				note := ""
				for _, metric := range []int{0, 2} {
					d := paired(v, plain, mean(detectionMetrics[metric].of)).difference
					note += fmt.Sprintf("; %s %s", detectionMetrics[metric].name, signed(d))
				}
				asked = append(asked, question{s, setupTitle(setup[0].Settings) + ": " + fmt.Sprintf(s.Text, names...),
					paired(v, plain, mean(detectionMetrics[1].of)), 0, note})
			}
		}
		claims = append(claims, judge(askable(asked))...)
	}
	return claims
}

// DetectionTable has all scores of all balanced runs with outputs, as Markdown: AUROC, FPR95 and AUPR with
// in-distribution positive, mean ± standard deviation over the seeds, in percent.
func DetectionTable(outcomes []vision.Outcome) (string, error) {
	runs, measures, err := withOutputs(outcomes, detectionSetting)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString("| data | out of distribution | base rate, % | method | λ for batches of 256 | seeds | score | " +
		"FPR95 | AUROC | AUPR |\n|---|---|---:|---|---:|---:|---|---:|---:|---:|\n")
	for _, setup := range Setups(runs) {
		for _, set := range setNames(setup, measures) {
			for _, v := range variants(setup) {
				for _, s := range scores {
					if len(v.runs) == 0 {
						continue
					}
					first := measures[v.runs[0].Folder]
					if _, found := first.detection[set][s]; !found {
						continue
					}
					fmt.Fprintf(&text, "| %s | %s (%s) | %.1f | %s | %g | %d | %s "+
						"|", setupTitle(setup[0].Settings), set,
						distance(set, setup[0].Settings.Dataset), 100*first.baseRate[set], v.name(), v.paperLambda(),
						len(v.runs), s)
					for _, metric := range detectionMetrics {
						fmt.Fprintf(&text, " %s |", meanSD(v, 2, detection(measures, set, s, metric.of)))
					}
					text.WriteString("\n")
				}
			}
		}
	}
	return text.String(), nil
}
