// Package errata computes the errata of "On the Dynamics Under the Unhinged Loss and Beyond" that a computation can
// show: for each, how far the printed form and the corrected form are from brute force. ERRATA.md has all of them, with
// their numbers.
package errata

import "fmt"

// Demonstration is one erratum of the paper, computed: how far the printed form and the corrected form are from brute
// force, and the tolerance within which a form counts as right.
type Demonstration struct {
	ID, Printed, Right       string
	PrintedError, RightError float64
	Tolerance                float64
}

// Demonstrations computes the errata of sections 2 and 3 and their appendices that a computation can show, in order.
// What is missing concerns networks, captions and names.
func Demonstrations() ([]Demonstration, error) {
	var out []Demonstration
	for _, demonstrate := range []func() (Demonstration, error){
		demonstrateE1, demonstrateE2, demonstrateE4, demonstrateE5, demonstrateE6, demonstrateE7, demonstrateE8,
		demonstrateE9, demonstrateE10, demonstrateE11, demonstrateE13, demonstrateE14, demonstrateE15, demonstrateE16,
		demonstrateE17, demonstrateE18, demonstrateE19,
		demonstrateE20, demonstrateE22, demonstrateE23, demonstrateE26, demonstrateE27, demonstrateE31, demonstrateE32,
		demonstrateE33,
	} {
		d, err := demonstrate()
		if err != nil {
			return nil, fmt.Errorf("errata: demonstration %d of the errata: %w", len(out)+1, err)
		}
		out = append(out, d)
	}
	return out, nil
}
