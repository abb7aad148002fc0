package vision

import (
	"context"
	"slices"
	"testing"

	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// TestTuning checks that a search has a run for each rate and then one for each decay at the best rate, with the first
// seed only. It must use no test images, and the best values must be chosen.
func TestTuning(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data := blobs.Data(TuneHeldOut+320, 10)
	split, err := TuneSplit(data)
	if err != nil {
		t.Fatal(err)
	}
	if split.Train.Len() != 320 || split.Test.Len() != TuneHeldOut || split.Content() == data.Content() {
		t.Fatalf("%d images to train on and %d to choose by", split.Train.Len(), split.Test.Len())
	}
	if slices.Equal(split.Test.Pixels[:160], data.Test.Pixels) {
		t.Error("it chooses by the test images")
	}
	split.Test = split.Test.First(100)
	root := t.TempDir()
	var trainings []Training
	for _, name := range []string{"ce", "pal"} {
		for seed := range 2 {
			training := small(name)
			training.Epochs, training.Seed = 1, uint64(seed+1)
			trainings = append(trainings, training)
		}
	}
	each := len(TuneRates()) + len(TuneDecays())
	names := map[string]bool{}
	search := func(tries []Training) []Tried {
		for _, try := range tries {
			names[try.Name()] = true
			try.Folder = root + "/" + try.Name()
			if _, err := try.Run(context.Background(), backend, split); err != nil {
				t.Fatal(err)
			}
		}
		outcomes, err := ReadOutcomes(root)
		if err != nil {
			t.Fatal(err)
		}
		return Tuned(outcomes)
	}
	tried := search(TuningRates(trainings))
	decays := TuningDecays(trainings, tried)
	for _, try := range decays {
		best := slices.IndexFunc(tried, func(t Tried) bool { return t.Chosen && t.Method == try.Method.Name })
		if try.LearningRate != tried[best].LearningRate || try.WeightDecay == tried[best].WeightDecay {
			t.Errorf("%s is tried at rate %g, and %g was best", try.Method.Name, try.LearningRate,
				tried[best].LearningRate)
		}
	}
	if none := TuningDecays(trainings, nil); none != nil {
		t.Errorf("%d decays without a best rate", len(none))
	}
	tuned := search(decays)
	if len(names) != 2*each || !names["pal-rate0.2-decay0.0005-seed1"] {
		t.Errorf("names %v", names)
	}
	if len(tuned) != 2*each {
		t.Fatalf("%d tries, should be %d", len(tuned), 2*each)
	}
	for i, try := range tuned {
		if try.Chosen != (i%each == 0) || try.Accuracy > tuned[i/each*each].Accuracy ||
			try.Method != tuned[i/each*each].Method {
			t.Errorf("try %d is %+v", i, try)
		}
	}
	if _, err := TuneSplit(&datasets.Dataset{Classes: data.Classes, Train: data.Train.First(100),
		Test: data.Test}); err == nil {
		t.Error("5000 of 100 images were held out")
	}
}
