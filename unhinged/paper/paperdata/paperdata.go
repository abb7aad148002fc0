// Package paperdata has numbers that the paper prints or plots, to stand beside the lab's own: calibration (figures 10
// and 11) and detection of images out of distribution (tables 3 and 6).
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

//go:embed ood.csv
var oodCSV []byte

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

// OOD is one number of table 3 or 6: SVHN is out of distribution, in-distribution is the positive class.
type OOD struct {
	Table   int
	Dataset string // that was trained on
	Loss    string // CE or UL
	Lambda  float64
	Score   string // softmax, energy or feature-norm
	Metric  string // FPR95, AUROC or AUPR
	Percent float64
}

// Detection returns the 72 numbers of table 3 and the 72 of table 6.
func Detection() []OOD {
	var out []OOD
	for _, row := range rows(oodCSV, 7) {
		out = append(out, OOD{int(number(row[0])), row[1], row[2], number(row[3]), row[4], row[5], number(row[6])})
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
