package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/unhinged-lab/lab/configs"
	"github.com/unhinged-lab/lab/internal/build"
	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/regular"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/paper/training"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
	"golang.org/x/term"
)

// trainOptions are the flags of `unhinged train`.
type trainOptions struct {
	vision.Config // as the flags have it
	config        string
	methods       []string
	seed          []int
	hidden        []int
	efr           float64
	records       int
	tune          bool
	out           string
	backend       string
}

func trainCommand() *cobra.Command {
	var o trainOptions
	var methods []string
	for _, m := range vision.Methods() {
		methods = append(methods, fmt.Sprintf("  %-10s %s", m.Name, m.Title))
	}
	c := &cobra.Command{
		Use:   "train",
		Short: "Train networks with the paper's methods on real data",
		Long: "Train networks with the paper's methods: all runs of a configuration file, or those that flags " +
			"describe. Flags given\nbeside a file change what it says.\n\nMethods:\n" +
			strings.Join(methods, "\n") + "\n\nConfigurations in this program (any other is a file's path):\n  " +
			strings.Join(configNames(), "\n  ") + `

Every run has its folder METHOD-seedS under --out (METHOD-efrλ-seedS if λ of EFR is not the method's own): a
checkpoint after every epoch, log.jsonl with what was measured, and outcome.json at its end. The figures of all
finished runs there are fig2.svg, fig12.svg (13 too), fig14.svg, fig19.svg and neural-collapse.svg, with JSON beside.
Ctrl-C saves a checkpoint; the same command goes on from there, and skips what is finished. Several processes with the
same --out share the runs: what one is training the others leave to it.`,
		Example: `  unhinged train --config small/cifar-10 --out results/training/cifar-10-small
  unhinged train --config paper/cifar-10 --method ce,pal --seed 1 --backend xla:cuda
  unhinged train --method pal --dataset fashion-mnist --seeds 3
  unhinged train --method ce,pal --model resnet20-16 --dataset cifar-10 --shift 4 --flip --epochs 30 --seeds 3`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := untilInterrupted(c, "the step, to save it", stopSignals()...)
			defer stop()
			return o.run(ctx, c.Flags().Changed, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "configuration file, or one of those above")
	f.StringSliceVar(&o.methods, "method", nil,
		"methods, separated by commas (default pal, or all in the configuration); one with a λ of its own, such as "+
			"ce-efr5e-06, by its folder's name")
	f.IntSliceVar(&o.seed, "seed", nil, "only the runs with these seeds")
	f.StringVar(&o.Dataset, "dataset", "fashion-mnist", strings.Join(datasets.Names(),
		", ")+", or a folder with four IDX files of MNIST's names")
	f.IntVar(&o.Size, "size", 0,
		"the data set is a folder of images in train/CLASS and val/CLASS, to be made so many pixels wide and high "+
			"(0: it is not)")
	f.IntVar(&o.Images, "images", 0,
		"train on so many images only, the first ones of every class in equal numbers (0: all)")
	f.StringVar(&o.Model, "model", "mlp-256-256",
		"network: mlp-WIDTH-WIDTH…, resnet8-WIDTH, and so resnet14, resnet20, resnet18, resnet34, resnet50")
	f.IntSliceVar(&o.hidden, "hidden", nil, "width of each hidden layer of a perceptron, short for --model mlp-…")
	f.IntVar(&o.Seeds, "seeds", 1, "number of runs of each method, with seeds 1, 2, …")
	f.IntVar(&o.Epochs, "epochs", 15, "passes over the training images")
	f.IntVar(&o.Batch, "batch", 256, "images a step")
	f.IntVar(&o.MicroBatches, "micro-batches", 1,
		"parts that a batch goes through the network in, for want of memory; batch normalisation sees each for itself")
	f.IntVar(&o.Devices, "devices", 1,
		"devices of the backend that share each batch; their number is in the results by rounding only")
	f.StringVar(&o.Precision, "precision", "float32",
		"type that the network computes in: float32 or bfloat16; variables and batch normalisation are float32")
	f.IntVar(&o.Augmentation.Shift, "shift", 0, "augmentation: random shift by up to so many pixels")
	f.BoolVar(&o.Augmentation.Flip, "flip", false, "augmentation: random horizontal flip")
	f.Float64Var(&o.LearningRate, "lr", 0.1, "learning rate at the start; it falls to 0 as a cosine does")
	f.Float64Var(&o.Momentum, "momentum", 0.9, "momentum")
	f.Float64Var(&o.WeightDecay, "weight-decay", 5e-4, "weight decay of all trainable variables")
	f.Float64Var(&o.efr, "efr", 0, "λ of the explicit feature regularisation, in place of each method's own")
	f.IntVar(&o.records, "records", 1, "measurements an epoch (ul: 20 unless given, or as many as there are steps)")
	f.IntVar(&o.Probe, "probe", 0, "training images whose features are measured (0: those of 10 batches)")
	f.BoolVar(&o.tune, "tune", false,
		fmt.Sprintf("choose each method's rate and weight decay, by the accuracy on %d training images that are "+
			"held out, "+
			"among %v of the given rate and %v of the given decay; writes tune.json", vision.TuneHeldOut,
			vision.TuneRates(), vision.TuneDecays()))
	f.StringVar(&o.out, "out", "", "folder of the results (default training/DATASET, or training/CONFIGURATION)")
	f.StringVar(&o.backend, "backend", "",
		"gomlx backend: go, xla:cpu, xla:cuda (default: XLA on the CPU if it is set up, else go)")
	return c
}

// settings are the configuration file's, changed by the flags that were given, or else the flags' alone.
func (o trainOptions) settings(changed func(flag string) bool) (vision.Config, error) {
	c := o.Config
	if o.hidden != nil {
		c.Model = "mlp-" + strings.Trim(strings.ReplaceAll(fmt.Sprint(o.hidden), " ", "-"), "[]")
	}
	if o.config == "" {
		if o.methods == nil {
			o.methods = []string{"pal"}
		}
		for _, name := range o.methods {
			m := vision.ConfigMethod{Name: name}
			if name == "ul" { // its story is told within an epoch
				m.RecordsPerEpoch = 20
			}
			c.Methods = append(c.Methods, m)
		}
	} else {
		file, err := readConfig(o.config)
		if err != nil {
			return c, err
		}
		given := c
		c = file
		for flag, change := range map[string]func(){
			"dataset":       func() { c.Dataset, c.Size = given.Dataset, given.Size },
			"size":          func() { c.Size = given.Size },
			"images":        func() { c.Images = given.Images },
			"model":         func() { c.Model = given.Model },
			"hidden":        func() { c.Model = given.Model },
			"seeds":         func() { c.Seeds = given.Seeds },
			"epochs":        func() { c.Epochs = given.Epochs },
			"batch":         func() { c.Batch = given.Batch },
			"micro-batches": func() { c.MicroBatches = given.MicroBatches },
			"devices":       func() { c.Devices = given.Devices },
			"precision":     func() { c.Precision = given.Precision },
			"shift":         func() { c.Augmentation.Shift = given.Augmentation.Shift },
			"flip":          func() { c.Augmentation.Flip = given.Augmentation.Flip },
			"lr":            func() { c.LearningRate = given.LearningRate },
			"momentum":      func() { c.Momentum = given.Momentum },
			"weight-decay":  func() { c.WeightDecay = given.WeightDecay },
			"probe":         func() { c.Probe = given.Probe },
		} {
			if changed(flag) {
				change()
			}
		}
		if c.Methods, err = chosen(c.Methods, o.methods); err != nil {
			return c, fmt.Errorf("%s: %w", o.config, err)
		}
	}
	for i := range c.Methods {
		if changed("efr") {
			c.Methods[i].EFR = &o.efr
		}
		if changed("records") {
			c.Methods[i].RecordsPerEpoch = o.records
		}
	}
	if o.config != "" && changed("efr") { // one λ in place of a method's several
		var names []string
		c.Methods = slices.DeleteFunc(c.Methods, func(m vision.ConfigMethod) bool {
			again := slices.Contains(names, m.Name)
			names = append(names, m.Name)
			return again
		})
	}
	return c, c.Check()
}

// chosen are the methods of these names, which are those of methods, with all their λ, or of one λ; nil is all.
func chosen(methods []vision.ConfigMethod, names []string) ([]vision.ConfigMethod, error) {
	if names == nil {
		return methods, nil
	}
	var list []vision.ConfigMethod
	found := map[string]bool{}
	for _, m := range methods {
		variant, err := m.Variant()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if found[name] = found[name] || name == m.Name || name == variant; name == m.Name || name == variant {
				list = append(list, m)
				break
			}
		}
	}
	for _, name := range names {
		if !found[name] {
			return nil, fmt.Errorf("--method %s: there is no such method", name)
		}
	}
	return list, nil
}

// readConfig reads a file, or one of those in the program.
func readConfig(name string) (vision.Config, error) {
	content, err := regular.ReadFile(name, 1<<20)
	if errors.Is(err, os.ErrNotExist) {
		own := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(name), "configs/"), ".json") + ".json"
		if content, err = configs.Files.ReadFile(own); err != nil {
			return vision.Config{},
				fmt.Errorf("--config %s: there is no such file, nor is it one of those in the program: %s", name,
					strings.Join(configNames(), ", "))
		}
	}
	if err != nil {
		return vision.Config{}, err
	}
	return vision.ParseConfig(name, content)
}

func configNames() []string {
	paths, err := fs.Glob(configs.Files, "*/*.json")
	if err != nil {
		panic(err)
	}
	for i := range paths {
		paths[i] = strings.TrimSuffix(paths[i], ".json")
	}
	return paths
}

// run does all runs, one after the other.
func (o trainOptions) run(ctx context.Context, changed func(flag string) bool, out, terminal io.Writer) error {
	c, err := o.settings(changed)
	if err != nil {
		return err
	}
	trainings := c.Trainings()
	if o.seed != nil {
		for _, seed := range o.seed {
			if seed < 1 || seed > c.Seeds {
				return fmt.Errorf("--seed %d: there are seeds 1 to %d; --seeds says how many", seed, c.Seeds)
			}
		}
		trainings = slices.DeleteFunc(trainings, func(t vision.Training) bool {
			return !slices.Contains(o.seed,
				int(t.Seed))
		})
	}
	var data *datasets.Dataset
	if c.Size > 0 {
		data, err = openImages(c.Dataset, c.Size)
	} else {
		data, err = openDataset(c.Dataset)
	}
	if err != nil {
		return err
	}
	if c.Images > 0 {
		if data.Train, err = data.Train.Evenly(c.Images, len(data.Classes)); err != nil {
			return fmt.Errorf("--images %d: %w", c.Images, err)
		}
	}
	if o.tune {
		if data, err = vision.TuneSplit(data); err != nil {
			return err
		}
		trainings = vision.Tuning(trainings)
	}
	if o.out == "" {
		o.out = filepath.Join("training", data.Name)
		if o.config != "" {
			o.out = filepath.Join("training", strings.TrimSuffix(filepath.Base(o.config), ".json"))
		}
		if o.tune {
			o.out += "-tune"
		}
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
	for i := range trainings {
		trainings[i].Provenance = result.Provenance{Command: command(), Commit: build.Commit()}
		trainings[i].Folder = filepath.Join(o.out, trainings[i].Name())
		// nobody asked for the 20 records of ul, and an epoch may have fewer steps
		if o.config == "" && !changed("records") {
			trainings[i].RecordsPerEpoch = min(trainings[i].RecordsPerEpoch, data.Train.Len()/c.Batch)
		}
	}
	for _, t := range trainings[:min(1, len(trainings))] { // all have one network
		if p, classes := t.Model.Dimension, len(data.Classes); p > 0 && p < classes-1 {
			fmt.Fprintf(terminal, "note: the %d features of %s hold no simplex ETF of %d classes (p ≥ C−1 is needed); "+
				"anchored prototypes are the best spread found instead\n", p, t.Model.Name, classes)
		}
	}
	var finished []string
	failed := 0
	var diverged *vision.Diverged
	var left []vision.Training
	for _, t := range trainings { // before any is trained: settings that are not those of a finished run are wrong now
		done, err := t.Finished(backend, data)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", t.Name(), err)
		case done == nil:
			left = append(left, t)
			continue
		case done.Diverged != nil && t.Method.Name != "ul":
			failed++
		}
		finished = append(finished, t.Name())
	}
	if finished != nil {
		fmt.Fprintf(out, "finished before, %d of %d runs: %s\n", len(finished), len(trainings), strings.Join(finished,
			", "))
	}
	elsewhere := 0
	for i, t := range left {
		err := trainOne(ctx, t, fmt.Sprintf("%d/%d", len(finished)+i+1, len(trainings)), backend, data, out, terminal)
		switch {
		case errors.As(err, &diverged):
			fmt.Fprintf(out, "%s: %v\n", t.Name(), diverged)
			if t.Method.Name != "ul" { // where it is what is to be seen
				failed++
			}
		case errors.Is(err, vision.ErrElsewhere):
			elsewhere++
			fmt.Fprintf(out, "%s: %v\n", t.Name(), err)
		case errors.Is(err, context.Canceled):
			return fmt.Errorf("%s: %w. Saved in %s: the same command goes on from there", t.Name(), err, t.Folder)
		case err != nil:
			return fmt.Errorf("%s: %w", t.Name(), err)
		}
	}
	if elsewhere == len(trainings) { // and none is finished: there may be nothing to draw
		return nil
	}
	if o.tune {
		return reportTuning(o.out, out)
	}
	if err := drawTraining(o.out, out); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("runs that diverged: %d", failed)
	}
	return nil
}

// reportTuning writes tune.json, what was tried and what is best for each method, and prints it.
func reportTuning(folder string, out io.Writer) error {
	outcomes, err := vision.ReadOutcomes(folder)
	if err != nil {
		return err
	}
	tried := vision.Tuned(outcomes)
	for _, t := range tried {
		mark := ""
		if t.Chosen {
			mark = "  <- chosen"
		}
		fmt.Fprintf(out, "%-14s learning rate %-8.4g weight decay %-8.3g %6.2f %%%s\n", t.Method, t.LearningRate,
			t.WeightDecay, t.Accuracy, mark)
	}
	content, err := json.MarshalIndent(tried, "", "  ")
	if err != nil {
		return err
	}
	return files.WriteBytes(filepath.Join(folder, "tune.json"), append(content, '\n'))
}

// drawTraining writes the figures of all finished runs in folder, as JSON and SVG, and says what became of their
// claims.
func drawTraining(folder string, out io.Writer) error {
	outcomes, err := vision.ReadOutcomes(folder)
	if err != nil {
		return err
	}
	said := map[string]bool{} // figures share claims
	for _, draw := range []func([]vision.Outcome) (result.Figure, error){training.Figure2, training.Figure12,
		training.Figure14, training.BlowUp, training.NeuralCollapse} {
		figure, err := draw(outcomes)
		if errors.Is(err, training.ErrNoRuns) {
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
			if said[c.Claim] {
				continue
			}
			said[c.Claim] = true
			spread := ""
			if t := float64(c.Tolerance); !math.IsNaN(t) { // one seed has none
				spread = fmt.Sprintf(" ± %.3g", t)
			}
			fmt.Fprintf(out, "  %-9s  %s: %.3g%s\n", c.Verdict, c.Claim, float64(c.Measured), spread)
		}
	}
	return nil
}

// trainOne does one run, number of all of them, and shows its progress: a line a record, and on a terminal a line that
// moves, otherwise one a minute.
func trainOne(ctx context.Context, t vision.Training, number string, backend compute.Backend, data *datasets.Dataset,
	out, terminal io.Writer) error {
	live := isTerminal(terminal)
	before, after, pause := "", "\n", time.Minute
	if live { // cut off at its right edge: the next line could not clear one that goes on below
		before, after, pause = "\r\033[K\033[?7l", "\033[?7h", 100*time.Millisecond
	}
	var shown time.Time
	show := func(line string) {
		shown = time.Now()
		fmt.Fprint(terminal, before, number, " ", t.Name(), line, after)
	}
	clear := func() {
		if live {
			fmt.Fprint(terminal, "\r\033[K")
		}
	}
	show(": building the network")
	t.Report = func(p vision.Progress) {
		pace := ""
		if p.ImagesPerSecond > 0 { // it is not known at the first step
			pace = fmt.Sprintf(", %.0f images/s, %v left", p.ImagesPerSecond, p.Left.Round(time.Second))
		}
		if r := p.Record; r != nil {
			clear()
			fmt.Fprintf(out,
				"%s, epoch %.3g of %d: train loss %.4g, validation accuracy %.2f %%, ‖H‖² %.4g, within-class %.3g, "+
					"‖w‖ %.3g to %.3g; run %s%s\n",
				t.Name(), r.Epoch, p.Epochs, r.TrainLoss, 100*r.ValidationAccuracy, r.FeatureNorm2,
				float64(r.WithinClass), r.PrototypeMin, r.PrototypeMax, number, pace)
			if !live { // the record shows enough for now
				shown = time.Now()
			}
		}
		if time.Since(shown) > pause {
			show(fmt.Sprintf(" %s epoch %d of %d%s, step %d of %d: loss %.4g, ‖H‖ %.4g", bar(p.Step, p.Steps), p.Epoch,
				p.Epochs, pace, p.Step, p.Steps, p.Loss, p.FeatureNorm))
		}
	}
	_, err := t.Run(ctx, backend, data)
	clear()
	return err
}

// bar is a progress bar of 20 characters.
func bar(done, all int64) string {
	full := int(20 * done / all)
	return strings.Repeat("█", full) + strings.Repeat("░", 20-full)
}

// openDataset opens a known data set or the user's own folder with IDX files.
func openDataset(name string) (*datasets.Dataset, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return datasets.OpenFolder(name, showBytes(os.Stderr))
	}
	data, err := datasets.Open(name, showBytes(os.Stderr))
	if err != nil && !slices.Contains(datasets.Names(), name) {
		return nil, fmt.Errorf("%w, and there is no such folder", err)
	}
	return data, err
}

// openImages opens a folder of images, which may lie where data sets are downloaded to.
func openImages(name string, size int) (*datasets.Dataset, error) {
	for _, folder := range []string{name, filepath.Join(datasets.Root(), name)} {
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			return datasets.OpenImageFolder(folder, size, showBytes(os.Stderr))
		}
	}
	return nil,
		fmt.Errorf("there is no folder of images %s, here or in %s; --dataset names one with train/CLASS and val/CLASS",
			name, datasets.Root())
}

// untilInterrupted is the command's context until one of the signals comes. Then, on a terminal, it says what is
// finished first, and the next such signal ends the program at once.
func untilInterrupted(c *cobra.Command, finishing string, signals ...os.Signal) (ctx context.Context, stop func()) {
	ctx, free := signal.NotifyContext(c.Context(), signals...)
	quiet := context.AfterFunc(ctx, func() {
		free()
		if isTerminal(c.ErrOrStderr()) {
			fmt.Fprintf(c.ErrOrStderr(), "\r\033[Kfinishing %s; Ctrl-C again ends it at once\n", finishing)
		}
	})
	return ctx, func() {
		quiet()
		free()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// command is how the program was called, for the provenance of what it writes, in a form that a shell takes.
func command() string {
	return shellLine(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...))
}

// shellLine quotes the words that a POSIX shell would not read as they are.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		plain := func(r rune) bool {
			return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./,:=+@%", r)
		}
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
