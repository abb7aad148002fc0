package studies

import (
	"fmt"
	"slices"

	"github.com/unhinged-lab/lab/internal/memory"
)

// maxNetworks is how many networks of the widest a study trains: a million take hours.
const maxNetworks = 1_000_000

// checkWidths refuses widths and numbers of networks that make no sense, or that do not fit. The networks have the
// given numbers of inputs, hidden layers, outputs and examples.
func checkWidths(widths []int, networks int, inputs, hidden, outputs, examples float64) error {
	if widths[0] < 1 || !slices.IsSorted(widths) {
		return fmt.Errorf("widths %v: must be positive and ascending", widths)
	}
	if networks < 0 || networks > maxNetworks {
		return fmt.Errorf("%d networks: must be positive, and at most %d", networks, maxNetworks)
	}
	widest := widths[len(widths)-1]
	m := float64(widest)
	parameters := m*(inputs+outputs+1) + (hidden-1)*m*(m+1)
	// Parameters with their gradients and copies, and for every example and output what a unit passes on, there and
	// back.
	return memory.Fits(fmt.Sprintf("networks of width %d", widest), 8*(6*parameters+4*examples*outputs*hidden*m))
}
