package backends_test

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// The pure-Go backend exists on every machine. The empty configuration selects XLA if its plugin is found.
func ExampleOpen() {
	backend, note := must.M2(backends.Open("go"))
	defer backend.Finalize()
	square := func(x *graph.Node) *graph.Node { return graph.Square(x) }
	squares := graph.MustExecOnce(backend, square, []float64{1, 2, 3})
	fmt.Printf("%q %v\n", note, squares.Value())
	// Output:
	// "" [1 4 9]
}
