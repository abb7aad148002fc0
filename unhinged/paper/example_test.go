package paper_test

import (
	"fmt"

	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/unhinged/paper"
)

// An item of the paper is found by its id, and says what it needs.
func ExampleLookup() {
	for _, id := range []string{"fig1", "fig13"} {
		item := must.M1(paper.Lookup(id))
		fmt.Printf("%s, section %s: needs %s\n", item.ID, item.Section, item.Needs)
	}
	_, err := paper.Lookup("fig99")
	fmt.Println("fig99 is an error:", err != nil)
	// Output:
	// fig1, section 3.1: needs nothing
	// fig13, section C.2: needs recorded runs
	// fig99 is an error: true
}
