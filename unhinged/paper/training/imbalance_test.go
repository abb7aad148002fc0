package training

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/paper/paperdata"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// imbalancedRuns returns made-up runs of 3 seeds, in which EFR improves CE and PAL, and PAL is better than CE.
func imbalancedRuns() []vision.Outcome {
	list := concat(runs("ce", 50, 70, 70.1, 70.2), runs("pal", 50, 75, 75.1, 75.2))
	for _, efr := range []float64{1e-6, 1e-5} {
		for _, method := range []string{"ce", "pal"} {
			base := 71.0
			if method == "pal" {
				base = 76
			}
			for _, o := range runs(method, 50, base, base+0.12, base+0.21) {
				list = append(list, withEFR(o, efr))
			}
		}
	}
	for i := range list {
		list[i].Settings.Imbalance = datasets.Imbalance{Kind: datasets.LongTailed, Ratio: 100}
		r := &list[i].Records[len(list[i].Records)-1]
		r.Decision = &vision.Decision{Centred: r.ValidationAccuracy + 0.01 + 1e-4*float64(list[i].Settings.Seed),
			ByClass: []result.Number{0.9, 0.8, 0.7, 0.6, 0.5}}
	}
	return list
}

// TestImbalanceClaims checks that the sentences hold for runs that are made for them, and that each fails under its
// control.
func TestImbalanceClaims(t *testing.T) {
	verdicts := func(change func(o *vision.Outcome)) map[string][]result.Verdict {
		list := imbalancedRuns()
		for i := range list {
			list[i].Records = slices.Clone(list[i].Records)
			change(&list[i])
		}
		out := map[string][]result.Verdict{}
		for _, c := range imbalanceClaims(2, [][]vision.Outcome{list}) {
			out[c.ID] = append(out[c.ID], c.Verdict)
		}
		return out
	}
	all := func(list []result.Verdict, n int, want result.Verdict) bool {
		return len(list) == n && !slices.ContainsFunc(list, func(v result.Verdict) bool { return v != want })
	}
	add := func(o *vision.Outcome, points float64) {
		o.Records[len(o.Records)-1].ValidationAccuracy += points / 100
	}
	got := verdicts(func(*vision.Outcome) {})
	if !all(got[efrHelps.ID], 2, result.Holds) || !all(got[ulAhead.ID], 1, result.Holds) ||
		!all(got[shifted.ID], 2, result.Holds) {
		t.Errorf("as made: %v", got)
	}
	got = verdicts(func(o *vision.Outcome) {
		if o.Settings.Head.FeatureRegularization == 0 {
			add(o, 3)
		}
	})
	if !all(got[efrHelps.ID], 2, result.Fails) {
		t.Errorf("without EFR better: %v", got)
	}
	got = verdicts(func(o *vision.Outcome) {
		if o.Settings.Method == "ce" {
			add(o, 10)
		}
	})
	if !all(got[ulAhead.ID], 1, result.Fails) {
		t.Errorf("CE better: %v", got)
	}
	got = verdicts(func(o *vision.Outcome) {
		r := &o.Records[len(o.Records)-1]
		decision := *r.Decision
		r.ValidationAccuracy, decision.Centred = decision.Centred, r.ValidationAccuracy
		r.Decision = &decision
	})
	if !all(got[shifted.ID], 2, result.Fails) {
		t.Errorf("rules exchanged: %v", got)
	}
	got = verdicts(func(o *vision.Outcome) { // only one seed is left
		o.Settings.Seed = 1
	})
	if slices.Contains(got[efrHelps.ID], result.Holds) {
		t.Errorf("one seed: %v", got)
	}
}

// TestPublishedGains compares the numbers of cells that EFR improves with counts by hand in the paper's tables.
func TestPublishedGains(t *testing.T) {
	type counted struct {
		better, cells int
		mean          float64
	}
	for table, want := range map[int]map[string]counted{
		2: {"CE on CIFAR-10, long-tailed": {10, 15, 0.77}, "UL on CIFAR-10, long-tailed": {14, 20, 0.50},
			"CE on CIFAR-100, long-tailed": {15, 15, 3.77}, "UL on CIFAR-100, long-tailed": {18, 20, 1.11}},
		4: {"CE on CIFAR-10, long-tailed": {9, 12, math.NaN()}, "CE on CIFAR-10, step": {9, 12, math.NaN()}},
		5: {"CE on CIFAR-100, long-tailed": {12, 12, math.NaN()}, "CE on CIFAR-100, step": {7, 12, -0.52}},
	} {
		gains := publishedGains(paperdata.Table(table))
		if len(gains) != len(want) {
			t.Errorf("table %d has %d groups, should have %d", table, len(gains), len(want))
		}
		for _, g := range gains {
			w := want[g.name]
			if g.better != w.better || g.cells != w.cells || math.Abs(g.mean-w.mean) > 0.005 {
				t.Errorf("table %d, %s: %d of %d, mean %.3f; should be %+v", table, g.name, g.better, g.cells, g.mean,
					w)
			}
		}
		worse := paperdata.Table(table)
		for i := range worse {
			if worse[i].Lambda > 0 {
				worse[i].Percent -= 20
			}
		}
		for _, g := range publishedGains(worse) {
			if g.better > 0 {
				t.Errorf("table %d, %s: with every cell worse, %d are better", table, g.name, g.better)
			}
		}
	}
}

// TestImbalanceFigure checks that tables 2, 4 and 5 have the paper's columns and the lab's, with both rules.
func TestImbalanceFigure(t *testing.T) {
	for _, table := range []int{2, 4, 5} {
		fig, err := Imbalance(table)(imbalancedRuns())
		if err != nil {
			t.Fatal(err)
		}
		text := fig.Table.Markdown()
		if !strings.Contains(text, "70.10 ± 0.10 (3); centred 71.12; many 85.00, few 55.00") {
			t.Errorf("table %d:\n%s", table, text)
		}
		if strings.Contains(text, "75.10 ± 0.10") != (table == 2) {
			t.Errorf("table %d has PAL, or not:\n%s", table, text)
		}
		for _, row := range fig.Table.Rows {
			if len(row) != len(fig.Table.Columns) {
				t.Errorf("table %d: a row of %d cells under %d headings", table, len(row), len(fig.Table.Columns))
			}
		}
	}
	alone, err := Imbalance(2)(Whole(imbalancedRuns()))
	if err != nil || alone.Settings["needs"] == nil || strings.Contains(alone.Table.Markdown(), "ours") {
		t.Errorf("no imbalanced runs: error %v, %+v", err, alone.Settings)
	}
}

// TestOwnRatesUnderImbalance checks that PAL at its own rates is compared with CE at the configuration's, with nothing
// else, and that it has a panel and a column of its own.
func TestOwnRatesUnderImbalance(t *testing.T) {
	plain := imbalancedRuns()
	list := slices.Clone(plain)
	for _, o := range runs("pal", 50, 65, 65.1, 65.2) {
		o.Settings.Imbalance = plain[0].Settings.Imbalance
		o.Settings.Tuned, o.Settings.LearningRate, o.Settings.ShiftRate = true, 0.01, 1
		list = append(list, o)
	}
	before, err := imbalanceFigure(2, plain)
	if err != nil {
		t.Fatal(err)
	}
	after, err := imbalanceFigure(2, list)
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, c := range after.Claims {
		if strings.Contains(c.Claim, "at its own rate") {
			own = append(own, c.ID)
			if c.ID == ulAhead.ID && (c.Verdict != result.Fails || math.Abs(float64(c.Measured)+5) > 1e-9) {
				t.Errorf("PAL, 5 points behind CE: %+v", c)
			}
		}
	}
	if !slices.Equal(own, []string{ulAhead.ID}) {
		t.Errorf("claims about PAL at its own rates: %q", own)
	}
	if len(after.Panels) != len(before.Panels)+1 || len(after.Table.Columns) != len(before.Table.Columns)+1 {
		t.Errorf("%d panels and %d columns, and without these runs %d and %d", len(after.Panels),
			len(after.Table.Columns), len(before.Panels), len(before.Table.Columns))
	}
}
