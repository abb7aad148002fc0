package vision

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/blobs"
)

// sameVariables compares the variables of floating-point numbers in two stores, and returns their number.
func sameVariables(t *testing.T, one, two *model.Store) int {
	t.Helper()
	compared := 0
	for v := range one.IterVariables() {
		a, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		b, err := two.GetVariable(v.Path()).Value()
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := distance(a, b); ok {
			compared++
			if d > 1e-12 {
				t.Errorf("%s differs by %g", v.Path(), d)
			}
		}
	}
	return compared
}

// TestDevicesShareABatch trains a small ResNet on one device and on two, in float64. After three steps all variables
// must be equal, also the running statistics, the momentum and the anchored prototypes.
func TestDevicesShareABatch(t *testing.T) {
	const batch, size, classes = 8, 4, 3
	rng := rand.New(rand.NewPCG(8, 6))
	images, labels := make([]float64, batch*size*size*3), make([]int32, batch)
	for i := range images {
		images[i] = rng.NormFloat64()
	}
	for i := range labels {
		labels[i] = int32(rng.IntN(classes))
	}
	method, err := MethodNamed("pal-efr") // its regularisation is a sum over the batch
	if err != nil {
		t.Fatal(err)
	}
	method.Head.Classes, method.Head.FeatureRegularization = classes, 0.1
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		if n := backend.NumDevices(); n < 2 {
			if _, err := firstDevices(backend, 2); err == nil || !strings.Contains(err.Error(), "2 devices; backend") {
				t.Errorf("error %v", err)
			}
			t.Skipf("this backend has %d device: nothing is shared", n)
		}
		run := func(n int) (float64, *model.Store) {
			store := model.NewStore()
			step := model.MustNewExec(backend, store, func(scope *model.Scope, images, labels *Node) []*Node {
				scope.Store().SetTraining(images.Graph(), true)
				predictions := method.Head.Predictions(scope.In("head"), tiny(3, basicBlock, 1)(scope.In("model"),
					images, false))
				train.AddMainLoss(method.Criterion.Fn([]*Node{labels}, predictions))
				loss := train.TotalLoss(images.Graph())
				SGD{LearningRate: 0.1, Momentum: 0.9, WeightDecay: 5e-4}.UpdateGraph(scope, images.Graph(), loss)
				return []*Node{loss}
			})
			inputs := []any{tensors.FromFlatDataAndDimensions(images, batch, size, size, 3),
				tensors.FromFlatDataAndDimensions(labels, batch)}
			if n > 1 {
				devices, err := firstDevices(backend, n)
				if err != nil {
					t.Fatal(err)
				}
				devices.share(step, len(inputs))
				for i, x := range inputs {
					if inputs[i], err = devices.split(x.(*tensors.Tensor)); err != nil {
						t.Fatal(err)
					}
				}
			}
			var loss float64
			for range 3 {
				loss = tensors.ToScalar[float64](step.MustCall(inputs...)[0])
			}
			return loss, store
		}
		loss, one := run(1)
		shared, two := run(2)
		if math.Abs(loss-shared) > 1e-12*math.Abs(loss) {
			t.Errorf("loss %.15g on one device, %.15g on two", loss, shared)
		}
		compared := sameVariables(t, one, two)
		if compared != 3*5+9+1 { // three convolutions with normalisation, 9 momenta, the prototypes
			t.Errorf("%d variables compared", compared)
		}
	})
}

// distance returns the largest difference of two tensors, and whether both have float64.
func distance(a, b *tensors.Tensor) (d float64, ok bool) {
	if a.DType() != b.DType() || a.DType().String() != "Float64" {
		return 0, false
	}
	x, y := tensors.MustCopyFlatData[float64](a), tensors.MustCopyFlatData[float64](b)
	for i := range x {
		d = max(d, math.Abs(x[i]-y[i]))
	}
	return d, len(x) == len(y)
}

// TestTrainingOnTwoDevices checks that a training gives the same records on two devices as on one, also if it is
// interrupted and resumed.
func TestTrainingOnTwoDevices(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		if n := backend.NumDevices(); n < 2 {
			t.Skipf("this backend has %d device", n)
		}
		data := blobs.Data(320, 50)
		one, two := small("pal-efr"), small("pal-efr")
		two.Devices, two.Folder = 2, t.TempDir()
		want, err := one.Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		two.Report = func(p Progress) {
			if p.Step == 25 {
				cancel()
			}
		}
		if _, err := two.Run(ctx, backend, data); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		got, err := two.Run(context.Background(), backend, data)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d records, should be %d; error %v", len(got), len(want), err)
		}
		for i, r := range got {
			if math.Abs(r.TrainLoss-want[i].TrainLoss) > 1e-4*math.Abs(want[i].TrainLoss) ||
				math.Abs(r.FeatureNorm2-want[i].FeatureNorm2) > 1e-3*want[i].FeatureNorm2 {
				t.Errorf("record %d: loss %.7g and ‖H‖² %.7g, on one device %.7g and %.7g", i, r.TrainLoss,
					r.FeatureNorm2, want[i].TrainLoss, want[i].FeatureNorm2)
			}
		}
		two.Devices, two.Folder = 3, ""
		if _, err := two.Run(context.Background(), backend, data); err == nil || !strings.Contains(err.Error(),
			"32 images at a time on 3 devices") {
			t.Errorf("error %v", err)
		}
		two.Devices = -1
		if _, err := two.Run(context.Background(), backend, data); err == nil || !strings.Contains(err.Error(),
			"-1 devices") {
			t.Errorf("error %v", err)
		}
	})
}
