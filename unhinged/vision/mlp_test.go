package vision

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
)

func random(rng *rand.Rand, rows, columns int) [][]float64 {
	m := make([][]float64, rows)
	for i := range m {
		for range columns {
			m[i] = append(m[i], 2+3*rng.NormFloat64())
		}
	}
	return m
}

// TestBatchNormGradient compares the gradient of Σ c·batchNorm(x)³, which has no symmetry that could hide an error,
// with central differences, for the inputs, the scales and the shifts.
func TestBatchNormGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	x, c := random(rng, 5, 3), random(rng, 5, 3)
	scale, shift := random(rng, 1, 3), random(rng, 1, 3)
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		inputs := [][][]float64{x, scale, shift}
		exec := model.MustNewExec(backend, model.NewStore(), func(scope *model.Scope, inputs []*Node) []*Node {
			scope.Store().SetTraining(inputs[0].Graph(), true)
			for i, name := range []string{"scale", "shift"} {
				scope.VariableWithValue(name, [][]float64{{0, 0, 0}}).SetNodeValue(inputs[1+i])
			}
			y := batchNorm(scope, inputs[0])
			loss := ReduceAllSum(Mul(Const(y.Graph(), c), Mul(y, Square(y))))
			return append([]*Node{loss}, Gradient(loss, inputs...)...)
		})
		out := exec.MustCall(x, scale, shift)
		for k, input := range inputs {
			got := tensors.MustCopyFlatData[float64](out[1+k])
			for i, row := range input {
				for j, value := range row {
					const h = 1e-5
					moved := func(by float64) float64 {
						row[j] = value + by
						defer func() { row[j] = value }()
						return tensors.ToScalar[float64](exec.MustCall(x, scale, shift)[0])
					}
					want := (moved(h) - moved(-h)) / (2 * h)
					if g := got[i*len(row)+j]; math.Abs(g-want) > 1e-5*(1+math.Abs(want)) {
						t.Errorf("input %d [%d,%d]: gradient %.9g, by differences %.9g", k, i, j, g, want)
					}
				}
			}
		}
	})
}

// TestBatchNormAverages compares with a calculation by hand of torch.nn.BatchNorm1d's averages: 0.9·old + 0.1·batch,
// with the unbiased variance.
func TestBatchNormAverages(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		x := [][]float64{{1}, {2}, {6}} // mean 3, biased variance 14/3, unbiased 7
		step := func(training bool) []float64 {
			out := model.MustCallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
				scope.Store().SetTraining(x.Graph(), training)
				return batchNorm(scope, x)
			}, x)
			return tensors.MustCopyFlatData[float64](out)
		}
		check := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-12 {
				t.Errorf("%s is %.15g, should be %.15g", what, got, want)
			}
		}
		check("normalised in training", step(true)[2], 3/math.Sqrt(14./3+1e-5))
		check("running mean", tensors.MustCopyFlatData[float64](store.GetVariable("/mean").MustValue())[0], 0.3)
		check("running variance", tensors.MustCopyFlatData[float64](store.GetVariable("/variance").MustValue())[0],
			0.9+0.7)
		check("normalised in evaluation", step(false)[2], (6-0.3)/math.Sqrt(1.6+1e-5))
		check("running mean after evaluation",
			tensors.MustCopyFlatData[float64](store.GetVariable("/mean").MustValue())[0], 0.3)
	})
}

// TestMLP checks the shapes and the last ReLU, and that the same seed gives the same network on every backend.
func TestMLP(t *testing.T) {
	images := make([]float32, 4*6*5)
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	var weights [][]float32
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, lastReLU := range []bool{true, false} {
			store := model.NewStore()
			store.SetParam("initial_seed", int64(3))
			out := model.MustCallOnce(backend, store, func(scope *model.Scope, images *Node) *Node {
				scope.Store().SetTraining(images.Graph(), true)
				return MLP(7, 3).Features(scope, images, lastReLU)
			}, tensors.FromFlatDataAndDimensions(images, 4, 6, 5, 1))
			if got := out.Shape().Dimensions; !slices.Equal(got, []int{4, 3}) {
				t.Fatalf("features of shape %v, should be [4 3]", got)
			}
			if negative := slices.Min(tensors.MustCopyFlatData[float32](out)) < 0; negative == lastReLU {
				t.Errorf("last ReLU %v, but features negative: %v", lastReLU, negative)
			}
			weights = append(weights,
				tensors.MustCopyFlatData[float32](store.GetVariable("/layer0/weights").MustValue()))
		}
	})
	for _, w := range weights[1:] {
		if !slices.Equal(w, weights[0]) {
			t.Error("the same seed gives other weights")
		}
	}
	var sum2 float64
	for _, w := range weights[0] {
		sum2 += float64(w * w)
	}
	// 210 numbers have a standard error of 0.1
	if variance := sum2 / float64(len(weights[0])); math.Abs(variance*30/2-1) > 0.25 {
		t.Errorf("weights of variance %.4f; He's initialisation of 30 inputs has 2/30", variance)
	}
	if name := MLP(7, 3).Name; name != "mlp-7-3" {
		t.Errorf("it is called %q", name)
	}
}
