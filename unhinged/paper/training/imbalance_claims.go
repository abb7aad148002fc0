package training

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/paper/paperdata"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
	"gonum.org/v1/gonum/stat"
)

// The sentences of sections 4.2 and C.3 on classes of unequal sizes.
var (
	efrHelps = result.Sentence{ID: "efr-improves-imbalanced",
		Text: "4.2, C.3: EFR improves the classification of classes of unequal sizes: mean accuracy of %s over the " +
			"λ > 0 − that without EFR",
		Control: "with the runs without EFR three points better, this fails"}
	ulAhead = result.Sentence{ID: "ul-above-ce-imbalanced",
		Text:    "4.2, table 2: the unhinged loss copes better with unequal classes: accuracy of %s − that of %s",
		Control: "with CE ten points better, this fails"}
	shifted = result.Sentence{ID: "features-are-shifted",
		Text: "D.2: learned features have a shift that changes decisions (with unequal classes): accuracy of %s on " +
			"centred features − by the largest logit",
		Control: "with the accuracies by the two rules exchanged, this fails"}
	paperMost = result.Sentence{ID: "efr-improves-imbalanced-in-the-paper",
		Text: "%s: EFR improves %s in most cases, by the paper's own numbers: cells with λ > 0 above the one " +
			"with λ = 0",
		Control: "with every cell three points lower than that without EFR, this fails"}
)

// imbalanceClaims makes t-tests over the seeds, which were fixed before any run was judged. For each setup and loss
// they test whether the mean over the λ > 0 is above λ = 0, seed by seed (the mean over λ comes first, because all λ
// share the run without EFR). In table 2 they also test whether the unhinged loss without EFR is above CE, and whether
// the centred rule decides better. The p-values of all setups are corrected together (Holm).
func imbalanceClaims(table int, setups [][]vision.Outcome) []result.Claim {
	var asked []question
	for _, setup := range setups {
		list, s := variants(setup), setup[0].Settings
		ask := func(sentence result.Sentence, t ttest, centred float64, names ...any) {
			if math.IsNaN(t.difference) {
				return
			}
			note := ""
			if !math.IsNaN(centred) {
				note = fmt.Sprintf("; %s by the centred rule", signed(centred))
			}
			asked = append(asked, question{sentence, fmt.Sprintf("%s, %s%s: ", s.Dataset, s.Model,
				conditions(s)) + fmt.Sprintf(sentence.Text, names...), t, 0, note})
		}
		for _, family := range []string{"ce", "pal"} {
			if table != 2 && family == "pal" {
				continue
			}
			gains := student(efrGains(list, family, lastAccuracy))
			centred := student(efrGains(list, family, centredAccuracy)).difference
			without := find(list, family, 0)
			if without.borrowed(s) {
				continue
			}
			ask(efrHelps, gains, centred, without.name())
			if table == 2 {
				ask(shifted, student(without.of(func(o vision.Outcome) float64 {
					return centredAccuracy(o) - lastAccuracy(o)
				})), math.NaN(), without.name())
			}
		}
		if ce, pal := find(list, "ce", 0), find(list, "pal", 0); table == 2 && len(ce.runs) > 0 && len(pal.runs) > 0 {
			ask(ulAhead, welch(pal.of(lastAccuracy), ce.of(lastAccuracy)),
				stat.Mean(pal.of(centredAccuracy), nil)-stat.Mean(ce.of(centredAccuracy), nil), pal.name(), ce.name())
		}
	}
	return judge(asked)
}

// efrGains returns, for each seed that all variants of the family have, the mean of a number over the λ > 0 minus the
// number without EFR.
func efrGains(list []variant, family string, number func(vision.Outcome) float64) []float64 {
	bySeed := map[uint64][]float64{}
	without := map[uint64]float64{}
	variants := 0
	for _, v := range list {
		if v.family() != family {
			continue
		}
		if v.efr > 0 {
			variants++
		}
		for _, o := range v.runs {
			if v.efr > 0 {
				bySeed[o.Settings.Seed] = append(bySeed[o.Settings.Seed], number(o))
			} else {
				without[o.Settings.Seed] = number(o)
			}
		}
	}
	var gains []float64
	for _, seed := range slices.Sorted(maps.Keys(bySeed)) {
		values := bySeed[seed]
		if base, found := without[seed]; found && len(values) == variants {
			gains = append(gains, stat.Mean(values, nil)-base)
		}
	}
	return gains
}

// publishedImbalance judges the sentence by the paper's own numbers: "in most cases" is more than half of the cells.
// They are single runs, so that no test is possible.
func publishedImbalance(table int) []result.Claim {
	var claims []result.Claim
	for _, group := range publishedGains(paperdata.Table(table)) {
		text := fmt.Sprintf(paperMost.Text, fmt.Sprintf("table %d", table), group.name)
		claim := result.Claim{Claim: fmt.Sprintf("%s, of %d > %g (mean change %s points)", text, group.cells,
			float64(group.cells)/2, signed(group.mean)), Measured: result.Number(group.better),
			Expected: result.Number(float64(group.cells) / 2), Verdict: result.Fails}
		if 2*group.better > group.cells {
			claim.Verdict = result.Holds
		}
		claims = append(claims, paperMost.Of(claim))
	}
	return claims
}

// gain says how often and by how much EFR changes the numbers of a group.
type gain struct {
	name          string
	better, cells int
	mean          float64
}

// publishedGains compares each cell with λ > 0 with the one of the same column without EFR, by loss, data set and kind.
func publishedGains(cells []paperdata.Cell) []gain {
	var list []gain
	place := map[string]int{}
	for _, c := range cells {
		if c.Lambda == 0 {
			continue
		}
		for _, base := range cells {
			with := base
			with.Lambda, with.Percent = c.Lambda, c.Percent
			if base.Lambda != 0 || with != c {
				continue
			}
			name := fmt.Sprintf("%s on %s, %s", c.Loss, c.Dataset, c.Imbalance)
			i, found := place[name]
			if !found {
				i, place[name] = len(list), len(list)
				list = append(list, gain{name: name})
			}
			g := &list[i]
			g.mean = (g.mean*float64(g.cells) + c.Percent - base.Percent) / float64(g.cells+1)
			g.cells++
			if c.Percent > base.Percent {
				g.better++
			}
		}
	}
	return list
}
