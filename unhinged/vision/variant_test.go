package vision

import (
	"path/filepath"
	"testing"

	"github.com/unhinged-lab/lab/unhinged"
)

func TestSetups(t *testing.T) {
	same := func(change func(*Settings)) bool {
		a := outcome("ce", 1, 0.5)
		b := a
		change(&b.Settings)
		return len(Setups([]Outcome{a, b, a})) == 1
	}
	for name, change := range map[string]func(*Settings){
		"method": func(s *Settings) { s.Method = "pal" }, "head": func(s *Settings) { s.Head = unhinged.Head{FeatureRegularization: 1} },
		"seed": func(s *Settings) { s.Seed = 7 }, "backend": func(s *Settings) { s.Backend = "go" }, "records": func(s *Settings) { s.RecordsPerEpoch = 9 },
	} {
		if !same(change) {
			t.Errorf("another %s makes another setup", name)
		}
	}
	for name, change := range map[string]func(*Settings){
		"data set": func(s *Settings) { s.Dataset = "other" }, "number of images": func(s *Settings) { s.Images = 7 }, "model": func(s *Settings) { s.Model = "other" },
		"batch": func(s *Settings) { s.Batch = 7 }, "rate": func(s *Settings) { s.LearningRate = 7 }, "weight decay": func(s *Settings) { s.WeightDecay = 7 },
		"flip": func(s *Settings) { s.Flip = true }, "number of parts": func(s *Settings) { s.MicroBatches = 7 },
	} {
		if same(change) {
			t.Errorf("another %s makes no other setup", name)
		}
	}
}

// The finished runs that are recorded in the project can be read and drawn, all at once.
func TestRecordedRuns(t *testing.T) {
	outcomes, err := ReadOutcomes(filepath.Join("..", "..", "results", "training", "*"))
	if err != nil {
		t.Fatal(err)
	}
	fig, err := Figure2(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if setups := Setups(outcomes); len(fig.Panels) == 0 || len(fig.Panels) > len(setups) {
		t.Errorf("%d panels of %d setups", len(fig.Panels), len(setups))
	}
}
