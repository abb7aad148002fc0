package errata

import (
	"errors"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// largestDifference returns max |a_i − b_i|, or NaN if one of the numbers is NaN. (floats.Distance ignores NaN.)
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
