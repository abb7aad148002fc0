package errata

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// wholeFlow solves (12) on all numbers of (H, W, b) as one ODE, without any eigenspace: the brute force of the errata
// of sections 3.1 and 3.2.
func wholeFlow(s *dynamics.State, gamma, lambda1, lambda2 float64, eta1, eta2 dynamics.Schedule, t0, t1 float64) (*dynamics.State, error) {
	const tolerance = 1e-13
	p, c, n := s.Dims()
	m := s.M(gamma)
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
	x, err := dynamics.Integrate(rates, t0, t1, x, tolerance)
	if err != nil {
		return nil, err
	}
	h, w, b := split(x)
	return &dynamics.State{H: h, W: w, B: b, Counts: s.Counts}, nil
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

// normal draws a vector from N(0, I).
func normal(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

// identity is the n×n identity.
func identity(n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n {
		m.Set(i, i, 1)
	}
	return m
}

func scaledCopy(x float64, m *mat.Dense) *mat.Dense {
	out := new(mat.Dense)
	out.Scale(x, m)
	return out
}

// eigenSym returns the eigenvalues of a symmetric matrix, and its eigenvectors as columns.
func eigenSym(m *mat.Dense) ([]float64, *mat.Dense, error) {
	n, _ := m.Dims()
	symmetric := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			symmetric.SetSym(i, j, m.At(i, j))
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(symmetric, true) {
		return nil, nil, errors.New("errata: the eigenvalues of a symmetric matrix did not converge")
	}
	vectors := new(mat.Dense)
	eigen.VectorsTo(vectors)
	return eigen.Values(nil), vectors, nil
}
