package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/internal/build"
	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/memory"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// kernelTrainOptions are the flags of `unhinged kernel train`.
type kernelTrainOptions struct {
	data      string
	examples  [2]int // of the training and of the test images; 0: all
	normalize string
	network   string
	gamma     float64
	lambda    float64
	rate      float64
	times     []float64
	seed      int64
	stores    [2]string
	sums      string
	json      string
	memory    string
	backend   string
}

func kernelTrainCommand() *cobra.Command {
	var o kernelTrainOptions
	c := &cobra.Command{
		Use:   "train",
		Short: "Train a network of infinite width in closed form, on any number of images (Theorem 8)",
		Long: `Train a network of infinite width with the unhinged loss in closed form, and print its accuracy on the
training and the test images at each time. The whole kernel is never in memory: the command computes a tile, adds it
to the sums over the classes, and discards it. It needs memory for the images, for C numbers per image, and for one
tile.

This is the lazy regime, in which the kernel does not change during the training. A network of finite width agrees
with it only while its own kernel stays almost constant.

With --sums DIR, the command saves the sums in DIR every ten seconds. After Ctrl-C or a kill, the same command
continues from there, with the same results. With another --gamma, --lambda, --times or --seed, it uses the saved sums
and does not compute the kernel again. With --store DIR, and --store2 DIR for the test images, it reads the tiles from
folders that unhinged kernel compute has written.

Without --seed, all logits are 0 at time 0. Each image's logits then move along a straight line, so that its
prediction is the same at all later times. With --seed S, the logits start as those of a network of the given widths,
whose parameters are drawn from S. The layers of the network are written as for unhinged kernel compute.`,
		Example: `  unhinged kernel train --data cifar-10 --gamma 0.1 --times 0,1,10 --seed 1 --sums sums/fc3 \
      --network "flatten dense:512 relu dense:512 relu dense:512 relu dense:10"`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := untilInterrupted(c, "the tile", stopSignals()...)
			defer stop()
			return o.run(ctx, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.data, "data", "", strings.Join(datasets.Names(),
		", ")+", or a folder with four IDX files of MNIST's names")
	f.IntVar(&o.examples[0], "examples", 0, "number of training images, spread over the classes (0: all)")
	f.IntVar(&o.examples[1], "examples2", 0, "number of test images (0: all)")
	f.StringVar(&o.normalize, "normalize", "unit", "unit: scale each image to mean square 1; none: pixels from 0 to 1")
	f.StringVar(&o.network, "network", "", "layers of the network")
	f.Float64Var(&o.gamma, "gamma", 0, "γ, the weight of the non-target logits")
	f.Float64Var(&o.lambda, "lambda", 0, "λ1, the weight decay of a model that is linear in its parameters")
	f.Float64Var(&o.rate, "rate", 1, "η1, the learning rate")
	f.Float64SliceVar(&o.times, "times", []float64{0, 1, 10}, "times of gradient flow")
	f.Int64Var(&o.seed, "seed", 0,
		"begin with the logits of a network of the given widths, drawn from this seed (0: no)")
	f.StringVar(&o.stores[0], "store", "", "folder with the kernel of the training images")
	f.StringVar(&o.stores[1], "store2", "", "folder with the kernel from the training to the test images")
	f.StringVar(&o.sums, "sums", "", "folder in which the sums are saved (default: they are not saved)")
	f.StringVar(&o.json, "json", "", "file for the results")
	f.StringVar(&o.memory, "memory", "256MiB", "memory for a tile; the program, XLA and the images need more")
	f.StringVar(&o.backend, "backend", "",
		"gomlx backend: go, xla:cpu, xla:cuda (default: XLA on the CPU if it is set up, else go)")
	return c
}

// kernelTraining is the result of `unhinged kernel train`.
type kernelTraining struct {
	Network    string                `json:"network"`
	Train      string                `json:"train"` // images
	Test       string                `json:"test"`
	Counts     []int                 `json:"counts"` // of the training images of each class
	Gamma      float64               `json:"gamma"`
	Lambda     float64               `json:"lambda"`
	Rate       float64               `json:"rate"`
	Points     []kernelTrainingPoint `json:"points"`
	Tile       int                   `json:"tile"` // images along the sides of a tile
	Seconds    kernelTrainingSeconds `json:"seconds"`
	PeakBytes  int64                 `json:"peak_bytes"` // of the resident memory; 0 if it is not known
	Processors int                   `json:"processors"`
	Provenance result.Provenance     `json:"provenance"` // its seed is that of the first logits
}

// kernelTrainingPoint is the network at a time of gradient flow.
type kernelTrainingPoint struct {
	Time  float64 `json:"time"`
	Loss  float64 `json:"loss"`
	Train float64 `json:"train_accuracy"`
	Test  float64 `json:"test_accuracy"`
}

// kernelTrainingSeconds are the seconds of the parts of this process's work.
type kernelTrainingSeconds struct {
	TrainTiles float64 `json:"train_tiles"`
	TestTiles  float64 `json:"test_tiles"`
	Solve      float64 `json:"solve"`  // MκMᵀ and its eigenvalues, from the sums
	Points     float64 `json:"points"` // logits and accuracies of all images at all times
}

func (o kernelTrainOptions) run(ctx context.Context, out, terminal io.Writer) error {
	begun := time.Now()
	if err := o.check(); err != nil {
		return err
	}
	s, err := o.open(terminal)
	if err != nil {
		return err
	}
	defer s.backend.Finalize()
	theory, err := o.theory(s)
	if err != nil {
		return err
	}
	r := kernelTraining{Network: s.network.String(), Counts: s.images[0].ClassCounts(s.classes), Gamma: o.gamma,
		Lambda: o.lambda, Rate: o.rate, Processors: runtime.GOMAXPROCS(0),
		Train: fmt.Sprintf("%s, %d images, normalize %s", o.data, s.images[0].Len(), o.normalize),
		Test:  fmt.Sprintf("%s, %d images, normalize %s", o.data, s.images[1].Len(), o.normalize)}
	if k := slices.Index(r.Counts, 0); k >= 0 {
		return fmt.Errorf("class %d has none of the %d training images: want more of them", k, s.images[0].Len())
	}
	clock := time.Now()
	lap := func() float64 {
		defer func() { clock = time.Now() }()
		return time.Since(clock).Seconds()
	}
	train, err := s.sum(ctx, 0)
	if err != nil {
		return err
	}
	r.Seconds.TrainTiles = lap()
	test, err := s.sum(ctx, 1)
	if err != nil {
		return err
	}
	r.Seconds.TestTiles, r.Tile = lap(), s.side
	trained, err := theory.TrainSums(train, s.images[0].IntLabels())
	if err != nil {
		return err
	}
	if err := trained.TestSums(test.Train, s.images[1].IntLabels()); err != nil {
		return err
	}
	r.Seconds.Solve = lap()
	for _, t := range o.times {
		record, err := trained.At(t)
		if err != nil {
			return err
		}
		r.Points = append(r.Points, kernelTrainingPoint{t, record.Loss, record.Train.Accuracy, record.Test.Accuracy})
	}
	r.Seconds.Points = lap()
	r.PeakBytes = memory.Peak()
	r.Provenance = result.Provenance{Command: command(), Commit: build.Commit(), Backend: backends.Name(s.backend),
		Go: runtime.Version(), Seed: uint64(o.seed), Started: begun.UTC().Truncate(time.Second),
		Duration: time.Since(begun).Seconds()}
	return o.report(r, out)
}

// theory returns the training, with first logits of a finite network unless the seed is 0.
func (o kernelTrainOptions) theory(s *kernelSummer) (ntk.Unhinged, error) {
	theory := ntk.Unhinged{Gamma: o.gamma, Lambda1: o.lambda, Rates: dynamics.Constant(o.rate, o.rate)}
	if o.seed == 0 {
		return theory, nil
	}
	for i, to := range []*ntk.Outputs{&theory.Start.Train, &theory.Start.Test} {
		var err error
		if to.Logits, err = s.firstLogits(s.images[i], o.seed); err != nil {
			return theory, err
		}
	}
	return theory, nil
}

// check returns an error for flags that are not valid.
func (o kernelTrainOptions) check() error {
	switch {
	case o.data == "":
		return errors.New("--data is missing: the name of a data set")
	case o.normalize != "unit" && o.normalize != "none":
		return fmt.Errorf("--normalize %s: want unit or none", o.normalize)
	case o.examples[0] < 0 || o.examples[1] < 0:
		return fmt.Errorf("--examples %d, --examples2 %d: must not be negative", o.examples[0], o.examples[1])
	case o.seed < 0:
		return fmt.Errorf("--seed %d: must not be negative", o.seed)
	case len(o.times) == 0:
		return errors.New("--times is empty: want at least one time")
	}
	for name, v := range map[string]float64{"gamma": o.gamma, "lambda": o.lambda, "rate": o.rate} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("--%s %g: must be finite and not negative", name, v)
		}
	}
	for _, t := range o.times {
		if !(t >= 0) || math.IsInf(t, 0) {
			return fmt.Errorf("--times %g: must be finite and not negative", t)
		}
	}
	return nil
}

// report prints the result and writes it to the file of --json.
func (o kernelTrainOptions) report(r kernelTraining, out io.Writer) error {
	fmt.Fprintf(out, "%s at infinite width, γ = %g, λ = %g; %s to train, %s to test\n", r.Network, r.Gamma, r.Lambda,
		r.Train, r.Test)
	for _, p := range r.Points {
		fmt.Fprintf(out, "time %-8g loss %-12.6g accuracy: training %.2f %%, test %.2f %%\n", p.Time, p.Loss,
			100*p.Train, 100*p.Test)
	}
	fmt.Fprintf(out, "%.1f s for the tiles, %.3f s for the solution, %.3f s for %d times", r.Seconds.TrainTiles+
		r.Seconds.TestTiles, r.Seconds.Solve, r.Seconds.Points, len(r.Points))
	if r.PeakBytes > 0 {
		fmt.Fprintf(out, "; peak resident memory %s", memory.Bytes(float64(r.PeakBytes)))
	}
	fmt.Fprintln(out)
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return files.WriteBytes(o.json, append(text, '\n'))
}
