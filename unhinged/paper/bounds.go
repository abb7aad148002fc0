package paper

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/unhinged-lab/lab/internal/memory"
)

const (
	// maxMemory is the most that the matrices of a figure, or of a network, may take, in bytes.
	maxMemory = 4 << 30
	// maxSteps is the largest number of steps that float64 tells from the next: closed forms have no other limit.
	maxSteps = 1 << 53
	// maxNetworks is how many networks of the widest a study trains: a million take hours.
	maxNetworks = 1_000_000
)

// fits refuses what takes more memory than a figure may have, or than is free, before any of it is allocated.
func fits(what string, bytes float64) error {
	if bytes > maxMemory {
		return fmt.Errorf("%s take %s: at most %s are allowed", what, memory.Bytes(bytes), memory.Bytes(maxMemory))
	}
	if free, known := memory.Free(); known && bytes > free {
		return fmt.Errorf("%s take %s: only %s are free", what, memory.Bytes(bytes), memory.Bytes(free))
	}
	return nil
}

// matrices is what a figure of these sizes holds at once, in bytes: the state, its parts and copies (p×CN and p×C), the
// products of classes with samples (C×CN) and with each other (C×C), of which each core makes one more for every point.
func matrices(p, c, n int) float64 {
	dim, classes := float64(p), float64(c)
	samples := classes * float64(n)
	return 8 * (3*dim*(samples+classes) + 2*classes*samples + float64(5+runtime.GOMAXPROCS(0))*classes*classes)
}

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
	// Parameters with their gradients and copies, and for every example and output what a unit passes on, there and back.
	return fits(fmt.Sprintf("networks of width %d", widest), 8*(6*parameters+4*examples*outputs*hidden*m))
}
