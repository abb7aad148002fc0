package dynamics

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// BenchmarkTrace times a descent of 50,000 steps with 500 recorded points, without the projection.
func BenchmarkTrace(b *testing.B) {
	for _, size := range []struct{ p, c, n, steps int }{
		{512, 100, 10, 50_000}, {2048, 100, 10, 50_000}, {512, 200, 10, 50_000}, {512, 100, 40, 50_000},
		{512, 100, 10, 500_000},
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

// BenchmarkProject times the projection, which an initial state needs once.
func BenchmarkProject(b *testing.B) {
	s := Gaussian(512, 100, 10, 1)
	for b.Loop() {
		if _, err := s.Project(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKernel times the closed form of a kernel of 5,000 images: the part that is needed once, and each time point.
func BenchmarkKernel(b *testing.B) {
	const n, c, p, unseen = 5000, 10, 64, 1000
	s := Gaussian(p, c, n/c, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	j, js := normal(rng, n, 50), normal(rng, unseen, 50)
	var kappa, kappaStar mat.Dense
	kappa.Mul(j, j.T())
	kappaStar.Mul(j, js.T())
	theorem := Invariant{Gamma: 1. / (c - 1), Rates: Constant(0.1, 0.1), Kernel: Kernel{Samples: &kappa}}
	flow, err := theorem.From(s)
	if err != nil {
		b.Fatal(err)
	}
	test, err := flow.Test(normal(rng, p, unseen), &kappaStar)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("setup", func(b *testing.B) {
		for b.Loop() {
			if _, err := theorem.From(s); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, ask := range []struct {
		name string
		of   func(p Point) error
	}{
		{"point", func(Point) error { return nil }},
		{"loss and distance", func(p Point) error { p.Loss(); p.LogDistance(); return nil }},
		{"train accuracy", func(p Point) error { p.Accuracy(false); return nil }},
		{"test accuracy of 1000", func(p Point) error { _, err := test.Predict(p, false); return err }},
	} {
		b.Run(ask.name, func(b *testing.B) {
			for b.Loop() {
				p, err := flow.At(100)
				if err != nil {
					b.Fatal(err)
				}
				if err := ask.of(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
