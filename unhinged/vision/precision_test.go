package vision

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/blobs"
	"gonum.org/v1/gonum/floats"
)

// TestBFloat16 compares the features and the gradients of a network in both precisions. The features differ by about
// bfloat16's eight bits. The gradients differ by more, because some ReLUs switch, but have the same direction. With
// bfloat16, too, all of them have type float32.
func TestBFloat16(t *testing.T) {
	pixels := make([]float32, 16*8*8*3)
	for i := range pixels {
		pixels[i] = float32(math.Sin(float64(i * i)))
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		net := ResNet8(4)
		values := func(precision dtypes.DType) (list [][]float32) {
			store := model.NewStore()
			out := model.MustCallOnceN(backend, store, func(scope *model.Scope, images *Node) []*Node {
				scope.Store().SetTraining(images.Graph(), true)
				features := net.Features(scope, ConvertDType(images, precision), true)
				var variables []*Node
				for v := range store.IterVariables() {
					if v.Trainable {
						variables = append(variables, v.NodeValue(images))
					}
				}
				// The sum of squares would not do: batch normalisation keeps it nearly constant, so that its gradient
				// would be mostly rounding.
				weights := Sin(IotaFull(images.Graph(), features.Shape()))
				return append([]*Node{features}, Gradient(ReduceAllSum(Mul(features, weights)), variables...)...)
			}, tensors.FromFlatDataAndDimensions(pixels, 16, 8, 8, 3))
			for _, o := range out {
				list = append(list, tensors.MustCopyFlatData[float32](o)) // this panics for another type
			}
			return list
		}
		single, half := values(dtypes.Float32), values(dtypes.BFloat16)
		for k := range single {
			a, b := wide(single[k]), wide(half[k])
			off := floats.Distance(a, b, 2) / floats.Norm(a, 2)
			cosine := floats.Dot(a, b) / (floats.Norm(a, 2) * floats.Norm(b, 2))
			if k == 0 && !(off > 1e-4 && off < 0.05) {
				t.Errorf("%s: relative difference of the features %.2g", net.Name, off)
			}
			if !(cosine > 0.9 && off > 1e-4) {
				t.Errorf("%s, output %d of %d: cosine %.4g, relative difference %.2g", net.Name, k, len(single), cosine,
					off)
			}
		}
	})
}

func wide(values []float32) []float64 {
	list := make([]float64, len(values))
	for i, v := range values {
		list[i] = float64(v)
	}
	return list
}

// TestTrainingInBFloat16 checks that training in bfloat16 learns what float32 learns, and that the precision is in the
// settings.
func TestTrainingInBFloat16(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		data := blobs.Data(320, 50)
		run := small("pal")
		run.Precision, run.Folder = "bfloat16", t.TempDir()
		records, err := run.Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		want, err := small("pal").Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		last := len(want) - 1
		if off := math.Abs(records[last].TrainLoss/want[last].TrainLoss - 1); !(off > 1e-7 && off < 0.05) {
			t.Errorf("loss %g, in float32 %g", records[last].TrainLoss, want[last].TrainLoss)
		}
		done, err := run.Finished(backend, data)
		if err != nil || done.Settings.Precision != "bfloat16" {
			t.Errorf("outcome %+v, error %v", done, err)
		}
		run.Precision = ""
		if _, err := run.Finished(backend, data); err == nil || !strings.Contains(err.Error(),
			"Precision was bfloat16") {
			t.Errorf("error %v", err)
		}
		run.Precision = "float16"
		if _, err := run.Run(context.Background(), backend, data); err == nil || !strings.Contains(err.Error(),
			"float32 and bfloat16") {
			t.Errorf("error %v", err)
		}
	})
}
