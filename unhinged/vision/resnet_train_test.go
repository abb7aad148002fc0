package vision

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// photographs are images of CIFAR-10's format, 32×32 in colour and 10 classes: noise, of a tint that is near its class's.
func photographs(train, test int) *datasets.Dataset {
	rng := rand.New(rand.NewPCG(3, 10))
	var tints [10][3]float64
	for c := range tints {
		tints[c] = [3]float64{float64(20 + 105*(c%3)), float64(20 + 105*(c/3%3)), float64(20 + 200*(c/9))}
	}
	images := func(n int) datasets.Images {
		im := datasets.Images{Height: 32, Width: 32, Channels: 3}
		for i := range n {
			im.Labels = append(im.Labels, uint8(i%10))
			tint := tints[i%10]
			for k := range tint {
				tint[k] += 12 * rng.NormFloat64()
			}
			for range 32 * 32 {
				for _, v := range tint {
					im.Pixels = append(im.Pixels, uint8(max(0, min(255, v+30*rng.NormFloat64()))))
				}
			}
		}
		return im
	}
	classes := make([]string, 10)
	for i := range classes {
		classes[i] = fmt.Sprint(i)
	}
	return &datasets.Dataset{Name: "photographs", Classes: classes, Train: images(train), Test: images(test)}
}

// tinyResNet has a block of each kind that a small ResNet has.
func tinyResNet() Model { return resNet("tiny", 8, 3, plainBlock, 1, 1) }

// TestEveryHeadLearns64ImagesByHeart trains a tiny ResNet on 64 images, until it knows each.
func TestEveryHeadLearns64ImagesByHeart(t *testing.T) {
	data := photographs(64, 32)
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		if backend.Name() != "xla" {
			t.Skip("the Go backend takes minutes for what XLA does in seconds")
		}
		for _, m := range Methods() {
			if m.Name == "ul" { // grows until it is stopped
				continue
			}
			training := small(m.Name)
			training.Model, training.Epochs, training.Batch, training.WeightDecay = tinyResNet(), 30, 16, 0
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
	})
}

// TestBatchesInParts: without batch normalisation, a step in parts is the step in one, for the losses and for the
// regularisation of features, which is a sum over the batch.
func TestBatchesInParts(t *testing.T) {
	data := blobs(128, 30)
	linear := Model{Name: "linear", Features: func(scope *model.Scope, x *Node, lastReLU bool) *Node {
		x = Reshape(x, x.Shape().Dimensions[0], -1)
		weights := scope.VariableWithValue("weights", normal(scope, 0.2, x.DType(), x.Shape().Dimensions[1], 5))
		return Dot(x, weights.NodeValue(x)).Product()
	}}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, name := range []string{"ce", "pal-efr", "fnpal-rlr"} {
			var runs [][]Record
			for _, parts := range []int{1, 4} {
				training := small(name)
				training.Model, training.Epochs, training.MicroBatches, training.Augmentation = linear, 3, parts, datasets.Augmentation{Shift: 1}
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
				for what, x := range map[string][2]float64{"train loss": {one.TrainLoss, parts.TrainLoss}, "‖H‖²": {one.FeatureNorm2, parts.FeatureNorm2},
					"max‖w‖": {one.PrototypeMax, parts.PrototypeMax}} {
					if math.Abs(x[0]-x[1]) > 1e-4*math.Abs(x[0]) {
						t.Errorf("%s, epoch %d: %s is %.8g in one and %.8g in four parts", name, i+1, what, x[0], x[1])
					}
				}
			}
		}
	})
}

// TestOldRecordsAreReadable: what was recorded before collapse, augmentation and parts were known.
func TestOldRecordsAreReadable(t *testing.T) {
	outcomes, err := ReadOutcomes("../../results/training/fashion-mnist-mlp")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if s := o.Settings; s.Shift != 0 || s.Flip || s.MicroBatches != 0 || s.Probe != 0 {
			t.Errorf("%s, seed %d: settings %+v", s.Method, s.Seed, s)
		}
		for _, r := range o.Records {
			if r.Collapse != nil || r.ValidationAccuracy <= 0 {
				t.Fatalf("%s, seed %d: record %+v", o.Settings.Method, o.Settings.Seed, r)
			}
		}
	}
	// A training of today with the settings of then is the same run.
	data := blobs(320, 10)
	training := small("pal")
	training.Batch = 32
	r := run{Training: training}
	r.Probe, r.MicroBatches = 320, 1
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Training.settings(backend, data); s.Probe != 0 || s.MicroBatches != 0 {
		t.Errorf("settings %+v say what was not said before", s)
	}
}
