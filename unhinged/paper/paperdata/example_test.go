package paperdata_test

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/paper/paperdata"
)

// The paper's accuracies on CIFAR-10 with a long tail of ratio 100, for each λ of EFR.
func ExampleTable() {
	for _, cell := range paperdata.Table(4) {
		if cell.Imbalance == "long-tailed" && cell.Ratio == 100 {
			fmt.Printf("%s, λ = %g: %.2f %%\n", cell.Loss, cell.Lambda, cell.Percent)
		}
	}
	// Output:
	// CE, λ = 0: 67.81 %
	// CE, λ = 5e-06: 67.84 %
	// CE, λ = 1e-05: 67.74 %
	// CE, λ = 5e-05: 69.74 %
}
