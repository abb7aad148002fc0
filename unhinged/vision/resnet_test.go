package vision

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// TestResNetParameters counts the trainable parameters with a linear layer, which has p·C weights and C biases.
// Sources: ResNet-18 and 34, kuangliu/pytorch-cifar for CIFAR-10; ResNet-50, num_params of torchvision's
// ResNet50_Weights; ResNet-20, akamaster/pytorch_resnet_cifar10 (0.27M in table 6 of He et al. 2016).
func TestResNetParameters(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	linear := unhinged.Head{UseBias: true}
	for _, c := range []struct {
		Model
		head                unhinged.Head
		size, classes, want int
	}{
		{ResNet18(64), linear, 32, 10, 11_173_962},
		{ResNet34(64), linear, 32, 10, 21_282_122},
		{ResNet50(64), linear, 224, 1000, 25_557_032},
		{ResNet20(16), linear, 32, 10, 269_722},
		{ResNet18(64), unhinged.Head{}, 32, 10, 11_173_962 - 10}, // without biases
		// the prototypes are not trained
		{ResNet18(64), unhinged.Head{Prototypes: unhinged.ETF}, 32, 10, 11_173_962 - 10*513},
	} {
		store := model.NewStore()
		if _, err := model.MustNewExec(backend, store, func(scope *model.Scope, images *Node) *Node {
			c.head.Classes = c.classes
			logits := c.head.Apply(scope.In("head"), c.Features(scope.In("model"), images, true))
			return logits
		}).Compile(shapes.Make(dtypes.Float32, 1, c.size, c.size, 3)); err != nil {
			t.Fatal(err)
		}
		got := 0
		for v := range store.IterVariables() {
			if v.Trainable {
				got += v.Shape().Size()
			}
		}
		if got != c.want {
			t.Errorf("%s with %+v has %d trainable parameters, should have %d", c.Name, c.head, got, c.want)
		}
		head := 0
		for v := range store.Scope("/head").IterVariables() {
			if v.Trainable {
				head += v.Shape().Size()
			}
		}
		if counted := c.Size(c.size, c.size, 3).Parameters; counted != float64(got-head) {
			t.Errorf("%s: Size counts %g parameters, there are %d", c.Name, counted, got-head)
		}
	}
}

// tiny has every kind of part that the networks have, at a size at which numerical differentiation is possible.
func tiny(stem int, block block, stages ...int) func(*model.Scope, *Node, bool) *Node {
	return resNet("tiny", 2, stem, block, stages...).Features
}

// TestResNetGradient compares derivatives of Σ c·features in a random direction with central differences, for every
// kernel, scale and shift and for the images.
func TestResNetGradient(t *testing.T) {
	const size, batch = 8, 4
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for name, features := range map[string]func(*model.Scope, *Node, bool) *Node{
			"basic block": tiny(3, basicBlock, 1, 1),
			"plain block": tiny(3, plainBlock, 1, 1),
			"bottleneck":  tiny(7, bottleneck, 1),
		} {
			if xla := backend.Name() == "xla"; name == "bottleneck" && !xla {
				t.Log("the bottlenecks' stem is tested on XLA only: the Go backend has no gradient of max-pooling")
				continue
			} else if name == "plain block" && xla { // XLA takes seconds to compile a network
				continue
			}
			rng := rand.New(rand.NewPCG(8, 2))
			values := func(n int) []float64 {
				x := make([]float64, n)
				for i := range x {
					x[i] = rng.NormFloat64()
				}
				return x
			}
			images := values(batch * size * size * 3)
			weights := values(100)
			store := model.NewStore()
			var names []string
			exec := model.MustNewExec(backend, store, func(scope *model.Scope, images *Node) []*Node {
				scope.Store().SetTraining(images.Graph(), true)
				y := features(scope, images, false)
				c := Const(images.Graph(), weights[:y.Shape().Size()])
				loss := ReduceAllSum(Mul(c, Reshape(y, -1)))
				wrt := []*Node{images}
				names = []string{"images"}
				for v := range scope.IterVariables() {
					if v.Trainable {
						wrt, names = append(wrt, v.NodeValue(images)), append(names, v.Path())
					}
				}
				return append([]*Node{loss}, Gradient(loss, wrt...)...)
			})
			call := func() []*tensors.Tensor {
				return exec.MustCall(tensors.FromFlatDataAndDimensions(images, batch, size, size, 3))
			}
			gradients := call()[1:]
			if len(gradients) < 10 {
				t.Fatalf("%s: %d gradients", name, len(gradients))
			}
			for k, gradient := range gradients {
				flat := tensors.MustCopyFlatData[float64](gradient)
				direction := values(len(flat))
				var got float64
				for i, d := range direction {
					got += d * flat[i]
				}
				const h = 1e-6
				moved := func(by float64) float64 {
					old, v := images, store.GetVariable(names[k])
					if v != nil {
						old = tensors.MustCopyFlatData[float64](v.MustValue())
					}
					moved := slices.Clone(old)
					for i, d := range direction {
						moved[i] += by * d
					}
					set := func(x []float64) {
						if v == nil {
							images = x
						} else {
							if err := v.SetValue(tensors.FromFlatDataAndDimensions(x,
								v.Shape().Dimensions...)); err != nil {
								t.Fatal(err)
							}
						}
					}
					set(moved)
					defer set(old)
					return tensors.ToScalar[float64](call()[0])
				}
				want := (moved(h) - moved(-h)) / (2 * h)
				if math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
					t.Errorf("%s, %s: derivative %.9g, by differences %.9g", name, names[k], got, want)
				}
			}
		}
	})
}

// TestResNetEvaluation checks that an image's features depend on the batch in training, and only on the running
// statistics in evaluation.
func TestResNetEvaluation(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 3))
	images := make([]float64, 4*8*8*3)
	for i := range images {
		images[i] = rng.NormFloat64()
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		first := func(training bool, n int) []float64 {
			out := model.MustCallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
				scope.Store().SetTraining(x.Graph(), training)
				return tiny(3, basicBlock, 1)(scope, x, true)
			}, tensors.FromFlatDataAndDimensions(images[:n*8*8*3], n, 8, 8, 3))
			return tensors.MustCopyFlatData[float64](out)[:2]
		}
		distance := func(a, b []float64) (d float64) {
			for i := range a {
				d = max(d, math.Abs(a[i]-b[i]))
			}
			return d
		}
		before := first(false, 4)
		if d := distance(before, first(false, 2)); d > 1e-12 {
			t.Errorf("in evaluation the features depend by %g on the batch", d)
		}
		if d := distance(first(true, 4), first(true, 2)); d < 1e-3 {
			t.Errorf("in training the features depend by %g on the batch", d)
		}
		if d := distance(before, first(false, 4)); d < 1e-3 {
			t.Errorf("two steps of training change the features of evaluation by %g", d)
		}
	})
}

// TestResNetLastReLU checks that without the last ReLU features can be negative, and that nothing else changes.
func TestResNetLastReLU(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 4))
	images := make([]float64, 16*3)
	for i := range images {
		images[i] = rng.NormFloat64()
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		out := func(lastReLU bool) []float64 {
			return tensors.MustCopyFlatData[float64](model.MustCallOnce(backend, model.NewStore(),
				func(scope *model.Scope, x *Node) *Node {
					scope.Store().SetTraining(x.Graph(), true)
					return tiny(3, basicBlock, 1)(scope, x, lastReLU)
					// With a single position, the average pooling has no effect.
				}, tensors.FromFlatDataAndDimensions(images, 16, 1, 1, 3)))
		}
		with, without := out(true), out(false)
		for i := range with {
			if with[i] != max(without[i], 0) {
				t.Errorf("feature %d is %g with the last ReLU and %g without", i, with[i], without[i])
			}
		}
		if slices.Min(without) >= 0 {
			t.Error("no feature is negative")
		}
	})
}

// TestResNetOverfits checks that a small network learns 64 random images by heart, with anchored prototypes and with a
// linear layer.
func TestResNetOverfits(t *testing.T) {
	const n, size, classes = 64, 8, 4
	rng := rand.New(rand.NewPCG(8, 5))
	images, labels := make([]float32, n*size*size*3), make([]int32, n)
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	for i := range labels {
		labels[i] = int32(rng.IntN(classes))
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		if backend.Name() != "xla" {
			t.Skip("on XLA only: the Go backend's convolutions take most of a minute for this")
		}
		for _, name := range []string{"pal", "ce"} {
			method, err := MethodNamed(name)
			if err != nil {
				t.Fatal(err)
			}
			method.Head.Classes = classes
			step := model.MustNewExec(backend, model.NewStore(), func(scope *model.Scope, images,
				labels *Node) []*Node {
				scope.Store().SetTraining(images.Graph(), true)
				features := resNet("", 8, 3, basicBlock, 1, 1).Features(scope.In("model"), images, method.LastReLU)
				predictions := method.Head.Predictions(scope.In("head"), features)
				loss := method.Criterion.Fn([]*Node{labels}, predictions)
				SGD{LearningRate: 0.1, Momentum: 0.9}.UpdateGraph(scope, images.Graph(), loss)
				return []*Node{ReduceAllSum(ConvertDType(Equal(ArgMax(predictions[0], -1), labels), dtypes.Float32))}
			})
			var right float64
			for range 40 {
				right = scalar(step.MustCall(tensors.FromFlatDataAndDimensions(images, n, size, size, 3), labels)[0])
			}
			if right != n {
				t.Errorf("%s: %g of %d images are learnt", name, right, n)
			}
		}
	})
}
