package vision

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// BenchmarkResNet18 is a step of training with SGD on XLA, in float32. scripts/peers/peer_resnet.py is the same step in PyTorch
// and in JAX.
func BenchmarkResNet18(b *testing.B) {
	backend, _, err := backends.Open("xla:cpu")
	if err != nil {
		b.Skip(err)
	}
	rng := rand.New(rand.NewPCG(8, 7))
	for _, c := range []struct{ width, batch, devices int }{{16, 64, 1}, {16, 64, 2}, {16, 128, 1}, {16, 128, 2}, {64, 64, 1}, {64, 64, 2}, {64, 128, 1}, {64, 128, 2}} {
		b.Run(fmt.Sprintf("width=%d/batch=%d/devices=%d", c.width, c.batch, c.devices), func(b *testing.B) {
			images, labels := make([]float32, c.batch*32*32*3), make([]int32, c.batch)
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
			step := model.MustNewExec(backend, model.NewStore(), func(scope *model.Scope, images, labels *Node) []*Node {
				scope.Store().SetTraining(images.Graph(), true)
				predictions := method.Head.Predictions(scope.In("head"), ResNet18(c.width).Features(scope.In("model"), images, true))
				loss := method.Criterion.Fn([]*Node{labels}, predictions)
				SGD{LearningRate: 0.01, Momentum: 0.9, WeightDecay: 5e-4}.UpdateGraph(scope, images.Graph(), loss)
				return []*Node{loss}
			})
			r := run{Training: Training{Batch: c.batch, MicroBatches: 1, Devices: c.devices}}
			if c.devices > 1 {
				if r.devices, err = firstDevices(backend, c.devices); err != nil {
					b.Fatal(err)
				}
				r.devices.share(step, 2)
			}
			x, y := tensors.FromFlatDataAndDimensions(images, c.batch, 32, 32, 3), tensors.FromFlatDataAndDimensions(labels, c.batch)
			descend := func() {
				out, err := r.call(step, x, y)
				if err != nil {
					b.Fatal(err)
				}
				scalar(out[0]) // waits for the step
			}
			for range 2 { // compiles
				descend()
			}
			best := time.Duration(math.MaxInt64)
			for b.Loop() {
				start := time.Now()
				descend()
				best = min(best, time.Since(start))
			}
			b.ReportMetric(float64(c.batch*b.N)/b.Elapsed().Seconds(), "images/s")
			b.ReportMetric(float64(c.batch)/best.Seconds(), "images/s-at-best")
		})
	}
}
