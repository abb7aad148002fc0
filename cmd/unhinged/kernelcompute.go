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
	"os"
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
	if err := o.check(); err != nil {
		return err
	}
	network, err := ntk.Parse(o.network)
	if err != nil {
		return fmt.Errorf("--network: %w", err)
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(budget)) // garbage does not come on top of what is needed
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

	k := tiles.Kernel{
		DType: tiles.Float32, Rows: x1.n, Cols: x1.n, Labels: x1.labels, Symmetric: x2 == nil,
		Identity: map[string]string{"network": network.String(), "inputs": x1.sum},
		About: map[string]string{
			"command": command(), "commit": build.Commit(), "go": runtime.Version(), "backend": backends.Name(backend),
			"begun": time.Now().UTC().Format(time.RFC3339), "rows": x1.what,
		},
	}
	if o.dtype == "float64" {
		k.DType = tiles.Float64
	}
	var second *tensors.Tensor
	if x2 != nil {
		second = x2.values
		k.Cols, k.ColsLabels = x2.n, x2.labels
		k.Identity["inputs2"], k.About["columns"] = x2.sum, x2.what
	}
	kind := infiniteKernel[T]
	if o.empirical != "" {
		kind = empiricalKernel[T]
	}
	f, need, err := kind(o, &k, network, backend, x1.values, second, budget)
	if err != nil {
		return err
	}
	size := int64(x1.values.DType().Size())
	features := int64(x1.values.Shape().Size() / x1.n)
	// the matrices of a tile, and the transpose of one
	need.pair += size * int64(max(1, k.Outputs*k.Outputs)*(len(k.Arrays)+1))
	need.example += size * features
	need.fixed += size * features * int64(k.Rows)
	if x2 != nil {
		need.fixed += size * features * int64(k.Cols)
	}
	store, side, err := openTiles(o, k, f, need, budget)
	if err != nil {
		return err
	}

	fmt.Fprintf(terminal, "%s: %s of %d×%d examples in tiles of at most %d\n", o.out, strings.Join(k.Arrays, " and "),
		k.Rows, k.Cols, side)
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
	missing := 0
	for _, name := range k.Arrays {
		array, err := store.Array(name)
		if err != nil {
			return err
		}
		missing += len(array.Missing())
	}
	if missing > 0 {
		fmt.Fprintf(out, "%s: worker %s is done; the other workers have %d chunks to write\n", o.out, o.worker, missing)
		return nil
	}
	fmt.Fprintf(out, "%s: complete; look at it with `unhinged kernel inspect %s`\n", o.out, o.out)
	return nil
}

// check refuses flags that have no meaning.
func (o kernelOptions) check() error {
	switch {
	case o.tile < 0:
		return fmt.Errorf("--tile %d: want at least 1, or 0 for a size that fits", o.tile)
	case o.out == "":
		return errors.New("--out is missing: the folder that the kernel is written to")
	case o.dtype != "float32" && o.dtype != "float64":
		return fmt.Errorf("--dtype %s: want float32 or float64", o.dtype)
	case o.empirical == "" && (o.seed != 0 || o.standard):
		return errors.New("--seed and --standard are of a network of finite width: they want --empirical")
	case !slices.Contains([]string{"", "full", "trace-sum", "trace-mean"}, o.empirical):
		return fmt.Errorf("--empirical %s: want full, trace-sum or trace-mean", o.empirical)
	case o.empirical != "" && o.kernel != "both":
		return fmt.Errorf("--kernel %s is of infinite width, --empirical %s of finite: want one of them", o.kernel,
			o.empirical)
	}
	return nil
}

// memory is what computing a tile takes: pair·N1·N2 + example·(N1 + N2) + fixed bytes.
type memory struct{ pair, example, fixed int64 }

func infiniteKernel[T float32 | float64](o kernelOptions, k *tiles.Kernel, network ntk.Network, backend compute.Backend,
	x1, x2 *tensors.Tensor, budget int64) (f tiles.Func[T], need memory, err error) {
	switch o.kernel {
	case "ntk", "nngp":
		k.Arrays = []string{o.kernel}
	case "both":
		k.Arrays = []string{tiles.NNGP, tiles.NTK}
	default:
		return nil, need, fmt.Errorf("--kernel %s: want ntk, nngp or both", o.kernel)
	}
	k.Identity["width"] = "infinite"
	infinite := network.Infinite(backend)
	need.pair, need.example, need.fixed, err = infinite.Memory(x1.Shape())
	if need.fixed > budget {
		return nil, need,
			fmt.Errorf("--memory %s: the covariances of one pair of images take %s: want more memory, smaller "+
				"filters, or no pooling",
				o.memory, formatBytes(need.fixed))
	}
	return tiles.Infinite[T](infinite, x1, x2, k.Arrays...), need, err
}

// empiricalKernel draws the network's parameters, if they fit into the budget. Differentiating gets half of what
// they leave, or what one example takes.
func empiricalKernel[T float32 | float64](o kernelOptions, k *tiles.Kernel, network ntk.Network,
	backend compute.Backend, x1, x2 *tensors.Tensor, budget int64) (f tiles.Func[T], need memory, err error) {
	store := model.NewStore()
	store.RootScope().SetParam(initializer.ParamInitialSeed, o.seed)
	parameterization, name := ntk.NTKParameterization, "NTK"
	if o.standard {
		parameterization, name = ntk.StandardParameterization, "standard"
	}
	item := int64(x1.DType().Size())
	size, err := network.Size(x1.Shape())
	if err != nil {
		return nil, need, fmt.Errorf("--network: %w", err)
	}
	if size.Parameters == 0 {
		return nil, need,
			errors.New("--network: it has no parameters, and so no tangent kernel: add a dense or conv layer")
	}
	// twice, as while they are drawn or a layer is transposed
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
		return nil, need, err
	}
	e := network.Empirical(backend, store.RootScope(), parameterization)
	kernel := map[string]func(x1, x2 *tensors.Tensor) (*tensors.Tensor, error){"full": e.Full, "trace-sum": e.TraceSum,
		"trace-mean": e.TraceMean}[o.empirical]
	f = tiles.Empirical[T](kernel, x1, x2)
	example, outputs, err := e.Memory(x1.Shape()) // draws the parameters
	if err != nil {
		return nil, need, err
	}
	if err := check(float64(example)); err != nil {
		return nil, need, err
	}
	e.MemoryBudget = max(example, (budget-int64(parameters))/2)
	need.fixed = int64(parameters) + e.MemoryBudget
	need.pair = item
	if o.empirical == "full" {
		k.Outputs = outputs
		need.pair *= int64(outputs) * int64(outputs)
	}
	k.Arrays = []string{"empirical"}
	k.Identity["width"] = "finite"
	k.Identity["empirical"] = o.empirical
	k.Identity["parameterization"] = name
	k.Identity["seed"] = fmt.Sprint(o.seed)
	k.Identity["parameters"], err = parametersSum[T](store)
	return f, need, err
}

// parametersSum is the SHA-256 of the paths, shapes and values of a network's parameters.
func parametersSum[T float32 | float64](store *model.Store) (string, error) {
	sums := map[string]string{}
	for v := range store.IterVariables() {
		if !v.Trainable {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return "", err
		}
		err = tensors.ConstFlatData(value, func(flat []T) {
			sums[v.Scope()+"/"+v.Name()] = sum(v.Shape().Dimensions,
				flat)
		})
		if err != nil {
			return "", err
		}
	}
	hash := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintln(hash, path, sums[path])
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// openTiles makes the folder or takes it up, with tiles that fit into the memory. side is that of the folder's tiles.
func openTiles[T float32 | float64](o kernelOptions, k tiles.Kernel, f tiles.Func[T], need memory,
	budget int64) (store *tiles.Store, side int, err error) {
	most, err := tiles.Side(budget, need.pair, need.example, need.fixed, largestTile)
	if err != nil {
		return nil, 0, fmt.Errorf("--memory %s: %w", o.memory, err)
	}
	all := max(k.Rows, k.Cols)
	tooSmall := func(whose string, side int) error {
		n := int64(side)
		return fmt.Errorf("--memory %s holds tiles of %d examples, %s have %d: it takes about %s", o.memory, most,
			whose, side,
			formatBytes(need.pair*n*n+2*need.example*n+need.fixed))
	}
	entries, _ := os.ReadDir(o.out)
	if len(entries) > 0 {
		if store, err = tiles.Open(o.out); err != nil {
			return nil, 0, fmt.Errorf("%w; or choose another --out", err)
		}
	}
	switch {
	case store != nil:
		k.Tile = store.Kernel.Tile
	case o.tile > 0:
		if k.Tile = min(o.tile, all); k.Tile > most {
			return nil, 0, tooSmall("with --tile they", k.Tile)
		}
	default:
		if k.Tile, err = quickSide(f, most, k.Rows, k.Cols); err != nil {
			return nil, 0, err
		}
	}
	if store, err = tiles.Create(o.out, k); err != nil {
		return nil, 0, err
	}
	if o.tile > 0 && min(store.Kernel.Tile, all) != min(o.tile, all) {
		return nil, 0, fmt.Errorf("%s has tiles of %d, --tile says %d: leave the flag out to go on", o.out,
			store.Kernel.Tile, o.tile)
	}
	array, err := store.Array(k.Arrays[0])
	if err != nil {
		return nil, 0, err
	}
	if side = max(array.Tile[0], array.Tile[1]); side > most {
		return nil, 0, tooSmall("those of "+o.out, side)
	}
	return store, side, nil
}

// largestTile bounds tiles whatever the memory: 16 MiB of float32.
const largestTile = 2048

// quickTile is about how long a tile may take, since what is computed of one is lost at an interruption.
const quickTile = 10 * time.Second

// quickSide is the largest side, up to most, of tiles that take not much longer than quickTile, from the time of small
// ones.
func quickSide[T float32 | float64](f tiles.Func[T], most, rows, cols int) (int, error) {
	most = min(most, max(rows, cols))
	tile := func(side int) (tiles.Range, tiles.Range) { // away from the diagonal of a symmetric kernel if there is room
		return tiles.Range{From: 0, To: min(side, rows)}, tiles.Range{From: max(0, cols-side), To: cols}
	}
	for side := 1; side < most; side *= 2 {
		r, c := tile(side)
		var elapsed time.Duration
		for range 2 { // the first time compiles, too
			start := time.Now()
			if _, err := f(r, c); err != nil {
				return 0, err
			}
			if elapsed = time.Since(start); elapsed < quickTile/100 {
				break
			}
		}
		if elapsed >= quickTile/100 {
			pairs := float64(r.Len()) * float64(c.Len())
			return int(max(1, min(float64(most), math.Sqrt(pairs*float64(quickTile)/float64(elapsed))))), nil
		}
	}
	return most, nil
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
