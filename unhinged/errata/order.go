package errata

import (
	"math"

	"github.com/unhinged-lab/lab/internal/brute"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// demonstrateE1 computes the loss Tr(YᵀWᵀH) with the labels I_C⊗1_Nᵀ, for H listed sample by sample and class by class.
func demonstrateE1() (Demonstration, error) {
	const gamma = 0.3
	s := dynamics.Gaussian(4, 3, 2, 1)
	p, c, n := s.Dims()
	count, _ := s.Balanced()
	loss := func(h *mat.Dense) float64 {
		m := mat.NewDense(c, n, nil)
		for k := range c {
			for i := range n {
				m.Set(k, i, -gamma/float64(n))
				if i/count == k { // I_C ⊗ 1_Nᵀ
					m.Set(k, i, 1/float64(n))
				}
			}
		}
		var wm mat.Dense
		wm.Mul(s.W, m)
		return -floats.Dot(wm.RawMatrix().Data, h.RawMatrix().Data)
	}
	sampleMajor := mat.NewDense(p, n, nil) // h_{1,1}, h_{1,2}, …, h_{1,C}, h_{2,1}, …
	for y := range c {
		for i := range count {
			sampleMajor.SetCol(i*c+y, mat.Col(nil, y*count+i, s.H))
		}
	}
	want := brute.Loss(s, gamma)
	return Demonstration{
		ID: "E1", Printed: "H = (h_{1,1}, h_{1,2}, …, h_{1,C}, h_{2,1}, …) with labels I_C⊗1_Nᵀ",
		Right:        "columns class by class",
		PrintedError: math.Abs(loss(sampleMajor) - want), RightError: math.Abs(loss(s.H) - want), Tolerance: 1e-13,
	}, nil
}
