package dynamics

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// wholeM returns the constant matrix M of (5), C×n, entry by entry from the labels.
func wholeM(s *State, gamma float64) *mat.Dense {
	_, c, n := s.Dims()
	m := mat.NewDense(c, n, nil)
	for i, y := range s.Labels() {
		for j := range c {
			m.Set(j, i, -gamma/float64(n))
		}
		m.Set(y, i, 1/float64(n))
	}
	return m
}

// wholeFlow solves (12) on all numbers of (H, W, b) as one ODE, without any eigenspace: the brute force of the errata
// of sections 3.1 and 3.2.
func wholeFlow(s *State, gamma, lambda1, lambda2 float64, eta1, eta2 Schedule, t0, t1 float64) (*State, error) {
	const tolerance = 1e-13
	p, c, n := s.Dims()
	m := wholeM(s, gamma)
	split := func(x []float64) (h, w *mat.Dense, b []float64) {
		return mat.NewDense(p, n, x[:p*n]), mat.NewDense(p, c, x[p*n:p*(n+c)]), x[p*(n+c):]
	}
	rates := func(t float64, x, dx []float64) {
		h, w, _ := split(x)
		dh, dw, db := split(dx)
		dh.Mul(w, m)
		dw.Mul(h, m.T())
		for i := range db {
			db[i] = floats.Sum(m.RawRowView(i))
		}
		for i := range h.RawMatrix().Data {
			dx[i] = eta1.At(t) * (dx[i] - lambda1*x[i])
		}
		for i := p * n; i < len(x); i++ {
			dx[i] = eta2.At(t) * (dx[i] - lambda2*x[i])
		}
	}
	x := make([]float64, 0, p*(n+c)+c)
	x = append(append(append(x, s.H.RawMatrix().Data...), s.W.RawMatrix().Data...), s.B...)
	x, err := Integrate(rates, t0, t1, x, tolerance)
	if err != nil {
		return nil, err
	}
	h, w, b := split(x)
	return &State{H: h, W: w, B: b, Counts: s.Counts}, nil
}

// directionGap returns ‖a/‖a‖ − b/‖b‖‖ (Frobenius).
func directionGap(a, b *mat.Dense) float64 {
	var x, y mat.Dense
	x.Scale(1/mat.Norm(a, 2), a)
	y.Scale(1/mat.Norm(b, 2), b)
	x.Sub(&x, &y)
	return mat.Norm(&x, 2)
}

// largestDifference returns max |a_i − b_i|, NaN if one is NaN (floats.Distance leaves NaN out).
func largestDifference(a, b []float64) float64 {
	largest := 0.0
	for i := range a {
		largest = math.Max(largest, math.Abs(a[i]-b[i]))
	}
	return largest
}
