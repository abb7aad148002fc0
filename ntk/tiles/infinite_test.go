package tiles

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// normal returns a tensor of normal random numbers.
func normal[T float32 | float64](random *rand.Rand, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	values := make([]T, size)
	for i := range values {
		values[i] = T(random.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

// The tiles of a kernel of infinite width must be the blocks of the whole kernel: for both kernels or one, within one
// set of examples or between two sets, for vectors and images, and for every division into tiles.
func TestInfinite(t *testing.T) {
	network, err := ntk.Parse("flatten dense:5,w=1.5,b=0.1 relu dense:5 erf dense:1")
	if err != nil {
		t.Fatal(err)
	}
	images, err := ntk.Parse("conv:5,3,same,b=0.2 relu avgpool:2 flatten dense:1")
	if err != nil {
		t.Fatal(err)
	}
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		random := rand.New(rand.NewPCG(7, 8))
		for _, network := range []ntk.Network{network, images} {
			for _, n2 := range []int{0, 6} {
				if dtype == dtypes.Float32 {
					tiled[float32](t, random, network.Infinite(backend), Float32, n2, tolerance)
				} else {
					tiled[float64](t, random, network.Infinite(backend), Float64, n2, tolerance)
				}
			}
		}
	})
}

func tiled[T float32 | float64](t *testing.T, random *rand.Rand, kernels *ntk.Infinite, dtype string, n2 int,
	tolerance float64) {
	t.Helper()
	const n1 = 11
	x1 := normal[T](random, n1, 4, 5, 2)
	var x2 *tensors.Tensor
	k := Kernel{Arrays: []string{NTK, NNGP}, DType: dtype, Rows: n1, Cols: n1, Tile: 4, Symmetric: true}
	if n2 > 0 {
		x2 = normal[T](random, n2, 4, 5, 2)
		k.Cols, k.Symmetric, k.Arrays = n2, false, k.Arrays[random.IntN(2):]
	}
	s, err := Create(filepath.Join(t.TempDir(), "kernel"), k)
	if err != nil {
		t.Fatal(err)
	}
	if err := Compute(t.Context(), s, Infinite[T](kernels, x1, x2, k.Arrays...), Options{}); err != nil {
		t.Fatal(err)
	}
	whole, err := kernels.Kernels(x1, x2)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range k.Arrays {
		got, err := array(t, s, name).Dense()
		if err != nil {
			t.Fatal(err)
		}
		want := whole.NNGP
		if name == NTK {
			want = whole.NTK
		}
		for e, v := range tensors.MustCopyFlatData[T](want) {
			if g := got.At(e/k.Cols, e%k.Cols); math.Abs(g-float64(v)) > tolerance*max(1, math.Abs(g)) {
				t.Errorf("%s (%d, %d) with %d columns is %g, want %g", name, e/k.Cols, e%k.Cols, k.Cols, g, v)
			}
			if k.Symmetric && got.At(e/k.Cols, e%k.Cols) != got.At(e%k.Cols, e/k.Cols) {
				t.Errorf("%s (%d, %d) is not symmetric", name, e/k.Cols, e%k.Cols)
			}
		}
	}
}

// The tiles of the kernels of a finite network must be the blocks of the whole kernel, for the full kernel with all its
// outputs.
func TestEmpirical(t *testing.T) {
	network, err := ntk.Parse("dense:4,b=0.5 gelu dense:3")
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		if t.Name() == "TestEmpirical/go" {
			empirical[float32](t, network, backend, Float32, 2e-5)
		}
		empirical[float64](t, network, backend, Float64, 1e-12)
	})
}

func empirical[T float32 | float64](t *testing.T, network ntk.Network, backend compute.Backend, dtype string,
	tolerance float64) {
	random := rand.New(rand.NewPCG(9, 1))
	const n1, n2, features = 5, 4, 3
	x1, x2 := normal[T](random, n1, features), normal[T](random, n2, features)
	e := network.Empirical(backend, model.NewStore().RootScope(), ntk.NTKParameterization)
	for _, test := range []struct {
		kernel  func(x1, x2 *tensors.Tensor) (*tensors.Tensor, error)
		x2      *tensors.Tensor
		outputs int
	}{{e.Full, nil, 3}, {e.Full, x2, 3}, {e.TraceMean, nil, 0}, {e.TraceSum, x2, 0}} {
		k := Kernel{Arrays: []string{"empirical"}, DType: dtype, Rows: n1, Cols: n1, Tile: 2, Outputs: test.outputs,
			Symmetric: test.x2 == nil}
		if test.x2 != nil {
			k.Cols = n2
		}
		s, err := Create(filepath.Join(t.TempDir(), "kernel"), k)
		if err != nil {
			t.Fatal(err)
		}
		if err := Compute(t.Context(), s, Empirical[T](test.kernel, x1, test.x2), Options{}); err != nil {
			t.Fatal(err)
		}
		got, err := array(t, s, "empirical").Dense()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := test.kernel(x1, test.x2)
		if err != nil {
			t.Fatal(err)
		}
		c := max(1, test.outputs)
		for i, v := range tensors.MustCopyFlatData[T](whole) {
			row, col := i/c/c/k.Cols*c+i/c%c, i/c/c%k.Cols*c+i%c
			if g := got.At(row, col); math.Abs(g-float64(v)) > tolerance*max(1, math.Abs(g)) {
				t.Fatalf("entry %d of %s is %g, want %g", i, whole.Shape(), g, v)
			}
			if k.Symmetric && got.At(row, col) != got.At(col, row) {
				t.Fatalf("entry %d of %s is not symmetric", i, whole.Shape())
			}
		}
	}
}

func TestInfiniteRefuses(t *testing.T) {
	network, err := ntk.Parse("dense:5 relu dense:1")
	if err != nil {
		t.Fatal(err)
	}
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	k := Kernel{Arrays: []string{NTK}, DType: Float64, Rows: 3, Cols: 3, Tile: 2, Symmetric: true}
	for want, x := range map[string]*tensors.Tensor{
		"tile 0.1 of examples 0…1 and 2…2: ntk: example 0 has NaN among its inputs": tensors.FromValue([][]float64{{1,
			2}, {3, 4}, {math.NaN(), 5}}),
		"tile 0.0 of examples 0…1 and 0…1: ntk: example 1 has +Inf": tensors.FromValue([][]float64{{1,
			2}, {3, math.Inf(1)}, {6, 5}}),
	} {
		s, err := Create(filepath.Join(t.TempDir(), "kernel"), k)
		if err != nil {
			t.Fatal(err)
		}
		if err := Compute(t.Context(), s, Infinite[float64](network.Infinite(backend), x, nil, NTK),
			Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	x := tensors.FromValue([][]float64{{1, 2}})
	if _, err := Infinite[float64](network.Infinite(backend), x, nil, "empirical")(Range{0, 1}, Range{0, 1}); err == nil || !strings.Contains(err.Error(), `not "empirical"`) {
		t.Errorf("error %v", err)
	}
}
