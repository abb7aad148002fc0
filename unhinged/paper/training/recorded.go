package training

import (
	"errors"
	"fmt"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// All draws figure 2 from all finished runs on whole data sets in a folder, or in the folders of a pattern.
func All(runs string) (result.Figure, error) {
	outcomes, err := vision.ReadOutcomes(runs)
	if err != nil {
		return result.Figure{}, err
	}
	return Figure2(Whole(outcomes))
}

// On returns a function that draws a figure from the finished runs on one whole data set, and judges the sentences of
// the figure with this id by these runs. If there are several setups with runs that belong into the figure, it takes
// the one with the most runs.
func On(dataset, id string, draw func([]vision.Outcome) (result.Figure, error)) func(runs string) (result.Figure,
	error) {
	return func(runs string) (result.Figure, error) {
		outcomes, err := vision.ReadOutcomes(runs)
		if err != nil {
			return result.Figure{}, err
		}
		setups := slices.DeleteFunc(Compared(Whole(outcomes)), func(setup []vision.Outcome) bool {
			return setup[0].Settings.Dataset != dataset
		})
		slices.SortStableFunc(setups, func(a, b []vision.Outcome) int { return len(b) - len(a) })
		fig, err := result.Figure{}, fmt.Errorf("%w on %s", ErrNoRuns, dataset)
		var most []vision.Outcome
		for _, setup := range setups {
			most = setup
			if fig, err = draw(setup); !errors.Is(err, ErrNoRuns) {
				break
			}
		}
		if err != nil || fig.Claims != nil {
			return fig, err
		}
		own := Sentences(id)
		for _, c := range Claims(most) {
			if slices.ContainsFunc(own, func(s result.Sentence) bool { return s.ID == c.ID }) {
				fig.Claims = append(fig.Claims, c)
			}
		}
		return fig, nil
	}
}

// Sentences returns the sentences that a figure judges, by its id.
func Sentences(id string) []result.Sentence {
	switch id {
	case "fig2":
		return []result.Sentence{comparable, paperComparable, normsGrow, limitsNorms, generalises, withinLimit, sooner,
			slower, accelerates,
			nearer, stable, blowsUp, largeRatio, smallAngle}
	case "fig12", "fig13", "fig14":
		return []result.Sentence{normsGrow, limitsNorms, generalises, withinLimit, sooner}
	case "table2":
		return []result.Sentence{paperMost, efrHelps, ulAhead, shifted}
	case "table4", "table5":
		return []result.Sentence{paperMost, efrHelps}
	case "otherlosses":
		return []result.Sentence{anchoredOthers, efrOthers, rlrOthersSooner, rlrOthersBetter, goodStart}
	case "fig19":
		return []result.Sentence{blowsUp, largeRatio, smallAngle}
	case "neural-collapse":
		return []result.Sentence{nearerToWM, nearerToPrototypes, nearerToETF}
	case "fig10", "fig11":
		return []result.Sentence{paperCalibrates, lessOverConfident, suitable}
	case "table3":
		return []result.Sentence{paperDetects, paperAgrees, detects}
	case "table6":
		return []result.Sentence{paperDetects, paperAgrees, detectsByLambda}
	case "fig3", "fig16", "fig17", "fig18":
		return []result.Sentence{separates}
	}
	return nil
}
