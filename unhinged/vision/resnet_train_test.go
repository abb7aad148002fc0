package vision

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/internal/layers"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// TestEveryHeadLearns64ImagesByHeart trains a small perceptron on 64 images of Fashion-MNIST until it classifies each
// correctly.
func TestEveryHeadLearns64ImagesByHeart(t *testing.T) {
	data, err := datasets.Open("fashion-mnist")
	if err != nil {
		t.Skipf("no real images to learn: %v", err)
	}
	data.Train, data.Test = data.Train.First(64), data.Test.First(32)
	// The pure-Go backend compiles nothing; XLA takes longer to compile than to train here.
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Methods() {
		if unbounded(m) { // it grows until it is stopped
			continue
		}
		training := small(m.Name)
		training.Model, training.Epochs, training.Batch, training.WeightDecay = MLP(64, 32), 60, 16, 0
		if m.Name == "mse-etf" { // it is slow, because its logits sum to 0 and its targets to 1
			training.Epochs = 600
		}
		records, err := training.Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		var known []float64
		for _, r := range records {
			known = append(known, r.Collapse.TrainAccuracy)
		}
		if known[len(known)-1] != 1 {
			t.Errorf("%s: of 64 images it knows, epoch by epoch, %.3g", m.Name, known)
		}
	}
}

// TestBatchesInParts checks that without batch normalisation a step in parts equals a step with the whole batch, for
// the losses and for the regularisation of features, which is a sum over the batch, also if two devices share each
// part.
func TestBatchesInParts(t *testing.T) {
	data := blobs.Data(128, 30)
	linear := Model{Name: "linear", Features: func(scope *model.Scope, x *Node, lastReLU bool) *Node {
		x = Reshape(x, x.Shape().Dimensions[0], -1)
		weights := scope.VariableWithValue("weights", layers.Normal(scope, "weights", 0.2, x.DType(),
			x.Shape().Dimensions[1], 5))
		return Dot(x, weights.NodeValue(x)).Product()
	}}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		names := []string{"ce", "pal-efr", "fnpal-rlr"}
		if backend.Name() == "xla" { // XLA compiles for seconds
			names = names[1:2]
		}
		for _, name := range names {
			var runs [][]Record
			for _, parts := range []int{1, 4} {
				training := small(name)
				training.Model, training.Epochs, training.MicroBatches, training.Augmentation = linear, 3, parts,
					datasets.Augmentation{Shift: 1}
				if parts > 1 {
					training.Devices = min(2, backend.NumDevices())
				}
				if name == "pal-efr" {
					training.Method.Head.FeatureRegularization = 1e-2
				}
				training.Report = func(p Progress) {
					if p.FeatureNorm <= 0 {
						t.Errorf("%+v", p)
					}
				}
				records, err := training.Run(context.Background(), backend, data)
				if err != nil {
					t.Fatal(err)
				}
				runs = append(runs, records)
			}
			for i, one := range runs[0] {
				parts := runs[1][i]
				for what, x := range map[string][2]float64{"train loss": {one.TrainLoss, parts.TrainLoss},
					"‖H‖²":   {one.FeatureNorm2, parts.FeatureNorm2},
					"max‖w‖": {one.PrototypeMax, parts.PrototypeMax}} {
					if math.Abs(x[0]-x[1]) > 1e-4*math.Abs(x[0]) {
						t.Errorf("%s, epoch %d: %s is %.8g in one and %.8g in four parts", name, i+1, what, x[0], x[1])
					}
				}
			}
		}
	})
}

// TestSettingsLeaveOutDefaults checks that runs that were recorded before a setting existed have equal settings.
func TestSettingsLeaveOutDefaults(t *testing.T) {
	data := blobs.Data(320, 10)
	training := small("pal")
	training.Batch = 32
	r := run{Training: training}
	r.Probe, r.MicroBatches = 320, 1
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data.Name = "cifar-10"
	if s := r.Training.settings(backend, data); s.Probe != 0 || s.MicroBatches != 0 || s.Size != 0 {
		t.Errorf("settings %+v say what was not said before", s)
	}
}

// TestSettingsHaveTheSizeOfAFoldersImages checks that the size of the images is recorded. Otherwise, a ResNet would be
// resumed with images of another size without an error.
func TestSettingsHaveTheSizeOfAFoldersImages(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	small, large := blobs.Data(320, 10), blobs.Data(320, 10)
	large.Train.Height, large.Train.Width, large.Train.Channels = 8, 2, 1
	var training Training
	if d := difference(training.settings(backend, small), training.settings(backend, large)); !strings.HasPrefix(d,
		"Data was ") || !strings.HasSuffix(d, ", Size was 4 and is now 8") {
		t.Errorf("the settings differ in %q", d)
	}
}
