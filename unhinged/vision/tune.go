package vision

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// TuneRates returns the factors of the configuration's learning rate that a tuning tries with every method.
func TuneRates() []float64 { return []float64{0.125, 0.25, 0.5, 1, 2} }

// TuneDecays returns the factors of the configuration's weight decay that a tuning tries with every method.
func TuneDecays() []float64 { return []float64{0.5, 2} }

const (
	// TuneHeldOut is the number of training images that are held out to choose by. The test images have no part in it.
	TuneHeldOut = 5000
	tuneSeed    = 1 // of what is held out, and of the runs
)

// TuneSplit is the data of a tuning: TuneHeldOut of the training images, as many of each class, take the place of the
// test images, and are not trained on.
func TuneSplit(data *datasets.Dataset) (*datasets.Dataset, error) {
	split := &datasets.Dataset{Name: data.Name, Classes: data.Classes, Folder: data.Folder, Known: data.Known}
	var err error
	split.Train, split.Test, err = data.Train.HoldOut(TuneHeldOut, len(data.Classes), tuneSeed)
	if err != nil {
		return nil, fmt.Errorf("to tune, %d training images are held out: %w", TuneHeldOut, err)
	}
	return split, nil
}

// TuningRates lists the first half of a search: for each training of the first seed, each rate of the grid with its own
// decay.
func TuningRates(trainings []Training) []Training {
	return tries(trainings, TuneRates(), func(t *Training, factor float64) bool {
		t.LearningRate *= factor
		return true
	})
}

// TuningDecays lists the second half: each decay of the grid with the rate that was best in the first half. A method
// without a chosen try has none.
func TuningDecays(trainings []Training, tried []Tried) []Training {
	return tries(trainings, TuneDecays(), func(t *Training, factor float64) bool {
		i := slices.IndexFunc(tried, func(other Tried) bool {
			return other.Method == t.Method.variant() && other.WeightDecay == t.WeightDecay && !other.Diverged
		})
		if i < 0 {
			return false
		}
		t.LearningRate = tried[i].LearningRate
		t.WeightDecay *= factor
		return true
	})
}

func tries(trainings []Training, factors []float64, set func(t *Training, factor float64) bool) []Training {
	var list []Training
	for _, t := range trainings {
		for _, factor := range factors {
			own := t
			if t.Seed == tuneSeed && set(&own, factor) {
				own.Tag = fmt.Sprintf("rate%.3g-decay%.3g", own.LearningRate, own.WeightDecay)
				list = append(list, own)
			}
		}
	}
	return list
}

// Tried is a run of a search.
type Tried struct {
	Method       string  `json:"method"` // with λ, as in the name of a run
	LearningRate float64 `json:"learning_rate"`
	WeightDecay  float64 `json:"weight_decay"`
	Accuracy     float64 `json:"accuracy"` // on the images held out at the end, in percent; 0 if it diverged
	Diverged     bool    `json:"diverged,omitempty"`
	Chosen       bool    `json:"chosen,omitempty"` // the method's best
}

// Tuned lists the finished runs of a search, by method in the order of Methods, the best first, which is the one to
// choose.
func Tuned(outcomes []Outcome) []Tried {
	var list []Tried
	var order []string
	for _, o := range outcomes {
		method, err := MethodNamed(o.Settings.Method)
		if err != nil {
			continue
		}
		method.Head = o.Settings.Head
		t := Tried{Method: method.variant(), LearningRate: o.Settings.LearningRate, WeightDecay: o.Settings.WeightDecay}
		if t.Diverged = o.Diverged != nil || len(o.Records) == 0; !t.Diverged {
			t.Accuracy = 100 * o.Records[len(o.Records)-1].ValidationAccuracy
		}
		list, order = append(list, t), append(order, t.Method)
	}
	slices.SortStableFunc(list, func(a, b Tried) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Method), slices.Index(order, b.Method)), cmp.Compare(b.Accuracy,
			a.Accuracy))
	})
	for i := range list {
		list[i].Chosen = (i == 0 || list[i-1].Method != list[i].Method) && !list[i].Diverged
	}
	return list
}
