//go:build cgo && linux

package backends

import (
	"syscall"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A call that needs 32 MiB or more takes memory from the operating system only once. Taking it in every call would cost
// 8192 page faults of 4 KiB each.
func TestMemoryIsKept(t *testing.T) {
	backend, _, err := Open("xla:cpu")
	if err != nil {
		t.Skip(err)
	}
	exec := graph.MustNewExec(backend, func(x *graph.Node) *graph.Node {
		tall := graph.Iota(x.Graph(), shapes.Make(dtypes.Float32, 1<<19, 16), 0) // 32 MiB, and so is its product
		return graph.ReduceAllMax(graph.MatMul(tall, x))
	})
	x := tensors.FromShape(shapes.Make(dtypes.Float32, 16, 16))
	faults := func() int64 {
		var before, after syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
			t.Fatal(err)
		}
		if _, err := exec.Call(x); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
			t.Fatal(err)
		}
		return after.Minflt - before.Minflt
	}
	faults() // the first call compiles
	if n := min(faults(), faults(), faults()); n > 1000 {
		t.Errorf("a run that has been before has %d page faults", n)
	}
}
