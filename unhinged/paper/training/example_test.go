package training_test

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/paper/training"
)

// Theorem 6 gives the smallest train loss of PAL with feature regularisation on CIFAR-10, and the ‖H‖² of the
// minimiser. The published curves end a little above that loss.
func ExampleAnchoredLimit() {
	for _, end := range training.PublishedEnds()[:2] {
		norm2, loss := training.AnchoredLimit(1/float64(end.Classes-1), end.EFR, 256)
		fmt.Printf("λ = %g: ‖H‖² %.3g and loss %.4g, published are %.3g and %.4g\n",
			end.EFR, norm2, loss, end.Norm2, end.Loss)
	}
	// Output:
	// λ = 5e-06: ‖H‖² 4.82e+07 and loss -241.1, published are 3.78e+07 and -236.4
	// λ = 1e-05: ‖H‖² 1.21e+07 and loss -120.6, published are 1.06e+07 and -119.3
}
