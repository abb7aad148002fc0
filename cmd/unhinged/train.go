package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/paper"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// trainOptions are the flags of `unhinged train`.
type trainOptions struct {
	vision.Training
	methods []string
	dataset string
	images  int
	hidden  []int
	seeds   int
	efr     float64
	out     string
	backend string
}

func trainCommand() *cobra.Command {
	var o trainOptions
	var methods []string
	for _, m := range vision.Methods() {
		methods = append(methods, fmt.Sprintf("  %-10s %s", m.Name, m.Title))
	}
	c := &cobra.Command{
		Use:   "train",
		Short: "Train a network with the paper's methods on real data",
		Long: "Train a perceptron with the paper's methods on MNIST or Fashion-MNIST, or on your own images in the same format.\n\nMethods:\n" + strings.Join(methods, "\n") + `

Every run has its folder METHOD-seedS under --out: a checkpoint after every epoch, log.jsonl with what was measured, and
outcome.json at its end. The figures of all finished runs there are training.svg and blow-up.svg, with JSON beside.
Ctrl-C saves a checkpoint; the same command goes on from there, and skips what is finished.`,
		Example: `  unhinged train --method pal --dataset fashion-mnist --seeds 3
  unhinged train --method ce,pal,pal-efr,fnpal,fnpal-rlr,ul --seeds 3 --epochs 15 --out results/training/fashion-mnist-mlp`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			o.Provenance = result.Provenance{Command: command(), Commit: paper.Commit()}
			return o.run(ctx, c.Flags().Changed("efr"), c.Flags().Changed("records"), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.methods, "method", []string{"pal"}, "methods, separated by commas")
	f.StringVar(&o.dataset, "dataset", "fashion-mnist", strings.Join(datasets.Names(), ", ")+", or a folder with four IDX files of MNIST's names")
	f.IntVar(&o.images, "images", 0, "train on the first so many images only (0: all)")
	f.IntSliceVar(&o.hidden, "hidden", []int{256, 256}, "width of each hidden layer; the last are the features")
	f.IntVar(&o.seeds, "seeds", 1, "number of runs of each method, with seeds 1, 2, …")
	f.IntVar(&o.Epochs, "epochs", 15, "passes over the training images")
	f.IntVar(&o.Batch, "batch", 256, "images a step")
	f.Float64Var(&o.LearningRate, "lr", 0.1, "learning rate at the start; it falls to 0 as a cosine does")
	f.Float64Var(&o.Momentum, "momentum", 0.9, "momentum")
	f.Float64Var(&o.WeightDecay, "weight-decay", 5e-4, "weight decay of all trainable variables")
	f.Float64Var(&o.efr, "efr", 0, "λ of the explicit feature regularisation, in place of each method's own")
	f.IntVar(&o.RecordsPerEpoch, "records", 1, "measurements an epoch (ul: 20 unless given)")
	f.StringVar(&o.out, "out", "", "folder of the results (default training/DATASET)")
	f.StringVar(&o.backend, "backend", "", "gomlx backend: go, xla:cpu, xla:cuda (default: XLA on the CPU if it is set up, else go)")
	return c
}

// run does all runs, one after the other.
func (o trainOptions) run(ctx context.Context, ownEFR, ownRecords bool, out, terminal io.Writer) error {
	if o.seeds < 1 || o.images < 0 {
		return fmt.Errorf("--seeds %d, --images %d: they must be at least 1 and 0", o.seeds, o.images)
	}
	for _, width := range o.hidden {
		if width < 1 {
			return fmt.Errorf("--hidden %v: every layer needs a width of at least 1", o.hidden)
		}
	}
	var methods []vision.Method
	for _, name := range o.methods {
		m, err := vision.MethodNamed(name)
		if err != nil {
			return err
		}
		if ownEFR {
			m.Head.FeatureRegularization = o.efr
		}
		methods = append(methods, m)
	}
	data, err := openDataset(o.dataset)
	if err != nil {
		return err
	}
	if o.images > 0 {
		data.Train = data.Train.First(o.images)
	}
	if o.out == "" {
		o.out = filepath.Join("training", data.Name)
	}
	backend, note, err := backends.Open(o.backend)
	if err != nil {
		return err
	}
	if note != "" {
		fmt.Fprintln(terminal, note)
	}
	fmt.Fprintf(out, "%s: %d training and %d test images of %d×%d from %s; results in %s\n",
		data.Name, data.Train.Len(), data.Test.Len(), data.Train.Height, data.Train.Width, data.Folder, o.out)
	failed := 0
	for seed := range o.seeds { // all methods of one seed first: what there is can be compared at any time
		for _, m := range methods {
			t := o.Training
			t.Method, t.Model, t.Seed = m, vision.MLP(o.hidden...), uint64(seed+1)
			if m.Name == "ul" && !ownRecords { // its story is told within an epoch
				t.RecordsPerEpoch = 20
			}
			t.Folder = filepath.Join(o.out, fmt.Sprintf("%s-seed%d", m.Name, t.Seed))
			err := trainOne(ctx, t, backend, data, out, terminal)
			var diverged *vision.Diverged
			switch {
			case errors.As(err, &diverged):
				fmt.Fprintf(out, "%s, seed %d: %v\n", m.Title, t.Seed, diverged)
				if m.Name != "ul" { // where it is what is to be seen
					failed++
				}
			case errors.Is(err, context.Canceled):
				return fmt.Errorf("%s, seed %d: %w. Saved in %s: the same command goes on from there", m.Name, t.Seed, err, t.Folder)
			case err != nil:
				return fmt.Errorf("%s, seed %d: %w", m.Name, t.Seed, err)
			}
		}
	}
	if err := drawTraining(o.out, out); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d runs diverged", failed)
	}
	return nil
}

// drawTraining writes the figures of all finished runs in folder, training.* and blow-up.*, as JSON and SVG.
func drawTraining(folder string, out io.Writer) error {
	outcomes, err := vision.ReadOutcomes(folder)
	if err != nil {
		return err
	}
	for _, draw := range []func([]vision.Outcome) (result.Figure, error){vision.Figure, vision.BlowUp} {
		figure, err := draw(outcomes)
		if errors.Is(err, vision.ErrNoRuns) {
			continue
		}
		if err != nil {
			return err
		}
		if err := writeFigure(folder, figure); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: see %s\n", figure.Title, filepath.Join(folder, figure.ID+".svg"))
		for _, c := range figure.Claims {
			fmt.Fprintf(out, "  %-5s  %s: %.3g (tolerance %.3g)\n", c.Verdict, c.Claim, float64(c.Measured), float64(c.Tolerance))
		}
	}
	return nil
}

func writeFigure(folder string, figure result.Figure) error {
	data, err := json.Marshal(figure)
	if err != nil {
		return err
	}
	if err := writeAtomically(filepath.Join(folder, figure.ID+".json"), data); err != nil {
		return err
	}
	picture, err := plots.SVG(figure)
	if err != nil {
		return err
	}
	return writeAtomically(filepath.Join(folder, figure.ID+".svg"), picture)
}

// trainOne does one run and shows its progress: a line an epoch, and on a terminal a line that moves.
func trainOne(ctx context.Context, t vision.Training, backend compute.Backend, data *datasets.Dataset, out, terminal io.Writer) error {
	live := isTerminal(terminal)
	var shown time.Time
	clear := func() {
		if live {
			fmt.Fprint(terminal, "\r\033[K")
		}
	}
	t.Report = func(p vision.Progress) {
		if r := p.Record; r != nil {
			clear()
			fmt.Fprintf(out, "%s, seed %d, epoch %.3g of %d: train loss %.4g, validation accuracy %.2f %%, ‖H‖² %.4g, within-class %.3g, ‖w‖ %.3g to %.3g\n",
				t.Method.Title, t.Seed, r.Epoch, p.Epochs, r.TrainLoss, 100*r.ValidationAccuracy, r.FeatureNorm2, float64(r.WithinClass), r.PrototypeMin, r.PrototypeMax)
		}
		if live && time.Since(shown) > 100*time.Millisecond {
			shown = time.Now()
			clear()
			fmt.Fprintf(terminal, "%s, seed %d, epoch %d of %d, step %d of %d: loss %.4g, ‖H‖ %.4g, %.0f images/s, %v left",
				t.Method.Title, t.Seed, p.Epoch, p.Epochs, p.Step, p.Steps, p.Loss, p.FeatureNorm, p.ImagesPerSecond, p.Left.Round(time.Second))
		}
	}
	_, err := t.Run(ctx, backend, data)
	clear()
	return err
}

// openDataset opens a known data set or the user's own folder.
func openDataset(name string) (*datasets.Dataset, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return datasets.OpenFolder(name)
	}
	data, err := datasets.Open(name)
	if err != nil && !slices.Contains(datasets.Names(), name) {
		return nil, fmt.Errorf("%w, and there is no such folder", err)
	}
	return data, err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// command is how the program was called, for the provenance of what it writes.
func command() string {
	return strings.Join(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), " ")
}
