package training

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/paper/paperdata"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
	"gonum.org/v1/gonum/stat"
)

// noEFR is the place of λ = 0 on the logarithmic axis of λ.
const noEFR = 1e-8

// Imbalance makes table 2, 4 or 5: the paper's last accuracies by λ of EFR, and beside them those of outcomes with
// classes of unequal sizes, if there are any. Our numbers are of any data set and network that was trained; only those
// on the paper's data set reproduce the table. Each of our numbers is given for both decision rules (Appendix D.2), and
// for the classes with many and with few training images.
func Imbalance(table int) func([]vision.Outcome) (result.Figure, error) {
	return func(outcomes []vision.Outcome) (result.Figure, error) { return imbalanceFigure(table, outcomes) }
}

func imbalanceFigure(table int, outcomes []vision.Outcome) (result.Figure, error) {
	var setups [][]vision.Outcome
	for _, setup := range Compared(outcomes) {
		kind := setup[0].Settings.Imbalance.Kind
		if kind == datasets.LongTailed || kind == datasets.Step && table != 2 {
			setups = append(setups, setup)
		}
	}
	slices.SortStableFunc(setups, func(a, b []vision.Outcome) int {
		x, y := a[0].Settings, b[0].Settings
		return cmp.Or(cmp.Compare(x.Dataset, y.Dataset), cmp.Compare(x.Imbalance.Kind, y.Imbalance.Kind),
			-cmp.Compare(x.Imbalance.Ratio, y.Imbalance.Ratio))
	})
	fig := result.Figure{ID: fmt.Sprintf("table%d", table), Settings: map[string]any{},
		Table: imbalanceTable(table, setups)}
	fig.Title = fmt.Sprintf("Table %d: accuracy under imbalance", table)
	imbalancePanels(&fig, table, setups)
	fig.Claims = slices.Concat(publishedImbalance(table), imbalanceClaims(table, setups))
	if setups == nil {
		fig.Settings["needs"] = "no recorded run has classes of unequal sizes: the published numbers stand alone"
		return fig, nil
	}
	return fig, origin(&fig, slices.Concat(setups...))
}

// losses returns the losses of a table by the paper's names, with the family of variants of each.
func losses(table int) map[string]string {
	if table == 2 {
		return map[string]string{"CE": "ce", "UL": "pal"}
	}
	return map[string]string{"CE": "ce"}
}

// imbalancePanels draws accuracy against λ: a panel for each of the paper's data sets, kinds and ratios and one for
// each setup of ours.
func imbalancePanels(fig *result.Figure, table int, setups [][]vision.Outcome) {
	points := map[string]map[string][][3]float64{} // panel, curve → λ, accuracy, sd
	var panels []string
	add := func(panel, curve string, efr, accuracy, sd float64) {
		if points[panel] == nil {
			points[panel] = map[string][][3]float64{}
			panels = append(panels, panel)
		}
		points[panel][curve] = append(points[panel][curve], [3]float64{max(efr, noEFR), accuracy, sd})
	}
	for _, cell := range paperdata.Table(table) {
		if cell.Ratio == 100 || cell.Ratio == 10 {
			add(fmt.Sprintf("paper: %s, %s, ρ = %g", cell.Dataset, cell.Imbalance, cell.Ratio), cell.Loss, cell.Lambda,
				cell.Percent, math.NaN())
		}
	}
	for _, setup := range setups {
		s := setup[0].Settings
		for loss, family := range losses(table) {
			for _, v := range variants(setup) {
				if v.family() != family || len(v.runs) == 0 || v.borrowed(s) {
					continue
				}
				panel := "ours: " + dataTitle(s)
				mean, sd := stat.MeanStdDev(v.of(lastAccuracy), nil)
				add(panel, loss, v.efr, mean, sd)
				mean, sd = stat.MeanStdDev(v.of(centredAccuracy), nil)
				add(panel, loss+", centred rule", v.efr, mean, sd)
			}
		}
	}
	for i, panel := range panels {
		key := fmt.Sprintf("p%d_", i)
		drawn := result.Panel{Title: panel, X: key + "lambda", XLabel: "log₁₀ λ (−8: no EFR)", Y: key + "accuracy",
			YLabel: "accuracy, %"}
		for curve, list := range points[panel] {
			slices.SortFunc(list, func(a, b [3]float64) int { return cmp.Compare(a[0], b[0]) })
			series := curveOf(fig, curve).Series
			for _, point := range list {
				series[key+"lambda"] = append(series[key+"lambda"], math.Log10(point[0]))
				series[key+"accuracy"] = append(series[key+"accuracy"], point[1])
				if strings.HasPrefix(panel, "ours") {
					series[key+"accuracy_sd"] = append(series[key+"accuracy_sd"], point[2])
				}
			}
			drawn.Curves = append(drawn.Curves, curve)
		}
		slices.Sort(drawn.Curves)
		fig.Panels = append(fig.Panels, drawn)
	}
	pad(fig)
	slices.SortFunc(fig.Curves, func(a, b result.Curve) int { return cmp.Compare(a.Name, b.Name) })
}

// imbalanceRow is a loss with a λ.
type imbalanceRow struct {
	name, family string
	efr          float64
}

// imbalanceRows returns the rows of the paper's table, and then those of methods for unequal classes.
func imbalanceRows(table int, setups [][]vision.Outcome) []imbalanceRow {
	var rows []imbalanceRow
	place := func(r imbalanceRow) {
		if !slices.Contains(rows, r) {
			rows = append(rows, r)
		}
	}
	for _, cell := range paperdata.Table(table) {
		place(imbalanceRow{fmt.Sprintf("%s, λ = %g", cell.Loss, cell.Lambda), losses(table)[cell.Loss], cell.Lambda})
	}
	for _, setup := range setups {
		for _, v := range variants(setup) {
			if v.method.Beta > 0 || v.family() == "ce-la" || v.family() == "ldam" { // what is usual for unequal classes
				place(imbalanceRow{v.name(), v.family(), v.efr})
			}
		}
	}
	return rows
}

// imbalanceTable has the columns of the paper, and then those of the setups.
func imbalanceTable(table int, setups [][]vision.Outcome) *result.Table {
	published, rows := paperdata.Table(table), imbalanceRows(table, setups)
	t := &result.Table{Columns: []string{"loss"}, Note: "Accuracies in percent on balanced test images. Ours: mean ± " +
		"standard deviation (number of seeds) by the largest logit; then by the largest after features are centred " +
		"(Appendix D.2); then for the third of the classes with the most training images (the larger half, where the " +
		"imbalance is step-wise), and for that with the fewest, by the largest logit. λ is a sum over the batch: at " +
		"batches of B images " +
		"it stands for λB/256 in the paper's settings."}
	t.Rows = make([][]string, len(rows))
	for i, r := range rows {
		t.Rows[i] = []string{r.name}
	}
	column := func(title string, cell func(r imbalanceRow) string) {
		t.Columns = append(t.Columns, title)
		for i, r := range rows {
			t.Rows[i] = append(t.Rows[i], cell(r))
		}
	}
	var titles []string
	for _, cell := range published {
		title := paperColumn(cell)
		if slices.Contains(titles, title) {
			continue
		}
		titles = append(titles, title)
		column(title, func(r imbalanceRow) string {
			for _, other := range published {
				if paperColumn(other) == title && losses(table)[other.Loss] == r.family && other.Lambda == r.efr {
					return fmt.Sprintf("%.2f", other.Percent)
				}
			}
			return ""
		})
	}
	for _, setup := range setups {
		s := setup[0].Settings
		column(fmt.Sprintf("ours: %s, batches of %d", setupTitle(s), s.Batch), func(r imbalanceRow) string {
			for _, v := range variants(setup) {
				if v.family() == r.family && v.efr == r.efr && len(v.runs) > 0 && !v.borrowed(s) {
					return fmt.Sprintf("%s; centred %.2f; many %.2f, few %.2f", v.accuracy(),
						stat.Mean(v.of(centredAccuracy), nil), stat.Mean(v.of(manyAccuracy), nil),
						stat.Mean(v.of(fewAccuracy), nil))
				}
			}
			return ""
		})
	}
	return t
}

func paperColumn(cell paperdata.Cell) string {
	return fmt.Sprintf("the paper: %s, %s, ρ = %g", cell.Dataset, cell.Imbalance, cell.Ratio)
}

// centredAccuracy returns the last accuracy in percent by the centred rule; NaN if it was not measured.
func centredAccuracy(o vision.Outcome) float64 {
	if d := last(o).Decision; d != nil {
		return 100 * d.Centred
	}
	return math.NaN()
}

// manyAccuracy returns the last accuracy in percent on the classes with the most training images: the larger half if
// the imbalance is step-wise, and otherwise a third of the classes, rounded up. Classes are in the order of their
// sizes.
func manyAccuracy(o vision.Outcome) float64 { return groupAccuracy(o, false) }

// fewAccuracy returns the same for an equal number of classes with the fewest training images.
func fewAccuracy(o vision.Outcome) float64 { return groupAccuracy(o, true) }

func groupAccuracy(o vision.Outcome, few bool) float64 {
	d := last(o).Decision
	if d == nil {
		return math.NaN()
	}
	classes := len(d.ByClass)
	some := (classes + 2) / 3
	if o.Settings.Imbalance.Kind == datasets.Step {
		some = classes / 2
	}
	group := d.ByClass[:some]
	if few {
		group = d.ByClass[classes-some:]
	}
	sum := 0.0
	for _, share := range group {
		sum += 100 * float64(share)
	}
	return sum / float64(some)
}
