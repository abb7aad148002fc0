package numeric

import (
	"runtime"
)

const (
	// maxSteps is the largest number of steps up to which float64 holds every integer. Closed forms have no other
	// limit.
	maxSteps = 1 << 53
)

// matrices returns the memory of a figure of these sizes, in bytes: the state, its parts and copies (p×CN and p×C), and
// the products of classes with samples (C×CN) and with each other (C×C). Each core needs another one of these products.
func matrices(p, c, n int) float64 {
	dim, classes := float64(p), float64(c)
	samples := classes * float64(n)
	return 8 * (3*dim*(samples+classes) + 2*classes*samples + float64(5+runtime.GOMAXPROCS(0))*classes*classes)
}
