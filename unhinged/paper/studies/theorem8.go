package studies

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Theorem8 measures how near real networks come to Theorem 8 as their width grows. Networks with Hidden layers of each
// width end with features H, followed by prototypes W that learn, too. They are trained by plain gradient descent with
// the unhinged loss on classes of Gaussian points. After the last step they are compared with gradient descent under an
// invariant kernel, in closed form from the same H(0) and W(0). There are three kernels:
//
//   - The kernel of the network of infinite width, κ⊗I. By the central limit theorem the kernel of a network at
//     initialisation differs from it by 1/√m, where m is the width (Jacot et al. 2018).
//   - The network's own kernel at initialisation, the full pn×pn matrix. The remaining error is the change of the
//     kernel during training. With smooth nonlinearities it is 1/m (Dyer and Gur-Ari 2020, Huang and Yau 2020; the
//     bound of Lee et al. 2019 is 1/√m). The derivative of ReLU has a jump: as weights move by 1/√m, about √m of the m
//     units become active or inactive for an input, and each of them changes the kernel by 1/m. If the signs of these
//     changes were random, the sum would be m^(−3/4). This is our own heuristic, and nearly the result for many
//     examples at these widths. But an example acts on a unit only while the unit is active, so more units become
//     inactive than active. This part of the change is m^(−1/2). It is the whole change for a single example, it is
//     small for many examples, and it dominates as m → ∞.
//   - A kernel without interaction between samples, the diagonal of κ. The theorem as printed is even more restricted:
//     it has the same number, or p×p matrix, for all samples (erratum E7).
//
// Errors are relative to the distance that the network moved: ‖H − H_theory‖/‖H − H(0)‖. The zero value takes seconds,
// and its slopes have errors of ± 0.1 or 0.2. With more and wider networks the errors are smaller.
type Theorem8 struct {
	Widths []int    // m; 64, 128, …, 1024
	Seeds  int      // networks of the largest width, up to four times as many of smaller ones; 5
	Hidden int      // hidden layers; 1
	Steps  int      // of gradient descent; 10
	Rate   float64  // η1 = η2; 0.1
	Gamma  *float64 // γ; nil is 1/(C−1)
	Seed   uint64
	// Progress, if set, is called after each network with the number of finished networks and of all.
	Progress func(done, all int)

	tampering float64 // added to the rate of the closed form for the linearised network, by the negative control
}

// These are the sizes of Theorem8's data: three classes in 16 dimensions, 8 examples each to train on and 6 to test on,
// 4 features.
const (
	theorem8Classes, theorem8Inputs, theorem8Features = 3, 16, 4
	theorem8Train, theorem8Test                       = 8, 6
)

// activations lists the nonlinearities of Theorem8, with the exponent of m in the error with the network's own kernel;
// 0 for one between 1/m and 1/√m.
var activations = []struct {
	name     string
	layer    ntk.Layer
	exponent float64
}{{"erf", ntk.Erf, -1}, {"ReLU", ntk.ReLU, 0}}

// kinds lists the kernels in the closed form.
var kinds = []string{"infinite width", "its own at the start", "as printed"}

// quantities lists the series of the errors.
var quantities = []string{"features_train", "features_test", "logits_train", "logits_test"}

var titles = map[string]string{"features_train": "features", "features_test": "features of unseen points",
	"logits_train": "logits", "logits_test": "logits of unseen points"}

// Run trains the networks and compares them with the closed forms.
func (s Theorem8) Run(ctx context.Context, backend compute.Backend) (*result.Figure, error) {
	started := time.Now()
	s.setDefaults()
	const examples = theorem8Classes * (theorem8Train + theorem8Test)
	if err := checkWidths(s.Widths, s.Seeds, theorem8Inputs, float64(s.Hidden), theorem8Features,
		examples); err != nil {
		return nil, err
	}
	f := &result.Figure{ID: "theorem8", Title: "Theorem 8: networks of growing width beside the closed form",
		Settings: map[string]any{
			"classes": theorem8Classes, "inputs": theorem8Inputs, "features": theorem8Features,
			"examples": theorem8Classes * theorem8Train,
			"widths":   s.Widths, "hidden layers": s.Hidden, "steps": s.Steps, "eta": s.Rate, "gamma": *s.Gamma,
			"seed": s.Seed}}
	train, test := gaussianClasses(s.Seed, 0, theorem8Train), gaussianClasses(s.Seed, 1, theorem8Test)
	done, all := 0, 0
	for _, m := range s.Widths {
		all += len(activations) * s.networks(m)
	}
	for _, a := range activations {
		e := newErrors()
		for _, m := range s.Widths {
			err := s.compare(ctx, backend, a.layer, m, train, test, e, func() {
				done++
				if s.Progress != nil {
					s.Progress(done, all)
				}
			})
			if err != nil {
				return nil, fmt.Errorf("theorem8: %s of width %d: %w", a.name, m, err)
			}
		}
		e.report(f, a.name)
		e.judge(f, a.name, a.exponent)
		off, err := s.linearized(ctx, backend, a.layer, train, test)
		if err != nil {
			return nil, fmt.Errorf("theorem8: %s, linearised: %w", a.name, err)
		}
		f.Claims = append(f.Claims, linearisedClaim(fmt.Sprintf("%s, width %d", a.name, s.Widths[0]), off))
	}
	for i, name := range quantities {
		label := "‖H − H_theory‖ / ‖H − H(0)‖"
		if strings.HasPrefix(name, "logits") {
			label = "‖F − F_theory‖ / ‖F − F(0)‖"
		}
		f.Panels = append(f.Panels, result.Panel{Title: fmt.Sprintf("(%c) Error of the %s", 'a'+i, titles[name]),
			Y: name, YLabel: label, X: "log2_width", XLabel: "log₂ width", Log: true})
	}
	f.Provenance = provenance(s.Seed, backend, dtypes.Float64, started)
	return f, nil
}

// setDefaults sets the fields that are not set.
func (s *Theorem8) setDefaults() {
	if len(s.Widths) == 0 {
		s.Widths = []int{64, 128, 256, 512, 1024}
	}
	s.Seeds = cmp.Or(s.Seeds, 5)
	s.Hidden = cmp.Or(s.Hidden, 1)
	s.Steps = cmp.Or(s.Steps, 10)
	if s.Rate == 0 {
		s.Rate = 0.1
	}
	if s.Gamma == nil {
		balanced := 1. / (theorem8Classes - 1)
		s.Gamma = &balanced
	}
}

// networks returns the number of networks of a width. There are more narrow ones, because they vary more and cost less.
func (s Theorem8) networks(width int) int {
	widest := s.Widths[len(s.Widths)-1]
	return s.Seeds * max(1, min(4, widest/width))
}

// gaussianClasses draws the examples of each class around a random point.
func gaussianClasses(seed, stream uint64, each int) ntk.Examples {
	centres := rand.New(rand.NewPCG(seed, 8))
	noise := rand.New(rand.NewPCG(seed, 80+stream))
	var x []float64
	var labels []int
	for c := range theorem8Classes {
		centre := make([]float64, theorem8Inputs)
		for i := range centre {
			centre[i] = centres.NormFloat64()
		}
		for range each {
			for _, v := range centre {
				x = append(x, (v+noise.NormFloat64())/math.Sqrt2)
			}
			labels = append(labels, c)
		}
	}
	return ntk.Examples{X: tensors.FromFlatDataAndDimensions(x, len(labels), theorem8Inputs), Labels: labels}
}

// network returns the network with Hidden layers of a width.
func (s Theorem8) network(activation ntk.Layer, width int) ntk.Network {
	return perceptron(s.Hidden, width, 1.5, activation, theorem8Features)
}

// linearized returns the relative error of the closed form for the linearised network of the smallest width.
func (s Theorem8) linearized(ctx context.Context, backend compute.Backend, activation ntk.Layer, train,
	test ntk.Examples) (float64, error) {
	network := s.network(activation, s.Widths[0])
	store := model.NewStore()
	defer store.Finalize()
	store.RootScope().SetParam(initializer.ParamInitialSeed, int64(s.Seed))
	own, err := network.Empirical(backend, store.RootScope(), ntk.NTKParameterization).Full(train.X, nil)
	if err != nil {
		return 0, err
	}
	descent := ntk.Descent{Backend: backend, Network: network, Linearized: true,
		Head: &unhinged.Head{Classes: theorem8Classes, Seed: s.Seed},
		Loss: unhinged.Loss{Gamma: s.Gamma}, Rates: dynamics.Constant(s.Rate, s.Rate)}
	records, err := descent.Train(ctx, store, train, test, []int{0, s.Steps})
	if err != nil {
		return 0, err
	}
	eta := s.Rate + s.tampering
	descent.Rates = dynamics.Constant(eta, eta)
	theorem, err := descent.Theory(records[0])
	if err != nil {
		return 0, err
	}
	trained, err := theorem.Train(own, train.Labels)
	if err != nil {
		return 0, err
	}
	theory, err := trained.Step(s.Steps)
	if err != nil {
		return 0, err
	}
	return relative(records[1].Train.Features, theory.Train.Features, records[0].Train.Features), nil
}

// compare trains the networks of one width and adds their errors to e. The networks share their compiled programs and
// differ in their initial values.
func (s Theorem8) compare(ctx context.Context, backend compute.Backend, activation ntk.Layer, width int, train,
	test ntk.Examples, e *widthErrors, done func()) error {
	network := s.network(activation, width)
	infinite, err := kernelsOf(func(x *tensors.Tensor) (*tensors.Tensor, error) {
		k, err := network.Infinite(backend).Kernels(train.X, x)
		if err != nil {
			return nil, err
		}
		return k.NTK, nil
	}, test)
	if err != nil {
		return err
	}
	printed := [2]*tensors.Tensor{diagonalOf(infinite[0]), tensors.FromShape(infinite[1].Shape())}
	store := model.NewStore()
	defer store.Finalize()
	empirical := network.Empirical(backend, store.RootScope(), ntk.NTKParameterization)
	descent := ntk.Descent{Backend: backend, Network: network, Head: &unhinged.Head{Classes: theorem8Classes},
		Loss: unhinged.Loss{Gamma: s.Gamma}, Rates: dynamics.Constant(s.Rate, s.Rate)}
	trainer, err := descent.On(store)
	if err != nil {
		return err
	}
	defer trainer.Finalize()
	for seed := range s.networks(width) {
		// This creates the parameters, which are drawn below.
		if _, err := trainer.Train(ctx, train, test, []int{0}); err != nil {
			return err
		}
		if err := redraw(store, s.Seed, width, seed); err != nil {
			return err
		}
		own, err := kernelsOf(func(x *tensors.Tensor) (*tensors.Tensor, error) { return empirical.Full(train.X, x) },
			test)
		if err != nil {
			return err
		}
		records, err := trainer.Train(ctx, train, test, []int{0, s.Steps})
		if err != nil {
			return err
		}
		theorem, err := descent.Theory(records[0])
		if err != nil {
			return err
		}
		for i, kernels := range [][2]*tensors.Tensor{infinite, own, printed} {
			errors, err := s.errors(theorem, kernels, records, train.Labels, test.Labels)
			if err != nil {
				return err
			}
			e.add(kinds[i], width, errors)
		}
		done()
	}
	return nil
}

// errors returns the errors of the closed form with these kernels, given the records of the first and the last step of
// a network.
func (s Theorem8) errors(theorem ntk.Unhinged, kernels [2]*tensors.Tensor, records []ntk.Record, train,
	test []int) (map[string]float64, error) {
	trained, err := theorem.Train(kernels[0], train)
	if err != nil {
		return nil, err
	}
	if err := trained.Test(kernels[1], test); err != nil {
		return nil, err
	}
	theory, err := trained.Step(s.Steps)
	if err != nil {
		return nil, err
	}
	start, end := records[0], records[1]
	return map[string]float64{
		"features_train": relative(end.Train.Features, theory.Train.Features, start.Train.Features),
		"features_test":  relative(end.Test.Features, theory.Test.Features, start.Test.Features),
		"logits_train":   relative(end.Train.Logits, theory.Train.Logits, start.Train.Logits),
		"logits_test":    relative(end.Test.Logits, theory.Test.Logits, start.Test.Logits),
	}, nil
}

// redraw gives all variables new values from N(0, 1), those of a network of this number and width. Their seeds differ
// from those of [ntk.Network.Model], and the values are independent between layers and widths.
func redraw(store *model.Store, seed uint64, width, network int) error {
	random := rand.New(rand.NewPCG(seed, uint64(width)<<32+uint64(network)))
	variables := slices.SortedFunc(store.IterVariables(),
		func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) })
	for _, v := range variables {
		if !v.Trainable {
			continue
		}
		values := make([]float64, v.Shape().Size())
		for i := range values {
			values[i] = random.NormFloat64()
		}
		if err := v.SetValue(numbers.Tensor(v.DType(), values, v.Shape().Dimensions...)); err != nil {
			return err
		}
	}
	return nil
}

// kernelsOf returns the kernel of the training examples with themselves and with the test examples.
func kernelsOf(kernel func(x *tensors.Tensor) (*tensors.Tensor, error), test ntk.Examples) (k [2]*tensors.Tensor,
	err error) {
	for i, x := range []*tensors.Tensor{nil, test.X} {
		if k[i], err = kernel(x); err != nil {
			return k, err
		}
	}
	return k, nil
}

// relative returns ‖x − theory‖/‖x − start‖.
func relative(x, theory, start *mat.Dense) float64 {
	var gap, way mat.Dense
	gap.Sub(x, theory)
	way.Sub(x, start)
	return mat.Norm(&gap, 2) / mat.Norm(&way, 2)
}

// diagonalOf returns the kernel with all entries between different samples set to 0.
func diagonalOf(k *tensors.Tensor) *tensors.Tensor {
	n := k.Shape().Dimensions[0]
	values := tensors.MustCopyFlatData[float64](k)
	for i := range values {
		if i/n != i%n {
			values[i] = 0
		}
	}
	return tensors.FromFlatDataAndDimensions(values, n, n)
}

// widthErrors holds the logarithms of the errors by kernel and quantity, and those of the widths.
type widthErrors struct {
	widths map[string][]float64
	logs   map[string]map[string][]float64
}

func newErrors() *widthErrors {
	return &widthErrors{map[string][]float64{}, map[string]map[string][]float64{}}
}

func (e *widthErrors) add(kind string, width int, values map[string]float64) {
	e.widths[kind] = append(e.widths[kind], float64(width))
	if e.logs[kind] == nil {
		e.logs[kind] = map[string][]float64{}
	}
	for name, v := range values {
		e.logs[kind][name] = append(e.logs[kind][name], math.Log(v))
	}
}

func curveName(activation, kind string) string { return activation + ", kernel " + kind }

// report adds curves of the geometric means over the networks of each width.
func (e *widthErrors) report(f *result.Figure, activation string) {
	for _, kind := range kinds {
		c := result.Curve{Name: curveName(activation, kind), Params: map[string]float64{},
			Series: map[string]result.Series{}}
		for name, logs := range e.logs[kind] {
			widths := e.widths[kind]
			for from := 0; from < len(widths); {
				to := from
				for to < len(widths) && widths[to] == widths[from] {
					to++
				}
				mean := stat.Mean(logs[from:to], nil)
				c.Series[name] = append(c.Series[name], math.Exp(mean))
				c.Series[result.Log10(name)] = append(c.Series[result.Log10(name)], mean/math.Ln10)
				if name == "features_train" {
					c.Series["step"] = append(c.Series["step"], widths[from])
					c.Series["log2_width"] = append(c.Series["log2_width"], math.Log2(widths[from]))
				}
				from = to
			}
		}
		f.Curves = append(f.Curves, c)
	}
}

// tooFewWidths is the reason why a slope is not claimed.
var tooFewWidths = fmt.Sprintf("a slope takes three networks, of at least two widths from %d on", narrowest)

// narrowest is the smallest width for which slopes are computed, because theory is about wide networks.
const narrowest = 128

// judge compares the slopes with theory, and the theorem as printed with the widest networks.
func (e *widthErrors) judge(f *result.Figure, activation string, own float64) {
	for i, exponent := range []float64{-0.5, own} {
		for _, name := range quantities {
			f.Claims = append(f.Claims, slopeClaim(fmt.Sprintf("%s, kernel %s: the error of the %s", activation,
				kinds[i], titles[name]),
				e.widths[kinds[i]], e.logs[kinds[i]][name], exponent)...)
		}
	}
	last := func(kind string) float64 {
		c := f.Curves[slices.IndexFunc(f.Curves, func(c result.Curve) bool {
			return c.Name == curveName(activation,
				kind)
		})]
		return c.Series["features_train"][len(c.Series["step"])-1]
	}
	f.Claims = append(f.Claims, printedClaim(activation, last(kinds[2]), last(kinds[1])))
}

// printedClaim judges the theorem as printed by its relative error, and the corrected theorem by the relative error
// with the network's own kernel.
func printedClaim(activation string, printed, own float64) result.Claim {
	const small = 0.1
	text := activation + ": the theorem as printed, one p×p kernel, tells the features of the widest networks " +
		"(relative error)"
	return asPrinted.Of(result.Check(text, printed, 0, small).CorrectedBy("E7", own < small))
}

// linearisedClaim judges the closed form for a linearised network by its relative error.
func linearisedClaim(network string, off float64) result.Claim {
	text := network + ": the network linearised at the start is the closed form from its own kernel to rounding " +
		"(relative error of the features)"
	return linearised.Of(result.Check(text, off, 0, 1e-10))
}

// slopeClaim compares the slope over the width of all networks with the exponent of theory. The tolerance is three
// standard errors, and at most half of the distance between the exponents −1/2 and −1. Exponent 0 means any exponent
// between the two. The claim is withdrawn if there are too few widths.
func slopeClaim(what string, widths, logs []float64, exponent float64) []result.Claim {
	var wide, of []float64
	for i, m := range widths {
		if m >= narrowest {
			wide, of = append(wide, m), append(of, logs[i])
		}
	}
	slope, standardError := Slope(wide, of)
	if math.IsNaN(standardError) {
		return []result.Claim{slopes.Of(result.Withdrawn(what+" falls by a power of the width", tooFewWidths))}
	}
	const half = 0.25
	measured := fmt.Sprintf("slope from width %d on, standard error %.3f", narrowest, standardError)
	if exponent == 0 {
		return []result.Claim{slopes.Of(result.Check(fmt.Sprintf("%s falls by a power between width^−1 and "+
			"width^−1/2 (%s)",
			what, measured), slope, -0.75, half))}
	}
	return []result.Claim{slopes.Of(result.Check(fmt.Sprintf("%s falls as width^%g (%s)", what, exponent, measured),
		slope, exponent, math.Min(3*standardError, half)))}
}

// Slope returns the slope of a straight line through (log x, logs) by least squares, with its standard error. It is NaN
// for fewer than three points or a single x.
func Slope(x, logs []float64) (slope, standardError float64) {
	lx := make([]float64, len(x))
	for i, v := range x {
		lx[i] = math.Log(v)
	}
	if len(x) < 3 || slices.Max(x) == slices.Min(x) {
		return math.NaN(), math.NaN()
	}
	intercept, slope := stat.LinearRegression(lx, logs, nil, false)
	residual, spread, mean := 0.0, 0.0, stat.Mean(lx, nil)
	for i := range lx {
		r := logs[i] - intercept - slope*lx[i]
		residual += r * r
		spread += (lx[i] - mean) * (lx[i] - mean)
	}
	return slope, math.Sqrt(residual / float64(len(x)-2) / spread)
}
