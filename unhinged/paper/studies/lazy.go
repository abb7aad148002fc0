package studies

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/ntk/tiles"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Lazy follows networks of finite width, trained by gradient descent on all images at once, beside Theorem 8 for
// infinite width, and says where they leave it. The kernel of infinite width is summed over the classes tile by tile
// and is never in memory, so that there may be as many images as fit into memory themselves. The networks' outputs are
// the logits, the loss is the unhinged loss, and the rate is such that the logits of the closed form move as far in the
// given number of steps as Distance says. Theorem 8 describes the lazy regime: it ends where the network's own kernel
// has changed.
type Lazy struct {
	Train, Test ntk.Examples
	Widths      []int   // 128, 256, 512
	Hidden      int     // hidden layers of ReLU units; 3
	Steps       int     // 20
	Distance    float64 // ‖F − F(0)‖/√n of the closed form at the last step; 1
	Probe       int     // number of training images whose kernel is measured, the same for each class; 50
	Seed        uint64
	// Progress, if set, is called after each step with the number of finished steps of all trainings.
	Progress func(done, all int)
}

// Run trains the networks.
func (l Lazy) Run(ctx context.Context, backend compute.Backend) (*result.Figure, error) {
	started := time.Now()
	if len(l.Widths) == 0 {
		l.Widths = []int{128, 256, 512}
	}
	l.Hidden = cmp.Or(l.Hidden, 3)
	l.Steps = cmp.Or(l.Steps, 20)
	l.Probe = cmp.Or(l.Probe, 50)
	if l.Distance == 0 {
		l.Distance = 1
	}
	if l.Train.X == nil || l.Test.X == nil {
		return nil, fmt.Errorf("lazy: no examples to train on, or none for the test")
	}
	dims := l.Train.X.Shape().Dimensions
	if err := checkWidths(l.Widths, 1, float64(l.Train.X.Shape().Size()/dims[0]), float64(l.Hidden), 1,
		float64(dims[0])); err != nil {
		return nil, err
	}
	plan, err := l.plan(ctx, backend)
	if err != nil {
		return nil, err
	}
	f := &result.Figure{ID: "lazy", Title: "Where networks leave Theorem 8", Settings: map[string]any{
		"network": l.network(l.Widths[0]).String(), "widths": l.Widths, "training images": len(l.Train.Labels),
		"test images": len(l.Test.Labels), "kernel of": l.Probe, "steps": l.Steps, "rate": plan.eta, "seed": l.Seed}}
	ends := map[string][]float64{}
	for i, width := range l.Widths {
		progress := func(step, last int) {
			if l.Progress != nil {
				l.Progress(i*last+step, len(l.Widths)*last)
			}
		}
		r, err := l.follow(ctx, backend, plan, width, progress)
		if err != nil {
			return nil, fmt.Errorf("lazy: width %d: %w", width, err)
		}
		if i == len(l.Widths)-1 {
			f.Curves = append(f.Curves, Trajectory(fmt.Sprintf("network, width %d", width), r.network),
				Trajectory(fmt.Sprintf("closed form, width %d", width), r.theory))
		}
		f.Curves = append(f.Curves, r.distances(width, l.Distance))
		ends["apart"] = append(ends["apart"], r.apart[len(r.apart)-1])
		ends["drift"] = append(ends["drift"], r.drift[len(r.drift)-1])
	}
	f.Panels = l.panels()
	f.Claims = l.claims(ends)
	f.Provenance = provenance(l.Seed, backend, l.Train.X.DType(), started)
	return f, nil
}

func (l Lazy) network(width int) ntk.Network {
	return perceptron(l.Hidden, width, math.Sqrt2, ntk.ReLU, slices.Max(l.Train.Labels)+1)
}

// lazyPlan has the things that the trainings of all widths share: the kernel of infinite width, summed over the
// classes, the learning rate, and the examples whose kernel is measured.
type lazyPlan struct {
	sums, unseen dynamics.ClassSums
	eta          float64
	probe        *tensors.Tensor
}

func (l Lazy) plan(ctx context.Context, backend compute.Backend) (p lazyPlan, err error) {
	if p.sums, p.unseen, err = l.kernels(ctx, backend); err != nil {
		return p, err
	}
	p.probe = probe(l.Train, l.Probe)
	p.eta, err = l.rate(p.sums)
	return p, err
}

// kernels returns the sums over the classes of the kernel of infinite width, between the training images and from them
// to the test images.
func (l Lazy) kernels(ctx context.Context, backend compute.Backend) (train, test dynamics.ClassSums, err error) {
	infinite := l.network(1).Infinite(backend)
	stream := tiles.Stream[float32]{Tile: tiles.Infinite[float32](infinite, l.Train.X, nil, tiles.NTK),
		Labels: l.Train.Labels, Classes: slices.Max(l.Train.Labels) + 1, Side: 500}
	if train, err = stream.Sum(ctx); err != nil {
		return train, test, err
	}
	stream.Tile, stream.Cols = tiles.Infinite[float32](infinite, l.Train.X, l.Test.X, tiles.NTK), len(l.Test.Labels)
	test, err = stream.Sum(ctx)
	return train, test, err
}

// rate returns the learning rate at which the logits of the closed form move by Distance in all steps: without weight
// decay they move along a straight line.
func (l Lazy) rate(sums dynamics.ClassSums) (float64, error) {
	gamma := 1 / float64(slices.Max(l.Train.Labels))
	line, err := ntk.Unhinged{Gamma: gamma}.TrainSums(sums, l.Train.Labels)
	if err != nil {
		return 0, err
	}
	one, err := line.At(1)
	if err != nil {
		return 0, err
	}
	speed := mat.Norm(one.Train.Logits, 2) / math.Sqrt(float64(len(l.Train.Labels)))
	return l.Distance / (float64(l.Steps) * speed), nil
}

// lazyRun is a training with its closed form, and at each recorded step the distance between their logits on the test
// images, relative to how far the network's have moved, and the change of its kernel.
type lazyRun struct {
	network, theory []ntk.Record
	apart, drift    []float64
}

// follow trains a network and evaluates the closed form from its start.
func (l Lazy) follow(ctx context.Context, backend compute.Backend, plan lazyPlan, width int,
	progress func(step, last int)) (r lazyRun, err error) {
	store := model.NewStore()
	defer store.Finalize()
	network := l.network(width)
	empirical := network.Empirical(backend, store.RootScope(), ntk.NTKParameterization)
	if _, err := empirical.Diagonal(plan.probe); err != nil { // creates the parameters, which are drawn below
		return r, err
	}
	if err := redraw(store, l.Seed, width, 0); err != nil {
		return r, err
	}
	var first *tensors.Tensor
	descent := ntk.Descent{Backend: backend, Network: network, Rates: dynamics.Constant(plan.eta, plan.eta),
		Progress: progress,
		Observe: func(ntk.Record) error {
			k, err := empirical.TraceMean(plan.probe, nil)
			if err != nil {
				return err
			}
			if first == nil {
				first = k
			}
			drift, err := ntk.Drift(first, k)
			r.drift = append(r.drift, drift)
			return err
		}}
	steps := make([]int, l.Steps+1)
	for i := range steps {
		steps[i] = i
	}
	if r.network, err = descent.Train(ctx, store, l.Train, l.Test, steps); err != nil {
		return r, err
	}
	theory, err := descent.Theory(r.network[0])
	if err != nil {
		return r, err
	}
	trained, err := theory.TrainSums(plan.sums, l.Train.Labels)
	if err != nil {
		return r, err
	}
	if err := trained.TestSums(plan.unseen.Train, l.Test.Labels); err != nil {
		return r, err
	}
	if r.theory, err = trained.Steps(steps); err != nil {
		return r, err
	}
	r.apart = Apart("", r.network, r.theory).Series["test_error"]
	return r, nil
}

// distances returns how far network and closed form are apart, and how much the kernel has changed, at each step.
func (r lazyRun) distances(width int, distance float64) result.Curve {
	c := result.Curve{Name: fmt.Sprintf("width %d", width), Params: map[string]float64{"width": float64(width)},
		Series: map[string]result.Series{}}
	last := r.theory[len(r.theory)-1].Time
	for i, away := range append([]float64{math.NaN()}, r.apart...) {
		for name, v := range map[string]float64{"step": r.theory[i].Time, "apart": away, "drift": r.drift[i],
			"moved": distance * r.theory[i].Time / last} {
			c.Series[name] = append(c.Series[name], v)
		}
	}
	return c
}

// panels shows the widest network's accuracies, and the distances and drifts of all networks.
func (l Lazy) panels() []result.Panel {
	widest := l.Widths[len(l.Widths)-1]
	shown := []string{fmt.Sprintf("network, width %d", widest), fmt.Sprintf("closed form, width %d", widest)}
	var all []string
	for _, width := range l.Widths {
		all = append(all, fmt.Sprintf("width %d", width))
	}
	return []result.Panel{
		{Title: "(a) Train accuracy", Y: "train_accuracy", YLabel: "Train accuracy", XLabel: "Step", Curves: shown},
		{Title: "(b) Test accuracy", Y: "test_accuracy", YLabel: "Test accuracy", XLabel: "Step", Curves: shown},
		{Title: "(c) Distance to the closed form, test images", Y: "apart", YLabel: "‖F − F_theory‖ / ‖F − F(0)‖",
			XLabel: "Step", Curves: all},
		{Title: "(d) Change of the kernel", Y: "drift", YLabel: "‖Θ_t − Θ_0‖ / ‖Θ_0‖", XLabel: "Step", Curves: all},
	}
}

// claims compares the widest network with the narrowest at the last step.
func (l Lazy) claims(ends map[string][]float64) []result.Claim {
	narrow, wide := l.Widths[0], l.Widths[len(l.Widths)-1]
	var claims []result.Claim
	for _, c := range []struct{ of, text string }{
		{"apart", "Width %d is nearer to the closed form of infinite width than width %d (ratio of the distances)"},
		{"drift", "The kernel of width %d changes less than that of width %d (ratio of the changes)"},
	} {
		text := fmt.Sprintf(c.text, wide, narrow)
		if wide == narrow {
			claims = append(claims, widerIsNearer.Of(result.Withdrawn(text, "there is one width only")))
			continue
		}
		e := ends[c.of]
		claims = append(claims, widerIsNearer.Of(result.Check(text, e[len(e)-1]/e[0], 0.5, 0.5)))
	}
	return claims
}
