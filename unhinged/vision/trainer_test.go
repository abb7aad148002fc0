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
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/unhinged-lab/lab/internal/backendtest"
)

// TestTrainer checks that gomlx's trainer with SGD gives the descent of the formulas, for whole batches and with
// gradients accumulated over three thirds of a batch. Clear resets the velocities to 0.
func TestTrainer(t *testing.T) {
	const examples, inputs, parts, steps = 12, 3, 3, 4
	random := rand.New(rand.NewPCG(5, 6))
	x, y, start := make([]float64, examples*inputs), make([]float64, examples), make([]float64, inputs)
	for _, values := range [][]float64{x, y, start} {
		for i := range values {
			values[i] = random.NormFloat64()
		}
	}
	sgd := SGD{LearningRate: 0.1, Momentum: 0.8, WeightDecay: 0.05, Nesterov: true, Steps: 2 * steps}

	w := nesterovByHand(sgd, x, y, start, steps)
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, accumulated := range []bool{false, true} {
			store := model.NewStore()
			network := func(scope *model.Scope, _ any, inputs []*Node) []*Node {
				weights := scope.In("linear").VariableWithValue("weights", start).NodeValue(inputs[0])
				scope.VariableWithValue("frozen", 5.0).SetTrainable(false)
				return []*Node{InsertAxes(Dot(inputs[0], weights).Product(), -1)}
			}
			for round := range 2 {
				trainer := train.NewTrainer(backend, store, network, loss.MeanSquaredError, sgd, nil, nil)
				each := examples
				if accumulated {
					each = examples / parts
					if err := trainer.AccumulateGradients(parts); err != nil {
						t.Fatal(err)
					}
				}
				for range steps {
					for from := 0; from < examples; from += each {
						batch := train.Batch{
							Inputs: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(
								x[from*inputs:(from+each)*inputs],
								each, inputs)},
							Labels: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(y[from:from+each], each, 1)},
						}
						if _, err := trainer.TrainStep(batch); err != nil {
							t.Fatal(err)
						}
					}
				}
				if step := optimizer.GetGlobalStep(store); step != int64(steps*(round+1)) {
					t.Errorf("accumulated %v: the global step is %d after %d", accumulated, step, steps*(round+1))
				}
				if round == 0 {
					if err := sgd.Clear(store.RootScope()); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := tensors.MustCopyFlatData[float64](store.GetVariable("/linear/weights").MustValue())
			for k := range w {
				if math.Abs(got[k]-w[k]) > 1e-12 {
					t.Errorf("accumulated %v: weight %d is %.16g, should be %.16g", accumulated, k, got[k], w[k])
				}
			}
		}
	})
}

// nesterovByHand returns the weights of a linear least-squares fit after twice this many steps of Nesterov's momentum,
// by the formulas, with the velocity cleared in the middle.
func nesterovByHand(sgd SGD, x, y, start []float64, steps int) []float64 {
	examples, inputs := len(y), len(start)
	w, v := slices.Clone(start), make([]float64, inputs)
	for step := range 2 * steps {
		if step == steps {
			clear(v)
		}
		gradient := make([]float64, inputs)
		for i := range examples {
			residual := -y[i]
			for k := range inputs {
				residual += x[i*inputs+k] * w[k]
			}
			for k := range inputs {
				gradient[k] += 2 * residual * x[i*inputs+k] / float64(examples)
			}
		}
		for k := range inputs {
			g := gradient[k] + sgd.WeightDecay*w[k]
			v[k] = sgd.Momentum*v[k] + g
			w[k] -= sgd.Rate(int64(step)) * (g + sgd.Momentum*v[k])
		}
	}
	return w
}
