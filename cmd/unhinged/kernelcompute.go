package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"

	"github.com/unhinged-lab/lab/internal/build"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/ntk/tiles"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// computeKernel computes the kernel of the flags in numbers of type T.
func computeKernel[T float32 | float64](ctx context.Context, o kernelOptions, out, terminal io.Writer) error {
	budget, err := parseBytes(o.memory)
	if err != nil {
		return fmt.Errorf("--memory %s: %w", o.memory, err)
	}
	var share tiles.Options
	if share.Worker, share.Workers, err = parseShare("worker", o.worker); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	network, err := ntk.Parse(o.network)
	if err != nil {
		return fmt.Errorf("--network: %w", err)
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(budget)) // garbage is collected before memory exceeds the budget
	x1, x2, err := readBoth[T](o, budget)
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

	k, second := o.describe(network, x1, x2)
	k.About["backend"] = backends.Name(backend)
	kind := infiniteKernel[T]
	if o.empirical != "" {
		kind = empiricalKernel[T]
	}
	f, plan, err := kind(o, &k, network, backend, x1.values, second, budget)
	if err != nil {
		return err
	}
	store, err := tiles.Prepare(o.out, k, f, plan.Inputs(x1.values, second))
	if err != nil {
		return err
	}

	if o.list {
		listTiles(store, share.Workers, out)
		return nil
	}
	fmt.Fprintf(terminal, "%s: %s of %d×%d examples in tiles of at most %d\n", o.out, strings.Join(k.Arrays, " and "),
		k.Rows, k.Cols, store.Side())
	return computeTiles(ctx, store, f, share, out, terminal)
}

// listTiles prints the tiles, to whose share each belongs, and whether it is done.
func listTiles(store *tiles.Store, workers int, out io.Writer) {
	for i, t := range store.List() {
		state := "missing"
		if t.Done {
			state = "done"
		}
		fmt.Fprintf(out, "%d of %d  tile %s  examples %v and %v  %s\n", i%workers+1, workers, t.Name, t.Rows, t.Cols,
			state)
	}
}

// computeTiles computes the tiles that are missing, and reports how many are left to other workers.
func computeTiles[T float32 | float64](ctx context.Context, store *tiles.Store, f tiles.Func[T], share tiles.Options,
	out, terminal io.Writer) error {
	show, end := showTiles(terminal)
	share.Progress = show
	err := tiles.Compute(ctx, store, f, share)
	end()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w; the same command goes on from there", err)
	}
	if err != nil {
		return err
	}
	missing := 0
	for _, name := range store.Kernel.Arrays {
		array, err := store.Array(name)
		if err != nil {
			return err
		}
		missing += len(array.Missing())
	}
	if missing > 0 {
		fmt.Fprintf(out, "%s: worker %d/%d is done; other workers are computing the last %d chunks\n", store.Dir,
			share.Worker, share.Workers, missing)
		return nil
	}
	fmt.Fprintf(out, "%s: complete; inspect it with `unhinged kernel inspect %[1]s`\n", store.Dir)
	return nil
}

// describe returns the kernel of the network between these examples, without what depends on its width. x2 may be nil;
// second is its tensor, or nil.
func (o kernelOptions) describe(network ntk.Network, x1, x2 *inputs) (k tiles.Kernel, second *tensors.Tensor) {
	if x2 != nil {
		second = x2.values
	}
	k = tiles.Kernel{
		Tile: o.tile, DType: tiles.Float32, Rows: x1.n, Cols: x1.n, Labels: x1.labels, Symmetric: x2 == nil,
		Identity: tiles.Identity(network, x1.values, second),
		About: map[string]string{
			"command": command(), "commit": build.Commit(), "go": runtime.Version(),
			"begun": time.Now().UTC().Format(time.RFC3339), "rows": x1.what,
		},
	}
	if o.dtype == "float64" {
		k.DType = tiles.Float64
	}
	if x2 != nil {
		k.Cols, k.ColsLabels, k.About["columns"] = x2.n, x2.labels, x2.what
	}
	return k, second
}

// check returns an error for flags that are not valid together.
func (o kernelOptions) check() error {
	switch {
	case o.tile < 0:
		return fmt.Errorf("--tile %d: want at least 1, or 0 for a size that fits", o.tile)
	case o.out == "":
		return errors.New("--out is missing: the folder that the kernel is written to")
	case o.dtype != "float32" && o.dtype != "float64":
		return fmt.Errorf("--dtype %s: want float32 or float64", o.dtype)
	case o.empirical == "" && (o.seed != 0 || o.standard):
		return errors.New("--seed and --standard are for a network of finite width: set --empirical, too")
	case !slices.Contains([]string{"", "full", "trace-sum", "trace-mean"}, o.empirical):
		return fmt.Errorf("--empirical %s: want full, trace-sum or trace-mean", o.empirical)
	case o.empirical != "" && o.kernel != "both":
		return fmt.Errorf("--kernel %s is for infinite, --empirical %s for finite width: set one of them", o.kernel,
			o.empirical)
	}
	return nil
}

// infiniteKernel sets the arrays and the identity of k, and returns the function that computes a tile and its memory
// plan.
func infiniteKernel[T float32 | float64](
	o kernelOptions, k *tiles.Kernel, network ntk.Network, backend compute.Backend, x1, x2 *tensors.Tensor,
	budget int64,
) (f tiles.Func[T], plan tiles.Plan, err error) {
	switch o.kernel {
	case "ntk", "nngp":
		k.Arrays = []string{o.kernel}
	case "both":
		k.Arrays = []string{tiles.NNGP, tiles.NTK}
	default:
		return nil, plan, fmt.Errorf("--kernel %s: want ntk, nngp or both", o.kernel)
	}
	k.Identity["width"] = "infinite"
	infinite := network.Infinite(backend)
	plan.Budget = budget
	plan.Pair, plan.Example, plan.Fixed, err = infinite.Memory(x1.Shape())
	if plan.Fixed > budget {
		return nil, plan,
			fmt.Errorf("--memory %s: the covariances of one pair of images take %s: want more memory, smaller "+
				"filters, or no pooling",
				o.memory, formatBytes(plan.Fixed))
	}
	return tiles.Infinite[T](infinite, x1, x2, k.Arrays...), plan, err
}

// empiricalKernel is infiniteKernel for a network of finite width. It draws the network's parameters, if they fit into
// the budget. Half of the remaining memory is for differentiation, or as much as one example takes.
func empiricalKernel[T float32 | float64](
	o kernelOptions, k *tiles.Kernel, network ntk.Network, backend compute.Backend, x1, x2 *tensors.Tensor,
	budget int64,
) (f tiles.Func[T], plan tiles.Plan, err error) {
	store := model.NewStore()
	store.RootScope().SetParam(initializer.ParamInitialSeed, o.seed)
	parameterization, name := ntk.NTKParameterization, "NTK"
	if o.standard {
		parameterization, name = ntk.StandardParameterization, "standard"
	}
	item := int64(x1.DType().Size())
	size, err := network.Size(x1.Shape())
	if err != nil {
		return nil, plan, fmt.Errorf("--network: %w", err)
	}
	if size.Parameters == 0 {
		return nil, plan,
			errors.New("--network: no parameters, and therefore no tangent kernel: add a dense or conv layer")
	}
	// There are two copies while parameters are drawn or a layer is transposed.
	parameters := 2 * float64(item) * float64(size.Parameters)
	check := func(derivatives float64) error {
		if all := parameters + derivatives; all > float64(budget) {
			return fmt.Errorf("--memory %s: the network has %.4g parameters; with the derivatives of one example "+
				"they take about %s: want a smaller network or more memory",
				o.memory, float64(size.Parameters), formatBytes(int64(min(all, math.MaxInt64/2))))
		}
		return nil
	}
	if err := check(float64(item) * float64(size.Example)); err != nil {
		return nil, plan, err
	}
	e := network.Empirical(backend, store.RootScope(), parameterization)
	kernel := map[string]func(x1, x2 *tensors.Tensor) (*tensors.Tensor, error){"full": e.Full, "trace-sum": e.TraceSum,
		"trace-mean": e.TraceMean}[o.empirical]
	f = tiles.Empirical[T](kernel, x1, x2)
	example, outputs, err := e.Memory(x1.Shape()) // this draws the parameters
	if err != nil {
		return nil, plan, err
	}
	if err := check(float64(example)); err != nil {
		return nil, plan, err
	}
	e.MemoryBudget = max(example, (budget-int64(parameters))/2)
	plan.Budget, plan.Fixed = budget, int64(parameters)+e.MemoryBudget
	plan.Pair = item
	if o.empirical == "full" {
		k.Outputs = outputs
		plan.Pair *= int64(outputs) * int64(outputs)
	}
	k.Arrays = []string{"empirical"}
	k.Identity["width"] = "finite"
	k.Identity["empirical"] = o.empirical
	k.Identity["parameterization"] = name
	k.Identity["seed"] = fmt.Sprint(o.seed)
	k.Identity["parameters"], err = parametersSum(store)
	return f, plan, err
}

// parametersSum returns the SHA-256 of the paths, shapes and values of a network's parameters.
func parametersSum(store *model.Store) (string, error) {
	sums := map[string]string{}
	for v := range store.IterVariables() {
		if !v.Trainable {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return "", err
		}
		sums[v.Scope()+"/"+v.Name()] = tiles.Sum(value)
	}
	hash := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintln(hash, path, sums[path])
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// showTiles shows progress: on a terminal in one line that is updated, otherwise with a new line from time to time.
func showTiles(terminal io.Writer) (show func(done, all int), end func()) {
	live := isTerminal(terminal)
	var begun, shown time.Time
	first := 0 // tiles that were there at the beginning
	show = func(done, all int) {
		if begun.IsZero() {
			begun, first = time.Now(), done
		}
		line := fmt.Sprintf("%d of %d tiles", done, all)
		if done > first {
			rate := float64(done-first) / time.Since(begun).Seconds()
			left := time.Duration(float64(all-done) / rate * float64(time.Second))
			line += fmt.Sprintf(", %.3g tiles/s, %v left", rate, left.Round(time.Second))
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
