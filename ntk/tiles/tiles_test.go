package tiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/files"
	"gonum.org/v1/gonum/mat"
)

// entry returns an element of a kernel whose elements are all different, and symmetric if this is asked for.
func entry(array, i, j, a, b int, symmetric bool) float64 {
	if symmetric && (i > j || i == j && a > b) {
		i, j, a, b = j, i, b, a
	}
	return float64(array*1_000_000 + i*10_000 + j*100 + a*10 + b + 1)
}

// entries computes tiles of this kernel, and counts them.
func entries[T float32 | float64](k Kernel, calls *atomic.Int64) Func[T] {
	c := max(1, k.Outputs)
	return func(rows, cols Range) ([][]T, error) {
		calls.Add(1)
		var matrices [][]T
		for array := range k.Arrays {
			var m []T
			for i := rows.From; i < rows.To; i++ {
				for j := cols.From; j < cols.To; j++ {
					for a := range c {
						for b := range c {
							m = append(m, T(entry(array, i, j, a, b, k.Symmetric)))
						}
					}
				}
			}
			matrices = append(matrices, m)
		}
		return matrices, nil
	}
}

// kernelOf computes the kernel into a new folder.
func kernelOf[T float32 | float64](t *testing.T, k Kernel) (*Store, int) {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "new", "kernel"), k)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	if err := Compute(t.Context(), s, entries[T](k, &calls), Options{}); err != nil {
		t.Fatal(err)
	}
	return s, int(calls.Load())
}

func array(t *testing.T, s *Store, name string) *Array {
	t.Helper()
	a, err := s.Array(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The sizes include multiples of the tile size and others, and one example. Both number types are used, and one or
// several outputs.
func TestWhatIsReadIsWhatWasComputed(t *testing.T) {
	t.Parallel() // this test spends its time waiting for the disk
	for _, k := range []Kernel{
		{Rows: 1, Cols: 1, Tile: 5},
		{Rows: 2, Cols: 3, Tile: math.MaxInt},
		{Rows: 1, Cols: 1, Tile: 1, Symmetric: true},
		{Rows: 1, Cols: 9, Tile: 4},
		{Rows: 9, Cols: 1, Tile: 4},
		{Rows: 8, Cols: 12, Tile: 4},
		{Rows: 7, Cols: 11, Tile: 4},
		{Rows: 11, Cols: 11, Tile: 4, Symmetric: true},
		{Rows: 11, Cols: 11, Tile: 4},
		{Rows: 10, Cols: 10, Tile: 1, Symmetric: true},
		{Rows: 5, Cols: 7, Tile: 2, Outputs: 3},
		{Rows: 7, Cols: 7, Tile: 3, Outputs: 2, Symmetric: true},
		{Rows: 3, Cols: 3, Tile: 2, Outputs: 1, Symmetric: true},
	} {
		k.Arrays = []string{"one", "two"}
		for _, k.DType = range []string{Float32, Float64} {
			t.Run(fmt.Sprintf("%d×%d by %d, outputs %d, symmetric %v, %s", k.Rows, k.Cols, k.Tile, k.Outputs,
				k.Symmetric, k.DType), func(t *testing.T) {
				var s *Store
				if k.DType == Float32 {
					s, _ = kernelOf[float32](t, k)
				} else {
					s, _ = kernelOf[float64](t, k)
				}
				s, err := Open(s.Dir)
				if err != nil {
					t.Fatal(err)
				}
				for number, name := range k.Arrays {
					checkArray(t, k, array(t, s, name), number)
				}
			})
		}
	}
}

// checkArray checks that every way to read the array with this number returns the entries that were computed.
func checkArray(t *testing.T, k Kernel, a *Array, number int) {
	t.Helper()
	c, name := max(1, k.Outputs), k.Arrays[number]
	if max(a.Tile[0], a.Tile[1]) > k.Tile {
		t.Errorf("tiles are %v", a.Tile)
	}
	if done, total := a.Chunks(); done != total || len(a.Missing()) > 0 {
		t.Errorf("%d of %d chunks, missing %v", done, total, a.Missing())
	}
	rows, cols := Range{k.Rows / 3, k.Rows}, Range{k.Cols / 4, (k.Cols + 1) / 2}
	block, err := a.Block(rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	dense, err := a.Dense()
	if err != nil {
		t.Fatal(err)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i := range k.Rows * c {
		for j := range k.Cols * c {
			want := entry(number, i/c, j/c, i%c, j%c, k.Symmetric)
			if dense.At(i, j) != want {
				t.Fatalf("%s (%d, %d) is %g, want %g", name, i, j, dense.At(i, j), want)
			}
			low, high = min(low, want), max(high, want)
		}
	}
	if !mat.Equal(block, dense.Slice(rows.From*c, rows.To*c, cols.From*c, cols.To*c)) {
		t.Errorf("block %v × %v of %s is not that part of it", rows, cols, name)
	}
	if l, h, err := a.Limits(t.Context()); err != nil || l != low || h != high {
		t.Errorf("entries from %g to %g, error %v: want %g to %g", l, h, err, low, high)
	}
	tensor, err := a.Tensor()
	if err != nil || !slices.Equal(tensor.Shape().Dimensions, a.Shape) ||
		(tensor.DType() == dtypes.Float32) != (k.DType == Float32) {
		t.Fatalf("tensor %v, %v", tensor, err)
	}
	for e, v := range tensorValues(tensor) {
		if want := entry(number, e/c/c/k.Cols, e/c/c%k.Cols, e/c%c, e%c, k.Symmetric); v != want {
			t.Fatalf("tensor's number %d is %g, want %g", e, v, want)
		}
	}
	sym, err := a.Sym()
	if (err == nil) != k.Symmetric || err == nil && !mat.Equal(sym, dense) {
		t.Errorf("symmetric matrix: %v", err)
	}
}

func tensorValues(t *tensors.Tensor) []float64 {
	if t.DType() == dtypes.Float64 {
		return tensors.MustCopyFlatData[float64](t)
	}
	var wide []float64
	for _, v := range tensors.MustCopyFlatData[float32](t) {
		wide = append(wide, float64(v))
	}
	return wide
}

// Of a symmetric kernel with 4×4 tiles, ten are computed. Computing again computes none.
func TestNothingIsComputedTwice(t *testing.T) {
	k := Kernel{Arrays: []string{"k"}, DType: Float64, Rows: 8, Cols: 8, Tile: 2, Symmetric: true}
	s, calls := kernelOf[float64](t, k)
	if calls != 10 {
		t.Errorf("%d tiles computed, want 10", calls)
	}
	var again atomic.Int64
	if s, err := Create(s.Dir, k); err != nil {
		t.Error(err)
	} else if err := Compute(t.Context(), s, entries[float64](k, &again), Options{}); err != nil || again.Load() != 0 {
		t.Errorf("%d tiles computed again, error %v", again.Load(), err)
	}
}

// Chunks and checksums that are missing are computed again, and files of killed processes are removed.
func TestRepair(t *testing.T) {
	k := Kernel{Arrays: []string{"k", "l"}, DType: Float32, Rows: 7, Cols: 7, Tile: 2, Symmetric: true}
	s, _ := kernelOf[float32](t, k)
	want := contents(t, s.Dir)
	at := func(name string) string { return filepath.Join(s.Dir, name) }
	process := exec.Command(os.Args[0], "-test.run=^$")
	if err := process.Run(); err != nil {
		t.Fatal(err)
	}
	dead := at(fmt.Sprintf("k/.0.0@%s@%d@1.tmp", files.Host(), process.Process.Pid))
	old := at(".sums/l/.0.0@elsewhere@1@1.tmp")
	errs := []error{
		os.Remove(at("k/0.1")),
		os.Remove(at(".sums/l/3.2")),
		os.Remove(at("k/2.2")),
		os.WriteFile(dead, []byte("half"), 0o644),
		os.WriteFile(old, []byte("half"), 0o644),
		os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)),
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := array(t, s, "k").Missing(); fmt.Sprint(got) != "[0.1 2.2]" {
		t.Errorf("missing %v", got)
	}
	_, err := array(t, s, "k").Sym()
	if err == nil || !strings.Contains(err.Error(),
		at("k/0.1")+": missing, with 1 other chunks of this array: compute the kernel again") {
		t.Errorf("error %v", err)
	}
	if _, err := array(t, s, "k").Block(Range{4, 7}, Range{0, 2}); err != nil {
		t.Errorf("a part that is there: %v", err)
	}
	var calls atomic.Int64
	if err := Compute(t.Context(), s, entries[float32](k, &calls), Options{}); err != nil || calls.Load() != 3 {
		t.Errorf("%d tiles computed, want 3, error %v", calls.Load(), err)
	}
	same(t, contents(t, s.Dir), want)

	ours := at(fmt.Sprintf("k/.0.0@%s@%d@1.tmp", files.Host(), os.Getpid())) // the file of a running process
	if err := os.WriteFile(ours, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Compute(t.Context(), s, entries[float32](k, &calls), Options{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(ours); err != nil {
		t.Errorf("what a living process writes was removed: %v", err)
	}
}

// contents returns all files of a folder with their contents.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("there is a file %s", name)
		}
	}
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// killed is the kernel that a child process computes slowly for TestKillAndResume. The variable gives the process its
// folder.
var killed = Kernel{Arrays: []string{"k", "l"}, DType: Float64, Rows: 40, Cols: 40, Tile: 3, Symmetric: true}

const folderVariable = "TILES_TEST_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(folderVariable); dir != "" {
		s, err := Create(dir, killed)
		if err == nil {
			var calls atomic.Int64
			f := entries[float64](killed, &calls)
			err = Compute(context.Background(), s, func(rows, cols Range) ([][]float64, error) {
				time.Sleep(2 * time.Millisecond)
				return f(rows, cols)
			}, Options{})
		}
		fmt.Println(err)
		os.Exit(1) // nobody killed the process
	}
	os.Exit(m.Run())
}

// A process is killed repeatedly while it computes. The last process completes the store, which must then have the same
// bytes as that of an undisturbed process.
func TestKillAndResume(t *testing.T) {
	whole, tiles := kernelOf[float64](t, killed)
	dir := filepath.Join(t.TempDir(), "kernel")
	chunks := 0
	for range 2 {
		process := exec.Command(os.Args[0])
		process.Env = append(os.Environ(), folderVariable+"="+dir)
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		before := chunks
		for deadline := time.Now().Add(20 * time.Second); chunks < before+8; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the process writes nothing")
			}
			if s, err := Open(dir); err == nil {
				chunks, _ = array(t, s, "l").Chunks()
			}
		}
		if err := process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if state, err := process.Process.Wait(); err != nil || state.Exited() {
			t.Fatalf("it ended by itself: %v, %v", state, err)
		}
	}
	s, err := Create(dir, killed)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	if err := Compute(t.Context(), s, entries[float64](killed, &calls), Options{}); err != nil {
		t.Fatal(err)
	}
	if n := int(calls.Load()); n < 1 || n >= tiles-2 {
		t.Errorf("%d of %d tiles were left to compute", n, tiles)
	}
	same(t, contents(t, dir), contents(t, whole.Dir))
}

func TestWorkers(t *testing.T) {
	k := Kernel{Arrays: []string{"k", "l"}, DType: Float32, Rows: 13, Cols: 9, Tile: 2}
	whole, tiles := kernelOf[float32](t, k)
	want := contents(t, whole.Dir)

	// With separate ranges, no tile is computed twice.
	dir := filepath.Join(t.TempDir(), "kernel")
	var calls atomic.Int64
	work := func(o Options) error {
		s, err := Create(dir, k)
		if err != nil {
			return err
		}
		return Compute(t.Context(), s, entries[float32](k, &calls), o)
	}
	together := func(options ...Options) {
		t.Helper()
		var group sync.WaitGroup
		for _, o := range options {
			group.Go(func() {
				if err := work(o); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	together(Options{Worker: 1, Workers: 3}, Options{Worker: 2, Workers: 3}, Options{Worker: 3, Workers: 3})
	if int(calls.Load()) != tiles {
		t.Errorf("%d tiles computed, there are %d", calls.Load(), tiles)
	}
	same(t, contents(t, dir), want)

	// If a worker never starts, the other workers compute its share.
	dir = filepath.Join(t.TempDir(), "kernel")
	calls.Store(0)
	together(Options{Worker: 1, Workers: 3}, Options{Worker: 3, Workers: 3})
	if int(calls.Load()) != tiles {
		t.Errorf("%d tiles computed, there are %d", calls.Load(), tiles)
	}
	same(t, contents(t, dir), want)

	// Without shares, no tile is computed twice either.
	dir = filepath.Join(t.TempDir(), "kernel")
	calls.Store(0)
	together(Options{}, Options{}, Options{}, Options{Worker: 2, Workers: 2})
	if int(calls.Load()) != tiles {
		t.Errorf("%d tiles computed, there are %d", calls.Load(), tiles)
	}
	same(t, contents(t, dir), want)
	if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 1 {
		t.Errorf("beside the folder: %v, %v", left, err)
	}

	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Worker: 0, Workers: 2}, {Worker: 3, Workers: 2}, {Worker: 1},
		{Worker: -1, Workers: 2}} {
		if err := Compute(t.Context(), s, entries[float32](k, &calls), o); err == nil || !strings.Contains(err.Error(),
			"want 1 to the number of workers") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
}

// A tile that a process of another machine has claimed is left to that process as long as its heartbeats are recent. A
// worker waits for the tiles of its own share until they exist or until the claim has expired.
func TestClaims(t *testing.T) {
	k := Kernel{Arrays: []string{"k"}, DType: Float32, Rows: 6, Cols: 2, Tile: 2}
	s, err := Create(filepath.Join(t.TempDir(), "kernel"), k)
	if err != nil {
		t.Fatal(err)
	}
	claim := filepath.Join(s.Dir, claimsFolder, "1.0.1")
	if err := errors.Join(os.Mkdir(filepath.Dir(claim), 0o755), os.WriteFile(claim, []byte("held 1 1 elsewhere\n"),
		0o644)); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	if err := Compute(t.Context(), s, entries[float32](k, &calls), Options{Worker: 1, Workers: 2}); err != nil {
		t.Fatal(err)
	}
	if missing := array(t, s, "k").Missing(); calls.Load() != 2 || fmt.Sprint(missing) != "[1.0]" {
		t.Errorf("%d tiles computed, missing are %v", calls.Load(), missing)
	}
	waits, cancel := context.WithTimeout(t.Context(), 2*waitForOthers)
	defer cancel()
	if err := Compute(waits, s, entries[float32](k, &calls), Options{Worker: 2, Workers: 2}); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	end := make(chan error)
	go func() { end <- Compute(t.Context(), s, entries[float32](k, &calls), Options{}) }()
	time.Sleep(2 * waitForOthers)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(claim, old, old); err != nil {
		t.Fatal(err)
	}
	if err := <-end; err != nil || calls.Load() != 3 || len(array(t, s, "k").Missing()) != 0 {
		t.Errorf("%d tiles computed, error %v", calls.Load(), err)
	}
	if left, err := os.ReadDir(filepath.Join(s.Dir, claimsFolder)); err != nil || len(left) != 0 {
		t.Errorf("claims left: %v, %v", left, err)
	}

	// If a process is killed after it has written a tile, its claim is removed once it has expired, and not before.
	for age, want := range map[time.Duration]int{0: 1, time.Hour: 0} {
		then := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(claim, []byte("held 1 1 elsewhere\n"), 0o644), os.Chtimes(claim, then,
			then)); err != nil {
			t.Fatal(err)
		}
		if err := Compute(t.Context(), s, entries[float32](k, &calls), Options{}); err != nil || calls.Load() != 3 {
			t.Fatalf("%d tiles computed, error %v", calls.Load(), err)
		}
		left, err := os.ReadDir(filepath.Join(s.Dir, claimsFolder))
		if err != nil || len(left) != want {
			t.Errorf("claims of age %v left: %v, %v; want %d", age, left, err, want)
		}
	}
}

func TestCancelAndProgress(t *testing.T) {
	k := Kernel{Arrays: []string{"k"}, DType: Float64, Rows: 10, Cols: 10, Tile: 2}
	s, err := Create(filepath.Join(t.TempDir(), "kernel"), k)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	var seen [][2]int
	err = Compute(ctx, s, entries[float64](k, &calls), Options{Progress: func(done, all int) {
		seen = append(seen, [2]int{done, all})
		if done == 7 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "with 7 of 25 tiles done") ||
		calls.Load() != 7 {
		t.Errorf("error %v after %d tiles", err, calls.Load())
	}
	if len(seen) != 8 {
		t.Errorf("progress %v", seen)
	}
	for i, p := range seen {
		if p != [2]int{i, 25} {
			t.Errorf("progress %d is %v", i, p)
		}
	}
	seen = nil
	if err := Compute(t.Context(), s, entries[float64](k, &calls),
		Options{Progress: func(done, all int) {
			seen = append(seen, [2]int{done, all})
		}}); err != nil || calls.Load() != 25 {
		t.Errorf("%d tiles in all, error %v", calls.Load(), err)
	}
	if seen[0] != [2]int{7, 25} || seen[len(seen)-1] != [2]int{25, 25} {
		t.Errorf("progress %+v", seen)
	}
}

func TestRefused(t *testing.T) {
	k := Kernel{Arrays: []string{"k"}, DType: Float64, Rows: 6, Cols: 6, Tile: 2, Symmetric: true,
		Identity: map[string]string{"network": "dense:5", "inputs": "abc"},
		About:    map[string]string{"command": "first"}}
	s, _ := kernelOf[float64](t, k)
	for want, change := range map[string]func(k *Kernel){
		"network is dense:5 there and dense:6 here": func(k *Kernel) {
			k.Identity = map[string]string{"network": "dense:6", "inputs": "abc"}
		},
		"inputs is abc there and nothing here": func(k *Kernel) {
			k.Identity = map[string]string{"network": "dense:5"}
		},
		"seed is nothing there and 1 here": func(k *Kernel) {
			k.Identity = map[string]string{"network": "dense:5", "inputs": "abc", "seed": "1"}
		},
		"dtype is <f8 there and <f4 here":         func(k *Kernel) { k.DType = Float32 },
		"size is 6×6 there and 7×7 here":          func(k *Kernel) { k.Rows, k.Cols = 7, 7 },
		"symmetric is true there and false here":  func(k *Kernel) { k.Symmetric = false },
		"outputs is 0 there and 3 here":           func(k *Kernel) { k.Outputs = 3 },
		"arrays is [k] there and [k l] here":      func(k *Kernel) { k.Arrays = []string{"k", "l"} },
		"a symmetric kernel of 6×5":               func(k *Kernel) { k.Cols = 5 },
		"a kernel without arrays":                 func(k *Kernel) { k.Arrays = nil },
		`array name "../k"`:                       func(k *Kernel) { k.Arrays = []string{"../k"} },
		`array name "labels"`:                     func(k *Kernel) { k.Arrays = []string{"labels"} },
		`dtype "<f2"`:                             func(k *Kernel) { k.DType = "<f2" },
		"in tiles of 0":                           func(k *Kernel) { k.Tile = 0 },
		"5 and 0 labels for a kernel of 6×6":      func(k *Kernel) { k.Labels = make([]int, 5) },
		"a number of entries that can be counted": func(k *Kernel) { k.Rows, k.Cols = 1<<40, 1<<40 },
		"want tiles of about 59 examples":         func(k *Kernel) { k.Rows, k.Cols, k.Tile = 60_000, 60_000, 1 },
	} {
		other := k
		change(&other)
		if _, err := Create(s.Dir, other); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with %q", err, want)
		}
	}
	again := k
	again.Tile, again.About = 3, nil
	if taken, err := Create(s.Dir, again); err != nil || taken.Kernel.Tile != 2 ||
		taken.Kernel.About["command"] != "first" {
		t.Errorf("tiles of another size: %+v, %v", taken, err)
	}
	var calls atomic.Int64
	if err := Compute(t.Context(), s, entries[float32](k, &calls), Options{}); err == nil ||
		!strings.Contains(err.Error(), "a function of float32 for a kernel of dtype <f8") {
		t.Errorf("error %v", err)
	}
	if _, err := s.Array("l"); err == nil || !strings.Contains(err.Error(), `no array "l"; there are k`) {
		t.Errorf("error %v", err)
	}
	for _, r := range []Range{{-1, 2}, {2, 7}, {3, 3}} {
		if _, err := array(t, s, "k").Block(r, Range{0, 1}); err == nil || !strings.Contains(err.Error(),
			"want some of 0…5") {
			t.Errorf("block %v: error %v", r, err)
		}
	}

	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "thesis.tex"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(full, k); err == nil || !strings.Contains(err.Error(),
		"is not a kernel's folder: it has no .zattrs; choose another folder") {
		t.Errorf("error %v", err)
	}
	empty := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(empty, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{link, link + "/", empty + "/", filepath.Join(empty, "a", "..")} {
		if _, err := Create(dir, k); err != nil {
			t.Errorf("an empty folder as %s: %v", dir, err)
		}
	}
	if _, err := Open(empty); err != nil {
		t.Errorf("made through a link: %v", err)
	}
	if _, err := Create(filepath.Join(full, "thesis.tex", "kernel"), k); err == nil {
		t.Error("made below a file")
	}
	if err := errors.Join(os.WriteFile(filepath.Join(s.Dir, "k", ".zarray"), []byte("{}"), 0o644), writeIndex(s.Dir,
		k.Arrays)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.Dir); err == nil || !strings.Contains(err.Error(), "zarr_format is 0") {
		t.Errorf("error %v", err)
	}
}

// Tiles with invalid content are refused and not written.
func TestBadTiles(t *testing.T) {
	k := Kernel{Arrays: []string{"k", "l"}, DType: Float64, Rows: 5, Cols: 4, Tile: 2}
	for want, f := range map[string]Func[float64]{
		"l of examples 4 and 1 is NaN: kernels must be finite": func(rows, cols Range) ([][]float64, error) {
			m := [][]float64{make([]float64, rows.Len()*cols.Len()), make([]float64, rows.Len()*cols.Len())}
			if rows.From == 4 && cols.From == 0 {
				m[1][1] = math.NaN()
			}
			return m, nil
		},
		"tile 0.0 of examples 0…1 and 0…1: out of ideas": func(rows, cols Range) ([][]float64, error) {
			return nil, errors.New("out of ideas")
		},
		"1 matrices for the arrays [k l]": func(rows, cols Range) ([][]float64, error) {
			return make([][]float64, 1),
				nil
		},
		"returned 0 numbers for k, 2×2 examples and 1×1 outputs": func(rows, cols Range) ([][]float64, error) {
			return make([][]float64, 2), nil
		},
	} {
		s, err := Create(filepath.Join(t.TempDir(), "kernel"), k)
		if err != nil {
			t.Fatal(err)
		}
		if err := Compute(t.Context(), s, f, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if strings.Contains(want, "NaN") {
			if got := array(t, s, "k").Missing(); fmt.Sprint(got) != "[2.0 2.1]" {
				t.Errorf("missing %v", got)
			}
		}
	}
}

func TestLabels(t *testing.T) {
	k := Kernel{Arrays: []string{"k"}, DType: Float32, Rows: 3, Cols: 2, Tile: 2, Labels: []int{7, -1, 1 << 40},
		ColsLabels: []int{4, 5}}
	s, _ := kernelOf[float32](t, k)
	rows, err1 := s.Labels()
	cols, err2 := s.ColsLabels()
	if err := errors.Join(err1, err2); err != nil || fmt.Sprint(rows, cols) != fmt.Sprint(k.Labels, k.ColsLabels) {
		t.Errorf("labels %v, %v, %v", rows, cols, err)
	}
	k.Labels, k.ColsLabels = nil, nil
	s, _ = kernelOf[float32](t, k)
	if rows, err := s.Labels(); rows != nil || err != nil {
		t.Errorf("labels %v, %v where there are none", rows, err)
	}
	k = Kernel{Arrays: []string{"k"}, DType: Float32, Rows: 2, Cols: 2, Tile: 2, Symmetric: true, Labels: []int{7, 8}}
	s, _ = kernelOf[float32](t, k)
	if cols, err := s.ColsLabels(); fmt.Sprint(cols) != "[7 8]" || err != nil {
		t.Errorf("labels of a symmetric kernel's columns %v, %v", cols, err)
	}
}

// For any bytes, the metadata describes an array that can exist, or there is an error.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"zarr_format":2,"shape":[5,7],"chunks":[2,3],"dtype":"<f4","compressor":null,"fill_value":"NaN","order":"C","filters":null}`))
	f.Add([]byte(`{"zarr_format":2,"shape":[5,7,3,3],"chunks":[2,3,3,3],"dtype":"<f8","order":"C","dimension_separator":"."}`))
	f.Add([]byte(`{"zarr_format":2,"shape":[9223372036854775807,2],"chunks":[4611686018427387904,2],"dtype":"<i8","order":"C"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseMetadata(text)
		if err != nil {
			return
		}
		if m.chunkBytes() < 1 || m.outputs() < 1 {
			t.Errorf("%+v: chunks of %d bytes", m, m.chunkBytes())
		}
		if len(m.Shape) == 1 {
			return
		}
		rows, cols := m.grid()
		r, c := m.examples(rows-1, cols-1)
		if r.Len() < 1 || c.Len() < 1 || r.To != m.Shape[0] || c.To != m.Shape[1] {
			t.Errorf("%+v: the last chunk has %v × %v", m, r, c)
		}
	})
}

// For any content of .zattrs, opening the folder gives an error or a kernel that fits the folder's arrays.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"arrays":["k"],"dtype":"<f4","rows":5,"cols":7,"symmetric":false,"tile":2,"identity":{}}`))
	f.Add([]byte(`{"arrays":["../k"],"dtype":"<f8","rows":-5,"cols":7,"outputs":3,"symmetric":true,"tile":0,"identity":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "k"), 0o755); err != nil {
			t.Fatal(err)
		}
		array := []byte(`{"zarr_format":2,"shape":[5,7],"chunks":[2,2],"dtype":"<f4","compressor":null,"order":"C","filters":null}`)
		if err := errors.Join(os.Mkdir(filepath.Join(dir, ".sums"), 0o755), os.WriteFile(filepath.Join(dir, "k",
			".zarray"), array, 0o644),
			os.WriteFile(filepath.Join(dir, ".zattrs"), text, 0o644), writeIndex(dir, []string{"k"})); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(dir); err == nil && (s.Kernel.Rows != 5 || s.Kernel.Cols != 7 || s.Kernel.DType != Float32 ||
			len(s.Kernel.Arrays) != 1) {
			t.Errorf("%+v", s.Kernel)
		}
	})
}
