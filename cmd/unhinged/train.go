package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/unhinged-lab/lab/configs"
	"github.com/unhinged-lab/lab/internal/regular"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/vision"
	"golang.org/x/term"
)

// trainOptions are the flags of `unhinged train`.
type trainOptions struct {
	vision.Config // as given by the flags
	config        string
	methods       []string
	seed          []int
	hidden        []int
	efr           float64
	records       int
	imbalance     string
	known         string
	jobs          int
	task          string
	list          bool
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
		Long: "Train networks with the paper's methods. The runs are those of a configuration file, or those that " +
			"the flags\ndescribe. Flags override the settings of the file.\n\nMethods:\n" +
			strings.Join(methods, "\n") + "\n\nConfigurations in this program (any other is the path of a file):\n  " +
			strings.Join(configNames(), "\n  ") + `

Every run has a folder under --out: METHOD-seedS, or METHOD-efrλ-seedS if λ of EFR is not the method's default. The
folder has a checkpoint after every epoch, log.jsonl with the measurements, and outcome.json when the run is finished.
The command also draws the figures of all finished runs: fig2.svg, fig12.svg (for figure 13, too), fig14.svg, fig19.svg
and neural-collapse.svg, each with its JSON.

Ctrl-C saves a checkpoint. The same command then continues the run, and skips finished ones. Several processes with the
same --out, also on several machines, share the runs: a process claims a run, and the others leave it to that process.
The claim of a killed process expires after a minute, and on the same machine at once. With --task k/n a process begins
with its own share of the runs, then takes others that nobody has claimed, and ends when its own share is finished.`,
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
	o.flags(c)
	return c
}

// flags adds the flags to the command.
func (o *trainOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "configuration file, or one of those above")
	f.StringSliceVar(&o.methods, "method", nil,
		"methods, separated by commas (default pal, or all in the configuration); one with a λ of its own, such as "+
			"ce-efr5e-06, by its folder's name")
	f.IntSliceVar(&o.seed, "seed", nil, "only the runs with these seeds")
	f.StringVar(&o.Dataset, "dataset", "fashion-mnist", strings.Join(datasets.Names(),
		", ")+", or a folder with four IDX files of MNIST's names")
	f.IntVar(&o.Size, "size", 0,
		"width and height in pixels to which images are scaled, if the data set is a folder of images in train/CLASS "+
			"and val/CLASS (0: it is not)")
	f.IntVar(&o.Images, "images", 0,
		"number of training images: the first ones of every class, in equal numbers (0: all)")
	f.StringVar(&o.imbalance, "imbalance", "",
		"train on an imbalanced subset: "+datasets.LongTailed+":RATIO or "+datasets.Step+":RATIO")
	f.StringVar(&o.known, "known", "",
		"train and test on these classes only, such as 0,1,8,9; the others are out of distribution")
	f.StringVar(&o.Model, "model", "mlp-256-256",
		"network: mlp-WIDTH-WIDTH…, resnet8-WIDTH, and so resnet14, resnet20, resnet18, resnet34, resnet50, or "+
			"speed-WIDTH-WIDTH-WIDTH")
	f.IntSliceVar(&o.hidden, "hidden", nil, "width of each hidden layer of a perceptron, short for --model mlp-…")
	f.IntVar(&o.Seeds, "seeds", 1, "number of runs of each method, with seeds 1, 2, …")
	f.IntVar(&o.Epochs, "epochs", 15, "passes over the training images")
	f.IntVar(&o.Batch, "batch", 256, "images per step")
	f.IntVar(&o.MicroBatches, "micro-batches", 1,
		"number of parts into which a batch is divided to save memory; batch normalisation uses each part alone")
	f.IntVar(&o.Devices, "devices", 1,
		"number of the backend's devices that share each batch; the results depend on it by rounding only")
	f.StringVar(&o.Precision, "precision", "float32",
		"type that the network computes in: float32 or bfloat16; variables and batch normalisation are float32")
	f.IntVar(&o.Augmentation.Shift, "shift", 0, "augmentation: largest random shift, in pixels")
	f.BoolVar(&o.Augmentation.Flip, "flip", false, "augmentation: random horizontal flip")
	f.Float64Var(&o.LearningRate, "lr", 0.1,
		"highest learning rate; it falls to 0 by a cosine schedule, or by the schedule of the configuration")
	f.Float64Var(&o.Momentum, "momentum", 0.9, "momentum")
	f.Float64Var(&o.WeightDecay, "weight-decay", 5e-4, "weight decay of all trainable variables")
	f.Float64Var(&o.efr, "efr", 0, "λ of the explicit feature regularisation, instead of each method's default")
	f.IntVar(&o.records, "records", 1,
		"number of measurements per epoch (default of ul: 20, or the number of steps if that is smaller)")
	f.IntVar(&o.Probe, "probe", 0, "number of training images whose features are measured (0: those of 10 batches)")
	f.BoolVar(&o.tune, "tune", false,
		fmt.Sprintf("choose each method's learning rate and weight decay by the accuracy on %d held-out training "+
			"images: first the rate, among %v times the given one, then the decay, among %v times the given one; "+
			"write tune.json", vision.TuneHeldOut, vision.TuneRates(), vision.TuneDecays()))
	f.StringVar(&o.task, "task", "1/1",
		"k/n: begin with every n-th run from the k-th on, then take the remaining ones, and wait for the own runs")
	f.BoolVar(&o.list, "list", false, "print the runs, to whose share each belongs, and whether it is finished; "+
		"train nothing")
	f.IntVar(&o.jobs, "jobs", 1, "number of processes that share the runs, for example one per core")
	f.StringVar(&o.out, "out", "", "folder of the results (default training/DATASET, or training/CONFIGURATION)")
	f.StringVar(&o.backend, "backend", "",
		"gomlx backend: go, xla:cpu, xla:cuda (default: XLA on the CPU if it is set up, else go)")
}

// settings returns those of the configuration file, changed by the flags that were given. Without a file, it returns
// those of the flags.
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
			if name == "ul" { // its norms grow within an epoch
				m.RecordsPerEpoch = 20
			}
			c.Methods = append(c.Methods, m)
		}
	} else {
		file, err := readConfig(o.config)
		if err != nil {
			return c, err
		}
		c = overridden(file, c, changed)
		if c.Methods, err = chosen(c.Methods, o.methods); err != nil {
			return c, fmt.Errorf("%s: %w", o.config, err)
		}
	}
	if changed("imbalance") {
		kind, ratio, _ := strings.Cut(o.imbalance, ":")
		rho, err := strconv.ParseFloat(ratio, 64)
		if err != nil {
			return c, fmt.Errorf("--imbalance %s: it must be %s:RATIO or %s:RATIO, such as %[2]s:100", o.imbalance,
				datasets.LongTailed, datasets.Step)
		}
		c.Imbalance = datasets.Imbalance{Kind: kind, Ratio: rho}
	}
	if changed("known") {
		c.Known = datasets.Known(o.known)
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

// overridden returns the settings of a file after those flags that were given have changed them.
func overridden(c, given vision.Config, changed func(flag string) bool) vision.Config {
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
	return c
}

// chosen returns the methods with the given names. The name of a method means all its λ, and the name of a variant one
// λ. If names is nil, it returns all methods.
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
		if content, err = fs.ReadFile(configs.Files(), own); err != nil {
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
	paths, err := fs.Glob(configs.Files(), "*/*.json")
	if err != nil {
		panic(err)
	}
	for i := range paths {
		paths[i] = strings.TrimSuffix(paths[i], ".json")
	}
	return paths
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

// command returns the command line of this program, quoted for a shell, for the provenance of its results.
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
