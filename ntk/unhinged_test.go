package ntk

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// linearKernel returns X1 X2ᵀ/d, the kernel of Dense in the NTK parameterisation.
func linearKernel(x1, x2 *tensors.Tensor) *tensors.Tensor {
	var k mat.Dense
	k.Mul(numbers.Matrix(x1), numbers.Matrix(x2).T())
	k.Scale(1/float64(x1.Shape().Dimensions[1]), &k)
	n, m := k.Dims()
	return tensors.FromFlatDataAndDimensions(append([]float64(nil), k.RawMatrix().Data...), n, m)
}

// timesIdentity returns the full kernel κ⊗I_p as [n, m, p, p].
func timesIdentity(kernel *tensors.Tensor, p int) *tensors.Tensor {
	n, m := kernel.Shape().Dimensions[0], kernel.Shape().Dimensions[1]
	full := make([]float64, n*m*p*p)
	for ij, v := range numbers.Of(kernel) {
		for a := range p {
			full[ij*p*p+a*p+a] = v
		}
	}
	return tensors.FromFlatDataAndDimensions(full, n, m, p, p)
}

// shuffled returns labels of all classes in random order.
func shuffled(random *rand.Rand, n, classes int) []int {
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % classes
	}
	random.Shuffle(n, func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	return labels
}

// sameRecord compares two records.
func sameRecord(t *testing.T, what string, got, want Record, tolerance float64) {
	t.Helper()
	near(t, what+": loss", got.Loss, want.Loss, tolerance)
	for name, o := range map[string][2]Outputs{"train": {got.Train, want.Train}, "test": {got.Test, want.Test}} {
		nearly(t, what+": logits, "+name, o[0].Logits, o[1].Logits, tolerance)
		if o[1].Features != nil {
			nearly(t, what+": features, "+name, o[0].Features, o[1].Features, tolerance)
		}
		if o[0].Accuracy != o[1].Accuracy {
			t.Errorf("%s: accuracy, %s, %g, want %g", what, name, o[0].Accuracy, o[1].Accuracy)
		}
	}
	if want.Prototypes != nil {
		nearly(t, what+": prototypes", got.Prototypes, want.Prototypes, tolerance)
	}
	for c, b := range want.Biases {
		near(t, what+": bias", got.Biases[c], b, tolerance)
	}
}

// TestUnhingedIsDescent uses a network of one linear layer. It is linear in its parameters, so that its kernel never
// changes and gradient descent equals the closed form up to rounding. The test covers logits and heads, trained and
// anchored, weight decay, the kernels κ and κ⊗I, and seen and unseen examples.
func TestUnhingedIsDescent(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		random := rand.New(rand.NewPCG(7, 1))
		for _, head := range []*unhinged.Head{nil, {Prototypes: unhinged.ETF}, {UseBias: true}, {}} {
			for _, lambda := range []float64{0, 0.05} {
				inputs, classes := 1+random.IntN(6), 2+random.IntN(4)
				n, m, p, gamma := classes+random.IntN(9), 1+random.IntN(5), classes, random.Float64()
				x, unseen := normals(random.Uint64(), dtypes.Float64, n, inputs), normals(random.Uint64(),
					dtypes.Float64, m, inputs)
				train, test := Examples{x, shuffled(random, n, classes)}, Examples{unseen, shuffled(random, m, classes)}
				theory := Unhinged{Gamma: gamma, Lambda1: lambda, Rates: dynamics.Constant(0.3, 0.2)}
				d := Descent{Backend: backend, Loss: unhinged.Loss{Gamma: &gamma}, Rates: theory.Rates, Lambda1: lambda}
				if head != nil {
					p += random.IntN(3)
					d.Head = &unhinged.Head{Classes: classes, Prototypes: head.Prototypes, UseBias: head.UseBias,
						Seed: random.Uint64()}
					theory.Anchored = head.Prototypes == unhinged.ETF
					if !theory.Anchored {
						theory.Lambda2, d.Lambda2 = lambda/2, lambda/2
					}
				}
				d.Network = Serial(Dense(p))
				steps := []int{0, 1, 40}
				records := must.M1(d.Train(context.Background(), seeded(random.Int64()), train, test, steps))
				theory.Start = records[0]
				if same := must.M1(d.Theory(records[0])); !reflect.DeepEqual(same, theory) {
					t.Fatalf("the descent's theory is %+v, should be %+v", same, theory)
				}
				k, kStar := linearKernel(x, x), linearKernel(x, unseen)
				for form, kernels := range map[string][2]*tensors.Tensor{"κ": {k, kStar}, "full": {timesIdentity(k, p),
					timesIdentity(kStar, p)}} {
					trained := must.M1(theory.Train(kernels[0], train.Labels))
					must.M(trained.Test(kernels[1], test.Labels))
					all := must.M1(trained.Steps(steps))
					for i, step := range steps {
						sameRecord(t, fmt.Sprintf("head %+v, λ = %g, %s, step %d", head, lambda, form, step), all[i],
							records[i], 1e-11)
					}
				}
			}
		}
	})
}

// TestUnhingedIsLinearized checks that gradient descent on the first-order Taylor expansion of a deep network equals,
// up to rounding, the closed form from the network's full kernel at the start, and that the network itself does not.
func TestUnhingedIsLinearized(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		network := Serial(Conv(4, 3).Same().Std(1.4, 0.3), ReLU, AveragePool(2), Flatten, Dense(10).Std(1.2, 0.1), Erf,
			Dense(4))
		random := rand.New(rand.NewPCG(11, 1))
		train, test := Examples{normals(1, dtypes.Float64, 7, 4, 4, 1), shuffled(random, 7, 3)},
			Examples{normals(2, dtypes.Float64, 3, 4, 4, 1), shuffled(random, 3, 3)}
		gamma := 0.2
		for _, linearized := range []bool{true, false} {
			store := seeded(6)
			d := Descent{Backend: backend, Network: network, Linearized: linearized, Head: &unhinged.Head{Classes: 3,
				Seed: 4}, Loss: unhinged.Loss{Gamma: &gamma}, Rates: dynamics.Constant(0.2, 0.1)}
			own := network.Empirical(backend, store.RootScope(), NTKParameterization)
			k, kStar := must.M1(own.Full(train.X, nil)), must.M1(own.Full(train.X, test.X))
			records := must.M1(d.Train(context.Background(), store, train, test, []int{0, 15}))
			trained := must.M1(Unhinged{Gamma: gamma, Rates: d.Rates, Start: records[0]}.Train(k, train.Labels))
			must.M(trained.Test(kStar, test.Labels))
			theory := must.M1(trained.Step(15))
			if linearized {
				sameRecord(t, "linearised", records[1], theory, 1e-11)
			} else if math.Abs(records[1].Loss-theory.Loss) < 1e-3*math.Abs(theory.Loss) {
				t.Errorf("the network's loss %g is the linearised one's %g: nothing was tested", records[1].Loss,
					theory.Loss)
			}
		}
	})
}

// flowProblem is a training of logits under a linear kernel, with points that are not trained on.
type flowProblem struct {
	gamma, eta         float64
	labels, testLabels []int
	k, kStar           *tensors.Tensor
	start              Record // random logits
}

func newFlowProblem() flowProblem {
	random := rand.New(rand.NewPCG(3, 4))
	const n, m, classes = 12, 5, 3
	x, unseen := normals(1, dtypes.Float64, n, 20), normals(2, dtypes.Float64, m, 20)
	return flowProblem{gamma: 0.4, eta: 0.25,
		labels: shuffled(random, n, classes), testLabels: shuffled(random, m, classes),
		k: linearKernel(x, x), kStar: linearKernel(x, unseen),
		start: Record{
			Train: Outputs{Logits: mat.NewDense(n, classes, numbers.Of(normals(8, dtypes.Float64, n, classes)))},
			Test:  Outputs{Logits: mat.NewDense(m, classes, numbers.Of(normals(9, dtypes.Float64, m, classes)))},
		}}
}

// slope returns (MΘ)ᵀ.
func (q flowProblem) slope(k *tensors.Tensor) *mat.Dense {
	n, classes := q.start.Train.Logits.Dims()
	drive := mat.NewDense(n, classes, nil)
	for i, y := range q.labels {
		for c := range classes {
			drive.Set(i, c, -q.gamma/float64(n))
		}
		drive.Set(i, y, 1/float64(n))
	}
	var s mat.Dense
	s.Mul(numbers.Matrix(k).T(), drive)
	return &s
}

// train solves u on the problem, with its unseen points.
func (q flowProblem) train(u Unhinged) *Trained {
	trained := must.M1(u.Train(q.k, q.labels))
	must.M(trained.Test(q.kStar, q.testLabels))
	return trained
}

// TestUnhingedFlow checks that logits without weight decay move along a straight line, F(t) = F(0) + ηt MΘ, also at
// unseen points, and that logits that start at zero have the value 0 at t = 0.
func TestUnhingedFlow(t *testing.T) {
	q := newFlowProblem()
	for _, u := range []Unhinged{{Gamma: q.gamma, Rates: dynamics.Constant(q.eta, q.eta)},
		{Gamma: q.gamma, Rates: dynamics.Constant(q.eta, q.eta), Start: q.start}} {
		trained := q.train(u)
		for _, time := range []float64{0, 0.5, 1e3} {
			r := must.M1(trained.At(time))
			for _, part := range []struct {
				got     Outputs
				kernel  *tensors.Tensor
				initial *mat.Dense
				labels  []int
			}{{r.Train, q.k, u.Start.Train.Logits, q.labels}, {r.Test, q.kStar, u.Start.Test.Logits, q.testLabels}} {
				want := q.slope(part.kernel)
				want.Scale(q.eta*time, want)
				if part.initial != nil {
					want.Add(want, part.initial)
				}
				nearly(t, fmt.Sprintf("line at %g", time), part.got.Logits, want, 1e-12)
				if got, want := part.got.Accuracy, Accuracy(want, part.labels); got != want {
					t.Errorf("accuracy %g at time %g, want %g", got, time, want)
				}
			}
			near(t, "time", r.Time, time, 0)
		}
		limit := must.M1(trained.Limit())
		direction, line := mat.Norm(limit.Train.Logits, 2), q.slope(q.k)
		line.Scale(direction/mat.Norm(line, 2), line)
		nearly(t, "limit", limit.Train.Logits, line, 1e-12)
		if limit.Train.Accuracy != Accuracy(line, q.labels) {
			t.Errorf("accuracy %g of the limit", limit.Train.Accuracy)
		}
		far := must.M1(trained.At(1e9))
		near(t, "limit's accuracy on unseen points", limit.Test.Accuracy, far.Test.Accuracy, 0)
	}
}

// TestUnhingedDecay checks that with weight decay the logits tend to MΘ/λ.
func TestUnhingedDecay(t *testing.T) {
	q := newFlowProblem()
	for _, start := range []Record{{}, q.start} {
		u := Unhinged{Gamma: q.gamma, Rates: dynamics.Constant(q.eta, q.eta), Start: start, Lambda1: 0.1}
		decaying := q.train(u)
		limit, want := must.M1(decaying.Limit()), q.slope(q.kStar)
		want.Scale(1/u.Lambda1, want)
		nearly(t, "limit with weight decay", limit.Test.Logits, want, 1e-12)
		nearly(t, "long after", must.M1(decaying.At(1e4)).Test.Logits, want, 1e-12)
	}
}

// TestUnhingedSmallSteps checks that with prototypes descent with small steps tends to flow, at first order.
func TestUnhingedSmallSteps(t *testing.T) {
	q := newFlowProblem()
	n, classes := q.start.Train.Logits.Dims()
	m, _ := q.start.Test.Logits.Dims()
	start := q.start
	start.Prototypes = mat.NewDense(classes, 4, numbers.Of(normals(5, dtypes.Float64, classes, 4)))
	start.Biases = []float64{1, 0, -1}
	start.Train.Features = mat.NewDense(n, 4, numbers.Of(normals(6, dtypes.Float64, n, 4)))
	start.Test.Features = mat.NewDense(m, 4, numbers.Of(normals(7, dtypes.Float64, m, 4)))
	gap := func(eta float64) float64 {
		trained := q.train(Unhinged{Gamma: q.gamma, Rates: dynamics.Constant(eta, 2*eta), Start: start})
		flow, descent := must.M1(trained.At(1/eta)), must.M1(trained.Step(int(math.Round(1/eta))))
		var gap mat.Dense
		gap.Sub(flow.Test.Logits, descent.Test.Logits)
		return mat.Norm(&gap, 2) / mat.Norm(flow.Test.Logits, 2)
	}
	if ratio := gap(0.01) / gap(0.001); ratio < 8 || ratio > 12 {
		t.Errorf("descent with a tenth of the rate is %g times nearer to flow", ratio)
	}
}

// TestUnhingedLimit checks that with a trained head the direction (H, W)/‖Z‖ at a late time equals the direction of the
// limit, also at unseen points.
func TestUnhingedLimit(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	n, m, classes, p := 12, 5, 3, 4
	x, unseen := normals(1, dtypes.Float64, n, 20), normals(2, dtypes.Float64, m, 20)
	draw := func(rows, columns int) *mat.Dense {
		return mat.NewDense(rows, columns, numbers.Of(normals(random.Uint64(), dtypes.Float64, rows, columns)))
	}
	u := Unhinged{Gamma: 0.5, Start: Record{Prototypes: draw(classes, p), Train: Outputs{Features: draw(n, p)},
		Test: Outputs{Features: draw(m, p)}}}
	trained := must.M1(u.Train(linearKernel(x, x), shuffled(random, n, classes)))
	must.M(trained.Test(linearKernel(x, unseen), shuffled(random, m, classes)))
	limit, late := must.M1(trained.Limit()), must.M1(trained.At(1000))
	scale := mat.Norm(limit.Prototypes, 2) / mat.Norm(late.Prototypes, 2)
	for name, pair := range map[string][2]*mat.Dense{"prototypes": {late.Prototypes, limit.Prototypes},
		"features": {late.Train.Features, limit.Train.Features}, "unseen features": {late.Test.Features,
			limit.Test.Features}} {
		pair[0].Scale(scale, pair[0])
		nearly(t, name, pair[0], pair[1], 1e-9)
	}
	if late.Train.Accuracy != limit.Train.Accuracy || late.Test.Accuracy != limit.Test.Accuracy {
		t.Errorf("accuracies %g, %g late and %g, %g in the limit", late.Train.Accuracy, late.Test.Accuracy,
			limit.Train.Accuracy, limit.Test.Accuracy)
	}
	for _, time := range []float64{2000, 1e9} { // at the second time, logits and then features are beyond float64
		if _, err := trained.At(time); err == nil || !strings.Contains(err.Error(), "too large") {
			t.Errorf("time %g: %v", time, err)
		}
	}
}

func TestUnhingedErrors(t *testing.T) {
	x := normals(1, dtypes.Float64, 4, 3)
	k, labels := linearKernel(x, x), []int{0, 1, 1, 0}
	for want, f := range map[string]func() error{
		"no labels": func() error { _, err := Unhinged{}.Train(k, nil); return err },
		"no kernel": func() error { _, err := Unhinged{}.Train(nil, labels); return err },
		"does not fit": func() error {
			_, err := Unhinged{}.Train(timesIdentity(k, 3),
				labels)
			return err
		},
		"3 examples by 3": func() error { _, err := Unhinged{}.Train(k, []int{0, 1, 1}); return err },
		"4 examples by 1": func() error { return must.M1(Unhinged{}.Train(k, labels)).Test(k, []int{0}) },
		"label -1":        func() error { _, err := Unhinged{}.Train(k, []int{-1, -1, -1, -1}); return err },
		"label 2 of unseen point 3": func() error {
			return must.M1(Unhinged{}.Train(k, labels)).Test(k,
				[]int{0, 1, 0, 2})
		},
		"label -2 of unseen point 0": func() error {
			return must.M1(Unhinged{}.Train(k, labels)).Test(k,
				[]int{-2, 1, 0, 1})
		},
		"no Train.Features": func() error {
			_, err := Unhinged{Start: Record{Prototypes: identityMatrix(2)}}.Train(k, labels)
			return err
		},
		"no outputs to begin": func() error {
			return must.M1(Unhinged{Start: Record{Train: Outputs{Logits: mat.NewDense(4, 2, nil)}}}.Train(k,
				labels)).Test(k, labels)
		},
		"CrossEntropy": func() error { _, err := Descent{Loss: unhinged.CrossEntropy{}}.Theory(Record{}); return err },
		"heads without": func() error {
			_, err := Descent{Head: &unhinged.Head{NormalizeFeatures: true}}.Theory(Record{})
			return err
		},
		"training's start": func() error { _, err := Descent{}.Theory(Record{}); return err },
		"is -1": func() error {
			_, err := must.M1(Unhinged{}.Train(k, labels)).Steps([]int{0,
				-1})
			return err
		},
		"γ":       func() error { _, err := Unhinged{Gamma: -1}.Train(k, labels); return err },
		"class 1": func() error { _, err := Unhinged{}.Train(k, []int{0, 2, 2, 0}); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
}

// TestTrainSums checks that the sums of a kernel over the classes give the same training as the kernel, with and
// without a head, for classes of any sizes.
func TestTrainSums(t *testing.T) {
	random := rand.New(rand.NewPCG(14, 14))
	sums := func(k *tensors.Tensor, labels []int, classes int) *mat.Dense {
		matrix := numbers.Matrix(k)
		_, cols := matrix.Dims()
		s := mat.NewDense(classes, cols, nil)
		for i, y := range labels {
			for j := range cols {
				s.Set(y, j, s.At(y, j)+matrix.At(i, j))
			}
		}
		return s
	}
	for i := range 20 {
		inputs, classes := 1+random.IntN(6), 2+random.IntN(4)
		n, m := classes+random.IntN(9), 1+random.IntN(5)
		x := normals(random.Uint64(), dtypes.Float64, n, inputs)
		unseen := normals(random.Uint64(), dtypes.Float64, m, inputs)
		labels, testLabels := shuffled(random, n, classes), shuffled(random, m, classes)
		theory := Unhinged{Gamma: random.Float64(), Lambda1: 0.1 * float64(i%2), Rates: dynamics.Constant(0.3, 0.2)}
		if i%3 == 0 {
			p := 1 + random.IntN(4)
			theory.Start = Record{Prototypes: numbers.Matrix(normals(random.Uint64(), dtypes.Float64, classes, p))}
			theory.Start.Train.Features = numbers.Matrix(normals(random.Uint64(), dtypes.Float64, n, p))
			theory.Start.Test.Features = numbers.Matrix(normals(random.Uint64(), dtypes.Float64, m, p))
		}
		k, kStar := linearKernel(x, x), linearKernel(x, unseen)
		whole := must.M1(theory.Train(k, labels))
		must.M(whole.Test(kStar, testLabels))
		largest := 0.0
		for j := range n {
			largest = math.Max(largest, numbers.Matrix(k).At(j, j))
		}
		classSums := dynamics.ClassSums{Train: sums(k, labels, classes), Largest: largest}
		summed := must.M1(theory.TrainSums(classSums, labels))
		must.M(summed.TestSums(sums(kStar, labels, classes), testLabels))
		for _, time := range []float64{0, 3} {
			got, want := must.M1(summed.At(time)), must.M1(whole.At(time))
			sameRecord(t, fmt.Sprintf("case %d, flow at %g", i, time), got, want, 1e-12)
		}
		sameRecord(t, fmt.Sprintf("case %d, step 9", i), must.M1(summed.Step(9)), must.M1(whole.Step(9)), 1e-12)
	}
}
