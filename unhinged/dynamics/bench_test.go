package dynamics

import (
	"fmt"
	"testing"
)

// BenchmarkFigure1 is one curve of figure 1 without the projection, 500 recorded points.
func BenchmarkTrace(b *testing.B) {
	for _, size := range []struct{ p, c, n, steps int }{
		{512, 100, 10, 50_000}, {2048, 100, 10, 50_000}, {512, 200, 10, 50_000}, {512, 100, 40, 50_000}, {512, 100, 10, 500_000},
	} {
		b.Run(fmt.Sprintf("p=%d/C=%d/N=%d/steps=%d", size.p, size.c, size.n, size.steps), func(b *testing.B) {
			pr, err := Gaussian(size.p, size.c, size.n, 1).Project()
			if err != nil {
				b.Fatal(err)
			}
			steps := make([]int, 500)
			for i := range steps {
				steps[i] = (i + 1) * size.steps / len(steps)
			}
			for b.Loop() {
				flow, err := Unconstrained{Gamma: 1 / float64(size.c-1), Rates: Constant(0.1, 0.1)}.On(pr)
				if err != nil {
					b.Fatal(err)
				}
				d, err := flow.Descent(0)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := d.Trace(steps); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkProject is what is paid once for an initial state.
func BenchmarkProject(b *testing.B) {
	s := Gaussian(512, 100, 10, 1)
	for b.Loop() {
		if _, err := s.Project(); err != nil {
			b.Fatal(err)
		}
	}
}
