package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unhinged-lab/lab/ntk/tiles"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

func kernelCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "kernel",
		Short: "Compute kernel matrices of networks of any size, and inspect them",
		Args:  cobra.NoArgs, // an unknown command is an error and does not print the help text
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(kernelComputeCommand(), kernelInspectCommand(), kernelTrainCommand())
	return c
}

// kernelOptions are the flags of `unhinged kernel compute`.
type kernelOptions struct {
	inputs    [2]string // .npy files of the rows' and the columns' examples
	data      string
	split     [2]string
	examples  [2]int
	normalize string
	network   string
	kernel    string
	empirical string
	seed      int64
	standard  bool
	dtype     string
	out       string
	memory    string
	tile      int
	worker    string
	list      bool
	backend   string
}

func kernelComputeCommand() *cobra.Command {
	var o kernelOptions
	c := &cobra.Command{
		Use:   "compute",
		Short: "Compute a kernel in tiles within a memory budget, or continue with one",
		Long: `Compute the NNGP and the neural tangent kernel of a network of infinite width. With --empirical, compute
the tangent kernel of a network of the given widths instead, whose parameters are drawn from --seed.

The command writes each tile to the folder --out when it is done. After Ctrl-C, a signal or a crash, the same command
continues with the missing tiles. Several processes, also on machines that share the folder, divide the work with
--worker 1/3, 2/3, 3/3. Each of them begins with its own share and then takes tiles of the others that nobody has
claimed. The claim of a killed process expires after a minute, and on the same machine at once.

The network is written as its layers, separated by spaces:
  dense:512,w=1.5,b=0.1   conv:64,3,stride=2,same   avgpool:2   gap (global average pool)   flatten   identity
  relu abs erf gelu sin leakyrelu:0.1 abrelu:-1,2   residual[ identity | relu conv:64,3,same ]
  and with --empirical also maxpool:2 and batchnorm.
w is σ_w (default 1), and b is σ_b (default 0). Images need flatten or gap before the first dense layer.

The examples come from .npy files, [N, features] or [N, height, width, channels] of float32, float64 or uint8, or from
a data set, whose pixels are divided by 255. --normalize unit scales each example to a mean square of 1. In a
parameterisation whose layers do not divide by the number of their inputs, this corresponds to a norm of 1.

The folder is a Zarr store, which Python can read, too: see go doc github.com/unhinged-lab/lab/ntk/tiles.`,
		Example: `  unhinged kernel compute --data fashion-mnist --examples 5000 \
      --network "flatten dense:512 relu dense:512 relu dense:10" --out kernels/fc3
  unhinged kernel compute --data fashion-mnist --examples 5000 --split2 test --examples2 1000 \
      --network "conv:64,3,same relu conv:64,3,same relu flatten dense:10" --out kernels/cnn-train-test
  unhinged kernel compute --data mnist --examples 1000 \
      --network "flatten dense:256 relu dense:10" --empirical trace-mean --out kernels/finite
  unhinged kernel compute --inputs x.npy --network "dense:512,b=0.1 erf dense:1" --dtype float64 \
      --out kernels/mine --worker 2/4`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := untilInterrupted(c, "the tile", stopSignals()...)
			defer stop()
			if o.dtype == "float64" {
				return computeKernel[float64](ctx, o, c.OutOrStdout(), c.ErrOrStderr())
			}
			return computeKernel[float32](ctx, o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	o.bind(c.Flags())
	return c
}

// bind defines the flags.
func (o *kernelOptions) bind(f *pflag.FlagSet) {
	f.StringVar(&o.inputs[0], "inputs", "", "examples, .npy")
	f.StringVar(&o.inputs[1], "inputs2", "", "examples of the columns, .npy (default: those of the rows)")
	f.StringVar(&o.data, "data", "", strings.Join(datasets.Names(),
		", ")+", or a folder with four IDX files of MNIST's names, in place of --inputs")
	f.StringVar(&o.split[0], "split", "train", "part of the data set: train or test")
	f.IntVar(&o.examples[0], "examples", 0, "number of examples, spread over the classes (0: all)")
	f.StringVar(&o.split[1], "split2", "", "part of the data set for the columns (default: the examples of the rows)")
	f.IntVar(&o.examples[1], "examples2", 0, "number of examples for the columns (0: all)")
	f.StringVar(&o.normalize, "normalize", "", "unit or none (default: unit for data sets, none for .npy)")
	f.StringVar(&o.network, "network", "", "layers of the network")
	f.StringVar(&o.kernel, "kernel", "both", "ntk, nngp or both")
	f.StringVar(&o.empirical, "empirical", "",
		"full, trace-sum or trace-mean: the tangent kernel of a network of the given widths instead of infinite width")
	f.Int64Var(&o.seed, "seed", 0, "seed of the parameters of the network of finite width")
	f.BoolVar(&o.standard, "standard", false,
		"the network of finite width has the standard and not the NTK parameterisation")
	f.StringVar(&o.dtype, "dtype", "float32", "float32 or float64")
	f.StringVar(&o.out, "out", "", "folder of the kernel")
	f.StringVar(&o.memory, "memory", "1GiB",
		"memory for the examples, the tiles and a finite network's parameters; the program itself needs more")
	f.IntVar(&o.tile, "tile", 0,
		"largest number of examples along a side of a tile (default: what fits the memory and takes about ten seconds)")
	f.StringVar(&o.worker, "worker", "1/1",
		"k/n: begin with every n-th tile from the k-th on, then take the remaining ones")
	f.BoolVar(&o.list, "list", false, "print the tiles, to whose share each belongs, and whether it is done; "+
		"compute nothing")
	f.StringVar(&o.backend, "backend", "",
		"gomlx backend: go, xla:cpu, xla:cuda (default: XLA on the CPU if it is set up, else go)")
}

func kernelInspectCommand() *cobra.Command {
	var spectrum bool
	var steps int
	c := &cobra.Command{
		Use:   "inspect DIR",
		Short: "Describe the kernel in a folder: provenance, missing tiles, entries, eigenvalues",
		Long: `Describe the kernel in a folder: its provenance and its missing tiles. For a complete kernel the command
also prints the range of the entries and, if the kernel is symmetric, the smallest and the largest eigenvalue. If
examples times outputs are at most 2,000, it computes all eigenvalues. Otherwise it computes the extreme ones by
Lanczos' method, with the residuals as error bounds. It reads all files and compares them with their checksums. It
returns an error if a file is damaged or if a kernel is not positive semi-definite.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			if steps < 1 || steps > 10_000 {
				return fmt.Errorf("--steps %d: want 1 to 10000", steps)
			}
			return inspectKernel(ctx, args[0], spectrum, steps, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().BoolVar(&spectrum, "spectrum", true, "compute the eigenvalues")
	c.Flags().IntVar(&steps, "steps", 200, "largest number of steps of Lanczos' method; each reads half of the kernel")
	return c
}

func inspectKernel(ctx context.Context, dir string, spectrum bool, steps int, out, terminal io.Writer) error {
	store, err := tiles.Open(dir)
	if err != nil {
		return err
	}
	k := store.Kernel
	for _, list := range []map[string]string{k.Identity, k.About} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			fmt.Fprintf(out, "%-16s %s\n", name, list[name])
		}
	}
	var wrong []error
	for _, name := range k.Arrays {
		problem, err := inspectArray(ctx, store, name, spectrum, steps, out, terminal)
		if err != nil {
			return err
		}
		if problem != nil {
			wrong = append(wrong, problem)
		}
	}
	return errors.Join(wrong...)
}

// inspectArray describes one array of a kernel. problem says what is wrong with the array.
func inspectArray(ctx context.Context, store *tiles.Store, name string, spectrum bool, steps int, out,
	terminal io.Writer) (problem, err error) {
	array, err := store.Array(name)
	if err != nil {
		return nil, err
	}
	kind := "between two sets of examples"
	if store.Kernel.Symmetric {
		kind = "symmetric"
	}
	missing := array.Missing()
	done, total := array.Chunks()
	fmt.Fprintf(out, "\n%-16s %v of %s, %s, in tiles of %v\n", name, array.Shape, array.DType, kind, array.Tile)
	if len(missing) > 0 {
		shown := missing[:min(10, len(missing))]
		fmt.Fprintf(out, "%16s %d of %d chunks; missing: %s", "", done, total, strings.Join(shown, " "))
		if len(missing) > len(shown) {
			fmt.Fprintf(out, " and %d more", len(missing)-len(shown))
		}
		fmt.Fprintln(out)
	}
	if err := array.Verify(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		fmt.Fprintf(out, "%16s DAMAGED: %v\n", "", err)
		return err, nil
	}
	if len(missing) > 0 {
		return nil, nil
	}
	low, high, err := array.Limits(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "%16s all %d chunks; entries from %.6g to %.6g\n", "", total, low, high)
	if !store.Kernel.Symmetric || !spectrum {
		return nil, nil
	}
	o := tiles.SpectrumOptions{Steps: steps}
	if isTerminal(terminal) {
		o.Progress = func(done, all int) {
			fmt.Fprintf(terminal, "\r\033[Keigenvalues: step %d of at most %d", done, all)
		}
	}
	found, err := array.Spectrum(ctx, o)
	if o.Progress != nil {
		fmt.Fprint(terminal, "\r\033[K")
	}
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "%16s %v\n", "", found)
	if !found.PositiveSemiDefinite() {
		problem = fmt.Errorf("%s of %s is not positive semi-definite: its smallest eigenvalue is %.6g", name,
			store.Dir, found.Smallest)
	}
	return problem, nil
}
