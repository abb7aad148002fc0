package training

import (
	"fmt"
	"math"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// margin is the difference in accuracy, in points, below which two methods are comparable. It was fixed before any run was
// judged by it, and the paper's own accuracies are judged by it too (publishedClaims).
const margin = 0.5

// level is the probability that chance alone makes one of the questions that are judged together in a setup hold or fail.
const level = 0.05

// question is a sentence of the paper about a difference over the seeds: it holds if the difference is above a bound.
type question struct {
	sentence string // that the difference is above the bound
	ttest
	bound float64
	note  string // to read the verdict by
}

// Claims judges what the paper says in sections 4.1 to 4.3 and in figures 2, 12 to 14 and 19 by outcomes of whatever size:
// a verdict is on these runs, and the sentence has the paper's own numbers beside it, where there are some. Each claim on
// a difference is a t-test over the seeds: Welch's between two methods, Student's within one. It holds if the difference
// is above its bound (Expected) and fails if it is below, both by a p-value of at most 5 % after Holm's correction for the
// number of tests in the setup, those of figure 19 apart from the others; otherwise, and with fewer than two seeds, it is undecided. Tolerance is half the width of
// the 95 % confidence interval, without the correction. Methods that have no finished run are not asked about.
//
// Accuracies are the last in percent. "Early" is the mean over the records in the first half of the epochs, as there is
// more noise in any one of them than between methods.
func Claims(outcomes []vision.Outcome) []result.Claim {
	var claims []result.Claim
	setups := Setups(outcomes)
	for _, setup := range setups {
		own := append(judge(questions(variants(setup))), blowUpClaims(setup)...)
		if len(setups) > 1 {
			for i := range own {
				own[i].Claim = setupTitle(setup[0].Settings) + ": " + own[i].Claim
			}
		}
		claims = append(claims, own...)
	}
	return claims
}

// questions are those that can be asked of the variants of one setup.
func questions(list []variant) []question {
	var asked []question
	ask := func(sentence string, t ttest, bound float64, note string) {
		if !math.IsNaN(t.difference) { // there are runs, and they have what is asked for
			asked = append(asked, question{sentence, t, bound, note})
		}
	}
	between := func(sentence string, a, b variant, number func(vision.Outcome) float64) {
		ask(fmt.Sprintf(sentence, a.name(), b.name()), welch(a.of(number), b.of(number)), 0, "")
	}
	ce, pal, fnpal, rlr := find(list, "ce", 0), find(list, "pal", 0), find(list, "fnpal", 0), find(list, "fnpal-rlr", 0)
	accuracies := func(sentence string, a, b variant, bound float64, note string) {
		note += fit(ce) + paperDifference(a, b)
		ask(fmt.Sprintf(sentence, a.name(), b.name()), welch(a.of(lastAccuracy), b.of(lastAccuracy)), bound, note)
	}
	within := func(sentence string, v variant, number func(vision.Outcome) float64, note string) {
		ask(fmt.Sprintf(sentence, v.name()), student(v.of(number)), 0, note)
	}

	for _, v := range list {
		if v.family() != "ce" && v.family() != "ul" {
			note := equivalence(welch(v.of(lastAccuracy), ce.of(lastAccuracy)))
			comparable := "4.1, figure 2: the unhinged loss is comparable to CE or better: accuracy of %s − that of %s"
			accuracies(comparable, v, ce, -margin, note)
		}
	}
	within("figures 12 and 13(d): the feature norm of %s grows: log₁₀ ‖H‖² at the end − at the first record", pal, func(o vision.Outcome) float64 {
		return logNorm(o) - math.Log10(o.Records[0].FeatureNorm2)
	}, "")
	for _, v := range list {
		if v.efr == 0 {
			continue
		}
		without := find(list, v.family(), 0)
		between("4.2, figures 3, 12 and 13: EFR limits the growth of feature norms: log₁₀ ‖H‖² of %s − that of %s", without, v, logNorm)
		accuracies("4.2: EFR can even improve generalisation: accuracy of %s − that of %s", v, without, 0, "")
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
			within("4.2, Theorem 6: the features of %s end within the theorem's limit: log₁₀ of the limit's ‖H‖² − that of the features", v, under, note)
			between("4.2, Theorem 6: EFR speeds up the convergence to WM: early ‖Ĥ − V̂‖, V = WM, of %s − that of %s", without, v, early(distanceToWM))
		}
	}
	between("4.3, figure 2: feature normalisation slows training down: early accuracy of %s − that of %s", ce, fnpal, early(accuracyOf))
	between("4.3, figure 2: RLR accelerates it: early accuracy of %s − that of %s", rlr, fnpal, early(accuracyOf))
	accuracies("4.3: RLR brings FNPAL nearer to CE: accuracy of %s − that of %s", rlr, fnpal, 0, "")
	return asked
}

// equivalence says which half of "comparable or better" the difference of two accuracies shows, by two one-sided t-tests
// (Schuirmann 1987): comparable if it is shown to be above −margin and below +margin, better if it is shown to be above
// +margin, and otherwise neither.
func equivalence(t ttest) string {
	switch {
	case math.IsNaN(t.err):
		return ""
	case max(t.below(-margin), t.above(margin)) <= level:
		return fmt.Sprintf("; the two are equivalent within ±%g points, p = %.2g", margin, max(t.below(-margin), t.above(margin)))
	case t.below(margin) <= level:
		return fmt.Sprintf("; the first is better by more than %g points, p = %.2g", margin, t.below(margin))
	}
	return fmt.Sprintf("; equivalence within ±%g points is not shown, p = %.2g", margin, max(t.below(-margin), t.above(margin)))
}

// publishedClaims judges the paper's own last accuracies in figure 2 by the margin that ours are judged by. They are single
// numbers, so that no test is possible: a data set counts if the difference from CE is above −margin.
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
		sentence := fmt.Sprintf("4.1, the paper's own figure 2: %s ends at most %g points below CE on each of %d data sets: data sets on which it does",
			m.Title, margin, len(publishedIn))
		claims = append(claims, result.Check(sentence, float64(comparable), float64(len(publishedIn)), 0))
	}
	return claims
}

// logLimit is log₁₀ of Theorem 6's ‖H‖² under the variant's EFR.
func logLimit(v variant) float64 {
	norm2, _ := limit(v.runs[0])
	return math.Log10(norm2)
}

func logNorm(o vision.Outcome) float64 { return math.Log10(last(o).FeatureNorm2) }

func accuracyOf(r vision.Record) float64 { return 100 * r.ValidationAccuracy }

// distanceToWM is NaN where a record does not have it.
func distanceToWM(r vision.Record) float64 {
	if r.Collapse == nil {
		return math.NaN()
	}
	return float64(r.Collapse.DistanceWM)
}

// early is the mean of a number over the records in the first half of the epochs, and over the first one at least.
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

// fit is how far CE got with its training images, which says whether last accuracies are those of trained networks.
func fit(ce variant) string {
	train := student(ce.of(func(o vision.Outcome) float64 { return trainAccuracy(last(o)) })).difference
	if math.IsNaN(train) {
		return ""
	}
	return fmt.Sprintf("; CE ends with %.1f %% of the training images measured right", train)
}

// paperDifference is what the paper has for the difference of two variants' last accuracies.
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

// judge gives the verdicts of tests, with their p-values corrected for the number of them.
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

// judge is the verdict of a test with its corrected p-value.
func (q question) judge(p float64) result.Claim {
	c := result.Claim{Claim: q.sentence, Measured: result.Number(q.difference), Expected: result.Number(q.bound), Tolerance: result.Number(q.interval()), Verdict: result.Undecided}
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
	note += q.note
	c.Claim = fmt.Sprintf("%s > %s (%s)", c.Claim, strings.TrimPrefix(signed(q.bound), "+"), note)
	return c
}

// signed writes a difference of accuracies.
func signed(x float64) string {
	if x == 0 {
		return "0"
	}
	return strings.Replace(fmt.Sprintf("%+.2f", x), "-", "−", 1)
}
