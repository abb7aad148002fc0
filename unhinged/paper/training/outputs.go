package training

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"

	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/unhinged/calibration"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/ood"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// least is the smallest number of seeds, the same for both variants, with which a sentence about outputs is judged. It
// was fixed, like the tests, before any run had outputs.
const least = 3

// outputMeasures are the measures of the outputs of a run.
type outputMeasures struct {
	accuracy, confidence, ece, scaledECE, nll, brier float64 // accuracy to scaledECE in percent; scaled by CrossScaled
	bins                                             []calibration.Bin

	detection map[string]map[string]ood.Measures // by the set of images and the score
	baseRate  map[string]float64                 // by the set: share of test images
}

// scores are the names of all scores of outputs, as the tables have them. The paper's three come first.
var scores = slices.Concat(paperScores, []string{"max-logit"}, vision.FeatureScores()[1:])

var paperScores = []string{"softmax", "energy", "feature-norm"}

// score returns the score of this name for a set of images.
func score(name string, s vision.SetOutputs) []float64 {
	switch name {
	case "softmax":
		return ood.MSP(s.Logits)
	case "energy":
		return ood.Energy(s.Logits, 1)
	case "max-logit":
		return ood.MaxLogit(s.Logits)
	case "feature-norm":
		name = "norm"
	}
	column := slices.Index(vision.FeatureScores(), name)
	out := make([]float64, s.Scores.RawMatrix().Rows)
	for i := range out {
		out[i] = s.Scores.At(i, column)
	}
	return out
}

// measuredOutputs keeps the measures of outputs by their checksum, because many items are drawn from the same outputs.
var measuredOutputs sync.Map

// withOutputs returns the outcomes that came to their end, have outputs and satisfy the condition, and the measures of
// each by its folder.
func withOutputs(outcomes []vision.Outcome, wanted func(vision.Settings) bool) ([]vision.Outcome,
	map[string]*outputMeasures, error) {
	var kept []vision.Outcome
	measures := map[string]*outputMeasures{}
	for _, o := range outcomes {
		if o.Diverged != nil || o.Outputs == "" || !wanted(o.Settings) {
			continue
		}
		known, found := measuredOutputs.Load(o.Outputs)
		if !found {
			outputs, err := o.ReadOutputs()
			if errors.Is(err, os.ErrNotExist) { // they are left out of a copy of the run
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			m, err := measureOutputs(outputs)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", o.Folder, err)
			}
			known, _ = measuredOutputs.LoadOrStore(o.Outputs, m)
		}
		kept, measures[o.Folder] = append(kept, o), known.(*outputMeasures)
	}
	return kept, measures, nil
}

// measureOutputs takes all measures. A score that could not be fitted is left out.
func measureOutputs(outputs *vision.Outputs) (*outputMeasures, error) {
	test := outputs.Sets[vision.TestSet]
	p, err := calibration.New(test.Logits, outputs.Labels)
	if err != nil {
		return nil, err
	}
	m := &outputMeasures{accuracy: 100 * p.Accuracy(), nll: p.NLL(), brier: p.Brier(), scaledECE: math.NaN(),
		detection: map[string]map[string]ood.Measures{}, baseRate: map[string]float64{}}
	if m.bins, err = (calibration.Binning{}).Of(p.Confidences()); err != nil {
		return nil, err
	}
	m.ece, m.confidence = 100*calibration.ECE(m.bins), 100*calibration.MeanConfidence(m.bins)
	if scaled, _, err := p.CrossScaled(); err == nil { // some temperature is best
		bins, err := calibration.Binning{}.Of(scaled.Confidences())
		if err != nil {
			return nil, err
		}
		m.scaledECE = 100 * calibration.ECE(bins)
	}
	for set, other := range outputs.Sets {
		if set == vision.TestSet {
			continue
		}
		m.detection[set] = map[string]ood.Measures{}
		for _, name := range scores {
			in, out := score(name, test), score(name, other)
			if slices.ContainsFunc(in, math.IsNaN) || slices.ContainsFunc(out, math.IsNaN) {
				continue
			}
			c, err := ood.Compare(in, out)
			if err != nil {
				return nil, err
			}
			m.detection[set][name], m.baseRate[set] = c.Measures(), c.BaseRate()
		}
	}
	return m, nil
}

// distance says how far a set of images is from the training images: "near" for classes that were left out and for
// CIFAR-10 beside CIFAR-100, "spoilt" for changed test images, and "far" for everything else.
func distance(set, trained string) string {
	cifar := func(name string) bool { return strings.HasPrefix(name, "cifar-") }
	switch {
	case set == vision.UnknownSet || cifar(set) && cifar(trained):
		return "near"
	case set == vision.BlurredSet || set == vision.PatchesSet:
		return "spoilt"
	}
	return "far"
}

// setNames lists the sets of images out of distribution of these runs: SVHN first, other data sets, left-out classes,
// and then what is made.
func setNames(runs []vision.Outcome, measures map[string]*outputMeasures) []string {
	var names []string
	order := slices.Concat([]string{"svhn"}, datasets.Names(), []string{vision.UnknownSet, vision.UniformSet,
		vision.GaussianSet, vision.PatchesSet, vision.BlurredSet})
	for _, name := range order {
		for _, o := range runs {
			if _, found := measures[o.Folder].detection[name]; found && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// paired returns the differences number(a) − number(b) of the runs with equal seeds. If there are fewer than least of
// them, it returns none, and the sentence is undecided.
func paired(a, b variant, number func(vision.Outcome) float64) ttest {
	var differences []float64
	for _, x := range a.runs {
		for _, y := range b.runs {
			if x.Settings.Seed == y.Settings.Seed {
				differences = append(differences, number(x)-number(y))
			}
		}
	}
	t := student(differences)
	if len(differences) < least {
		t.err = math.NaN()
	}
	return t
}

// meanSD writes the mean of a number over runs with this number of decimals, and ± the standard deviation if there are
// at least two runs.
func meanSD(v variant, decimals int, number func(vision.Outcome) float64) string {
	mean, sd := stat.MeanStdDev(v.of(number), nil)
	if len(v.runs) < 2 {
		return fmt.Sprintf("%.*f", decimals, mean)
	}
	return fmt.Sprintf("%.*f ± %.*f", decimals, mean, decimals, sd)
}

// paperLambda converts the variant's λ of EFR to the paper's batches of 256 images. This is necessary because EFR is a
// sum over the batch, while the loss is a mean.
func (v variant) paperLambda() float64 { return v.efr * float64(v.runs[0].Settings.Batch) / 256 }

// needsOutputs says which runs are missing for an item that shows only published numbers.
func needsOutputs(what string) string {
	return fmt.Sprintf("only the published numbers are shown: no recorded run %s has %s", what, vision.OutputsFile)
}
