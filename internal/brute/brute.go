// Package brute computes what the paper's equations say without its theorems, to compare with them.
package brute

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
)

// Flow solves (12) as one ODE for all numbers of (H, W, b) from t0 to t1, without any eigenspace. With eta2 = 0 the
// prototypes are fixed.
func Flow(s *dynamics.State, gamma, lambda1, lambda2 float64, eta1, eta2 dynamics.Schedule, t0,
	t1 float64) (*dynamics.State, error) {
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

// Loss returns the unhinged loss (3) without biases, sample by sample from definition (1).
func Loss(s *dynamics.State, gamma float64) float64 {
	sum := 0.0
	labels := s.Labels()
	for i, y := range labels {
		sum -= floats.Dot(mat.Col(nil, i, s.H), dynamics.DrivingVector(s, gamma, y))
	}
	return sum / float64(len(labels))
}
