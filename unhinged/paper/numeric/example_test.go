package numeric_test

import (
	"fmt"

	"github.com/janpfeifer/must"

	"github.com/unhinged-lab/lab/unhinged/paper/numeric"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Figure 15 at small sizes: features approach W M at the exponential rate λη.
func ExampleRun() {
	figure := must.M1(numeric.Run("fig15", numeric.Options{P: 20, C: 4, N: 3, Steps: 2000, Seed: 1,
		Lambdas: []float64{0.01, 0.1}}))
	for _, curve := range figure.Curves {
		distance := curve.Series["distance_h"]
		fmt.Printf("%s: from %.2f to %.1e\n", curve.Name, distance[0], distance[len(distance)-1])
	}
	fmt.Println(result.Tally(figure.Claims))
	// Output:
	// λ = 0.01: from 1.39 to 1.6e-02
	// λ = 0.1: from 1.39 to 1.9e-09
	// 1 holds; checks of the implementation: 1 holds
}

// Every figure lists the sentences of the paper that it judges.
func ExampleFigures() {
	for _, figure := range numeric.Figures() {
		fmt.Println(figure.ID, len(figure.Sentences()))
	}
	// Output:
	// fig1 6
	// fig4 4
	// fig5 5
	// fig6 3
	// fig7 4
	// fig8 3
	// fig9 4
	// fig15 4
}

// A setting that a figure does not use is an error.
func ExampleOptions() {
	_, err := numeric.Run("fig1", numeric.Options{Lambdas: []float64{0.1}})
	fmt.Println(err)
	// Output: fig1: this figure does not use λ
}
