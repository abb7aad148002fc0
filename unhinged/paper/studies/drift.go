package studies

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Drift measures how much the tangent kernel changes during training, which Theorem 8 assumes to be nothing: ‖Θ_t −
// Θ_0‖/‖Θ_0‖ (Frobenius, of the full kernel of some of the examples), by the width of the network and by the training
// loss. The network is the same for all losses and has as many outputs as there are classes. The outputs are the logits
// for UL (the unhinged loss), CE and MSE, and the features before an anchored ETF for PAL.
//
// The losses are compared in two ways. First, after the same number of steps at the same rate, which is safe for all of
// them: an eighth of the largest rate at which MSE is stable, whose curvature (2/n)Θ is the largest. Second, because
// some losses converge and others do not, at the same distance of the logits from their start, ‖F − F(0)‖/√n, which is
// the largest distance that every network reaches under every loss. At the same distance, losses may have different
// accuracies: MSE first has to remove F(0).
//
// By theory the drift falls as 1/m with smooth nonlinearities. With ReLU it is nearly m^(−3/4) for many examples at
// moderate widths, and m^(−1/2) in the limit: see [Theorem8].
type Drift struct {
	Examples   ntk.Examples // to train on
	Probe      int          // number of examples of the measured kernel, the same for each class; 20
	Activation ntk.Layer    // ntk.ReLU
	// expected power of the width in the drift; 0 for any between −1 and −1/2, which is that of ReLU
	Exponent float64
	Widths   []int // m; 64, 128, 256, 512
	Seeds    int   // number of networks of each width; 5
	Hidden   int   // hidden layers; 2
	Steps    int   // of gradient descent; 160
	Seed     uint64
	// Progress, if set, is called after each training with the number of finished trainings and of all.
	Progress func(done, all int)
}

// driftLosses lists the losses that are compared.
var driftLosses = []struct {
	name     string
	loss     unhinged.Criterion
	anchored bool
}{{"UL", unhinged.Loss{}, false}, {"PAL", unhinged.Loss{}, true}, {"CE", unhinged.CrossEntropy{}, false},
	{"MSE", unhinged.SquaredError{}, false}}

// Pixels returns the first trainEach and testEach images of every class for training and for testing, class by class.
// They are flat, in float32, with the mean of the training images subtracted, and each is scaled to mean square 1.
func Pixels(data *datasets.Dataset, trainEach, testEach int) (train, test ntk.Examples, err error) {
	x, train, err := firstOfEach(data.Train, len(data.Classes), trainEach)
	if err != nil {
		return train, test, err
	}
	xTest, test, err := firstOfEach(data.Test, len(data.Classes), testEach)
	if err != nil {
		return train, test, err
	}
	mean := make([]float64, len(x[0]))
	for _, pixels := range x {
		floats.AddScaled(mean, 1/float64(len(x)), pixels)
	}
	for _, part := range []struct {
		x [][]float64
		e *ntk.Examples
	}{{x, &train}, {xTest, &test}} {
		if len(part.x) == 0 {
			continue
		}
		var flat []float64
		for i, pixels := range part.x {
			floats.Sub(pixels, mean)
			norm := floats.Norm(pixels, 2)
			if norm == 0 {
				return train, test, fmt.Errorf("paper: image %d of class %d is the mean image: it cannot be scaled", i,
					part.e.Labels[i])
			}
			floats.Scale(math.Sqrt(float64(len(mean)))/norm, pixels)
			flat = append(flat, pixels...)
		}
		part.e.X = numbers.Tensor(dtypes.Float32, flat, len(part.x), len(mean))
	}
	return train, test, nil
}

// firstOfEach returns the pixels of the first images of every class, with their labels.
func firstOfEach(images datasets.Images, classes, each int) (x [][]float64, e ntk.Examples, err error) {
	size := len(images.Pixels) / max(1, images.Len())
	for c := range classes {
		found := 0
		for i := 0; i < images.Len() && found < each; i++ {
			if int(images.Labels[i]) != c {
				continue
			}
			pixels := make([]float64, size)
			for j, v := range images.Pixels[i*size : (i+1)*size] {
				pixels[j] = float64(v)
			}
			x, e.Labels = append(x, pixels), append(e.Labels, c)
			found++
		}
		if found < each {
			return nil, e, fmt.Errorf("paper: there are %d images of class %d, but %d are asked for", found, c, each)
		}
	}
	return x, e, nil
}

// driftRun is the result of one training: the drift, the distance of the logits and the accuracy at each recorded step.
type driftRun struct{ drift, moved, accuracy []float64 }

// Run trains the networks and measures the drift.
func (d Drift) Run(ctx context.Context, backend compute.Backend) (*result.Figure, error) {
	started := time.Now()
	if len(d.Widths) == 0 {
		d.Widths = []int{64, 128, 256, 512}
	}
	if d.Activation == nil {
		d.Activation = ntk.ReLU
	}
	d.Probe = cmp.Or(d.Probe, 20)
	d.Seeds = cmp.Or(d.Seeds, 5)
	d.Hidden = cmp.Or(d.Hidden, 2)
	d.Steps = cmp.Or(d.Steps, 160)
	if d.Examples.X == nil {
		return nil, fmt.Errorf("drift: no examples")
	}
	dims := d.Examples.X.Shape().Dimensions
	classes := slices.Max(d.Examples.Labels) + 1
	if err := checkWidths(d.Widths, d.Seeds, float64(d.Examples.X.Shape().Size()/dims[0]), float64(d.Hidden),
		float64(classes), float64(d.Probe+dims[0])); err != nil {
		return nil, err
	}
	steps := []int{0}
	for s := 1; s <= d.Steps; s++ {
		if s == d.Steps || s >= steps[len(steps)-1]*5/4+1 {
			steps = append(steps, s)
		}
	}
	runs := map[string]map[int][]driftRun{}
	done, all := 0, len(d.Widths)*d.Seeds*len(driftLosses)
	for _, l := range driftLosses {
		runs[l.name] = map[int][]driftRun{}
	}
	for _, width := range d.Widths {
		err := d.train(ctx, backend, width, steps, func(loss string, r driftRun) {
			runs[loss][width] = append(runs[loss][width], r)
			done++
			if d.Progress != nil {
				d.Progress(done, all)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("drift: width %d: %w", width, err)
		}
	}
	f := d.report(runs, steps)
	f.Provenance = provenance(d.Seed, backend, d.Examples.X.DType(), started)
	return f, nil
}

// train trains the networks of one width under all losses, each from the same start.
func (d Drift) train(ctx context.Context, backend compute.Backend, width int, steps []int, record func(loss string,
	r driftRun)) error {
	classes := slices.Max(d.Examples.Labels) + 1
	network := perceptron(d.Hidden, width, math.Sqrt2, d.Activation, classes)
	probe := probe(d.Examples, d.Probe)
	store := model.NewStore()
	defer store.Finalize()
	empirical := network.Empirical(backend, store.RootScope(), ntk.NTKParameterization)
	for _, l := range driftLosses {
		descent := ntk.Descent{Backend: backend, Network: network, Loss: l.loss, Rates: dynamics.Constant(1, 1)}
		if l.anchored {
			descent.Head = &unhinged.Head{Classes: classes, Prototypes: unhinged.ETF}
		}
		var r driftRun
		var first *tensors.Tensor
		var start *mat.Dense
		descent.Observe = func(now ntk.Record) error {
			k, err := empirical.Full(probe, nil)
			if err != nil {
				return err
			}
			if now.Time == 0 {
				r, first, start = driftRun{}, k, now.Train.Logits
			}
			drift, err := ntk.Drift(first, k)
			if err != nil {
				return err
			}
			var way mat.Dense
			way.Sub(now.Train.Logits, start)
			r.drift = append(r.drift, drift)
			r.moved = append(r.moved, mat.Norm(&way, 2)/math.Sqrt(float64(len(d.Examples.Labels))))
			r.accuracy = append(r.accuracy, now.Train.Accuracy)
			return nil
		}
		trainer, err := descent.On(store)
		if err != nil {
			return err
		}
		for seed := range d.Seeds {
			if err := d.one(ctx, trainer, store, empirical, probe, width, seed, steps); err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			record(l.name, r)
		}
		trainer.Finalize()
	}
	return nil
}

// one draws a network, computes the learning rate, and trains it.
func (d Drift) one(ctx context.Context, trainer *ntk.Trainer, store *model.Store, empirical *ntk.Empirical,
	probe *tensors.Tensor, width, seed int, steps []int) error {
	if _, err := empirical.Diagonal(probe); err != nil { // creates the parameters, which are drawn below
		return err
	}
	if err := redraw(store, d.Seed, width, seed); err != nil {
		return err
	}
	k, err := empirical.TraceMean(d.Examples.X, nil)
	if err != nil {
		return err
	}
	largest, err := ntk.LargestEigenvalue(k)
	if err != nil {
		return err
	}
	eta := ntk.LargestStableRate(largest, 2/float64(len(d.Examples.Labels))) / 8
	trainer.Rates = dynamics.Constant(eta, eta)
	_, err = trainer.Train(ctx, d.Examples, ntk.Examples{}, steps)
	return err
}

// probe returns the first of the examples, the same number for each class and about count in all.
func probe(from ntk.Examples, count int) *tensors.Tensor {
	classes, dims := slices.Max(from.Labels)+1, from.X.Shape().Dimensions
	size := from.X.Shape().Size() / dims[0]
	all := numbers.Of(from.X)
	var x []float64
	n := 0
	for c := range classes {
		left := count / classes
		for i, y := range from.Labels {
			if y == c && left > 0 {
				x = append(x, all[i*size:(i+1)*size]...)
				left--
				n++
			}
		}
	}
	return numbers.Tensor(from.X.DType(), x, append([]int{n}, dims[1:]...)...)
}

// report returns the figure with its claims.
func (d Drift) report(runs map[string]map[int][]driftRun, steps []int) *result.Figure {
	f := &result.Figure{ID: "drift", Title: "Does the tangent kernel stay invariant?", Settings: map[string]any{
		"widths": d.Widths, "hidden layers": d.Hidden, "examples": len(d.Examples.Labels), "kernel of": d.Probe,
		"steps": d.Steps, "seeds": d.Seeds, "seed": d.Seed}}
	matched := math.Inf(1) // the largest distance that the logits of every network reach under every loss
	for _, byWidth := range runs {
		for _, all := range byWidth {
			for _, r := range all {
				matched = math.Min(matched, floats.Max(r.moved))
			}
		}
	}
	f.Settings["matched distance"] = matched
	widest := d.Widths[len(d.Widths)-1]
	var time, width []string
	for _, l := range driftLosses {
		c := d.meanCurve(fmt.Sprintf("%s, width %d", l.name, widest), widest, runs[l.name][widest], steps)
		f.Curves = append(f.Curves, c)
		time = append(time, c.Name)

		w := result.Curve{Name: l.name, Params: map[string]float64{}, Series: map[string]result.Series{}}
		var widths, ends, equals []float64 // of each network
		for _, m := range d.Widths {
			var end, same []float64
			for _, r := range runs[l.name][m] {
				end = append(end, math.Log(r.drift[len(r.drift)-1]))
				same = append(same, math.Log(r.at(matched)))
				widths = append(widths, float64(m))
			}
			ends, equals = append(ends, end...), append(equals, same...)
			for name, v := range map[string]float64{"step": float64(m), "log2_width": math.Log2(float64(m)),
				"drift_steps": math.Exp(stat.Mean(end, nil)), "drift_matched": math.Exp(stat.Mean(same, nil))} {
				w.Series[name] = append(w.Series[name], v)
			}
		}
		f.Curves = append(f.Curves, w)
		width = append(width, w.Name)
		for _, of := range []struct {
			what string
			logs []float64
		}{{"after the same steps", ends}, {"where the logits have come equally far", equals}} {
			f.Claims = append(f.Claims, slopeClaim(l.name+": the drift "+of.what, widths, of.logs, d.Exponent)...)
		}
	}
	f.Panels = []result.Panel{
		{Title: "(a) Drift over time", Y: "drift", YLabel: "‖Θ_t − Θ_0‖ / ‖Θ_0‖", XLabel: "Step", Curves: time},
		{Title: "(b) Against the distance moved", Y: "drift", YLabel: "‖Θ_t − Θ_0‖ / ‖Θ_0‖", X: "moved",
			XLabel: "‖F − F(0)‖ / √n", Curves: time},
		{Title: "(c) By width, after the same steps", Y: "drift_steps", YLabel: "‖Θ_T − Θ_0‖ / ‖Θ_0‖", X: "log2_width",
			XLabel: "log₂ width", Log: true, Curves: width},
		{Title: "(d) By width, logits equally far", Y: "drift_matched", YLabel: "‖Θ_t − Θ_0‖ / ‖Θ_0‖", X: "log2_width",
			XLabel: "log₂ width", Log: true, Curves: width},
	}
	return f
}

// meanCurve returns the means over the networks of the widest width at each recorded step.
func (d Drift) meanCurve(name string, width int, runs []driftRun, steps []int) result.Curve {
	c := result.Curve{Name: name, Params: map[string]float64{"width": float64(width)},
		Series: map[string]result.Series{}}
	for i, s := range steps {
		mean := func(of func(r driftRun) []float64) float64 {
			sum := 0.0
			for _, r := range runs {
				sum += of(r)[i] / float64(d.Seeds)
			}
			return sum
		}
		for name, v := range map[string]float64{"step": float64(s),
			"drift":    mean(func(r driftRun) []float64 { return r.drift }),
			"moved":    mean(func(r driftRun) []float64 { return r.moved }),
			"accuracy": mean(func(r driftRun) []float64 { return r.accuracy })} {
			c.Series[name] = append(c.Series[name], v)
		}
	}
	return c
}

// at returns the drift at which the logits first reached a distance, by linear interpolation between records.
func (r driftRun) at(distance float64) float64 {
	for i := 1; i < len(r.moved); i++ {
		if r.moved[i] >= distance {
			part := (distance - r.moved[i-1]) / (r.moved[i] - r.moved[i-1])
			return r.drift[i-1] + part*(r.drift[i]-r.drift[i-1])
		}
	}
	return math.NaN()
}
