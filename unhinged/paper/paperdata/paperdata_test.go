package paperdata

import (
	"math"
	"testing"
)

// TestCalibration checks that all panels and bins occur exactly once, with possible values. Some values are compared
// with the paper.
func TestCalibration(t *testing.T) {
	panels := Calibration()
	if len(panels) != 32 {
		t.Fatalf("%d panels, the figures have 32", len(panels))
	}
	type key struct {
		figure        int
		ratio, lambda float64
	}
	seen := map[key]Reliability{}
	for _, p := range panels {
		seen[key{p.Figure, p.Ratio, p.Lambda}] = p
		if len(p.Bins) != 15 || p.Accuracy < 30 || p.Accuracy > 90 || p.ECE < 6 || p.ECE > 28 {
			t.Errorf("%+v", p)
		}
		for _, a := range p.Bins {
			if a < 0 || a > 1 {
				t.Errorf("%+v has the accuracy %v", p, a)
			}
		}
	}
	if len(seen) != 32 {
		t.Errorf("%d different panels", len(seen))
	}
	first := seen[key{10, 100, 0}]
	if first.Accuracy != 67.8 || first.ECE != 23.4 || first.Bins[4] != 0.1786 || first.Bins[14] != 0.7833 ||
		!math.IsNaN(first.Bins[3]) || first.Dataset != "CIFAR-10" {
		t.Errorf("figure 10, ρ = 100, λ = 0: %+v", first)
	}
	if last := seen[key{11, 10, 5e-5}]; last.Accuracy != 60.8 || last.ECE != 10.6 || last.Dataset != "CIFAR-100" {
		t.Errorf("figure 11, ρ = 10, λ = 5e-5: %+v", last)
	}
}

// TestDetection checks that each table has 72 numbers, and that λ = 0 and λ = 1e-5 of CE agree in both tables.
func TestDetection(t *testing.T) {
	type key struct {
		dataset, loss, score, metric string
		lambda                       float64
	}
	tables := map[int]map[key]float64{3: {}, 6: {}}
	for _, d := range append(Table(3), Table(6)...) {
		tables[d.Table][key{d.Dataset, d.Loss, d.Score, d.Metric, d.Lambda}] = d.Percent
	}
	if len(tables[3]) != 72 || len(tables[6]) != 72 {
		t.Errorf("%d and %d numbers, want 72 each", len(tables[3]), len(tables[6]))
	}
	both := 0
	for k, v := range tables[3] {
		if other, found := tables[6][k]; found {
			both++
			if other != v {
				t.Errorf("%+v is %v in table 3 and %v in table 6", k, v, other)
			}
		}
	}
	if both != 36 {
		t.Errorf("%d numbers are in both tables, want 36", both)
	}
	if v := tables[3][key{"CIFAR-100", "UL", "softmax", "AUPR", 5e-7}]; v != 45.16 {
		t.Errorf("table 3, CIFAR-100, UL with EFR, softmax: AUPR %v", v)
	}
}

// TestTables checks that all 298 numbers are there. Some are compared with the paper.
func TestTables(t *testing.T) {
	total := 0
	for table := range 8 {
		for _, c := range Table(table) {
			total++
			if c.Percent <= 0 || c.Percent > 100 || c.Ratio < 1 || (c.Metric == "accuracy") != (c.Score == "") {
				t.Errorf("%+v", c)
			}
		}
	}
	if total != 298 {
		t.Errorf("%d numbers, should be 298", total)
	}
	first := Cell{Table: 2, Dataset: "CIFAR-10", Imbalance: "long-tailed", Ratio: 100, Loss: "CE", Metric: "accuracy",
		Percent: 67.81}
	if c := Table(2)[0]; c != first {
		t.Errorf("table 2 begins with %+v", c)
	}
}
