package theorems_test

import (
	"fmt"

	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/unhinged/paper/theorems"
)

// Theorem 2 is compared with brute force.
func ExampleCheck() {
	claim := must.M1(theorems.Check("theorem2"))
	fmt.Println(claim.Verdict)
	// Output:
	// holds
}
