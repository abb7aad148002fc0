package vision

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// BenchmarkResNet18 times a step of training with SGD in float32 or bfloat16, on XLA or on the backend that
// $GOMLX_BACKEND names. scripts/peers/peer_resnet.py is the same step in PyTorch and in JAX.
func BenchmarkResNet18(b *testing.B) {
	for _, width := range []int{16, 64} {
		for _, batch := range []int{64, 128} {
			for _, devices := range []int{1, 2} {
				name := fmt.Sprintf("width=%d/batch=%d/devices=%d", width, batch, devices)
				b.Run(name, func(b *testing.B) { benchmarkStep(b, ResNet18(width), batch, devices, single) })
			}
			b.Run(fmt.Sprintf("width=%d/batch=%d/bfloat16", width, batch), func(b *testing.B) {
				benchmarkStep(b, ResNet18(width), batch, 1, half)
			})
		}
	}
}

// BenchmarkSpeed does the same for the speed networks. scripts/peers/peer_speed.py has the same step elsewhere.
func BenchmarkSpeed(b *testing.B) {
	for _, widths := range [][3]int{{32, 128, 128}, {64, 256, 256}} {
		for _, batch := range []int{128, 250, 500} {
			network := Speed(widths)
			b.Run(fmt.Sprintf("%s/batch=%d", network.Name, batch), func(b *testing.B) {
				benchmarkStep(b, network, batch, 1, single)
			})
		}
	}
}

func benchmarkStep(b *testing.B, network Model, batch, devices int, precision string) {
	backend, note, err := backends.Open("")
	if err != nil {
		b.Fatal(err)
	}
	if !strings.HasPrefix(backends.Name(backend), "xla") {
		b.Skip(note)
	}
	rng := rand.New(rand.NewPCG(8, 7))
	images, labels := make([]float32, batch*32*32*3), make([]int32, batch)
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	for i := range labels {
		labels[i] = int32(rng.IntN(10))
	}
	method, err := MethodNamed("ce")
	if err != nil {
		b.Fatal(err)
	}
	method.Head.Classes = 10
	store := model.NewStore()
	if network.Prepare != nil {
		if err := network.Prepare(store.RootScope().In("model"), Inputs{32, 32, 3, images}); err != nil {
			b.Fatal(err)
		}
	}
	step := model.MustNewExec(backend, store, func(scope *model.Scope, images, labels *Node) []*Node {
		store.SetTraining(images.Graph(), true)
		if precision == half {
			images = ConvertDType(images, dtypes.BFloat16)
		}
		predictions := method.Head.Predictions(scope.In("head"), network.Features(scope.In("model"), images, true))
		loss := method.Criterion.Fn([]*Node{labels}, predictions)
		SGD{LearningRate: 0.01, Momentum: 0.9, WeightDecay: 5e-4}.UpdateGraph(scope, images.Graph(), loss)
		return []*Node{loss}
	})
	r := run{Training: Training{Batch: batch, MicroBatches: 1, Devices: devices}}
	if devices > 1 {
		if r.devices, err = firstDevices(backend, devices); err != nil {
			b.Fatal(err)
		}
		r.devices.share(step, 2)
	}
	x, y := tensors.FromFlatDataAndDimensions(images, batch, 32, 32, 3), tensors.FromFlatDataAndDimensions(labels,
		batch)
	descend := func() {
		out, err := r.call(step, x, y)
		if err != nil {
			b.Fatal(err)
		}
		scalar(out[0]) // this waits for the step
	}
	for range 2 { // the first calls compile
		descend()
	}
	best := time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		descend()
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "images/s")
	b.ReportMetric(float64(batch)/best.Seconds(), "images/s-at-best")
}
