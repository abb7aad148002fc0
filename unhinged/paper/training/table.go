package training

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/vision"

	"gonum.org/v1/gonum/stat"
)

// AccuracyTable returns the last validation accuracies in percent, as Markdown. It has a row for each method and λ of
// EFR, and a column for each setup of the outcomes with mean ± standard deviation (number of seeds). Beside a setup it
// has the paper's numbers for the data set.
func AccuracyTable(outcomes []vision.Outcome) string {
	setups := Compared(outcomes)
	rows := variants(outcomes)
	lines := make([]strings.Builder, 2+len(rows))
	column := func(title string, cell func(row variant) string) {
		fmt.Fprintf(&lines[0], " %s |", title)
		lines[1].WriteString("---:|")
		for i, row := range rows {
			fmt.Fprintf(&lines[2+i], " %s |", cell(row))
		}
	}
	column("", variant.name)
	for i, setup := range setups {
		own := variants(setup)
		column(setupTitle(setup[0].Settings), func(row variant) string {
			for _, v := range own {
				if v.name() == row.name() {
					return v.accuracy()
				}
			}
			return ""
		})
		dataset := setup[0].Settings.Dataset
		if slices.ContainsFunc(setups[i+1:],
			func(later []vision.Outcome) bool { return later[0].Settings.Dataset == dataset }) {
			continue // the paper's column follows the last setup
		}
		for _, in := range publishedIn {
			if in.dataset == dataset {
				column(fmt.Sprintf("the paper: %s, %s", dataset, in.as), func(row variant) string {
					if accuracy, found := row.published(dataset); found {
						return fmt.Sprintf("%.2f", accuracy)
					}
					return ""
				})
			}
		}
	}
	var text strings.Builder
	for i := range lines {
		text.WriteString("|" + lines[i].String() + "\n")
	}
	return text.String()
}

// accuracy is the table's entry.
func (v variant) accuracy() string {
	var parts []string
	switch mean, sd := stat.MeanStdDev(v.of(lastAccuracy), nil); len(v.runs) {
	case 0:
	case 1:
		parts = append(parts, fmt.Sprintf("%.2f (1)", mean))
	default:
		parts = append(parts, fmt.Sprintf("%.2f ± %.2f (%d)", mean, sd, len(v.runs)))
	}
	if v.diverged > 0 {
		parts = append(parts, fmt.Sprintf("diverged (%d)", v.diverged))
	}
	return strings.Join(parts, ", ")
}
