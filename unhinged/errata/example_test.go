package errata_test

import (
	"fmt"

	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/unhinged/errata"
)

// The first claim is about the printed form, which disagrees with brute force. The second claim is about the corrected
// form, which agrees with it.
func ExampleClaims() {
	for _, claim := range must.M1(errata.Claims("E1")) {
		fmt.Println(claim.Verdict)
	}
	// Output:
	// corrected
	// holds
}
