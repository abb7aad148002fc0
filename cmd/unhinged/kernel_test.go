package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/ntk/tiles"
	"github.com/unhinged-lab/lab/unhinged/npy"
)

// kernel runs `unhinged kernel` on the pure-Go backend.
func kernel(ctx context.Context, args ...string) (string, error) {
	if args[0] == "compute" {
		args = append(args, "--backend", "go")
	}
	return call(ctx, kernelCommand(), args...)
}

// readKernel reads the whole array from a folder.
func readKernel(t *testing.T, dir, name string) *mat.Dense {
	t.Helper()
	store, err := tiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	array, err := store.Array(name)
	if err != nil {
		t.Fatal(err)
	}
	dense, err := array.Dense()
	if err != nil {
		t.Fatal(err)
	}
	return dense
}

// ofTwenty returns the arguments that compute the kernel of 20 examples of the data set in tiles of 7.
func ofTwenty(data, dir string) []string {
	return []string{"compute", "--data", data, "--examples", "20", "--network", "flatten dense:4 dense:1", "--out",
		dir, "--tile", "7", "--dtype", "float64"}
}

// If images have mean square 1, the NNGP of a linear network is the mean product of the images, which is 1 on the
// diagonal, and its NTK with two layers is twice the NNGP.
func TestKernelOfADataSet(t *testing.T) {
	data, dir := smallData(t), filepath.Join(t.TempDir(), "kernel")
	printed, err := kernel(t.Context(), ofTwenty(data, dir)...)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(printed, "nngp and ntk of 20×20 examples in tiles of at most 7") || !strings.Contains(printed,
		dir+": complete") {
		t.Errorf("printed\n%s", printed)
	}
	opened, err := openDataset(data)
	if err != nil {
		t.Fatal(err)
	}
	nngp, ntk := readKernel(t, dir, "nngp"), readKernel(t, dir, "ntk")
	for i := range 20 {
		for j := range 20 {
			var xx, yy, xy float64
			for p := range 9 {
				x, y := float64(opened.Train.Pixels[i*9+p]), float64(opened.Train.Pixels[j*9+p])
				xx, yy, xy = xx+x*x, yy+y*y, xy+x*y
			}
			if want := xy / math.Sqrt(xx*yy); math.Abs(nngp.At(i, j)-want) > 1e-13 ||
				math.Abs(ntk.At(i, j)-2*want) > 1e-13 {
				t.Fatalf("kernels of examples %d and %d are %g and %g, want %g and twice that", i, j, nngp.At(i, j),
					ntk.At(i, j), want)
			}
		}
	}
	store, err := tiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := store.Labels()
	if err != nil || len(labels) != 20 || labels[4] != 1 {
		t.Errorf("labels %v, %v", labels, err)
	}
}

// TestKernelGoesOn checks that if a chunk is missing, inspect says so and the same command computes only this chunk. A
// command with other settings is refused.
func TestKernelGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kernel")
	args := ofTwenty(smallData(t), dir)
	if _, err := kernel(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
	ntk := readKernel(t, dir, "ntk")
	chunk := filepath.Join(dir, "ntk", "1.2")
	other := filepath.Join(dir, "ntk", "0.0")
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := errors.Join(os.Chtimes(other, old, old), os.Remove(chunk)); err != nil {
		t.Fatal(err)
	}
	printed, err := kernel(t.Context(), "inspect", dir)
	for _, want := range []string{
		"network          flatten dense:4 dense:1", "rows             rows, train, 20 examples, normalize unit",
		"ntk              [20 20] of <f8, symmetric, in tiles of [7 7]", "8 of 9 chunks; missing: 1.2\n",
		"nngp", "all 9 chunks; entries from 0.", " to 1\n", "all eigenvalues computed",
		"positive semi-definite to rounding",
	} {
		if err != nil || !strings.Contains(printed, want) {
			t.Errorf("error %v, printed without %q:\n%s", err, want, printed)
		}
	}
	if _, err := kernel(t.Context(), args[:len(args)-4]...); err == nil || !strings.Contains(err.Error(),
		"dtype is <f8 there and <f4 here") {
		t.Errorf("another dtype: %v", err)
	}
	if _, err := kernel(t.Context(), append(args, "--tile", "5")...); err == nil || !strings.Contains(err.Error(),
		"has tiles of 7 and not of 5") {
		t.Errorf("another tile: %v", err)
	}
	if _, err := kernel(t.Context(), append(args, "--normalize", "none")...); err == nil ||
		!strings.Contains(err.Error(), "holds another kernel: inputs is ") {
		t.Errorf("other inputs: %v", err)
	}
	if _, err := kernel(t.Context(), append(args, "--tile", "0")...); err != nil { // the tiles of the folder are used
		t.Error(err)
	}
	info, err := os.Stat(other)
	if err != nil || !info.ModTime().Equal(old) {
		t.Errorf("a tile that was there was written again, %v", err)
	}
	if again := readKernel(t, dir, "ntk"); !mat.Equal(again, ntk) {
		t.Error("not the same after it was completed")
	}
}

func TestKernelBetweenTrainAndTest(t *testing.T) {
	data, dir := smallData(t), filepath.Join(t.TempDir(), "kernel")
	if _, err := kernel(t.Context(), "compute", "--data", data, "--examples", "50", "--split2", "test",
		"--network", "conv:3,2 relu flatten dense:1", "--kernel", "ntk", "--out", dir); err != nil {
		t.Fatal(err)
	}
	if rows, cols := readKernel(t, dir, "ntk").Dims(); rows != 50 || cols != 20 {
		t.Errorf("%d×%d", rows, cols)
	}
	store, err := tiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	rows, err1 := store.Labels()
	cols, err2 := store.ColsLabels()
	if err := errors.Join(err1, err2); err != nil || len(rows) != 50 || len(cols) != 20 {
		t.Errorf("%d and %d labels, %v", len(rows), len(cols), err)
	}
	printed, err := kernel(t.Context(), "inspect", dir)
	if err != nil || !strings.Contains(printed, "between two sets of examples") || strings.Contains(printed,
		"eigenvalues") {
		t.Errorf("error %v, printed\n%s", err, printed)
	}
}

// randomInputs writes 30 random examples of 6 features to a file. It returns the file, the examples, and the arguments
// that compute their kernel into a folder.
func randomInputs(t *testing.T) (path string, x *mat.Dense, with func(dir string, more ...string) []string) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	x = mat.NewDense(30, 6, nil)
	for i := range 30 {
		for j := range 6 {
			x.Set(i, j, random.NormFloat64())
		}
	}
	path = filepath.Join(t.TempDir(), "x.npy")
	if err := npy.WriteMatrix(path, x); err != nil {
		t.Fatal(err)
	}
	return path, x, func(dir string, more ...string) []string {
		return append([]string{"compute", "--inputs", path, "--network", "dense:8,b=0.5 erf dense:1", "--dtype",
			"float64", "--out", dir}, more...)
	}
}

// wantSameKernels checks that two folders have the same kernels, up to rounding.
func wantSameKernels(t *testing.T, dir, whole string) {
	t.Helper()
	for _, name := range []string{"nngp", "ntk"} {
		if !mat.EqualApprox(readKernel(t, dir, name), readKernel(t, whole, name), 1e-13) {
			t.Errorf("%s of %s differs", name, dir)
		}
	}
}

// TestKernelWorkers checks that an interrupted worker says how to go on, and that a worker that has finished its own
// share computes the shares of the others.
func TestKernelWorkers(t *testing.T) {
	folder := t.TempDir()
	_, _, with := randomInputs(t)
	whole, shared := filepath.Join(folder, "whole"), filepath.Join(folder, "shared")
	if _, err := kernel(t.Context(), with(whole)...); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := kernel(cancelled, with(shared, "--worker", "2/2", "--tile", "6")...); !errors.Is(err,
		context.Canceled) ||
		!strings.Contains(err.Error(), "with 0 of 7 tiles done; the same command goes on from there") {
		t.Errorf("cancelled: %v", err)
	}
	printed, err := kernel(t.Context(), with(shared, "--worker", "2/2", "--list")...)
	if err != nil || !strings.Contains(printed, "1 of 2  tile 0.0  examples 0…5 and 0…5  missing\n") ||
		strings.Count(printed, "missing\n") != 15 {
		t.Errorf("error %v, printed\n%s", err, printed)
	}
	printed, err = kernel(t.Context(), with(shared, "--worker", "2/2")...)
	if err != nil || !strings.Contains(printed, "complete") {
		t.Errorf("error %v, printed\n%s", err, printed)
	}
	wantSameKernels(t, shared, whole)
}

// TestKernelMemory checks that --memory bounds the tiles, and that a folder whose tiles need more memory is refused.
func TestKernelMemory(t *testing.T) {
	folder := t.TempDir()
	_, _, with := randomInputs(t)
	whole, small := filepath.Join(folder, "whole"), filepath.Join(folder, "small")
	if _, err := kernel(t.Context(), with(whole)...); err != nil {
		t.Fatal(err)
	}
	if printed, err := kernel(t.Context(), with(small, "--memory", "12kB")...); err != nil ||
		!strings.Contains(printed, "30×30 examples in tiles of") {
		t.Errorf("error %v, printed\n%s", err, printed)
	}
	store, err := tiles.Open(small)
	if err != nil {
		t.Fatal(err)
	}
	if side := store.Kernel.Tile; side < 2 || side > 15 {
		t.Errorf("tiles of %d examples in 12 kB, 30 examples of 6 features being 1.4 kB", side)
	}
	if _, err := kernel(t.Context(), with(small, "--memory", "4kB")...); err == nil || !strings.Contains(err.Error(),
		"holds tiles of") || !strings.Contains(err.Error(), "it takes about") {
		t.Errorf("less memory than its tiles take: %v", err)
	}
	wantSameKernels(t, small, whole)
}

// TestKernelInputs checks that a folder is refused after its inputs have changed, and that a NaN is refused.
func TestKernelInputs(t *testing.T) {
	folder := t.TempDir()
	path, x, with := randomInputs(t)
	whole := filepath.Join(folder, "whole")
	if _, err := kernel(t.Context(), with(whole)...); err != nil {
		t.Fatal(err)
	}
	x.Set(17, 3, 7)
	if err := npy.WriteMatrix(path, x); err != nil {
		t.Fatal(err)
	}
	if _, err := kernel(t.Context(), with(whole)...); err == nil || !strings.Contains(err.Error(),
		"holds another kernel: inputs is ") {
		t.Errorf("changed inputs: %v", err)
	}
	x.Set(17, 3, math.NaN())
	if err := npy.WriteMatrix(path, x); err != nil {
		t.Fatal(err)
	}
	if _, err := kernel(t.Context(), with(filepath.Join(folder, "nan"))...); err == nil ||
		!strings.Contains(err.Error(), "x.npy: example 17 (from 0) has NaN as its number 3") {
		t.Errorf("NaN: %v", err)
	}
}

// A calculation of a finite network's kernel is resumed only with the same parameters.
func TestKernelOfAFiniteNetwork(t *testing.T) {
	data, folder := smallData(t), t.TempDir()
	common := []string{"compute", "--data", data, "--examples", "7", "--network", "flatten dense:5 relu dense:3",
		"--dtype", "float64", "--tile", "3", "--seed", "4"}
	with := func(dir string, more ...string) []string {
		return append(append(common[:len(common):len(common)], "--out", filepath.Join(folder, dir)), more...)
	}
	for _, args := range [][]string{with("full", "--empirical", "full"), with("sum", "--empirical", "trace-sum"),
		with("mean", "--empirical", "trace-mean")} {
		if _, err := kernel(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	full, sum, mean := readKernel(t, filepath.Join(folder, "full"), "empirical"), readKernel(t, filepath.Join(folder,
		"sum"), "empirical"), readKernel(t, filepath.Join(folder, "mean"), "empirical")
	if n, _ := full.Dims(); n != 21 {
		t.Fatalf("full kernel of 7 examples and 3 outputs has %d rows", n)
	}
	for i := range 7 {
		for j := range 7 {
			trace := full.At(3*i, 3*j) + full.At(3*i+1, 3*j+1) + full.At(3*i+2, 3*j+2)
			if math.Abs(sum.At(i, j)-trace) > 1e-12*math.Abs(trace) ||
				math.Abs(mean.At(i, j)-trace/3) > 1e-12*math.Abs(trace) {
				t.Errorf("examples %d and %d: sum %g, mean %g, the full kernel's trace is %g", i, j, sum.At(i, j),
					mean.At(i, j), trace)
			}
		}
	}
	for want, args := range map[string][]string{
		"seed is 4 there and 5 here":                             {"--empirical", "full", "--seed", "5"},
		"parameterization is NTK there and standard here":        {"--empirical", "full", "--standard"},
		"empirical is full there and trace-sum here":             {"--empirical", "trace-sum"},
		"set --empirical, too":                                   {},
		"--empirical trace: want full, trace-sum or":             {"--empirical", "trace"},
		"--kernel ntk is for infinite, --empirical full for fin": {"--empirical", "full", "--kernel", "ntk"},
	} {
		if _, err := kernel(t.Context(), with("full", args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", args, err, want)
		}
	}
	printed, err := kernel(t.Context(), "inspect", filepath.Join(folder, "full"))
	for _, want := range []string{"width            finite", "seed             4",
		"empirical        [7 7 3 3] of <f8, symmetric, in tiles of [3 3 3 3]", "all 9 chunks",
		"positive semi-definite to rounding"} {
		if err != nil || !strings.Contains(printed, want) {
			t.Errorf("error %v, printed without %q:\n%s", err, want, printed)
		}
	}
}

func TestKernelRefuses(t *testing.T) {
	folder := t.TempDir()
	data, path, zero := smallData(t), filepath.Join(folder, "x.npy"), filepath.Join(folder, "zero.npy")
	vector, wide := filepath.Join(folder, "vector.npy"), filepath.Join(folder, "wide.npy")
	if err := errors.Join(npy.WriteMatrix(wide, mat.NewDense(2, 4, nil)), npy.WriteMatrix(path, mat.NewDense(2, 3,
		[]float64{1, 2, 3, 4, 5, 6})), npy.WriteMatrix(zero, mat.NewDense(2, 3, nil)), npy.WriteVector(vector,
		[]float64{1})); err != nil {
		t.Fatal(err)
	}
	for message, args := range map[string][]string{
		"set either --inputs x.npy or --data NAME":    {},
		"set either --inputs":                         {"--inputs", path, "--data", data},
		"--inputs2 goes with --inputs":                {"--data", data, "--inputs2", path},
		"x.npy has examples of shape [3]":             {"--inputs", path, "--inputs2", wide},
		"--split goes with --data":                    {"--inputs", path, "--split", "test"},
		"--split2 goes with --data":                   {"--inputs", path, "--split2", "test"},
		"--examples2 is for the columns":              {"--inputs", path, "--examples2", "1"},
		"--examples -1":                               {"--inputs", path, "--examples", "-1"},
		"has 2 examples, 3 are asked for":             {"--inputs", path, "--examples", "3"},
		"train has 60 examples, 61 are asked for":     {"--data", data, "--examples", "61"},
		"--split all: want train or test":             {"--data", data, "--split", "all"},
		"--normalize max: want unit or none":          {"--inputs", path, "--normalize", "max"},
		"example 0 has squares of sum 0":              {"--inputs", zero, "--normalize", "unit"},
		"shape [1]: want [examples, features]":        {"--inputs", vector},
		"no such file":                                {"--inputs", filepath.Join(folder, "y.npy")},
		"no data set is called \"imagenet\"":          {"--data", "imagenet"},
		"--kernel nt: want ntk, nngp or both":         {"--inputs", path, "--kernel", "nt"},
		"--dtype float16: want float32 or float64":    {"--inputs", path, "--dtype", "float16"},
		"--memory much: want a number of bytes":       {"--inputs", path, "--memory", "much"},
		"a memory budget of 30 bytes is too small":    {"--inputs", path, "--memory", "30B"},
		"--worker 3/2: want k/n":                      {"--inputs", path, "--worker", "3/2"},
		"--worker 3: want k/n":                        {"--inputs", path, "--worker", "3"},
		"--tile -1":                                   {"--inputs", path, "--tile", "-1"},
		"--out is missing":                            {"--inputs", path, "--out", ""},
		"--network: ntk: network \"dens:4\"":          {"--inputs", path, "--network", "dens:4"},
		"relu at layer0 has no infinite-width kernel": {"--inputs", path, "--network", "relu dense:4"},
		"takes images":                                {"--inputs", path, "--network", "conv:4,3 flatten"},
		"is not a kernel's folder":                    {"--inputs", path, "--out", folder},
	} {
		all := append([]string{"compute", "--network", "dense:4", "--out", filepath.Join(folder, "kernel")}, args...)
		if printed, err := kernel(t.Context(), all...); err == nil || !strings.Contains(err.Error(), message) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: error %v, should be one line that says %q; printed %q", args, err, message, printed)
		}
	}
	if _, err := kernel(t.Context(), "inspect", folder); err == nil || !strings.Contains(err.Error(),
		"is not a kernel's folder: it has no .zattrs") {
		t.Errorf("inspect: %v", err)
	}
	if _, err := kernel(t.Context(), "inspect", filepath.Join(folder, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("inspect no folder: %v", err)
	}
	if _, err := kernel(t.Context(), "inspct"); err == nil || !strings.Contains(err.Error(),
		"unknown command \"inspct\"") {
		t.Errorf("no such command: %v", err)
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]int64{"1GiB": 1 << 30, "1.5 KiB": 1536, "500MB": 500_000_000, "7": 7, "7B": 7,
		"2kB": 2000} {
		if got, err := parseBytes(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1GiB", "0", "1e30", "nan", "1 GB GB", "0x"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
	for n, want := range map[int64]string{5: "5B", 1536: "1.5KiB", 3 << 30: "3GiB"} {
		if got := formatBytes(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	if got := fmt.Sprint(parseBytes("0.5B")); !strings.Contains(got, "want a number of bytes") {
		t.Error(got)
	}
}

// The kernel of a finite network does not depend on how its examples are divided, also with tiles of one example and
// little memory.
func TestKernelOfAFiniteNetworkInPieces(t *testing.T) {
	folder := t.TempDir()
	random := rand.New(rand.NewPCG(3, 4))
	values := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = random.NormFloat64()
		}
		return x
	}
	vectors, images := filepath.Join(folder, "vectors.npy"), filepath.Join(folder, "images.npy")
	if err := errors.Join(npy.WriteMatrix(vectors, mat.NewDense(7, 5, values(35))), writeImages(images, "(4, 8, 8, 3)",
		values(4*8*8*3))); err != nil {
		t.Fatal(err)
	}
	for path, network := range map[string]string{
		vectors: "dense:32,b=0.3 relu dense:32,w=1.4 relu dense:10",
		images: "conv:6,3,same relu avgpool:2 conv:8,3,same relu avgpool:2 flatten dense:32 relu dense:32 relu " +
			"dense:10",
	} {
		for _, form := range []string{"trace-mean", "trace-sum", "full"} {
			var whole *mat.Dense
			for name, more := range map[string][]string{"one": {"--memory", "1GiB", "--tile", "8"}, "tiles": {"--tile",
				"1"}, "little memory": {"--memory", "600kB"}} {
				dir := filepath.Join(folder, filepath.Base(path)+form+name)
				args := append([]string{"compute", "--inputs", path, "--network", network, "--empirical", form,
					"--dtype", "float64", "--out", dir}, more...)
				if _, err := kernel(t.Context(), args...); err != nil {
					t.Fatal(err)
				}
				got := readKernel(t, dir, "empirical")
				if whole == nil {
					whole = got
				}
				if !mat.EqualApprox(got, whole, 1e-12*mat.Max(whole)) {
					t.Errorf("%s of %s differs with %v", form, network, more)
				}
			}
		}
	}
}

// writeImages writes a .npy file with more axes than package npy can write.
func writeImages(path, shape string, values []float64) error {
	header := "{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + ", }\n"
	content := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	content, err := binary.Append(append(content, header...), binary.LittleEndian, values)
	return errors.Join(err, os.WriteFile(path, content, 0o644))
}

// A damaged kernel, or one that is not positive semi-definite, is an error of inspect. It is also an error of compute
// if compute would resume from it.
func TestKernelInspectFails(t *testing.T) {
	data, dir := smallData(t), filepath.Join(t.TempDir(), "kernel")
	compute := []string{"compute", "--data", data, "--examples", "20", "--network", "flatten dense:4 relu dense:1",
		"--out", dir, "--tile", "5"}
	if _, err := kernel(t.Context(), compute...); err != nil {
		t.Fatal(err)
	}
	inspect := func(want string) {
		t.Helper()
		printed, err := kernel(t.Context(), "inspect", dir)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("error %v, want %q; printed\n%s", err, want, printed)
		}
	}
	inspect("")
	tile := filepath.Join(dir, "ntk", "3.0") // a tile below the diagonal
	file, err := os.OpenFile(tile, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := file.WriteAt([]byte{0xff, 0xff, 0x7f, 0x7f}, 40)
	if err := errors.Join(err1, file.Close()); err != nil {
		t.Fatal(err)
	}
	inspect("ntk/3.0 is damaged")
	if _, err := kernel(t.Context(), compute...); err == nil || !strings.Contains(err.Error(),
		"ntk/3.0 is damaged: it is not what ") || !strings.Contains(err.Error(), "remove it and compute") {
		t.Errorf("computed again: error %v", err)
	}
	if err := os.Remove(tile); err != nil {
		t.Fatal(err)
	}
	inspect("")
	if _, err := kernel(t.Context(), compute...); err != nil {
		t.Error(err)
	}
	inspect("")

	dir = filepath.Join(t.TempDir(), "indefinite")
	store, err := tiles.Create(dir, tiles.Kernel{Arrays: []string{"k"}, DType: tiles.Float64, Rows: 2, Cols: 2, Tile: 2,
		Symmetric: true})
	if err != nil {
		t.Fatal(err)
	}
	indefinite := func(tiles.Range, tiles.Range) ([][]float64, error) { return [][]float64{{1, 2, 2, 1}}, nil }
	if err := tiles.Compute(t.Context(), store, indefinite, tiles.Options{}); err != nil {
		t.Fatal(err)
	}
	inspect("is not positive semi-definite: its smallest eigenvalue is -1")
}

// An absurd value or a file that does not exist gives an error of one line, at once and with little memory, and leaves
// no folder behind.
func TestKernelRefusesTheAbsurd(t *testing.T) {
	folder := t.TempDir()
	vectors, images, pipe := filepath.Join(folder, "vectors.npy"), filepath.Join(folder, "images.npy"),
		filepath.Join(folder, "pipe.npy")
	err := errors.Join(npy.WriteMatrix(vectors, mat.NewDense(7, 4, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5,
		6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1})),
		writeImages(images, "(1, 32, 32, 3)", make([]float64, 32*32*3)), syscall.Mkfifo(pipe, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	finite := []string{"--empirical", "trace-sum"}
	for _, test := range []struct {
		message, inputs, network string
		more                     []string
	}{
		{"the network has 5e+09 parameters", vectors, "dense:1000000000 relu dense:1", finite},
		{"the network has 3.6e+09 parameters", vectors, "dense:60000 relu dense:60000 dense:1", finite},
		{"the network has 4e+05 parameters; with the derivatives", vectors, "dense:100000", []string{"--empirical",
			"full"}},
		{"parameters; with the derivatives", images, "conv:2000000000,3,same gap dense:1", finite},
		{"flatten takes images of fewer than", images, "conv:2000000000,3 flatten", finite},
		{"no parameters, and therefore", vectors, "relu", finite},
		{"parameters; with the derivatives", vectors, "dense:100 relu dense:5", append(finite, "--memory", "3kB")},
		{"maxpool:99 takes images", images, "maxpool:99 flatten dense:1", finite},
		{"covariances of one pair", images, "conv:4,2000000000,same relu gap dense:1", nil},
		{"covariances of one pair", images, "conv:4,1000000000,same relu flatten dense:1", nil},
		{"holds tiles of", vectors, "dense:4 relu dense:1", []string{"--memory", "1kB", "--tile",
			"9223372036854775807"}},
		{"vectors.npy has 28 numbers, which take 112B of the 100B", vectors, "dense:4", []string{"--memory", "100B"}},
		{"has 7 examples, 9223372036854775807 are asked for", vectors, "dense:4", []string{"--examples",
			"9223372036854775807"}},
		{"value out of range", vectors, "dense:4", []string{"--seed", "9223372036854775808"}},
		{"--worker 1/99999999999999999999", vectors, "dense:4", []string{"--worker", "1/99999999999999999999"}},
		{"is a named pipe: want a regular file", pipe, "dense:4", nil},
		{"/dev/zero is a device", "/dev/zero", "dense:4", nil},
	} {
		out := filepath.Join(folder, "kernel")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := kernel(t.Context(), append([]string{"compute", "--inputs", test.inputs, "--network", test.network,
			"--out", out}, test.more...)...)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), test.message) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %v: error %v, want one line with %q", test.network, test.more, err, test.message)
		}
		if took, bytes := time.Since(start), after.TotalAlloc-before.TotalAlloc; took > 3*time.Second ||
			bytes > 64<<20 {
			t.Errorf("%s %v: refused after %v and %d bytes", test.network, test.more, took, bytes)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s %v: left %s, %v", test.network, test.more, out, err)
		}
	}
	for i, more := range [][]string{{"--tile", "9223372036854775807"}, {"--worker", "1/9223372036854775807"}} {
		args := append([]string{"compute", "--inputs", vectors, "--network", "dense:4 relu dense:1", "--out",
			filepath.Join(folder, fmt.Sprint(i))}, more...)
		for range 2 {
			if printed, err := kernel(t.Context(), args...); err != nil || !strings.Contains(printed, "complete") {
				t.Errorf("%v: error %v, printed %q", more, err, printed)
			}
		}
	}
}

// SIGTERM and SIGHUP stop a calculation as Ctrl-C does: after the current tile, so that it can be resumed.
func TestKernelStopsForSignals(t *testing.T) {
	survive := make(chan os.Signal, 9) // a signal that comes after the end must not stop the tests
	signal.Notify(survive, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(survive)
	data := smallData(t)
	for _, sent := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		dir := filepath.Join(t.TempDir(), "kernel")
		args := []string{"compute", "--data", data, "--network", "flatten dense:4 relu dense:1", "--out", dir, "--tile",
			"1"}
		go func() {
			for {
				if entries, err := os.ReadDir(filepath.Join(dir, "ntk")); err == nil && len(entries) > 9 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			if err := syscall.Kill(os.Getpid(), sent); err != nil {
				t.Error(err)
			}
		}()
		if _, err := kernel(t.Context(), args...); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(),
			"of 1830 tiles done; the same command goes on from there") {
			t.Errorf("%v: error %v", sent, err)
		}
		if printed, err := kernel(t.Context(), "inspect", dir); err != nil || !strings.Contains(printed, "missing: ") {
			t.Errorf("%v: error %v, printed\n%s", sent, err, printed)
		}
	}
}
