package plots_test

import (
	"bytes"
	"fmt"

	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/plots"
)

// Two curves become a figure, and the figure a picture.
func ExampleLines() {
	steps := []float64{0, 1, 2, 3}
	figure := plots.Lines("Loss", "step", "loss", false,
		plots.XY("γ = 0", steps, []float64{0, -1, -2, -3}), plots.XY("γ = 1", steps, []float64{0, -2, -4, -6}))
	picture := must.M1(plots.SVG(figure))
	fmt.Println(len(figure.Panels), "panel with", len(figure.Curves), "curves")
	has := func(text string) bool { return bytes.Contains(picture, []byte(text)) }
	fmt.Println("SVG:", has("<svg"), "with a legend:", has("γ = 1"))
	// Output:
	// 1 panel with 2 curves
	// SVG: true with a legend: true
}
