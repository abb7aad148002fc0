package ntk

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// BenchmarkEmpirical times the kernel of two finite networks, on XLA if it is available, without compilation.
func BenchmarkEmpirical(b *testing.B) {
	backend, note, err := backends.Open("")
	if err != nil {
		b.Fatal(err)
	}
	if note != "" {
		b.Log(note)
	}
	conv := Conv(32, 3).Same()
	for _, bench := range []struct {
		name  string
		net   Network
		input []int
	}{
		{"dense,100×3072", Serial(Dense(512), ReLU, Dense(512), ReLU, Dense(10)), []int{100, 3072}},
		{"conv,32×32×32×3", Serial(conv, ReLU, conv, ReLU, conv, ReLU, GlobalAveragePool, Dense(10)), []int{32, 32, 32,
			3}},
	} {
		e := bench.net.Empirical(backend, seeded(1).RootScope(), NTKParameterization)
		x := normals(1, dtypes.Float32, bench.input...)
		for name, kernel := range map[string]func(x1, x2 *tensors.Tensor) (*tensors.Tensor, error){"trace": e.TraceSum,
			"full": e.Full} {
			b.Run(bench.name+","+name, func(b *testing.B) {
				run := func() {
					if _, err := kernel(x, nil); err != nil {
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
