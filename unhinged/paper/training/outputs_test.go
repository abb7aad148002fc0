package training

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/calibration"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/npy"
	"github.com/unhinged-lab/lab/unhinged/ood"
	"github.com/unhinged-lab/lab/unhinged/paper/paperdata"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// madeUp describes the outputs of a made-up run. Of 60 test images in three classes, the share right is classified
// correctly, and all logits have a size of about scale. Scores out of distribution are lower by shift.
type madeUp struct {
	method       string
	efr          float64
	right, scale float64
	shift        float64
}

// madeUpSets are the data sets of the made-up outputs.
var madeUpSets = []string{vision.UnknownSet, vision.UniformSet, vision.BlurredSet, "mnist"}

// write writes the outputs of one seed and returns the outcome.
func (m madeUp) write(t *testing.T, seed uint64, change func(*vision.Settings)) vision.Outcome {
	t.Helper()
	o := withEFR(outcome(m.method, seed, m.right), m.efr)
	o.Settings.Dataset = "fashion-mnist"
	if change != nil {
		change(&o.Settings)
	}
	const n, classes = 60, 3
	jitter := 1 + 0.01*float64(seed)
	rows := func(shift float64) (logits, scores *mat.Dense, labels []int) {
		logits, scores = mat.NewDense(n, classes, nil), mat.NewDense(n, len(vision.FeatureScores()), nil)
		for i := range n {
			label := i % classes
			predicted := label
			if float64(i*7%n) >= m.right*n-0.01*float64(seed) {
				predicted = (label + 1) % classes
			}
			value := m.scale*jitter + float64(i)/n - shift*jitter
			logits.Set(i, predicted, value)
			for k := range vision.FeatureScores() {
				scores.Set(i, k, value)
			}
			labels = append(labels, label)
		}
		return logits, scores, labels
	}
	arrays := map[string]npy.Array{}
	logits, scores, labels := rows(0)
	bytes := make([]uint8, n)
	for i, y := range labels {
		bytes[i] = uint8(y)
	}
	arrays["test.labels"], arrays["test.logits"] = npy.Bytes(bytes), npy.Single(logits)
	arrays["test.scores"] = npy.Single(scores)
	for i, set := range madeUpSets {
		logits, scores, _ := rows(m.shift * (1 + 0.1*float64(i)))
		arrays[set+".logits"], arrays[set+".scores"] = npy.Single(logits), npy.Single(scores)
	}
	o.Folder = t.TempDir()
	path := filepath.Join(o.Folder, vision.OutputsFile)
	content, err := npy.PackArchive(arrays)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	o.Outputs = hex.EncodeToString(sum[:])
	return o
}

// madeUpRuns returns runs of CE and PAL without EFR and with two λ, for the given seeds. EFR improves every measure.
func madeUpRuns(t *testing.T, seeds int, change func(*vision.Settings), edit func(*madeUp)) []vision.Outcome {
	t.Helper()
	var out []vision.Outcome
	for _, m := range []madeUp{{"ce", 0, 0.7, 3, 0.3}, {"ce", 5e-6, 0.8, 2.2, 0.6}, {"ce", 1e-5, 0.85, 2.2, 0.7},
		{"pal", 0, 0.7, 3, 0.3}, {"pal-efr", 5e-6, 0.8, 2.2, 0.6}} {
		if edit != nil {
			edit(&m)
		}
		for seed := range seeds {
			out = append(out, m.write(t, uint64(seed+1), change))
		}
	}
	return out
}

func longTailed(s *vision.Settings) {
	s.Imbalance = datasets.Imbalance{Kind: datasets.LongTailed, Ratio: 10}
}

func stepped(s *vision.Settings) { s.Imbalance = datasets.Imbalance{Kind: datasets.Step, Ratio: 10} }

// outputItems are the items that are computed from outputs, by id, with the imbalance of their runs.
var outputItems = []struct {
	id     string
	draw   func([]vision.Outcome) (result.Figure, error)
	change func(*vision.Settings)
}{
	{"fig10", Calibration(10), longTailed}, {"fig11", Calibration(11), stepped},
	{"table3", Detection(3), nil}, {"table6", Detection(6), nil},
	{"fig3", ScoreHistograms("fig3", 3, "feature-norm", "energy", "feature-norm"), nil},
	{"fig16", ScoreHistograms("fig16", 6, "softmax", "softmax"), nil},
}

// TestOutputItems checks that without runs each item shows only the published numbers and says what is missing. With
// runs it also shows these and can be drawn, and every claim about them is one of its sentences and holds.
func TestOutputItems(t *testing.T) {
	for _, item := range outputItems {
		empty, err := item.draw(nil)
		if err != nil {
			t.Fatal(item.id, err)
		}
		if needs, found := empty.Settings["needs"]; !found || !strings.Contains(fmt.Sprint(needs), "published") {
			t.Errorf("%s without runs needs %v", item.id, needs)
		}
		if _, err := plots.SVG(empty); err != nil {
			t.Error(item.id, err)
		}
		figure, err := item.draw(madeUpRuns(t, 3, item.change, nil))
		if err != nil {
			t.Fatal(item.id, err)
		}
		if _, err := plots.SVG(figure); err != nil {
			t.Error(item.id, err)
		}
		if len(figure.Panels) <= len(empty.Panels) || len(figure.Claims) <= len(empty.Claims) {
			t.Errorf("%s has %d panels and %d claims, without runs %d and %d", item.id, len(figure.Panels),
				len(figure.Claims), len(empty.Panels), len(empty.Claims))
		}
		for _, c := range figure.Claims {
			if !slices.ContainsFunc(Sentences(item.id), func(s result.Sentence) bool { return s.ID == c.ID }) {
				t.Errorf("%s judges %q", item.id, c.ID)
			}
			if !strings.Contains(c.ID, "in-the-paper") && c.Verdict != result.Holds {
				t.Errorf("%s: %s: %s", item.id, c.Verdict, c.Claim)
			}
		}
		// Runs with another imbalance are not used.
		other := longTailed
		if item.change != nil {
			other = nil
		}
		if figure, err := item.draw(madeUpRuns(t, 3, other, nil)); err != nil ||
			len(figure.Panels) != len(empty.Panels) {
			t.Errorf("%s takes runs that are not its own: %d panels, error %v", item.id, len(figure.Panels), err)
		}
		// Two seeds are not enough.
		figure, err = item.draw(madeUpRuns(t, 2, item.change, nil))
		if err != nil {
			t.Fatal(item.id, err)
		}
		for _, c := range figure.Claims {
			if !strings.Contains(c.ID, "in-the-paper") && c.Verdict != result.Undecided {
				t.Errorf("%s with two seeds: %s: %s", item.id, c.Verdict, c.Claim)
			}
		}
	}
}

// TestOutputControls checks that every sentence about recorded outputs fails under its control.
func TestOutputControls(t *testing.T) {
	exchange := func(m *madeUp) {
		if m.efr > 0 {
			m.shift = -m.shift
		}
	}
	controls := map[string]func(*madeUp){
		lessOverConfident.ID: func(m *madeUp) {
			if m.efr > 0 {
				m.scale, m.right = 9, 0.7
			}
		},
		suitable.ID: func(m *madeUp) {
			if m.efr > 0 {
				m.right -= 0.3
			}
		},
		detects.ID: exchange, detectsByLambda.ID: exchange, separates.ID: exchange,
	}
	tried := map[string]bool{}
	for _, item := range outputItems {
		for _, s := range Sentences(item.id) {
			if strings.Contains(s.ID, "in-the-paper") {
				continue
			}
			if s.Control == "" || controls[s.ID] == nil {
				t.Fatalf("%s has no control", s.ID)
			}
			figure, err := item.draw(madeUpRuns(t, 3, item.change, controls[s.ID]))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range figure.Claims {
				if c.ID == s.ID && c.Verdict != result.Fails {
					t.Errorf("%s under its control: %s: %s", item.id, c.Verdict, c.Claim)
				}
				tried[c.ID] = true
			}
		}
	}
	for id := range controls {
		if !tried[id] {
			t.Errorf("%s was not judged", id)
		}
	}
}

// TestPublishedOutputs compares verdicts on the paper's own numbers with counts by hand, also under the controls.
func TestPublishedOutputs(t *testing.T) {
	printed, numbers := paperdata.Calibration(), append(paperdata.Table(3), paperdata.Table(6)...)
	for _, c := range []struct {
		claims             []result.Claim
		which              int
		measured, expected float64
		verdict            result.Verdict
	}{
		{publishedCalibrationClaims(10, printed), 0, 3, 4, result.Fails}, // ECE 6.3 at λ = 0; then 6.4, 6.5, 6.5
		{publishedCalibrationClaims(11, printed), 0, 4, 4, result.Holds},
		{publishedDetectionClaims(3, numbers), 0, 36, 36, result.Holds},
		{publishedDetectionClaims(6, numbers), 0, 47, 54, result.Fails}, // 20 of 27 and 27 of 27
		{publishedDetectionClaims(3, numbers), 1, 23, 36, result.Fails},
	} {
		if got := c.claims[c.which]; float64(got.Measured) != c.measured || float64(got.Expected) != c.expected ||
			got.Verdict != c.verdict {
			t.Errorf("%s: %v of %v, %s; want %v of %v, %s", got.Claim, got.Measured, got.Expected, got.Verdict,
				c.measured, c.expected, c.verdict)
		}
	}
	const known = "CIFAR-100, softmax: UL with λ = 5e-07 has FPR95 75.74 and AUPR 45.16, CE with λ = 1e-05 has 81.48 " +
		"and 62.92"
	if list := Contradictions(3); !slices.Contains(list, known) || !strings.Contains(list[0], "CIFAR-100") {
		t.Errorf("the contradictions are %q", list)
	}

	for i := range printed {
		if printed[i].Lambda == 0 {
			printed[i].ECE = 0
		}
	}
	reversed, zero := slices.Clone(numbers), slices.Clone(numbers)
	for i := range numbers {
		switch numbers[i].Metric {
		case "AUROC":
			if numbers[i].Lambda > 0 {
				zero[i].Percent = 0
			}
		case "AUPR":
			for _, other := range numbers {
				same := numbers[i]
				same.Metric, same.Percent = other.Metric, other.Percent
				if other == same && other.Metric == "AUROC" {
					reversed[i].Percent = 100 - other.Percent
				}
			}
		}
	}
	for _, c := range []result.Claim{publishedCalibrationClaims(11, printed)[0], publishedDetectionClaims(3, zero)[0],
		publishedDetectionClaims(3, reversed)[1]} {
		if c.Verdict != result.Fails || c.Control == "" {
			t.Errorf("under the control %q: %s: %s", c.Control, c.Verdict, c.Claim)
		}
	}
}

// TestMeasuredOutputs checks that the measures are those of packages calibration and ood, and that the pooled bins are
// those of the samples of all seeds together.
func TestMeasuredOutputs(t *testing.T) {
	runs, measures, err := withOutputs(madeUpRuns(t, 3, nil, nil), func(vision.Settings) bool { return true })
	if err != nil || len(runs) != 15 {
		t.Fatalf("%d runs, error %v", len(runs), err)
	}
	var confidence []float64
	var correct []bool
	for _, o := range runs[:3] {
		outputs, err := o.ReadOutputs()
		if err != nil {
			t.Fatal(err)
		}
		test := outputs.Sets[vision.TestSet]
		p, err := calibration.New(test.Logits, outputs.Labels)
		if err != nil {
			t.Fatal(err)
		}
		bins, err := calibration.Binning{}.Of(p.Confidences())
		if err != nil {
			t.Fatal(err)
		}
		if m := measures[o.Folder]; math.Abs(m.ece-100*calibration.ECE(bins)) > 1e-12 || m.nll != p.NLL() ||
			math.Abs(m.accuracy-100*p.Accuracy()) > 1e-12 {
			t.Errorf("%+v, by package calibration %v, %v and %v", m, calibration.ECE(bins), p.NLL(), p.Accuracy())
		}
		c, err := ood.Compare(ood.Energy(test.Logits, 1), ood.Energy(outputs.Sets["mnist"].Logits, 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := measures[o.Folder].detection["mnist"]["energy"]; got != c.Measures() {
			t.Errorf("%+v, by package ood %+v", got, c.Measures())
		}
		x, y := p.Confidences()
		confidence, correct = append(confidence, x...), append(correct, y...)
	}
	want, err := calibration.Binning{}.Of(confidence, correct)
	if err != nil {
		t.Fatal(err)
	}
	for k, b := range pooled(variant{runs: runs[:3]}, measures) {
		if b.Count != want[k].Count || b.Count > 0 && (math.Abs(b.Accuracy-want[k].Accuracy) > 1e-12 ||
			math.Abs(b.Confidence-want[k].Confidence) > 1e-12) {
			t.Errorf("bin %d: %+v, want %+v", k, b, want[k])
		}
	}
}

// TestSetsOfOutputs checks the names of the sets of images, and how far they are from the training images.
func TestSetsOfOutputs(t *testing.T) {
	runs, measures, err := withOutputs(madeUpRuns(t, 3, nil, nil), func(vision.Settings) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if sets := setNames(runs, measures); !slices.Equal(sets, []string{"mnist", vision.UnknownSet, vision.UniformSet,
		vision.BlurredSet}) {
		t.Errorf("the sets are %v", sets)
	}
	for set, want := range map[string]string{vision.UnknownSet: "near", "cifar-100": "near", "svhn": "far",
		vision.UniformSet: "far", vision.BlurredSet: "spoilt"} {
		if got := distance(set, "cifar-10"); got != want {
			t.Errorf("%s is %s, want %s", set, got, want)
		}
	}
}

// TestRunWithoutItsOutputs checks that a run is left out if its outputs are not in its folder.
func TestRunWithoutItsOutputs(t *testing.T) {
	missing := madeUpRuns(t, 3, nil, nil)[0]
	missing.Folder, missing.Outputs = t.TempDir(), "none"
	if kept, _, err := withOutputs([]vision.Outcome{missing}, func(vision.Settings) bool { return true }); err != nil ||
		len(kept) > 0 {
		t.Errorf("a run without its file: %d kept, error %v", len(kept), err)
	}
}

// TestOutputTables checks that the tables have a line for each method and set, with all scores.
func TestOutputTables(t *testing.T) {
	runs := madeUpRuns(t, 3, nil, nil)
	table, err := DetectionTable(runs)
	if err != nil || strings.Count(table, "\n") != 2+4*5*8 || !strings.Contains(table, "unknown (near)") {
		t.Errorf("%d lines, error %v, in\n%s", strings.Count(table, "\n"), err, table)
	}
	if table, err = CalibrationTable(runs); err != nil || strings.Count(table, "\n") != 2+5 {
		t.Errorf("error %v, in\n%s", err, table)
	}
}

// TestOnGrid checks rates at the points of the ROC curve and, between them, on straight lines.
func TestOnGrid(t *testing.T) {
	c, err := ood.Compare([]float64{3, 1}, []float64{2, 0})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.5, 0.5, 1, 1, 1} { // (0,0) (0,.5) (.5,.5) (.5,1) (1,1)
		if got := onGrid(c, []float64{0, 0.25, 0.5, 0.75, 1})[i]; got != want {
			t.Errorf("at %v: %v, want %v", float64(i)/4, got, want)
		}
	}
	tied, err := ood.Compare([]float64{1, 1}, []float64{1})
	if err != nil {
		t.Fatal(err)
	}
	if got := onGrid(tied, []float64{0, 0.25, 1}); !slices.Equal(got, []float64{0, 0.25, 1}) {
		t.Errorf("equal scores: %v", got)
	}
}
