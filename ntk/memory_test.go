package ntk

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// The memory that Kernels allocates in total, garbage included, must be within a factor of 2.5 of the estimate. Small
// kernels are left out, because other allocations dominate there.
func TestMemory(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	for text, dims := range map[string][]int{
		"dense:5 relu dense:5 erf dense:1":                {600, 50},
		"flatten dense:5 relu dense:1":                    {300, 5, 5, 3},
		"conv:5,3,same relu conv:5,3 abs flatten dense:1": {40, 9, 9, 2},
		"conv:5,3,same relu gap dense:1":                  {6, 12, 12, 2},
	} {
		network, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 2))
		values := make([]float64, shapes.Make(dtypes.Float64, dims...).Size())
		for i := range values {
			values[i] = random.NormFloat64()
		}
		for _, x := range []*tensors.Tensor{tensors.FromFlatDataAndDimensions(values, dims...),
			numbers.Tensor(dtypes.Float32, values, dims...)} {
			infinite := network.Infinite(backend)
			used := uint64(0)
			for range 2 { // the first call compiles
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if _, err := infinite.Kernels(x, nil); err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&after)
				used = after.TotalAlloc - before.TotalAlloc
			}
			pair, example, fixed, err := infinite.Memory(x.Shape())
			if err != nil {
				t.Fatal(err)
			}
			n := int64(dims[0])
			estimate := uint64(pair*n*n + 2*example*n + fixed)
			if ratio := float64(used) / float64(estimate); ratio > 2.5 || ratio < 0.4 {
				t.Errorf("%s, %s: %d bytes, estimate %d", text, x.Shape(), used, estimate)
			}
		}
	}
}

func TestMemoryRefuses(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	network := Serial(Conv(3, 3), Flatten, Dense(1))
	for want, shape := range map[string]shapes.Shape{
		"takes images":              shapes.Make(dtypes.Float32, 5, 4),
		"inputs are [examples":      shapes.Make(dtypes.Float32, 5, 4, 4),
		"are float32 or float64":    shapes.Make(dtypes.Int32, 5, 4, 4, 1),
		"does not fit into 2 posit": shapes.Make(dtypes.Float64, 5, 2, 2, 1),
	} {
		if _, _, _, err := network.Infinite(backend).Memory(shape); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", shape, err, want)
		}
	}
}
