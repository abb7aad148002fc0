// Package errata demonstrates errata of "On the Dynamics Under the Unhinged Loss and Beyond" by computation: for each,
// it computes how far the printed form and the corrected form are from brute force. ERRATA.md lists all errata by
// number.
package errata

import (
	"fmt"
	"slices"
)

// Demonstration is one erratum of the paper, computed: how far the printed form and the corrected form are from brute
// force, and the tolerance within which a form counts as right.
type Demonstration struct {
	ID, Printed, Right       string
	PrintedError, RightError float64
	Tolerance                float64
}

// all are the demonstrations by the numbers of their errata.
var all = []struct {
	id          string
	demonstrate func() (Demonstration, error)
}{
	{"E1", demonstrateE1},
	{"E2", demonstrateE2},
	{"E4", demonstrateE4},
	{"E5", demonstrateE5},
	{"E6", demonstrateE6},
	{"E7", demonstrateE7},
	{"E8", demonstrateE8},
	{"E9", demonstrateE9},
	{"E10", demonstrateE10},
	{"E11", demonstrateE11},
	{"E13", demonstrateE13},
	{"E14", demonstrateE14},
	{"E15", demonstrateE15},
	{"E16", demonstrateE16},
	{"E17", demonstrateE17},
	{"E18", demonstrateE18},
	{"E19", demonstrateE19},
	{"E20", demonstrateE20},
	{"E22", demonstrateE22},
	{"E23", demonstrateE23},
	{"E26", demonstrateE26},
	{"E27", demonstrateE27},
	{"E31", demonstrateE31},
	{"E32", demonstrateE32},
	{"E33", demonstrateE33},
	{"E38", demonstrateE38},
	{"E39", demonstrateE39},
}

// Demonstrations returns the demonstrations of all errata that a computation can show, in order, or of the named ones,
// such as "E5". The other errata are about networks, captions and names.
func Demonstrations(ids ...string) ([]Demonstration, error) {
	var out []Demonstration
	for _, erratum := range all {
		if len(ids) > 0 && !slices.Contains(ids, erratum.id) {
			continue
		}
		d, err := erratum.demonstrate()
		if err != nil {
			return nil, fmt.Errorf("errata: demonstration of %s: %w", erratum.id, err)
		}
		out = append(out, d)
	}
	return out, nil
}
