package dynamics

import (
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestKernelNetwork trains a network that is linear in its parameters, vec(H) = JΘ, by gradient descent on Θ with
// momentum and weight decay λ1. Invariant must predict its features, also of unseen points, from K = JJᵀ alone.
func TestKernelNetwork(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 8))
	const p, m, parameters, steps, eta1, eta2, lambda1, lambda2, gamma = 3, 4, 7, 25, 0.2, 0.3, 0.4, 0.1, 0.3
	for _, momentum := range []float64{0, 0.6} {
		s := Gaussian(p, 3, 2, rng.Uint64())
		_, c, n := s.Dims()
		j, jStar := randomJacobian(rng, p*n, parameters), randomJacobian(rng, p*m, parameters)
		theta := normal(rng, parameters, 1)
		features := func(j *mat.Dense) *mat.Dense {
			var v mat.Dense
			v.Mul(j, theta)
			rows, _ := v.Dims()
			return mat.DenseCopyOf(mat.NewDense(rows/p, p, v.RawMatrix().Data).T())
		}
		s.H = features(j)
		flow, err := Invariant{
			Gamma: gamma, Lambda1: lambda1, Lambda2: lambda2, Rates: Constant(eta1, eta2),
			Kernel: Kernel{Full: product3(j, j)},
		}.From(s)
		if err != nil {
			t.Fatal(err)
		}
		unseen, err := flow.Test(features(jStar), product3(j, jStar))
		if err != nil {
			t.Fatal(err)
		}

		w, b := mat.DenseCopyOf(s.W), make([]float64, c)
		vTheta, vw, vb := mat.NewDense(parameters, 1, nil), mat.NewDense(p, c, nil), make([]float64, c)
		constant := s.M(gamma)
		for range steps {
			h := features(j)
			var byH, byTheta, byW mat.Dense
			byH.Mul(w, constant)
			byTheta.Mul(j.T(), mat.NewDense(p*n, 1, mat.DenseCopyOf(byH.T()).RawMatrix().Data))
			byW.Mul(h, constant.T())
			vTheta.Apply(func(i, k int, v float64) float64 {
				return momentum*v - byTheta.At(i, k) + lambda1*theta.At(i,
					k)
			}, vTheta)
			vw.Apply(func(i, k int, v float64) float64 { return momentum*v - byW.At(i, k) + lambda2*w.At(i, k) }, vw)
			theta.Sub(theta, scaledCopy(eta1, vTheta))
			w.Sub(w, scaledCopy(eta2, vw))
			for k := range b {
				vb[k] = momentum*vb[k] - mat.Sum(constant.RowView(k)) + lambda2*b[k]
				b[k] -= eta2 * vb[k]
			}
		}

		descent, err := flow.Descent(momentum)
		if err != nil {
			t.Fatal(err)
		}
		point, err := descent.At(steps)
		if err != nil {
			t.Fatal(err)
		}
		got, err := point.State()
		if err != nil {
			t.Fatal(err)
		}
		closeStates(t, "trained network", got, &State{H: features(j), W: w, B: b}, 1e-12)
		star, err := unseen.Features(point)
		if err != nil {
			t.Fatal(err)
		}
		var d mat.Dense
		d.Sub(star, features(jStar))
		if e := mat.Norm(&d, 2); !(e < 1e-12) {
			t.Errorf("unseen features of the network differ by %g", e)
		}
	}
}
