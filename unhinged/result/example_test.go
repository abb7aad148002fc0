package result_test

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// A sentence of the paper becomes a claim with a verdict. The second one fails as printed, and its erratum holds.
func ExampleCheck() {
	angle := result.Check("the prototypes are at 120 degrees", 119.98, 120, 0.1)
	rate := result.Check("the loss falls as 1/t", 0.5, 1, 0.05).CorrectedBy("E4", true)
	other := result.Withdrawn("the features collapse", "γ is 0 here")
	for _, claim := range []result.Claim{angle, rate, other} {
		fmt.Printf("%s: %s\n", claim.Claim, claim.Verdict)
	}
	fmt.Println(result.Tally([]result.Claim{angle, rate, other}))
	// Output:
	// the prototypes are at 120 degrees: holds
	// the loss falls as 1/t: corrected
	// the features collapse: not claimed
	// 1 holds, 1 corrected (E4), 1 not claimed
}

// JSON has no infinity: it is written as null and read as NaN.
func ExampleSeries() {
	fmt.Println(string(must.M1(json.Marshal(result.Series{1.5, math.Inf(1)}))))
	var read result.Series
	must.M(json.Unmarshal([]byte("[1.5, null]"), &read))
	fmt.Println(read)
	// Output:
	// [1.5,null]
	// [1.5 NaN]
}
