package backends_test

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// The pure-Go backend is there on every machine. The empty configuration takes XLA where its plugin is found.
func ExampleOpen() {
	backend, note := must.M2(backends.Open("go"))
	defer backend.Finalize()
	square := graph.MustExecOnce(backend, func(x *graph.Node) *graph.Node { return graph.Square(x) },
		[]float64{1, 2, 3})
	fmt.Printf("%q %v\n", note, square.Value())
	// Output:
	// "" [1 4 9]
}
