package training

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// margin is the difference in accuracy, in points, below which two methods are comparable. It was fixed before any run
// was judged by it, and the paper's own accuracies are judged by it too (publishedClaims).
const margin = 0.5

// level is the probability that chance alone makes one of the questions that are judged together in a setup hold or
// fail.
const level = 0.05

// question is a sentence of the paper about a difference over the seeds: it holds if the difference is above a bound.
type question struct {
	result.Sentence
	claim string // that the difference is above the bound: the sentence with its methods
	ttest
	bound float64
	note  string // to read the verdict by
}

// Claims judges the statements of sections 4.1 to 4.3 and of figures 2, 12 to 14 and 19 by the outcomes, whatever the
// size of the networks. A verdict is about these runs; the claim also gives the paper's own numbers, if it has some.
// Each claim on a difference is a t-test over the seeds: Welch's between two methods, Student's within one. It holds if
// the difference is above its bound (Expected) and fails if it is below, both by a p-value of at most 5 % after Holm's
// correction for the number of tests in the setup, those of figure 19 apart from the others; otherwise, and with fewer
// than two seeds, it is undecided. Tolerance is half the width of the 95 % confidence interval, without the correction.
// Methods that have no finished run are not asked about.
//
// Accuracies are the last in percent. "Early" is the mean over the records in the first half of the epochs, as there is
// more noise in any one of them than between methods.
func Claims(outcomes []vision.Outcome) []result.Claim {
	var claims []result.Claim
	setups := Compared(outcomes)
	for _, setup := range setups {
		own := slices.Concat(judge(questions(variants(setup))), stableClaims(setup), blowUpClaims(setup))
		if len(setups) > 1 {
			for i := range own {
				own[i].Claim = setupTitle(setup[0].Settings) + ": " + own[i].Claim
			}
		}
		claims = append(claims, own...)
	}
	return claims
}

// questions returns the questions about the variants of one setup.
func questions(list []variant) []question {
	var asked []question
	ask := func(s result.Sentence, t ttest, bound float64, note string, names ...any) {
		if !math.IsNaN(t.difference) { // there are runs, and they have what is asked for
			asked = append(asked, question{s, fmt.Sprintf(s.Text, names...), t, bound, note})
		}
	}
	between := func(s result.Sentence, a, b variant, number func(vision.Outcome) float64) {
		ask(s, welch(a.of(number), b.of(number)), 0, "", a.name(), b.name())
	}
	ce, pal, fnpal, rlr := find(list, "ce", 0), find(list, "pal", 0), find(list, "fnpal", 0), find(list, "fnpal-rlr", 0)
	accuracies := func(s result.Sentence, a, b variant, bound float64, note string) {
		note += fit(ce) + paperDifference(a, b)
		ask(s, welch(a.of(lastAccuracy), b.of(lastAccuracy)), bound, note, a.name(), b.name())
	}
	within := func(s result.Sentence, v variant, number func(vision.Outcome) float64, note string) {
		ask(s, student(v.of(number)), 0, note, v.name())
	}

	for _, v := range list {
		if v.family() != "ce" && v.family() != "ul" {
			note := equivalence(welch(v.of(lastAccuracy), ce.of(lastAccuracy)))
			accuracies(comparable, v, ce, -margin, note)
		}
	}
	within(normsGrow, pal, func(o vision.Outcome) float64 {
		return logNorm(o) - math.Log10(o.Records[0].FeatureNorm2)
	}, "")
	for _, v := range list {
		if v.efr == 0 {
			continue
		}
		without := find(list, v.family(), 0)
		between(limitsNorms, without, v, logNorm)
		accuracies(generalises, v, without, 0, "")
		if v.family() == "pal" {
			under := func(o vision.Outcome) float64 { return logLimit(v) - logNorm(o) }
			note := ""
			if d := student(without.of(under)).difference; !math.IsNaN(d) {
				where := "below"
				if d < 0 {
					where = "above"
				}
				note = fmt.Sprintf("; that of %s ends %.2g %s it", without.name(), math.Abs(d), where)
			}
			within(withinLimit, v, under, note)
			between(sooner, without, v, early(distanceToWM))
		}
	}
	between(slower, ce, fnpal, early(accuracyOf))
	between(accelerates, rlr, fnpal, early(accuracyOf))
	accuracies(nearer, rlr, fnpal, 0, "")
	return asked
}

// equivalence says whether the difference of two accuracies shows "comparable", "better" or neither, by two one-sided
// t-tests (Schuirmann 1987). It is comparable if it is shown to be above −margin and below +margin, and better if it is
// shown to be above +margin.
func equivalence(t ttest) string {
	switch {
	case math.IsNaN(t.err):
		return ""
	case max(t.below(-margin), t.above(margin)) <= level:
		return fmt.Sprintf("; the two are equivalent within ±%g points, p = %.2g", margin, max(t.below(-margin),
			t.above(margin)))
	case t.below(margin) <= level:
		return fmt.Sprintf("; the first is better by more than %g points, p = %.2g", margin, t.below(margin))
	}
	return fmt.Sprintf("; equivalence within ±%g points is not shown, p = %.2g", margin, max(t.below(-margin),
		t.above(margin)))
}

// publishedClaims judges the paper's own last accuracies in figure 2 by the margin that ours are judged by. They are
// single numbers, so that no test is possible: a data set counts if the difference from CE is above −margin.
func publishedClaims() []result.Claim {
	var claims []result.Claim
	for _, method := range []string{"pal", "fnpal", "fnpal-rlr"} {
		m, err := vision.MethodNamed(method)
		if err != nil {
			panic(err)
		}
		comparable := 0
		for _, in := range publishedIn {
			own, found := variant{method: m}.published(in.dataset)
			ce, both := variant{method: vision.Method{Name: "ce"}}.published(in.dataset)
			if found && both && own-ce > -margin {
				comparable++
			}
		}
		claim := fmt.Sprintf(paperComparable.Text, m.Title, margin, len(publishedIn))
		claims = append(claims, paperComparable.Of(result.Check(claim, float64(comparable), float64(len(publishedIn)),
			0)))
	}
	return claims
}

// logLimit returns log₁₀ of Theorem 6's ‖H‖² under the variant's EFR.
func logLimit(v variant) float64 {
	norm2, _ := limit(v.runs[0])
	return math.Log10(norm2)
}

func logNorm(o vision.Outcome) float64 { return math.Log10(last(o).FeatureNorm2) }

func accuracyOf(r vision.Record) float64 { return 100 * r.ValidationAccuracy }

// distanceToWM returns NaN if a record does not have it.
func distanceToWM(r vision.Record) float64 {
	if r.Collapse == nil {
		return math.NaN()
	}
	return float64(r.Collapse.DistanceWM)
}

// early returns the mean of a number over the records in the first half of the epochs, and at least over the first
// record.
func early(number func(vision.Record) float64) func(vision.Outcome) float64 {
	return func(o vision.Outcome) float64 {
		sum, n := 0.0, 0
		for i, r := range o.Records {
			if i == 0 || r.Epoch <= float64(o.Settings.Epochs)/2 {
				sum += number(r)
				n++
			}
		}
		return sum / float64(n)
	}
}

// fit says how well CE fits its training images. This shows whether the last accuracies are those of networks that are
// trained to the end.
func fit(ce variant) string {
	train := student(ce.of(func(o vision.Outcome) float64 { return trainAccuracy(last(o)) })).difference
	if math.IsNaN(train) {
		return ""
	}
	return fmt.Sprintf("; CE ends with %.1f %% of the training images measured right", train)
}

// paperDifference returns the difference of two variants' last accuracies in the paper.
func paperDifference(a, b variant) string {
	var list []string
	for _, in := range publishedIn {
		x, found := a.published(in.dataset)
		y, both := b.published(in.dataset)
		if found && both {
			list = append(list, signed(x-y)+" on "+in.dataset)
		}
	}
	if list == nil {
		return ""
	}
	return "; the paper: " + strings.Join(list, ", ")
}

// judge returns the verdicts of tests, whose p-values are corrected for the number of tests.
func judge(list []question) []result.Claim {
	p := make([]float64, len(list))
	for i, q := range list {
		p[i] = q.p(q.bound)
	}
	var claims []result.Claim
	for i, corrected := range holm(p) {
		claims = append(claims, list[i].judge(corrected))
	}
	return claims
}

// judge returns the verdict of a test with its corrected p-value.
func (q question) judge(p float64) result.Claim {
	c := result.Claim{ID: q.ID, Control: q.Control, Claim: q.claim, Measured: result.Number(q.difference),
		Expected: result.Number(q.bound), Tolerance: result.Number(q.interval()), Verdict: result.Undecided}
	switch {
	case !(p <= level):
	case q.difference > q.bound:
		c.Verdict = result.Holds
	default:
		c.Verdict = result.Fails
	}
	note := fmt.Sprintf("p = %.2g, corrected %.2g", q.p(q.bound), p)
	switch {
	case math.IsNaN(p):
		note = "too few seeds to tell"
	case c.Verdict == result.Undecided && q.p(q.bound) > level:
		note += fmt.Sprintf("; with these seeds, differences below %.2g cannot be told from the bound", q.interval())
	}
	if c.Verdict == result.Undecided && !math.IsNaN(p) {
		note += "; " + q.seedsNote(level*q.p(q.bound)/p)
	}
	note += q.note
	c.Claim = fmt.Sprintf("%s > %s (%s)", c.Claim, strings.TrimPrefix(signed(q.bound), "+"), note)
	return c
}

// seedsNote says how many seeds would decide the question. The level is corrected like the p-value.
func (q question) seedsNote(level float64) string {
	n := q.needed(q.bound, level)
	if math.IsInf(n, 1) {
		return fmt.Sprintf("more than %d seeds would be needed for a difference as small as this", mostSeeds)
	}
	return fmt.Sprintf("%.0f seeds of each method would tell a difference of this size with probability %.0f %%", n,
		100*power)
}

// signed writes a difference of accuracies.
func signed(x float64) string {
	if x == 0 {
		return "0"
	}
	return strings.Replace(fmt.Sprintf("%+.2f", x), "-", "−", 1)
}
