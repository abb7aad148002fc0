package studies_test

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/paper/studies"
)

// An error that falls as 1/width has the slope −1 in logarithms.
func ExampleSlope() {
	widths := []float64{64, 128, 256, 512}
	var logs []float64
	for _, width := range widths {
		logs = append(logs, math.Log(3/width))
	}
	slope, deviation := studies.Slope(widths, logs)
	fmt.Printf("slope %.2f ± %.2f\n", slope, deviation)
	// Output:
	// slope -1.00 ± 0.00
}
