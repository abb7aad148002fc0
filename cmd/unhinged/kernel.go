package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/ntk/tiles"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/paper"
)

func kernelCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "kernel",
		Short: "Compute kernel matrices of networks, however large, and look at them",
	}
	c.AddCommand(kernelComputeCommand(), kernelInspectCommand())
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
	dtype     string
	out       string
	memory    string
	tile      int
	worker    string
	backend   string
}

func kernelComputeCommand() *cobra.Command {
	var o kernelOptions
	c := &cobra.Command{
		Use:   "compute",
		Short: "Compute a kernel in tiles under a memory budget, or go on with one",
		Long: `Compute the NNGP and the neural tangent kernel of a network of infinite width, in tiles that are written to the folder
--out as they are done. After Ctrl-C, or whatever else ended it, the same command goes on from there. Several processes, also
on machines that share the folder, divide the work with --worker 1/3, 2/3, 3/3.

The network is its layers with spaces between them:
  dense:512,w=1.5,b=0.1   conv:64,3,stride=2,same   avgpool:2   gap (global average pool)   flatten   identity
  relu abs erf gelu sin leakyrelu:0.1 abrelu:-1,2   residual[ identity | relu conv:64,3,same ]
w is σ_w (1), b is σ_b (0); residual adds its branches; images want flatten or gap before the first dense.

The examples are those of .npy files, [N, features] or [N, height, width, channels] of float32, float64 or uint8, or the
first ones of a data set, whose pixels are divided by 255. --normalize unit scales each example to mean square 1, which is norm
1 where layers do not divide by the number of their inputs.

The folder is a Zarr store that Python reads too: go doc github.com/unhinged-lab/lab/ntk/tiles.`,
		Example: `  unhinged kernel compute --data fashion-mnist --examples 5000 --network "flatten dense:512 relu dense:512 relu dense:10" --out kernels/fc3
  unhinged kernel compute --data fashion-mnist --split test --examples 1000 --split2 train --examples2 5000 \
      --network "conv:64,3,same relu conv:64,3,same relu flatten dense:10" --out kernels/cnn-test-train
  unhinged kernel compute --inputs x.npy --network "dense:512,b=0.1 erf dense:1" --dtype float64 --out kernels/mine --worker 2/4`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			defer context.AfterFunc(ctx, func() {
				stop() // a second Ctrl-C ends it at once
				fmt.Fprintln(c.ErrOrStderr(), "finishing the tile")
			})()
			if o.dtype == "float64" {
				return computeKernel[float64](ctx, o, c.OutOrStdout(), c.ErrOrStderr())
			}
			return computeKernel[float32](ctx, o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.inputs[0], "inputs", "", "examples, .npy")
	f.StringVar(&o.inputs[1], "inputs2", "", "examples of the columns, .npy (default: those of the rows)")
	f.StringVar(&o.data, "data", "", strings.Join(datasets.Names(), ", ")+", or a folder with four IDX files of MNIST's names, in place of --inputs")
	f.StringVar(&o.split[0], "split", "train", "part of the data set: train or test")
	f.IntVar(&o.examples[0], "examples", 0, "the first so many examples (0: all)")
	f.StringVar(&o.split[1], "split2", "", "part of the data set for the columns (default: the examples of the rows)")
	f.IntVar(&o.examples[1], "examples2", 0, "the first so many examples for the columns (0: all)")
	f.StringVar(&o.normalize, "normalize", "", "unit or none (default: unit for data sets, none for .npy)")
	f.StringVar(&o.network, "network", "", "layers of the network")
	f.StringVar(&o.kernel, "kernel", "both", "ntk, nngp or both")
	f.StringVar(&o.dtype, "dtype", "float32", "float32 or float64")
	f.StringVar(&o.out, "out", "", "folder of the kernel")
	f.StringVar(&o.memory, "memory", "1GiB", "memory for examples and tiles; the program itself takes some more")
	f.IntVar(&o.tile, "tile", 0, "examples along the sides of a tile at most (default: what fits into the memory and takes about ten seconds)")
	f.StringVar(&o.worker, "worker", "1/1", "k/n: compute every n-th tile from the k-th on")
	f.StringVar(&o.backend, "backend", "", "gomlx backend: go, xla:cpu, xla:cuda (default: XLA on the CPU if it is set up, else go)")
	return c
}

// computeKernel computes what the flags say in numbers of type T.
func computeKernel[T float32 | float64](ctx context.Context, o kernelOptions, out, terminal io.Writer) error {
	budget, err := parseBytes(o.memory)
	if err != nil {
		return fmt.Errorf("--memory %s: %w", o.memory, err)
	}
	var share tiles.Options
	if share.Worker, share.Workers, err = parseWorker(o.worker); err != nil {
		return err
	}
	if o.tile < 0 {
		return fmt.Errorf("--tile %d: want at least 1, or 0 for a size that fits", o.tile)
	}
	if o.out == "" {
		return errors.New("--out is missing: the folder that the kernel is written to")
	}
	k := tiles.Kernel{DType: tiles.Float32}
	switch o.dtype {
	case "float32":
	case "float64":
		k.DType = tiles.Float64
	default:
		return fmt.Errorf("--dtype %s: want float32 or float64", o.dtype)
	}
	switch o.kernel {
	case "ntk", "nngp":
		k.Arrays = []string{o.kernel}
	case "both":
		k.Arrays = []string{tiles.NNGP, tiles.NTK}
	default:
		return fmt.Errorf("--kernel %s: want ntk, nngp or both", o.kernel)
	}
	network, err := ntk.Parse(o.network)
	if err != nil {
		return fmt.Errorf("--network: %w", err)
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(budget)) // garbage does not come on top of what is needed
	x1, x2, err := readBoth[T](o)
	if err != nil {
		return err
	}
	backend, note, err := backends.Open(o.backend)
	if err != nil {
		return err
	}
	defer backend.Finalize()
	if note != "" {
		fmt.Fprintln(terminal, note)
	}

	k.Rows, k.Labels = x1.n, x1.labels
	k.Identity = map[string]string{"network": network.String(), "width": "infinite", "inputs": x1.sum}
	k.About = map[string]string{
		"command": command(), "commit": paper.Commit(), "go": runtime.Version(), "backend": backends.Name(backend),
		"begun": time.Now().UTC().Format(time.RFC3339), "rows": x1.what,
	}
	k.Cols, k.Symmetric = x1.n, x2 == nil
	columns := x1
	if x2 != nil {
		columns = x2
		k.Cols, k.ColsLabels = x2.n, x2.labels
		k.Identity["inputs2"], k.About["columns"] = x2.sum, x2.what
	}
	infinite := network.Infinite(backend)
	var second *tensors.Tensor
	if x2 != nil {
		second = x2.values
	}
	f := tiles.Infinite[T](infinite, x1.values, second, k.Arrays...)

	// Beyond what Memory knows of: all inputs and those of the tile, the matrices that f returns and the transpose of one.
	pair, example, fixed, err := infinite.Memory(x1.values.Shape())
	if err != nil {
		return err
	}
	size := int64(x1.values.DType().Size())
	features := int64(x1.values.Shape().Size() / x1.n)
	pair += size * int64(len(k.Arrays)+1)
	example += size * features
	fixed += size * features * int64(x1.n)
	if x2 != nil {
		fixed += size * features * int64(x2.n)
	}
	most, err := tiles.Side(budget, pair, example, fixed, largestTile)
	if err != nil {
		return fmt.Errorf("--memory %s: %w", o.memory, err)
	}
	store, err := tiles.Open(o.out)
	switch {
	case err == nil:
		k.Tile = store.Kernel.Tile
	case o.tile > 0:
		k.Tile = o.tile
	default:
		if k.Tile, err = quickSide(f, most, x1.n, columns.n); err != nil {
			return err
		}
	}
	if store, err = tiles.Create(o.out, k); err != nil {
		return err
	}
	if side := store.Kernel.Tile; o.tile > 0 && side != o.tile {
		return fmt.Errorf("%s has tiles of %d, --tile says %d: leave the flag out to go on", o.out, side, o.tile)
	}
	array, err := store.Array(k.Arrays[0])
	if err != nil {
		return err
	}
	if side := max(array.Tile[0], array.Tile[1]); side > most {
		return fmt.Errorf("--memory %s holds tiles of %d examples, those of %s have %d: it takes about %s", o.memory, most, o.out, side,
			formatBytes(pair*int64(side)*int64(side)+2*example*int64(side)+fixed))
	}
	fmt.Fprintf(terminal, "%s: %s of %d×%d examples in tiles of %d×%d\n", o.out, strings.Join(k.Arrays, " and "), k.Rows, k.Cols, array.Tile[0], array.Tile[1])
	show, end := showTiles(terminal)
	share.Progress = show
	err = tiles.Compute(ctx, store, f, share)
	end()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w; the same command goes on from there", err)
	}
	if err != nil {
		return err
	}
	if done, total := array.Chunks(); done < total {
		fmt.Fprintf(out, "%s: worker %s is done; %d of %d chunks are missing, the other workers'\n", o.out, o.worker, total-done, total)
		return nil
	}
	fmt.Fprintf(out, "%s: complete; look at it with `unhinged kernel inspect %s`\n", o.out, o.out)
	return nil
}

// largestTile bounds tiles whatever the memory: 16 MiB of float32.
const largestTile = 2048

// quickTile is about how long a tile may take, since what is computed of one is lost at an interruption.
const quickTile = 10 * time.Second

// quickSide is the largest side, up to most, of tiles that take not much longer than quickTile, from the time of small ones.
func quickSide[T float32 | float64](f tiles.Func[T], most, rows, cols int) (int, error) {
	most = min(most, max(rows, cols))
	tile := func(side int) (tiles.Range, tiles.Range) { // away from the diagonal of a symmetric kernel if there is room
		return tiles.Range{From: 0, To: min(side, rows)}, tiles.Range{From: max(0, cols-side), To: cols}
	}
	if _, err := f(tile(1)); err != nil { // compiles what is to be compiled
		return 0, err
	}
	for side := 1; ; side *= 2 {
		if side >= most {
			return most, nil
		}
		start := time.Now()
		r, c := tile(side)
		if _, err := f(r, c); err != nil {
			return 0, err
		}
		if elapsed := time.Since(start); elapsed > quickTile/100 {
			pairs := float64(r.Len()) * float64(c.Len())
			return int(max(1, min(float64(most), math.Sqrt(pairs*float64(quickTile)/float64(elapsed))))), nil
		}
	}
}

// showTiles shows progress: on a terminal a line that moves, otherwise a line now and then.
func showTiles(terminal io.Writer) (show func(tiles.Progress), end func()) {
	live := isTerminal(terminal)
	var shown time.Time
	show = func(p tiles.Progress) {
		line := fmt.Sprintf("%d of %d tiles", p.Done, p.Total)
		if p.Rate > 0 {
			line += fmt.Sprintf(", %.3g tiles/s, %v left", p.Rate, p.Left.Round(time.Second))
		}
		switch {
		case live && time.Since(shown) > 100*time.Millisecond:
			fmt.Fprint(terminal, "\r\033[K", line)
		case !live && time.Since(shown) > 10*time.Second:
			fmt.Fprintln(terminal, line)
		default:
			return
		}
		shown = time.Now()
	}
	return show, func() {
		if live {
			fmt.Fprint(terminal, "\r\033[K")
		}
	}
}

func kernelInspectCommand() *cobra.Command {
	var spectrum bool
	var steps int
	c := &cobra.Command{
		Use:   "inspect DIR",
		Short: "Say what a kernel's folder holds: provenance, missing tiles, entries, eigenvalues",
		Long: `Say what a kernel's folder holds: what was computed by what, which tiles are missing, and of a complete kernel the range
of its entries and, if it is symmetric, its smallest and largest eigenvalue. Up to 2,000 examples times outputs all eigenvalues
are computed, beyond that the extreme ones by Lanczos' method, with the residuals as bounds.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			if steps < 1 {
				return fmt.Errorf("--steps %d: want at least 1", steps)
			}
			return inspectKernel(ctx, args[0], spectrum, steps, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().BoolVar(&spectrum, "spectrum", true, "compute the eigenvalues")
	c.Flags().IntVar(&steps, "steps", 200, "steps of Lanczos' method at most; each reads half of the kernel")
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
			fmt.Fprintf(out, "%-10s %s\n", name, list[name])
		}
	}
	for _, name := range k.Arrays {
		array, err := store.Array(name)
		if err != nil {
			return err
		}
		kind := "between two sets of examples"
		if k.Symmetric {
			kind = "symmetric"
		}
		missing := array.Missing()
		done, total := array.Chunks()
		fmt.Fprintf(out, "\n%-10s %v of %s, %s, in tiles of %v\n", name, array.Shape, array.DType, kind, array.Tile)
		if len(missing) > 0 {
			shown := missing[:min(10, len(missing))]
			fmt.Fprintf(out, "%10s %d of %d chunks; missing: %s", "", done, total, strings.Join(shown, " "))
			if len(missing) > len(shown) {
				fmt.Fprintf(out, " and %d more", len(missing)-len(shown))
			}
			fmt.Fprintln(out)
			continue
		}
		low, high, err := array.Limits(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%10s all %d chunks; entries from %.6g to %.6g\n", "", total, low, high)
		if !k.Symmetric || !spectrum {
			continue
		}
		o := tiles.SpectrumOptions{Steps: steps}
		if isTerminal(terminal) {
			o.Progress = func(step int) { fmt.Fprintf(terminal, "\r\033[Keigenvalues: step %d of at most %d", step, steps) }
		}
		found, err := array.Spectrum(ctx, o)
		if o.Progress != nil {
			fmt.Fprint(terminal, "\r\033[K")
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%10s %v\n", "", found)
	}
	return nil
}
