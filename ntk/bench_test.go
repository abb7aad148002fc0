package ntk

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// normals returns N(0, 1) inputs.
func normals(seed uint64, dtype dtypes.DType, dims ...int) *tensors.Tensor {
	random := rand.New(rand.NewPCG(seed, 1))
	size := 1
	for _, d := range dims {
		size *= d
	}
	x := make([]float64, size)
	for i := range x {
		x[i] = random.NormFloat64()
	}
	return numbers.Tensor(dtype, x, dims...)
}

// BenchmarkInfinite times both kernels of three networks, on XLA if it is available, without compilation.
func BenchmarkInfinite(b *testing.B) {
	backend, note, err := backends.Open("")
	if err != nil {
		b.Fatal(err)
	}
	if note != "" {
		b.Log(note)
	}
	conv := Conv(64, 3).Same()
	for _, bench := range []struct {
		name   string
		net    Network
		n1, n2 int
		input  []int
	}{
		{"dense,1000×1000×3072", Serial(Dense(512), ReLU, Dense(512), ReLU, Dense(512), ReLU, Dense(10)), 1000, 1000,
			[]int{3072}},
		{"conv,flatten,50×50×32×32×3", Serial(conv, ReLU, conv, ReLU, Flatten, Dense(10)), 50, 50, []int{32, 32, 3}},
		{"conv,pool,4×4×32×32×3", Serial(conv, ReLU, conv, ReLU, GlobalAveragePool, Dense(10)), 4, 4, []int{32, 32, 3}},
	} {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			b.Run(bench.name+","+dtype.String(), func(b *testing.B) {
				x1 := normals(1, dtype, append([]int{bench.n1}, bench.input...)...)
				x2 := normals(2, dtype, append([]int{bench.n2}, bench.input...)...)
				infinite := bench.net.Infinite(backend)
				run := func() {
					if _, err := infinite.Kernels(x1, x2); err != nil {
						b.Fatal(err)
					}
				}
				run() // the first call compiles
				for b.Loop() {
					run()
				}
			})
		}
	}
}
