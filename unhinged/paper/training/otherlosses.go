package training

import (
	"fmt"
	"math"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// Sentences on anchored prototypes, EFR and RLR with losses for which the paper does not test them (sections 3.3, 4.2
// and 4.3).
var (
	anchoredOthers = result.Sentence{ID: "etf-with-other-losses",
		Text:    "3.3 with other losses: an anchored ETF is as good as trained prototypes: accuracy of %s − that of %s",
		Control: "with the accuracy of the anchored runs three points lower, this fails"}
	efrOthers = result.Sentence{ID: "efr-with-other-losses",
		Text:    "4.2 with other losses: EFR costs no accuracy: accuracy of %s − that of %s",
		Control: "with the accuracy under EFR three points lower, this fails"}
	rlrOthersSooner = result.Sentence{ID: "rlr-with-cosine-sooner",
		Text: "4.3, RLR in another method that normalises features: it trains sooner: early accuracy of %s − " +
			"that of %s",
		Control: "with the cosine classifier without RLR 20 points ahead in the first half, this fails"}
	rlrOthersBetter = result.Sentence{ID: "rlr-with-cosine-better",
		Text:    "4.3, RLR in another method that normalises features: it ends better: accuracy of %s − that of %s",
		Control: "with the accuracy under RLR five points lower, this fails"}
	goodStart = result.Sentence{ID: "etf-is-a-good-start",
		Text: "D.1: an ETF, or a larger one, is a good start for prototypes that are trained: runs of plain UL from " +
			"such a start that come to their end without blowing up",
		Control: "with a run that blows up, this fails"}
)

// OtherLosses makes the study of the paper's heads with other losses from the finished runs in a folder, or in the
// folders of a pattern. It uses the setup with the most losses.
func OtherLosses(runs string) (result.Figure, error) {
	outcomes, err := vision.ReadOutcomes(runs)
	if err != nil {
		return result.Figure{}, err
	}
	return otherLosses(outcomes)
}

func otherLosses(outcomes []vision.Outcome) (result.Figure, error) {
	var most []vision.Outcome
	others := func(setup []vision.Outcome) int {
		n := 0
		for _, v := range variants(setup) {
			if slices.Contains([]string{"ce-etf", "mse", "mse-etf", "hinge", "hinge-etf", "cosine", "cosine-rlr"},
				v.method.Name) {
				n++
			}
		}
		return n
	}
	for _, setup := range Setups(balanced(outcomes)) {
		if others(setup) > others(most) {
			most = setup
		}
	}
	if most == nil {
		return result.Figure{}, fmt.Errorf("%w with other losses", ErrNoRuns)
	}
	fig := result.Figure{ID: "otherlosses", Title: "Other losses with the paper's heads", Panels: []result.Panel{
		{Title: "(a) Validation accuracy", Y: "accuracy", YLabel: "%"},
		{Title: "(b) One batch's ‖H‖²", Y: "feature_norm2", YLabel: "‖H‖²", Log: true},
		{Title: "(c) Within-class variability NC1", Y: "within_class", YLabel: "tr(Σ_W Σ_B†)/C", Log: true},
	}}
	list := variants(most)
	fig.Claims = append(judge(otherQuestions(list)), startClaims(list)...)
	fig.Table = finalsTable(list)
	list = slices.DeleteFunc(list, func(v variant) bool { return len(v.runs) == 0 })
	return fig, draw(&fig, list, most)
}

// otherQuestions returns the questions about the variants of one setup.
func otherQuestions(list []variant) []question {
	var asked []question
	ask := func(s result.Sentence, a, b variant, number func(vision.Outcome) float64, bound float64) {
		if t := welch(a.of(number), b.of(number)); !math.IsNaN(t.difference) {
			asked = append(asked, question{s, fmt.Sprintf(s.Text, a.name(), b.name()), t, bound, ""})
		}
	}
	for _, loss := range []string{"ce", "mse", "hinge"} {
		ask(anchoredOthers, find(list, loss+"-etf", 0), find(list, loss, 0), lastAccuracy, -margin)
	}
	for _, v := range list {
		if v.efr > 0 && v.family() != "pal" {
			ask(efrOthers, v, find(list, v.family(), 0), lastAccuracy, -margin)
		}
	}
	cosine, rescaled := find(list, "cosine", 0), find(list, "cosine-rlr", 0)
	ask(rlrOthersSooner, rescaled, cosine, early(accuracyOf), 0)
	ask(rlrOthersBetter, rescaled, cosine, lastAccuracy, 0)
	return asked
}

// startClaims judges the starts of Appendix D.1 by the variants of one setup.
func startClaims(list []variant) []result.Claim {
	ended, all := 0, 0
	for _, v := range list {
		if v.method.Name == "ul-etf" || v.method.Name == "ul-etf10" {
			ended += len(v.runs)
			all += len(v.runs) + v.diverged
		}
	}
	if all == 0 {
		return nil
	}
	return []result.Claim{goodStart.Of(result.Check(goodStart.Text, float64(ended), float64(all), 0))}
}

// finalsTable has the last accuracies, feature norms and within-class variabilities of variants.
func finalsTable(list []variant) *result.Table {
	t := &result.Table{Columns: []string{"method", "accuracy, %", "log₁₀ ‖H‖² of a batch", "NC1"},
		Note: "Mean ± standard deviation (number of seeds) of the last accuracy; means of the others."}
	for _, v := range list {
		norm := student(v.of(logNorm)).difference
		within := student(v.of(func(o vision.Outcome) float64 { return float64(last(o).WithinClass) })).difference
		row := []string{v.name(), v.accuracy(), "", ""}
		if len(v.runs) > 0 {
			row[2], row[3] = fmt.Sprintf("%.2f", norm), fmt.Sprintf("%.3g", within)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
