package ntk

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Unhinged is Theorem 8 for a kernel that does not change: the outputs of a network trained with the unhinged loss, in
// closed form, at any time and also for points that are not trained on. With the kernel Θ of the training examples and
// M = ((1+γ)·onehotᵀ − γ11ᵀ)/n it is, for a network whose outputs are the logits F,
//
//	F' = η1(M Θ − λ1 F),   F_*' = η1(M Θ_* − λ1 F_*)
//
// (a straight line if λ1 = 0), and for one that ends with features H before prototypes W and biases b, trained or
// anchored,
//
//	H' = η1(W M Θ − λ1 H),   W' = η2(H Mᵀ − λ2 W),   b' = η2(M1 − λ2 b),   H_*' = η1(W M Θ_* − λ1 H_*),
//
// where columns are examples (in a [Record], rows are). The terms with λ1 are weight decay of a model that is linear in
// its parameters, F = Jθ. They do not describe weight decay of other models. In the linearisation F(0) + J(θ − θ0) of a
// network with hidden layers, Jθ0 decays, and this differs from F(0) = Jθ0/L (for L layers of weights, ReLU and no
// biases). In the network itself, decay also shrinks the kernel. One step of [Descent] is one unit of time. Unhinged
// calls dynamics.Invariant, which also has momentum, traces and rates of the approach.
type Unhinged struct {
	Gamma float64 // γ ≥ 0, the weight of the non-target logits, exactly as given: 0 means 0
	// weight decay of the network (which must be linear in its parameters, see above) and of its head
	Lambda1, Lambda2 float64
	Rates            dynamics.Rates // η1 and η2; not set: both 1
	// Start is the initial state: a network's record of step 0, where Start.Test is for the unseen points. If it has
	// Prototypes, the network has a head, otherwise its outputs are the logits. The zero value means that all logits
	// are 0.
	Start    Record
	Anchored bool // prototypes and biases are fixed
}

// Trained is a training under an invariant kernel: Theorem 8 as a function of time.
type Trained struct {
	setting    Unhinged
	labels     []int
	p          int   // outputs of the network
	order      []int // the example of each of the dynamics' columns
	flow       *dynamics.KernelFlow
	descent    *dynamics.Descent
	unseen     *dynamics.Unseen
	testLabels []int
	product    func(unseen *tensors.Tensor) func(*mat.Dense) (*mat.Dense, error) // of TrainProducts
}

// Theory returns the closed form of a descent with the unhinged loss, given its record of step 0. With weight decay λ1
// > 0 it is that of a network that is linear in its parameters. It is an error if the loss is another one, or if the
// head has a setting that Theorem 8 does not describe.
func (d Descent) Theory(start Record) (Unhinged, error) {
	u := Unhinged{Lambda1: d.Lambda1, Lambda2: d.Lambda2, Rates: d.Rates, Start: start}
	loss, ok := d.Loss.(unhinged.Loss)
	if !ok && d.Loss != nil {
		return u, fmt.Errorf("ntk: Theorem 8 is about unhinged.Loss, not %T", d.Loss)
	}
	if h := d.Head; h != nil {
		if h.NormalizeFeatures || h.FeatureRegularization != 0 {
			return u,
				errors.New("ntk: Theorem 8 is about heads without normalisation or regularisation of the features")
		}
		u.Anchored = h.Prototypes == unhinged.ETF
	}
	if start.Train.Logits == nil {
		return u, errors.New("ntk: the closed form needs a record of the training's start")
	}
	if u.Gamma = 1 / float64(start.Train.Logits.RawMatrix().Cols-1); loss.Gamma != nil {
		u.Gamma = *loss.Gamma
	}
	return u, nil
}

// Train returns the training on n examples, given the kernel between them: Θ [n, n] of a network of infinite width or
// from a trace, or the full kernel of a finite network, [n, n, p, p] for p outputs. Labels are classes from 0 in any
// order. Every class must have an example.
func (u Unhinged) Train(kernel *tensors.Tensor, labels []int) (*Trained, error) {
	return u.train(labels, func(p int) (dynamics.Kernel, error) {
		k, full, err := kernelMatrix(kernel, len(labels), len(labels), p)
		if full {
			return dynamics.Kernel{Full: k}, err
		}
		return dynamics.Kernel{Samples: k}, err
	})
}

// TrainSums is Train for a kernel Θ [n, n] that is too large for memory, given its sums over the classes: see
// tiles.Stream, which sums them up.
func (u Unhinged) TrainSums(sums dynamics.ClassSums, labels []int) (*Trained, error) {
	return u.train(labels, func(int) (dynamics.Kernel, error) { return dynamics.Kernel{Sums: &sums}, nil })
}

// TrainProducts is Train for the full kernel [n, n, p, p] of a finite network when it is too large for memory: it makes
// so many products with Jacobians, [Empirical.Product], for the examples x. See dynamics.Krylov: with fewer products
// than p·C the closed form is that of a projected kernel, and Defect says how much the projection neglects.
func (u Unhinged) TrainProducts(e *Empirical, x *tensors.Tensor, products int, labels []int) (*Trained, error) {
	if e == nil || x == nil {
		return nil, errors.New("ntk: no network or no examples to multiply with")
	}
	t, err := u.train(labels, func(int) (dynamics.Kernel, error) {
		return dynamics.Kernel{Krylov: &dynamics.Krylov{Product: jacobians(e, x, x), Products: products}}, nil
	})
	if err == nil {
		t.product = func(unseen *tensors.Tensor) func(*mat.Dense) (*mat.Dense, error) { return jacobians(e, unseen, x) }
	}
	return t, err
}

// jacobians returns the product with Θ(x1, x2), from p×n to p×m.
func jacobians(e *Empirical, x1, x2 *tensors.Tensor) func(*mat.Dense) (*mat.Dense, error) {
	return func(v *mat.Dense) (*mat.Dense, error) {
		p, n := v.Dims()
		flat := mat.DenseCopyOf(v.T()).RawMatrix().Data
		y, err := e.Product(x1, x2, numbers.Tensor(x2.DType(), flat, n, p))
		if err != nil {
			return nil, err
		}
		defer y.MustFinalizeAll()
		dims := y.Shape().Dimensions
		return mat.DenseCopyOf(mat.NewDense(dims[0], dims[1], numbers.Of(y)).T()), nil
	}
}

// Defect returns how much of the kernel the products of TrainProducts neglect at a time, relative to what they keep. It
// is 0 for kernels that are given whole.
func (t *Trained) Defect(time float64) (float64, error) {
	p, err := t.flow.At(time)
	if err != nil {
		return 0, err
	}
	return t.flow.Defect(p)
}

// train returns the training under a kernel, given the number of the network's outputs.
func (u Unhinged) train(labels []int, kernel func(p int) (dynamics.Kernel, error)) (*Trained, error) {
	if len(labels) == 0 {
		return nil, fmt.Errorf("ntk: no labels")
	}
	if low := slices.Min(labels); low < 0 {
		return nil, fmt.Errorf("ntk: label %d: classes are numbered from 0", low)
	}
	if u.Rates.W == nil && u.Rates.H == nil {
		u.Rates = dynamics.Constant(1, 1)
	}
	features, prototypes := u.Start.Train.Features, u.Start.Prototypes
	if prototypes == nil { // logits are features with the identity as prototypes
		u.Anchored = true
		features = u.Start.Train.Logits
		if features == nil {
			features = mat.NewDense(len(labels), slices.Max(labels)+1, nil)
		}
		_, classes := features.Dims()
		prototypes = identityMatrix(classes)
	}
	if features == nil {
		return nil, fmt.Errorf("ntk: Start has prototypes but no Train.Features")
	}
	state, err := dynamics.FromSamples(features, labels, prototypes, u.Start.Biases)
	if err != nil {
		return nil, err
	}
	_, p := features.Dims()
	invariant := dynamics.Invariant{Gamma: u.Gamma, Lambda1: u.Lambda1, Lambda2: u.Lambda2, Rates: u.Rates,
		Anchored: u.Anchored}
	if invariant.Kernel, err = kernel(p); err != nil {
		return nil, err
	}
	t := &Trained{setting: u, labels: labels, p: p, order: state.Order}
	if t.flow, err = invariant.From(state); err != nil {
		return nil, err
	}
	t.descent, err = t.flow.Descent(0)
	return t, err
}

// String returns the setting in one line.
func (t *Trained) String() string {
	what := "logits"
	if t.setting.Start.Prototypes != nil {
		what = "trained prototypes"
		if t.setting.Anchored {
			what = "anchored prototypes"
		}
	}
	return fmt.Sprintf("Theorem 8 for %s: γ = %g, λ1 = %g, λ2 = %g, %d examples and %d unseen of %d classes",
		what, t.setting.Gamma, t.setting.Lambda1, t.setting.Lambda2, len(t.labels), len(t.testLabels),
		slices.Max(t.labels)+1)
}

// Test adds m points that are not trained on, with their labels and the kernel [n, m] or [n, m, p, p] from the training
// examples to them. Their initial outputs are Start.Test, or 0 if Start is not set.
func (t *Trained) Test(kernel *tensors.Tensor, labels []int) error {
	return t.test(labels, func(start *mat.Dense) (*dynamics.Unseen, error) {
		k, _, err := kernelMatrix(kernel, len(t.labels), len(labels), t.p)
		if err != nil {
			return nil, err
		}
		return t.flow.Test(start, k)
	})
}

// TestSums is Test for a kernel Θ_* [n, m] that is too large for memory, given its sums over the classes of the
// training examples, C×m.
func (t *Trained) TestSums(sums *mat.Dense, labels []int) error {
	return t.test(labels, func(start *mat.Dense) (*dynamics.Unseen, error) { return t.flow.TestSums(start, sums) })
}

// TestProducts is Test for a training by TrainProducts, given the unseen points themselves.
func (t *Trained) TestProducts(x *tensors.Tensor, labels []int) error {
	if t.product == nil {
		return errors.New("ntk: TestProducts is for a training by TrainProducts: use Test")
	}
	return t.test(labels, func(start *mat.Dense) (*dynamics.Unseen, error) {
		return t.flow.TestProducts(start, t.product(x))
	})
}

// test adds points that are not trained on. unseen makes them, given their initial features, p×m.
func (t *Trained) test(labels []int, unseen func(start *mat.Dense) (*dynamics.Unseen, error)) error {
	start := t.setting.Start.Test.Features
	if t.setting.Start.Prototypes == nil {
		start = t.setting.Start.Test.Logits
	}
	if start == nil && t.setting.Start.Train.Logits == nil && t.setting.Start.Train.Features == nil {
		start = mat.NewDense(len(labels), t.p, nil)
	}
	if start == nil {
		return fmt.Errorf("ntk: Start.Test has no outputs to begin with")
	}
	for i, label := range labels {
		if classes := slices.Max(t.labels) + 1; label < 0 || label >= classes {
			return fmt.Errorf("ntk: label %d of unseen point %d: there are %d classes, numbered from 0", label, i,
				classes)
		}
	}
	points, err := unseen(mat.DenseCopyOf(start.T()))
	if err != nil {
		return err
	}
	t.unseen, t.testLabels = points, labels
	return nil
}

// At returns gradient flow at a time. It is an error if its numbers are too large for float64.
func (t *Trained) At(time float64) (Record, error) {
	point, err := t.flow.At(time)
	if err != nil {
		return Record{}, err
	}
	return t.record(point, time)
}

// Step returns gradient descent after a number of steps, which is that of [Descent] for a network whose kernel does not
// change.
func (t *Trained) Step(step int) (Record, error) {
	point, err := t.descent.At(step)
	if err != nil {
		return Record{}, err
	}
	return t.record(point, float64(step))
}

// Steps returns Step for each of the steps.
func (t *Trained) Steps(steps []int) ([]Record, error) {
	records := make([]Record, len(steps))
	for i, step := range steps {
		var err error
		if records[i], err = t.Step(step); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func (t *Trained) record(point dynamics.Point, time float64) (Record, error) {
	state, err := point.State()
	if err != nil {
		return Record{}, err
	}
	r := Record{Time: time}
	var biases []float64
	if t.setting.Start.Biases != nil {
		r.Biases, biases = state.B, state.B
	}
	if t.setting.Start.Prototypes != nil {
		r.Prototypes = mat.DenseCopyOf(state.W.T())
	}
	r.Train = t.outputs(t.inOrder(state.H), state.W, biases, t.labels)
	if r.Loss = t.loss(r.Train.Logits); math.IsInf(r.Loss, 0) || math.IsNaN(r.Loss) {
		return Record{}, fmt.Errorf("ntk: at time %g the logits are too large for float64: see Limit", time)
	}
	if t.unseen != nil {
		h, err := t.unseen.Features(point)
		if err != nil {
			return Record{}, err
		}
		r.Test = t.outputs(mat.DenseCopyOf(h.T()), state.W, biases, t.testLabels)
	}
	return r, nil
}

// loss is the mean of −s_y + γ Σ_{j≠y} s_j. (It cannot be dynamics.Point.Loss, which includes biases that learn, even
// if the network has none.)
func (t *Trained) loss(logits *mat.Dense) float64 {
	sum := 0.0
	for i, y := range t.labels {
		row := logits.RawRowView(i)
		sum += t.setting.Gamma*floats.Sum(row) - (1+t.setting.Gamma)*row[y]
	}
	return sum / float64(len(t.labels))
}

// Limit returns the limit t → ∞. If the state grows without bound, it is the limit of the direction of (H, W), or of
// the logits: its scale has no meaning, it has no loss, and its logits have no biases, because the biases become
// negligible. If nothing grows (anchored prototypes or logits with λ1 > 0, or weight decay at the threshold λ*), it is
// the limit itself. It is an error if no direction dominates.
func (t *Trained) Limit() (Record, error) {
	limit, err := t.flow.Limit()
	if err != nil {
		return Record{}, err
	}
	if limit.Finite {
		return t.record(limit.Point, 0)
	}
	state := limit.Point.Direction()
	r := Record{Train: t.outputs(t.inOrder(state.H), state.W, nil, t.labels)}
	if t.setting.Start.Prototypes != nil {
		r.Prototypes = mat.DenseCopyOf(state.W.T())
	}
	if t.unseen != nil {
		h, err := t.unseen.Direction(limit.Point)
		if err != nil {
			return Record{}, err
		}
		r.Test = t.outputs(mat.DenseCopyOf(h.T()), state.W, nil, t.testLabels)
	}
	return r, nil
}

// inOrder returns features with a row for each example in the caller's order, given the columns of the dynamics.
func (t *Trained) inOrder(h *mat.Dense) *mat.Dense {
	p, n := h.Dims()
	rows := mat.NewDense(n, p, nil)
	for column, example := range t.order {
		rows.SetRow(example, mat.Col(nil, column, h))
	}
	return rows
}

// outputs returns the Outputs of features [m, p], given prototypes w, p×C, and biases.
func (t *Trained) outputs(features, w *mat.Dense, biases []float64, labels []int) Outputs {
	logits := features
	if t.setting.Start.Prototypes != nil {
		logits = new(mat.Dense)
		logits.Mul(features, w)
		if biases != nil {
			logits.Apply(func(_, c int, v float64) float64 { return v + biases[c] }, logits)
		}
	} else {
		features = nil
	}
	return Outputs{features, logits, Accuracy(logits, labels)}
}

// kernelMatrix returns a kernel [n, m] as it is, or [n, m, p, p] as pn×pm in blocks of p.
func kernelMatrix(kernel *tensors.Tensor, n, m, p int) (k *mat.Dense, full bool, err error) {
	if kernel == nil {
		return nil, false, fmt.Errorf("ntk: no kernel")
	}
	switch dims := kernel.Shape().Dimensions; {
	case !kernel.DType().IsFloat():
	case slices.Equal(dims, []int{n, m}):
		return numbers.Matrix(kernel), false, nil
	case slices.Equal(dims, []int{n, m, p, p}):
		k = mat.NewDense(n*p, m*p, nil)
		for at, v := range numbers.Of(kernel) {
			i, j, a, b := at/(m*p*p), at/(p*p)%m, at/p%p, at%p
			k.Set(i*p+a, j*p+b, v)
		}
		return k, true, nil
	}
	return nil, false,
		fmt.Errorf("ntk: a kernel %s does not fit %d examples by %d: need [%[2]d, %[3]d], or the full one, [%[2]d, "+
			"%[3]d, %d, %[4]d]", kernel.Shape(), n, m, p)
}

func identityMatrix(n int) *mat.Dense {
	eye := mat.NewDense(n, n, nil)
	for i := range n {
		eye.Set(i, i, 1)
	}
	return eye
}
