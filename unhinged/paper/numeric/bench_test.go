package numeric

import (
	"testing"

	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// BenchmarkFigures makes each complete figure at the paper's sizes, with the initial state and the claims.
func BenchmarkFigures(b *testing.B) {
	for _, e := range Figures() {
		b.Run(e.ID, func(b *testing.B) {
			for b.Loop() {
				if _, err := e.Run(Options{Seed: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSlider times one move of a slider in notebook 02: a descent of 50,000 steps at the paper's sizes, and its
// picture.
func BenchmarkSlider(b *testing.B) {
	pr, err := dynamics.Gaussian(512, 100, 10, 1).Project()
	if err != nil {
		b.Fatal(err)
	}
	steps := make([]int, 101)
	for i := range steps {
		steps[i] = 500 * i
	}
	for b.Loop() {
		flow, err := dynamics.Unconstrained{Gamma: 0.02, Rates: dynamics.Constant(0.1, 0.1)}.On(pr)
		if err != nil {
			b.Fatal(err)
		}
		descent, err := flow.Descent(0)
		if err != nil {
			b.Fatal(err)
		}
		trace, err := descent.Trace(steps)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := plots.SVG(result.Figure{Title: "γ", Curves: []result.Curve{Curve("γ", trace)},
			Panels: []result.Panel{
				{Title: "Train accuracy", Y: "accuracy", YLabel: "Train accuracy"}, {Title: "Distance", Y: "distance",
					YLabel: "distance", Log: true},
			}}); err != nil {
			b.Fatal(err)
		}
	}
}
