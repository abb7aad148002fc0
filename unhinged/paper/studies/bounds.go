package studies

import (
	"fmt"
	"slices"

	"github.com/unhinged-lab/lab/internal/memory"
)

// maxNetworks is the largest number of networks of the largest width in a study: a million take hours.
const maxNetworks = 1_000_000

// checkWidths returns an error if the widths or the number of networks are not valid, or if the networks do not fit
// into memory. The networks have the given numbers of inputs, hidden layers, outputs and examples.
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
	// The memory is that of the parameters with their gradients and copies, and of each unit's values forwards and
	// backwards for every example and output.
	return memory.Fits(fmt.Sprintf("networks of width %d", widest), 8*(6*parameters+4*examples*outputs*hidden*m))
}
