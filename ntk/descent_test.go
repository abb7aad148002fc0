package ntk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// lossResidual is a loss with a function that returns ∂L/∂logits of one example.
type lossResidual struct {
	name string
	loss unhinged.Criterion
	of   func(s []float64, y int) []float64
}

// lossResiduals returns the losses of TestDescentByHand. The unhinged loss has the given γ.
func lossResiduals(gamma float64) []lossResidual {
	return []lossResidual{
		{"unhinged", unhinged.Loss{Gamma: &gamma}, func(s []float64, y int) []float64 {
			r := make([]float64, len(s))
			for c := range r {
				r[c] = gamma
			}
			r[y] = -1
			return r
		}},
		{"cross-entropy", unhinged.CrossEntropy{}, func(s []float64, y int) []float64 {
			r, sum := make([]float64, len(s)), 0.0
			for c := range r {
				r[c] = math.Exp(s[c])
				sum += r[c]
			}
			for c := range r {
				r[c] /= sum
			}
			r[y]--
			return r
		}},
		{"squared error", unhinged.SquaredError{}, func(s []float64, y int) []float64 {
			r := make([]float64, len(s))
			for c := range r {
				r[c] = 2 * s[c]
			}
			r[y] -= 2
			return r
		}},
	}
}

// TestDescentByHand compares a network of one linear layer, with and without a head, under each loss and in both
// parameterisations, with gradient descent written out in float64.
func TestDescentByHand(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		random := rand.New(rand.NewPCG(1, 2))
		for _, given := range lossResiduals(0.3) {
			if dtype == dtypes.Float32 && given.name != "cross-entropy" {
				continue // compilation takes long
			}
			for i, head := range []*unhinged.Head{nil, {Prototypes: unhinged.Trainable, UseBias: true},
				{Prototypes: unhinged.ETF}} {
				parameterization := Parameterization((i + len(given.name)) % 2) // alternates over the cases
				n, inputs, classes := 1+random.IntN(9), 1+random.IntN(5), 2+random.IntN(4)
				x, unseen := normals(random.Uint64(), dtype, n, inputs), normals(random.Uint64(), dtype,
					1+random.IntN(4), inputs)
				labels := make([]int, n)
				for i := range labels {
					labels[i] = random.IntN(classes)
				}
				wStd, width := 0.5+random.Float64(), classes
				if head != nil {
					width = classes + random.IntN(3)
					h := *head
					h.Classes, h.Seed = classes, random.Uint64()
					head = &h
				}
				d := Descent{Backend: backend, Network: Serial(Dense(width).Std(wStd, 0)),
					Parameterization: parameterization, Head: head, Loss: given.loss,
					Rates: dynamics.Rates{H: dynamics.StepRate{Initial: 0.2, Factor: 0.5, Every: 3},
						W: dynamics.ConstantRate(0.1)}, Lambda1: 0.1, Lambda2: 0.2}
				store, train, test := seeded(random.Int64()), Examples{x, labels},
					Examples{unseen, make([]int, unseen.Shape().Dimensions[0])}
				var weights *mat.Dense
				d.Observe = func(r Record) error {
					if weights == nil {
						weights = numbers.Matrix(store.GetVariable("/layer0/weights").MustValue())
					}
					return nil
				}
				steps := []int{0, 0, 1, 7}
				records, err := d.Train(context.Background(), store, train, test, steps)
				if err != nil {
					t.Fatal(err)
				}
				scale := 1.0
				if parameterization == NTKParameterization {
					scale = wStd / math.Sqrt(float64(inputs))
				}
				hand := byHand{scale, numbers.Matrix(x), labels, weights, records[0].Prototypes, records[0].Biases,
					given.of, head != nil && head.Prototypes == unhinged.ETF}
				now := 0
				for i, r := range records {
					for ; now < steps[i]; now++ {
						hand.step(d.Rates.H.At(float64(now)), 0.1, d.Lambda1, d.Lambda2)
					}
					what := fmt.Sprintf("%s, parameterisation %d, head %+v, step %d", given.name, parameterization,
						head, now)
					if r.Time != float64(now) {
						t.Errorf("%s: recorded as step %g", what, r.Time)
					}
					for _, o := range []struct {
						x   *tensors.Tensor
						got Outputs
					}{{x, r.Train}, {unseen, r.Test}} {
						features, logits := hand.outputs(numbers.Matrix(o.x))
						if head != nil {
							nearly(t, what+": features", o.got.Features, features, 10*tolerance)
							nearly(t, what+": prototypes", r.Prototypes, hand.prototypes, 10*tolerance)
						}
						nearly(t, what+": logits", o.got.Logits, logits, 10*tolerance)
					}
					for c, b := range hand.biases {
						near(t, what+": bias", r.Biases[c], b, 10*tolerance)
					}
				}
			}
		}
	})
}

// byHand is gradient descent on a linear layer and on an optional head after it.
type byHand struct {
	scale      float64 // of the weights
	x          *mat.Dense
	labels     []int
	weights    *mat.Dense
	prototypes *mat.Dense // nil without a head
	biases     []float64
	residual   func(s []float64, y int) []float64
	anchored   bool
}

func (b *byHand) outputs(x *mat.Dense) (features, logits *mat.Dense) {
	features = new(mat.Dense)
	features.Mul(x, b.weights)
	features.Scale(b.scale, features)
	if b.prototypes == nil {
		return nil, features
	}
	logits = new(mat.Dense)
	logits.Mul(features, b.prototypes.T())
	logits.Apply(func(_, c int, v float64) float64 {
		if b.biases != nil {
			v += b.biases[c]
		}
		return v
	}, logits)
	return features, logits
}

func (b *byHand) step(eta1, eta2, lambda1, lambda2 float64) {
	features, logits := b.outputs(b.x)
	n, classes := logits.Dims()
	r := mat.NewDense(n, classes, nil)
	for i, y := range b.labels {
		r.SetRow(i, b.residual(logits.RawRowView(i), y))
	}
	r.Scale(1/float64(n), r)
	byFeatures := r
	if b.prototypes != nil {
		byFeatures = new(mat.Dense)
		byFeatures.Mul(r, b.prototypes)
	}
	move := func(x *mat.Dense, gradient mat.Matrix, eta, lambda float64) *mat.Dense {
		var next mat.Dense
		next.Apply(func(i, j int, v float64) float64 { return v - eta*(gradient.At(i, j)+lambda*v) }, x)
		return &next
	}
	var gradient mat.Dense
	gradient.Mul(b.x.T(), byFeatures)
	gradient.Scale(b.scale, &gradient)
	b.weights = move(b.weights, &gradient, eta1, lambda1)
	if b.prototypes == nil || b.anchored {
		return
	}
	var byPrototypes mat.Dense
	byPrototypes.Mul(r.T(), features)
	b.prototypes = move(b.prototypes, &byPrototypes, eta2, lambda2)
	if b.biases != nil {
		next := make([]float64, classes)
		for c := range next {
			next[c] = b.biases[c] - eta2*(mat.Sum(r.ColView(c))+lambda2*b.biases[c])
		}
		b.biases = next
	}
}

// nearly compares matrices with a tolerance relative to their largest element.
func nearly(t *testing.T, what string, got, want *mat.Dense, tolerance float64) {
	t.Helper()
	var gap mat.Dense
	gap.Sub(got, want)
	if off, size := mat.Norm(&gap, math.Inf(1)), mat.Norm(want, math.Inf(1)); !(off <= tolerance*(1+size)) {
		t.Errorf("%s: off by %g of %g", what, off, size)
	}
}

// TestDescentGradients compares one step of every parameter, in networks of every kind of layer, with the negative
// gradient of the loss by finite differences in float64. The loss includes the head's regularisation.
func TestDescentGradients(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		network := Serial(Conv(3, 2).Std(1, 0.5), Erf, AveragePool(2), Residual(Identity,
			Serial(Sin, Conv(3, 2).Same())), Flatten, Dense(4).Std(1.3, 0.2))
		train := Examples{normals(5, dtypes.Float64, 3, 5, 4, 2), []int{2, 0, 2}}
		for _, head := range []*unhinged.Head{nil,
			{Classes: 3, UseBias: true, FeatureRegularization: 0.1},
			{Classes: 3, Prototypes: unhinged.ETF, NormalizeFeatures: true}} {
			d := Descent{Backend: backend, Network: network, Head: head, Loss: unhinged.CrossEntropy{},
				Rates: dynamics.Constant(1, 1)}
			store := seeded(3)
			evaluate := model.MustNewExec(backend, store, func(scope *model.Scope, x, labels *graph.Node) *graph.Node {
				predictions := d.predictions(scope, x)
				loss := d.Loss.Fn([]*graph.Node{labels}, predictions)
				if head != nil && head.FeatureRegularization != 0 {
					loss = graph.Add(loss, graph.MulScalar(graph.ReduceAllSum(graph.Square(predictions[1])),
						head.FeatureRegularization))
				}
				return loss
			})
			labels := tensors.FromValue([]int32{2, 0, 2})
			objective := func() float64 { return tensors.ToScalar[float64](evaluate.MustCall(train.X, labels)[0]) }
			objective()
			start := map[string][]float64{}
			for v := range store.IterVariables() {
				start[v.Path()] = numbers.Of(v.MustValue())
			}
			set := func(path string, values []float64) {
				v := store.GetVariable(path)
				must.M(v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)))
			}
			gradients := map[string][]float64{}
			for path, values := range start {
				for i := range values {
					const h = 1e-5
					moved := append([]float64(nil), values...)
					moved[i] = values[i] + h
					set(path, moved)
					up := objective()
					moved[i] = values[i] - h
					set(path, moved)
					gradients[path] = append(gradients[path], (up-objective())/(2*h))
				}
				set(path, values)
			}
			must.M1(d.Train(context.Background(), store, train, Examples{}, []int{1}))
			for path, values := range start {
				after := numbers.Of(store.GetVariable(path).MustValue())
				for i, v := range values {
					want := -gradients[path][i]
					if head != nil && head.Prototypes == unhinged.ETF && path == "/head/prototypes" {
						want = 0
					}
					near(t, fmt.Sprintf("head %+v, %s %d", head, path, i), after[i]-v, want, 1e-8)
				}
			}
		}
	})
}

// TestDescentHooks checks when the hooks are called, and that the store has the parameters of the recorded step.
func TestDescentHooks(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		store := seeded(1)
		train := Examples{normals(5, dtypes.Float32, 4, 3), []int{0, 1, 1, 0}}
		ctx, cancel := context.WithCancel(context.Background())
		var done []int
		var seen []float64
		var last *mat.Dense
		d := Descent{Backend: backend, Network: Serial(Dense(5), ReLU, Dense(2)), Rates: dynamics.Constant(0.1, 0.1),
			Progress: func(step, last int) { done = append(done, step, last) }}
		d.Observe = func(r Record) error {
			seen = append(seen, r.Time)
			weights := numbers.Matrix(store.GetVariable("/layer0/weights").MustValue())
			if last != nil && mat.Equal(weights, last) {
				t.Error("the weights of two recorded steps are the same")
			}
			last = weights
			return nil
		}
		must.M1(d.Train(ctx, store, train, Examples{}, []int{1, 3}))
		if fmt.Sprint(done, seen) != "[1 3 2 3 3 3] [1 3]" {
			t.Errorf("progress and records %v %v", done, seen)
		}
		d.Progress = func(step, _ int) {
			if step == 5 {
				cancel()
			}
		}
		if _, err := d.Train(ctx, store, train, Examples{}, []int{100}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		stop := errors.New("enough")
		d.Observe = func(Record) error { return stop }
		if _, err := d.Train(context.Background(), store, train, Examples{}, []int{0}); !errors.Is(err, stop) {
			t.Errorf("stopped: %v", err)
		}
	})
}

func TestDescentErrors(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		good := Descent{Backend: backend, Network: Serial(Dense(2)), Rates: dynamics.Constant(0.1, 0.1)}
		train := Examples{normals(5, dtypes.Float32, 2, 3), []int{0, 1}}
		for want, change := range map[string]func(d *Descent, train, test *Examples, steps *[]int){
			"no backend":        func(d *Descent, _, _ *Examples, _ *[]int) { d.Backend = nil },
			"no learning rates": func(d *Descent, _, _ *Examples, _ *[]int) { d.Rates = dynamics.Rates{} },
			"weight decay":      func(d *Descent, _, _ *Examples, _ *[]int) { d.Lambda2 = math.NaN() },
			"not negative":      func(_ *Descent, _, _ *Examples, steps *[]int) { *steps = []int{-1, 2} },
			"ascending":         func(_ *Descent, _, _ *Examples, steps *[]int) { *steps = []int{2, 1} },
			"at least one":      func(_ *Descent, _, _ *Examples, steps *[]int) { *steps = nil },
			"no examples":       func(_ *Descent, train, _ *Examples, _ *[]int) { train.X = nil },
			"1 labels":          func(_ *Descent, train, _ *Examples, _ *[]int) { train.Labels = train.Labels[:1] },
			"3 labels": func(_ *Descent, train, test *Examples, _ *[]int) {
				*test = Examples{train.X,
					[]int{0, 1, 0}}
			},
			"2 labels without": func(_ *Descent, _, test *Examples, _ *[]int) { test.Labels = []int{0, 1} },
			"example 1 has": func(_ *Descent, train, _ *Examples, _ *[]int) {
				train.X = tensors.FromValue([][]float32{{1, 2, 3}, {4, 5, float32(math.NaN())}})
			},
			"do not match": func(_ *Descent, _, test *Examples, _ *[]int) {
				*test = Examples{normals(5, dtypes.Float64, 2, 3), []int{0, 1}}
			},
			"label -1": func(_ *Descent, train, _ *Examples, _ *[]int) { train.Labels = []int{0, -1} },
			"label 2":  func(_ *Descent, train, _ *Examples, _ *[]int) { train.Labels = []int{0, 2} },
			"the loss is": func(d *Descent, _, _ *Examples, _ *[]int) {
				d.Rates, d.Loss = dynamics.Constant(1e30, 1e30), unhinged.SquaredError{}
			},
			"Dense": func(_ *Descent, train, _ *Examples, _ *[]int) {
				train.X = normals(5, dtypes.Float32, 2, 3, 3,
					1)
			},
		} {
			d, train, test, steps := good, train, Examples{}, []int{3}
			change(&d, &train, &test, &steps)
			if _, err := d.Train(context.Background(), seeded(1), train, test, steps); err == nil ||
				!strings.Contains(err.Error(), want) {
				t.Errorf("want an error about %q, got %v", want, err)
			}
		}
	})
}

func TestAccuracy(t *testing.T) {
	logits := mat.NewDense(4, 3, []float64{1, 1, 0, 0, 1, 1, -1, -2, -3, 0, 0, 5})
	if got := Accuracy(logits, []int{0, 2, 0, 2}); got != 0.75 {
		t.Errorf("accuracy %g, want 3/4: of equal logits the first counts", got)
	}
}
