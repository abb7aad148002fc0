package numeric

import (
	"runtime"
)

const (
	// maxSteps is the largest number of steps that float64 tells from the next: closed forms have no other limit.
	maxSteps = 1 << 53
)

// matrices is what a figure of these sizes holds at once, in bytes: the state, its parts and copies (p×CN and p×C), the
// products of classes with samples (C×CN) and with each other (C×C), of which each core makes one more for every point.
func matrices(p, c, n int) float64 {
	dim, classes := float64(p), float64(c)
	samples := classes * float64(n)
	return 8 * (3*dim*(samples+classes) + 2*classes*samples + float64(5+runtime.GOMAXPROCS(0))*classes*classes)
}
