package vision

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// checkOutputs checks that there are outputs of every kind of images, and that the saved logits have the accuracy of
// the last record.
func checkOutputs(t *testing.T, method string, outputs *Outputs, last Record) {
	t.Helper()
	for _, name := range []string{TestSet, UnknownSet, UniformSet, GaussianSet, BlurredSet, PatchesSet} {
		set, found := outputs.Sets[name]
		if !found {
			t.Fatalf("%s: no outputs for %s", method, name)
		}
		n, classes := set.Logits.Dims()
		if rows, columns := set.Scores.Dims(); rows != n || columns != len(FeatureScores()) || classes != 2 {
			t.Errorf("%s, %s: logits [%d, %d] and scores [%d, %d]", method, name, n, classes, rows, columns)
		}
		if floats.HasNaN(set.Scores.RawMatrix().Data) {
			t.Errorf("%s, %s: a score is NaN", method, name)
		}
	}
	correct := 0
	for i, label := range outputs.Labels {
		if floats.MaxIdx(outputs.Sets[TestSet].Logits.RawRowView(i)) == label {
			correct++
		}
	}
	if got := float64(correct) / float64(len(outputs.Labels)); math.Abs(got-last.ValidationAccuracy) > 0.005 {
		t.Errorf("%s: the saved logits are right for %.3f of the images, the record says %.3f", method, got,
			last.ValidationAccuracy)
	}
}

// TestOutputs checks that the saved outputs agree with the last record, are the same after an interruption, and are
// refused after a change of one bit.
func TestOutputs(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data, err := blobs.Data(330, 200).OnlyKnown("0,1")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, method := range []string{"ce", "pal"} {
		training := small(method)
		training.Folder, training.Epochs = filepath.Join(root, method), 2
		records, err := training.Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := training.Finished(backend, data)
		if err != nil {
			t.Fatal(err)
		}
		outputs, err := outcome.ReadOutputs()
		if err != nil {
			t.Fatal(err)
		}
		checkOutputs(t, method, outputs, records[len(records)-1])
		path := filepath.Join(training.Folder, OutputsFile)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		again := training
		again.Folder = filepath.Join(root, method+"-again")
		ctx, cancel := context.WithCancel(context.Background())
		again.Report = func(p Progress) {
			if p.Step == 9 {
				cancel()
			}
		}
		if _, err := again.Run(ctx, backend, data); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		again.Report = nil
		if _, err := again.Run(context.Background(), backend, data); err != nil {
			t.Fatal(err)
		}
		if other, err := os.ReadFile(filepath.Join(again.Folder, OutputsFile)); err != nil || !slices.Equal(other,
			content) {
			t.Errorf("%s: the outputs are others after an interruption (%v)", method, err)
		}
		content[len(content)/2] ^= 4
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := outcome.ReadOutputs(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: damaged outputs: error %v", method, err)
		}
	}
}

// TestDecision checks that the accuracies by class add up to the whole, and that the centred rule decides as (w_c −
// w̄)ᵀ(h − h̄) + b_c does, where h̄ is the mean of the class means.
func TestDecision(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data := blobs.Data(330, 300)
	for _, method := range []string{"ce", "pal", "fnpal", "ldam"} {
		for _, mirror := range []bool{false, true} {
			training := small(method)
			training.Mirror, training.Epochs = mirror, 1
			training, err = training.complete(data)
			if err != nil {
				t.Fatal(err)
			}
			r, err := training.start(backend, data)
			if err != nil {
				t.Fatal(err)
			}
			for batch := range r.batches.From(0, 0) {
				if _, err := r.advance(batch); err != nil {
					t.Fatal(err)
				}
				if r.step == r.steps {
					break
				}
			}
			last := r.records[len(r.records)-1]
			plain, centred, counts := 0.0, 0.0, data.Test.ClassCounts(len(data.Classes))
			for c, n := range counts {
				plain += float64(last.Decision.ByClass[c]) * float64(n) / float64(data.Test.Len())
				centred += float64(last.Decision.CentredByClass[c]) * float64(n) / float64(data.Test.Len())
			}
			if math.Abs(plain-last.ValidationAccuracy) > 1e-12 || math.Abs(centred-last.Decision.Centred) > 1e-12 {
				t.Errorf("%s: by class %g and %g, in all %g and %g", method, plain, centred, last.ValidationAccuracy,
					last.Decision.Centred)
			}
			if want := centredAccuracy(t, r); math.Abs(want-last.Decision.Centred) > 0.005 {
				t.Errorf("%s, mirror %v: the centred rule is right for %.4f, by loops for %.4f", method, mirror,
					last.Decision.Centred, want)
			}
		}
	}
}

// centredAccuracy returns the share of test images that the centred rule classifies correctly, from features,
// prototypes and biases.
func centredAccuracy(t *testing.T, r *run) float64 {
	classes, head := len(r.data.Classes), r.Method.Head
	seen := func(images datasets.Images) (features, prototypes *mat.Dense) {
		e, err := r.evaluate(images)
		if err != nil {
			t.Fatal(err)
		}
		features, prototypes = dense(e.features, e.p), e.prototypes
		if head.NormalizeFeatures {
			unitLength(features)
		}
		if head.NormalizePrototypes {
			unitLength(prototypes)
		}
		return features, prototypes
	}
	probe := r.data.Train.Sample(r.Probe, classes)
	train, _ := seen(probe)
	features, prototypes := seen(r.data.Test)
	_, p := features.Dims()
	mean, meanPrototype := make([]float64, p), make([]float64, p)
	for i, n := range probe.Labels {
		count := float64(probe.ClassCounts(classes)[n])
		floats.AddScaled(mean, 1/count/float64(classes), train.RawRowView(i))
	}
	for c := range classes {
		floats.AddScaled(meanPrototype, 1/float64(classes), prototypes.RawRowView(c))
	}
	biases := make([]float64, classes)
	if head.UseBias {
		value, err := r.store.RootScope().In("head").GetVariable("biases").Value()
		if err != nil {
			t.Fatal(err)
		}
		for c, b := range tensors.MustCopyFlatData[float32](value) {
			biases[c] = float64(b)
		}
	}
	logits := func(features *mat.Dense, i int) []float64 {
		out := make([]float64, classes)
		h := floats.SubTo(make([]float64, p), features.RawRowView(i), mean)
		for c := range out {
			w := floats.SubTo(make([]float64, p), prototypes.RawRowView(c), meanPrototype)
			out[c] = max(head.LogitScale, 1)*floats.Dot(w, h) + biases[c]
		}
		return out
	}
	mirrored := r.data.Test
	mirrored.Pixels = slices.Clone(mirrored.Pixels)
	for row := 0; row < len(mirrored.Pixels); row += mirrored.Width * mirrored.Channels {
		line := mirrored.Pixels[row : row+mirrored.Width*mirrored.Channels]
		if mirrored.Channels != 1 {
			t.Fatal("the test mirrors grey images only")
		}
		slices.Reverse(line)
	}
	other, _ := seen(mirrored)
	right := 0.0
	for i, label := range r.data.Test.Labels {
		z := logits(features, i)
		if r.Mirror {
			floats.Add(z, logits(other, i))
		}
		if floats.MaxIdx(z) == int(label) {
			right++
		}
	}
	return right / float64(r.data.Test.Len())
}

// unitLength divides each row by its norm.
func unitLength(x *mat.Dense) {
	n, _ := x.Dims()
	for i := range n {
		floats.Scale(1/floats.Norm(x.RawRowView(i), 2), x.RawRowView(i))
	}
}

// TestImbalancedRun checks that an imbalanced subset is part of a run's identity and of its name among settings, and
// that the losses for imbalanced classes can be trained.
func TestImbalancedRun(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data, err := blobs.Data(900, 200).Imbalanced(datasets.Imbalance{Kind: datasets.LongTailed, Ratio: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(imbalancedMethods(), paperMethods()[0]) {
		training := small(m.Name)
		training.Folder = filepath.Join(t.TempDir(), m.Name)
		records, err := training.Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		if last := records[len(records)-1]; last.ValidationAccuracy < 0.9 {
			t.Errorf("%s: accuracy %.3f", m.Name, last.ValidationAccuracy)
		}
		outcome, err := training.Finished(backend, data)
		if err != nil {
			t.Fatal(err)
		}
		if outcome.Settings.Imbalance != data.Imbalance {
			t.Errorf("%s: the outcome says that the classes are %s", m.Name, outcome.Settings.Imbalance)
		}
	}
}
