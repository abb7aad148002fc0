// Package paperdata has numbers that the paper prints or plots, to stand beside the lab's own: calibration (figures 10
// and 11) and tables 2 to 6, on accuracy under imbalance and on detection of images out of distribution.
package paperdata

import (
	"bytes"
	_ "embed" // of the numbers
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
)

//go:embed calibration.csv
var calibrationCSV []byte

//go:embed reliability.csv
var reliabilityCSV []byte

//go:embed tables.csv
var tablesCSV []byte

// Reliability is one panel of figure 10 (CIFAR-10) or figure 11 (CIFAR-100): CE on a long-tailed subset.
type Reliability struct {
	Figure   int
	Dataset  string
	Ratio    float64 // of the largest class to the smallest
	Lambda   float64 // of EFR
	Accuracy float64 // as printed in the panel, percent
	ECE      float64 // the same
	// Bins are the accuracies, from 0 to 1, of the bins (k/15, (k+1)/15] of confidence, read off the panel; NaN where a
	// bin is drawn empty.
	Bins []float64
}

// Calibration returns the 32 panels, in the figures' order.
func Calibration() []Reliability {
	var out []Reliability
	for _, row := range rows(calibrationCSV, 6) {
		out = append(out, Reliability{Figure: int(number(row[0])), Dataset: row[1], Ratio: number(row[2]),
			Lambda: number(row[3]), Accuracy: number(row[4]), ECE: number(row[5])})
	}
	for _, row := range rows(reliabilityCSV, 6) {
		i := slices.IndexFunc(out, func(r Reliability) bool {
			return r.Figure == int(number(row[0])) && r.Ratio == number(row[2]) && r.Lambda == number(row[3])
		})
		if i < 0 || int(number(row[4])) != len(out[i].Bins)+1 {
			panic(fmt.Sprintf("paperdata: the bin %v is not the next one of a panel", row))
		}
		accuracy := math.NaN()
		if row[5] != "" {
			accuracy = number(row[5])
		}
		out[i].Bins = append(out[i].Bins, accuracy)
	}
	return out
}

// Cell is one number of tables 2 to 6, in percent.
type Cell struct {
	Table     int
	Dataset   string  // that was trained on: CIFAR-10 or CIFAR-100
	Imbalance string  // long-tailed or step; none in tables 3 and 6
	Ratio     float64 // of the largest class to the smallest
	Loss      string  // CE or UL
	Lambda    float64 // of EFR
	// Score is softmax, energy or feature-norm, and Metric FPR95, AUROC or AUPR, in tables 3 and 6, where SVHN is out of
	// distribution and in-distribution is the positive class. In the others the metric is accuracy.
	Score, Metric string
	Percent       float64
}

// Table returns the numbers of table 2, 3, 4, 5 or 6.
func Table(table int) []Cell {
	var out []Cell
	for _, row := range rows(tablesCSV, 9) {
		c := Cell{int(number(row[0])), row[1], row[2], number(row[3]), row[4], number(row[5]), row[6], row[7],
			number(row[8])}
		if c.Table == table {
			out = append(out, c)
		}
	}
	return out
}

// rows returns the records after the header. The files are part of the program, so that a fault in one is a panic.
func rows(content []byte, fields int) [][]string {
	reader := csv.NewReader(bytes.NewReader(content))
	reader.FieldsPerRecord = fields
	records, err := reader.ReadAll()
	if err != nil {
		panic(err)
	}
	return records[1:]
}

func number(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return v
}
