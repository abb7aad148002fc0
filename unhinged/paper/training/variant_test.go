package training

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/unhinged-lab/lab/unhinged/vision"

	"github.com/unhinged-lab/lab/unhinged"
)

func TestSetups(t *testing.T) {
	same := func(change func(*vision.Settings)) bool {
		a := outcome("ce", 1, 0.5)
		b := a
		change(&b.Settings)
		return len(Setups([]vision.Outcome{a, b, a})) == 1
	}
	for name, change := range map[string]func(*vision.Settings){
		"method": func(s *vision.Settings) { s.Method = "pal" },
		"head":   func(s *vision.Settings) { s.Head = unhinged.Head{FeatureRegularization: 1} },
		"seed":   func(s *vision.Settings) { s.Seed = 7 }, "backend": func(s *vision.Settings) { s.Backend = "go" },
		"records": func(s *vision.Settings) { s.RecordsPerEpoch = 9 },
	} {
		if !same(change) {
			t.Errorf("another %s makes another setup", name)
		}
	}
	for name, change := range map[string]func(*vision.Settings){
		"data set":         func(s *vision.Settings) { s.Dataset = "other" },
		"number of images": func(s *vision.Settings) { s.Images = 7 },
		"model":            func(s *vision.Settings) { s.Model = "other" },
		"batch":            func(s *vision.Settings) { s.Batch = 7 },
		"rate":             func(s *vision.Settings) { s.LearningRate = 7 },
		"weight decay":     func(s *vision.Settings) { s.WeightDecay = 7 },
		"flip":             func(s *vision.Settings) { s.Flip = true },
		"number of parts":  func(s *vision.Settings) { s.MicroBatches = 7 },
	} {
		if same(change) {
			t.Errorf("another %s makes no other setup", name)
		}
	}
}

// If a run was repeated, only the later one counts, whatever its folder, and it counts once.
func TestRunsDoneAgainCountOnce(t *testing.T) {
	root := t.TempDir()
	write := func(folder string, seed uint64, hour int, accuracy float64) {
		o := outcome("ce", seed, accuracy)
		o.Provenance.Started = time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)
		path := filepath.Join(root, folder)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := o.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	write("a/first", 1, 5, 0.5)
	write("b/again", 1, 7, 0.7)
	write("c/before", 1, 3, 0.3)
	write("c/other", 2, 3, 0.4)
	outcomes, err := vision.ReadOutcomes(filepath.Join(root, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != 2 || lastAccuracy(outcomes[0]) != 70 || lastAccuracy(outcomes[1]) != 40 {
		t.Errorf("%d runs: %+v", len(outcomes), outcomes)
	}
	write("results [1]/third", 3, 3, 0.9) // a folder's name is not a pattern
	if outcomes, err := vision.ReadOutcomes(filepath.Join(root, "results [1]")); err != nil || len(outcomes) != 1 {
		t.Errorf("%d runs, error %v", len(outcomes), err)
	}
}

// It must be possible to read and to draw all finished runs that are recorded in the project together.
func TestRecordedRuns(t *testing.T) {
	outcomes, err := vision.ReadOutcomes(filepath.Join("..", "..", "..", "results", "training", "*"))
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

// TestTunedRunsAreOneSetup checks that methods with separately tuned rates are compared, and that other runs with
// different rates are not.
func TestTunedRunsAreOneSetup(t *testing.T) {
	list := concat(runs("ce", 50, 90, 90.1), runs("pal", 50, 90, 90.1))
	list[2].Settings.LearningRate, list[3].Settings.LearningRate = 0.7, 0.7
	if n := len(Setups(list)); n != 2 {
		t.Errorf("%d setups, should be 2", n)
	}
	for i := range list {
		list[i].Settings.Tuned = true
	}
	if n := len(Setups(list)); n != 1 {
		t.Errorf("tuned: %d setups, should be 1", n)
	}
}

// TestTunedRunsBesideCE: CE's runs at the configuration's rate join methods at rates of their own, and only those that
// are alike in everything else. CE at two rates does not.
func TestTunedRunsBesideCE(t *testing.T) {
	tuned := runs("pal", 50, 90, 90.1)
	for i := range tuned {
		tuned[i].Settings.Tuned, tuned[i].Settings.WeightDecay = true, 7
	}
	ce, other := runs("ce", 50, 90, 90.1), runs("ce", 50, 90, 90.1)
	for i := range other {
		other[i].Settings.Epochs = 77
	}
	of := func(outcomes []vision.Outcome) (methods []string) {
		for _, setup := range Compared(outcomes) {
			if setup[0].Settings.Tuned {
				for _, o := range setup {
					methods = append(methods, o.Settings.Method)
				}
			}
		}
		return methods
	}
	if got := of(concat(tuned, ce, other)); !slices.Equal(got, []string{"pal", "pal", "ce", "ce"}) {
		t.Errorf("the tuned setup has %v", got)
	}
	if setups := Compared(concat(tuned, ce)); len(setups) != 1 || len(setups[0]) != 4 {
		t.Errorf("tuned runs with their CE are %d setups", len(setups))
	}
	for _, setup := range Setups(concat(tuned, ce)) { // in which every run is once
		if len(setup) != 2 {
			t.Errorf("a setup of %d runs", len(setup))
		}
	}
	if _, err := Figure14(concat(tuned, ce)); err != nil {
		t.Error(err)
	}
	for i := range other {
		other[i].Settings.Epochs, other[i].Settings.LearningRate = ce[0].Settings.Epochs, 9
	}
	if got := of(concat(tuned, ce, other)); !slices.Equal(got, []string{"pal", "pal"}) {
		t.Errorf("with CE at two rates the tuned setup has %v", got)
	}
	own := runs("ce", 50, 90, 90.1)
	for i := range own {
		own[i].Settings.Tuned = true
	}
	if got := of(concat(tuned, ce, own)); len(got) != 4 {
		t.Errorf("with a tuned CE the setup has %v", got)
	}
}
