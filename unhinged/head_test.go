package unhinged

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// heads are the paper's methods and some combinations of them.
var heads = map[string]Head{
	"linear":      {Classes: 4},
	"linear + b":  {Classes: 4, UseBias: true, Seed: 1},
	"PAL":         {Classes: 4, Prototypes: ETF},
	"PAL + EFR":   {Classes: 4, Prototypes: ETF, FeatureRegularization: 0.03},
	"FNPAL":       {Classes: 4, Prototypes: ETF, NormalizeFeatures: true, Scale: 2.5},
	"FNPAL + RLR": {Classes: 4, Prototypes: ETF, NormalizeFeatures: true, RescaleRate: true},
	"D.1":         {Classes: 4, Prototypes: ETFInitialized, Scale: 10},
	"all trainable": {Classes: 4, Prototypes: ETFInitialized, NormalizeFeatures: true, RescaleRate: true,
		UseBias: true, FeatureRegularization: 0.01},
	"normalised + b": {Classes: 4, NormalizeFeatures: true, UseBias: true, Scale: 3},
}

// naiveObjective is a head's training objective by plain loops: the mean loss, with each example times its rate, plus
// EFR.
func naiveObjective(h Head, l func(s []float64, y int, gamma float64) float64, features, w, b, rate []float64,
	labels []int32) float64 {
	p := len(features) / len(labels)
	sum, norms := 0.0, 0.0
	for i, y := range labels {
		x := features[i*p : (i+1)*p]
		norms += floats.Dot(x, x)
		if h.NormalizeFeatures {
			x = unit(x)
		}
		s := make([]float64, h.Classes)
		for j := range s {
			s[j] = floats.Dot(w[j*p:(j+1)*p], x)
			if h.UseBias {
				s[j] += b[j]
			}
		}
		sum += rate[i] * l(s, int(y), 1/float64(h.Classes-1))
	}
	return sum/float64(len(labels)) + h.FeatureRegularization*norms
}

// naiveObjectives returns the values and gradients of TestHeadsObjective by plain loops and finite differences, for the
// prototypes and biases in got.
func naiveObjectives(features []float64, labels []int32, got map[string][]float64) map[string][]float64 {
	want := map[string][]float64{}
	p := len(features) / len(labels)
	for name, h := range heads {
		for _, lossName := range []string{"unhinged", "ce"} {
			key := name + ", " + lossName + ": "
			w, b := got[key+"prototypes"], got[key+"biases"]
			rate := make([]float64, len(labels))
			for i := range rate {
				rate[i] = 1
				if h.RescaleRate {
					rate[i] = floats.Norm(features[i*p:(i+1)*p], 2)
				}
			}
			want[key+"value"] = []float64{naiveObjective(h, naive[lossName], features, w, b, rate, labels)}
			settings := &fd.Settings{Formula: fd.Central}
			want[key+"by features"] = fd.Gradient(nil, func(x []float64) float64 {
				return naiveObjective(h, naive[lossName], x, w, b, rate, labels)
			}, features, settings)
			want[key+"by prototypes"] = fd.Gradient(nil, func(x []float64) float64 {
				return naiveObjective(h, naive[lossName], features, x, b, rate, labels)
			}, w, settings)
			if h.UseBias {
				want[key+"by biases"] = fd.Gradient(nil, func(x []float64) float64 {
					return naiveObjective(h, naive[lossName], features, w, x, rate, labels)
				}, b, settings)
			}
		}
	}
	return want
}

// The value and the gradients of the whole objective are compared with finite differences of plain loops, with RLR's
// norms frozen. The gradients are those that the trainer takes: by features, prototypes and biases.
func TestHeadsObjective(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		const n, p = 6, 5
		rng := rand.New(rand.NewPCG(41, 0))
		features := normals(rng, n*p)
		labels := []int32{0, 1, 2, 3, 3, 0}
		store := model.NewStore()
		got := map[string][]float64{}
		var names []string
		outputs := model.MustCallOnceN(backend, store, func(scope *model.Scope, labels, features *Node) []*Node {
			names = nil
			var nodes []*Node
			for name, h := range heads {
				for lossName, l := range map[string]loss.LossFn{
					"unhinged": Loss{}.Fn, "ce": func(labels, predictions []*Node) *Node { // gomlx's own cross-entropy
						return loss.SparseCategoricalCrossEntropyLogits(append([]*Node{InsertAxes(labels[0], -1)},
							labels[1:]...), predictions)
					},
				} {
					in := scope.At("%s %s", name, lossName)
					before := train.GetRegularizationLoss(features.Graph())
					predictions := h.Predictions(in, features)
					objective := h.Loss(l)([]*Node{labels}, predictions)
					if h.FeatureRegularization != 0 {
						efr := train.GetRegularizationLoss(features.Graph())
						if before != nil {
							efr = Sub(efr, before)
						}
						objective = Add(objective, efr)
					}
					by := []*Node{features, predictions[2]}
					outs := append([]*Node{objective}, Gradient(objective, by...)...)
					outs = append(outs, predictions[2])
					if h.UseBias {
						b := in.GetVariable("biases").NodeValue(features)
						outs = append(outs, Gradient(objective, b)[0], b)
					}
					for i, kind := range []string{"value", "by features", "by prototypes", "prototypes", "by biases",
						"biases"}[:len(outs)] {
						names = append(names, name+", "+lossName+": "+kind)
						nodes = append(nodes, outs[i])
					}
				}
			}
			return nodes
		}, labels, tensor(dtype, features, n, p))
		for i, output := range outputs {
			got[names[i]] = floats64(output)
		}
		want := naiveObjectives(features, labels, got)
		for key, values := range want {
			wantClose(t, key, got[key], values, math.Max(tolerance, 1e-7))
		}
	})
}

// variables runs a head once on features [2, p] and returns its store.
func variables(backend compute.Backend, h Head, dtype dtypes.DType, p int) (*model.Store, error) {
	store := model.NewStore()
	_, err := model.CallOnce(backend, store, func(scope *model.Scope, features *Node) *Node {
		logits := h.Apply(scope.At("head"), features)
		again := h.Apply(scope.At("head"), features) // the second call finds the variables of the first
		return Sub(logits, again)
	}, tensor(dtype, make([]float64, 2*p), 2, p))
	return store, err
}

func TestHeadVariables(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		const c = 4
		for _, test := range []struct {
			head      Head
			p         int
			trainable bool
			cosine    float64 // between prototypes; 0 means not tested
			length    float64
		}{
			{Head{Prototypes: ETF}, 3, false, -1. / 3, 1},
			{Head{Prototypes: ETF, Scale: 2}, 8, false, -1. / 3, 2},
			{Head{Prototypes: ETFInitialized, Scale: 5}, 4, true, -1. / 3, 5},
			{Head{Prototypes: ETF}, 2, false, 0, 1}, // no ETF exists in the plane: the square
			{Head{UseBias: true}, 7, true, 0, 0},
		} {
			test.head.Classes = c
			store, err := variables(backend, test.head, dtype, test.p)
			if err != nil {
				t.Fatal(err)
			}
			v := store.GetVariable("/head/prototypes")
			if v.Trainable != test.trainable {
				t.Errorf("%+v: trainable is %v", test.head, v.Trainable)
			}
			w := floats64(v.MustValue())
			wanted := 1
			if test.head.UseBias {
				wanted = 2
				bound := 1 / math.Sqrt(float64(test.p))
				for _, x := range append(floats64(store.GetVariable("/head/biases").MustValue()), w...) {
					if math.Abs(x) > bound || x == 0 {
						t.Errorf("initial value %g, not in ±%g", x, bound)
					}
				}
			}
			if n := store.NumVariables(); n != wanted {
				t.Errorf("%+v: %d variables", test.head, n)
			}
			if test.length == 0 {
				continue
			}
			for j := range c {
				a := w[j*test.p : (j+1)*test.p]
				wantClose(t, "length", []float64{floats.Norm(a, 2)}, []float64{test.length}, tolerance)
				for i := range j {
					cosine := floats.Dot(unit(a), unit(w[i*test.p:(i+1)*test.p]))
					if test.cosine != 0 {
						wantClose(t, "cosine", []float64{cosine}, []float64{test.cosine}, tolerance)
					} else if cosine > 1e-4 {
						t.Errorf("%+v: cosine %g in the plane, a square has none above 0", test.head, cosine)
					}
				}
			}
		}
	})
}

func TestHeadRefuses(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for what, h := range map[string]Head{
			"no classes": {}, "RLR without normalised features": {Classes: 3, RescaleRate: true},
			"unknown prototypes": {Classes: 3, Prototypes: 7},
		} {
			if _, err := variables(backend, h, dtypes.Float32, 4); err == nil {
				t.Errorf("%s: no error", what)
			}
		}
		half := func(scope *model.Scope, features *Node) *Node {
			logits := Head{Classes: 3}.Apply(scope, ConvertDType(features, dtypes.Float16))
			return logits
		}
		if _, err := model.CallOnce(backend, model.NewStore(), half, [][]float32{{1, 2}}); err == nil {
			t.Error("float16: no error")
		}
	})
}

// RLR keeps the weights and the mask of the data set.
func TestRescaleRateWithMaskAndWeights(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		h := Head{Classes: 2, Prototypes: ETF, NormalizeFeatures: true, RescaleRate: true}
		features := []float64{3, 4, 1, 0, 0, 2} // of norms 5, 1, 2
		got := run(backend, func(inputs []*Node) map[string]*Node {
			predictions := []*Node{inputs[4], inputs[1]}
			return map[string]*Node{"loss": h.Loss(Loss{PerExample: true}.Fn)([]*Node{inputs[0], inputs[2], inputs[3]},
				predictions)}
		}, []int32{0, 1, 0}, tensor(dtype, features, 3, 2), tensor(dtype, []float64{0.5, 10, 7}, 3), []bool{true, true,
			false},
			tensor(dtype, []float64{2, 1, -1, 3, 8, 8}, 3, 2))
		wantClose(t, "loss", got["loss"], []float64{5 * 0.5 * -1, 1 * 10 * -4, 0}, tolerance)
	})
}

// D.2: features are shifted by Δ and prototypes by sΔ. The plain argmax then makes errors, and the centred one gives
// the same decisions as before. Centring only the prototypes has no effect.
func TestCenteredDecision(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		const n, p, c, s = 60, 6, 4, 0.5
		rng := rand.New(rand.NewPCG(51, 0))
		w := rows(t, p, c)
		var features []float64
		labels := make([]int32, n)
		for i := range n {
			labels[i] = int32(i % c)
			h := normals(rng, p)
			floats.Scale(0.2, h)
			floats.AddScaled(h, 1, w[i%c*p:(i%c+1)*p])
			features = append(features, h...)
		}
		delta := normals(rng, p)
		floats.Scale(5, delta)
		movedFeatures, movedW := append([]float64(nil), features...), append([]float64(nil), w...)
		for i := range n {
			floats.Add(movedFeatures[i*p:(i+1)*p], delta)
		}
		for j := range c {
			floats.AddScaled(movedW[j*p:(j+1)*p], s, delta)
		}
		got := run(backend, func(inputs []*Node) map[string]*Node {
			features, w, moved, movedW := inputs[0], inputs[1], inputs[2], inputs[3]
			rightShare := func(logits *Node) *Node {
				right := Equal(ArgMax(logits, -1), Reshape(inputs[4], n))
				return ReduceAllMean(ConvertDType(right, dtype))
			}
			centered := CenteredLogits(features, nil, w, nil)
			plain := MatMul(moved, Transpose(movedW, 0, 1))
			return map[string]*Node{
				"before": rightShare(MatMul(features, Transpose(w, 0, 1))), "after": rightShare(plain),
				"only W centred":  rightShare(Sub(plain, ReduceAndKeep(plain, ReduceMean, -1))),
				"centred":         rightShare(CenteredLogits(moved, nil, movedW, nil)),
				"logits moved by": ReduceAllMax(Abs(Sub(CenteredLogits(moved, nil, movedW, nil), centered))),
				"given mean": ReduceAllMax(Abs(Sub(CenteredLogits(features, ReduceMean(features, 0), w, nil),
					centered))),
			}
		}, tensor(dtype, features, n, p), tensor(dtype, w, c, p), tensor(dtype, movedFeatures, n, p),
			tensor(dtype, movedW, c, p), labels)
		if got["before"][0] < 0.99 || got["after"][0] > 0.5 || got["only W centred"][0] != got["after"][0] ||
			got["centred"][0] < 0.99 {
			t.Errorf("shares classified right: %v", got)
		}
		// the norm of Δ is about 12
		wantClose(t, "centred logits", append(got["logits moved by"], got["given mean"]...), []float64{0, 0},
			100*tolerance)
	})
}

func TestHeadCenteredLogits(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		const n, p = 5, 4
		features := normals(rand.New(rand.NewPCG(52, 0)), n*p)
		h := Head{Classes: 3, NormalizeFeatures: true, UseBias: true}
		difference := model.MustCallOnce(backend, model.NewStore(), func(scope *model.Scope, features *Node) *Node {
			_ = h.Apply(scope, features)
			w, b := scope.GetVariable("prototypes").NodeValue(features), scope.GetVariable("biases").NodeValue(features)
			direction := L2Normalize(features, -1)
			return ReduceAllMax(Abs(Sub(h.CenteredLogits(scope, features, nil), CenteredLogits(direction, nil, w, b))))
		}, tensor(dtype, features, n, p))
		wantClose(t, "difference", floats64(difference), []float64{0}, 0)
	})
}

// TestHeadLogitsAreCentredByAConstant checks that with a mean of 0 the centred logits of an example are its logits
// minus one number, whether or not the head normalises or scales.
func TestHeadLogitsAreCentredByAConstant(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		const n, p = 5, 4
		features := normals(rand.New(rand.NewPCG(53, 0)), n*p)
		for _, h := range []Head{
			{Classes: 3, UseBias: true, LogitScale: 7},
			{Classes: 3, NormalizeFeatures: true, NormalizePrototypes: true, LogitScale: 30},
			{Classes: 3, NormalizePrototypes: true, UseBias: true},
		} {
			outputs := model.MustCallOnceN(backend, model.NewStore(), func(scope *model.Scope, features *Node) []*Node {
				logits := h.Apply(scope, features)
				less := Sub(h.CenteredLogits(scope, features, ZerosLike(Squeeze(Slice(features, AxisRange(0, 1)), 0))),
					logits)
				norms := L2Norm(h.usedPrototypes(scope, features), -1)
				return []*Node{ReduceAllMax(Sub(ReduceMax(less, -1), ReduceMin(less, -1))), ReduceAllMax(norms),
					ReduceAllMin(norms)}
			}, tensor(dtype, features, n, p))
			wantClose(t, "spread of the difference", floats64(outputs[0]), []float64{0}, 100*tolerance)
			if h.NormalizePrototypes {
				scale := max(h.LogitScale, 1)
				wantClose(t, "norms", []float64{floats64(outputs[1])[0], floats64(outputs[2])[0]},
					[]float64{scale, scale},
					tolerance)
			}
		}
	})
}

// A head's initial values must be the same on every backend and in every precision.
func TestHeadSeed(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		wide, err := variables(backend, Head{Classes: 3, Seed: 9}, dtypes.Float64, 4)
		if err != nil {
			t.Fatal(err)
		}
		narrow, err := variables(backend, Head{Classes: 3, Seed: 9}, dtypes.Float32, 4)
		if err != nil {
			t.Fatal(err)
		}
		other, err := variables(backend, Head{Classes: 3, Seed: 10}, dtypes.Float64, 4)
		if err != nil {
			t.Fatal(err)
		}
		value := func(s *model.Store) *tensors.Tensor { return s.GetVariable("/head/prototypes").MustValue() }
		wantClose(t, "prototypes", floats64(value(narrow)), floats64(value(wide)), 1e-7)
		if fmt.Sprint(floats64(value(other))) == fmt.Sprint(floats64(value(wide))) {
			t.Error("another seed gave the same prototypes")
		}
		// bound/√p times 2·U−1 of PCG(9, 0), first number
		first := 0.5 * (2*rand.New(rand.NewPCG(9, 0)).Float64() - 1)
		wantClose(t, "first", floats64(value(wide))[:1], []float64{first}, 0)
	})
}

// One step of gomlx's trainer, with a gomlx layer before the head, is compared with finite differences of plain loops.
// The objective is the mean loss plus EFR's sum over the batch, and anchored prototypes must not change.
func TestHeadInTrainer(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		const n, d, p, rate = 6, 3, 5, 0.1
		h := Head{Classes: 4, Prototypes: ETF, NormalizeFeatures: true, RescaleRate: true, FeatureRegularization: 0.02}
		rng := rand.New(rand.NewPCG(61, 0))
		inputs, first := normals(rng, n*d), normals(rng, d*p)
		labels := []int32{0, 1, 2, 3, 1, 0}
		store := model.NewStore()
		store.VariableWithValue("/layer/dense/weights", tensor(dtypes.Float64, first, d, p))
		trainer := train.NewTrainer(backend, store, func(scope *model.Scope, x *Node) []*Node {
			return h.Predictions(scope.In("head"), layers.Dense(scope.In("layer"), x, false, p))
		}, h.Loss(Loss{}.Fn), optimizer.StochasticGradientDescent().WithLearningRate(rate).WithDecay(false).Done(), nil,
			nil)
		_, err := trainer.TrainStep(train.Batch{
			Inputs: []*tensors.Tensor{tensor(dtypes.Float64, inputs, n, d)},
			Labels: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(append([]int32(nil), labels...), n, 1)},
		})
		if err != nil {
			t.Fatal(err)
		}
		w := floats64(store.GetVariable("/head/prototypes").MustValue())
		wantClose(t, "anchored prototypes", w, floats64(h.initialPrototypes(p, dtypes.Float64)), 0)

		features := func(weights []float64) []float64 {
			var f mat.Dense
			f.Mul(mat.NewDense(n, d, inputs), mat.NewDense(d, p, weights))
			return f.RawMatrix().Data
		}
		norms := make([]float64, n)
		for i := range norms {
			norms[i] = floats.Norm(features(first)[i*p:(i+1)*p], 2)
		}
		gradient := fd.Gradient(nil, func(weights []float64) float64 {
			return naiveObjective(h, naive["unhinged"], features(weights), w, nil, norms, labels)
		}, first, &fd.Settings{Formula: fd.Central})
		want := append([]float64(nil), first...)
		floats.AddScaled(want, -rate, gradient)
		wantClose(t, "weights after a step", floats64(store.GetVariable("/layer/dense/weights").MustValue()), want,
			1e-8)
	})
}

// Prototype-anchored learning with normalised features and a rescaled rate uses a gomlx layer before the head, and
// gomlx's trainer.
func ExampleHead() {
	backend, _, err := backends.Open("go")
	if err != nil {
		panic(err)
	}
	head := Head{Classes: 3, Prototypes: ETF, NormalizeFeatures: true, RescaleRate: true, FeatureRegularization: 1e-5}
	classifier := func(scope *model.Scope, x *Node) []*Node {
		return head.Predictions(scope.In("head"), layers.DenseWithBias(scope.In("layer"), x, 8))
	}
	store := model.NewStore()
	sgd := optimizer.StochasticGradientDescent().WithLearningRate(0.5).WithDecay(false).Done()
	trainer := train.NewTrainer(backend, store, classifier, head.Loss(Loss{}.Fn), sgd, nil, nil)
	points := [][]float32{{1, 0}, {0, 1}, {-1, -1}}
	for range 100 {
		_, err := trainer.TrainStep(train.Batch{
			Inputs: []*tensors.Tensor{tensors.FromValue(points)},
			Labels: []*tensors.Tensor{tensors.FromValue([][]int32{{0}, {1}, {2}})},
		})
		if err != nil {
			panic(err)
		}
	}
	classes := model.MustCallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
		return ArgMax(classifier(scope, x)[0], -1)
	}, points)
	fmt.Println(classes.Value())
	// Output: [0 1 2]
}
