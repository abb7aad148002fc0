// Package etf constructs prototypes that separate C classes as far as the feature dimension p allows: the simplex
// equiangular tight frame (ETF) of neural collapse where p ≥ C−1, and the best spread found below. It is plain
// float64 host code.
package etf

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// Prototypes returns p×C unit prototypes, with a column for each class: the exact simplex ETF if p ≥ C−1 (exact is
// true), otherwise the best spread found.
func Prototypes(p, c int, seed uint64) (w *mat.Dense, exact bool, err error) {
	if p >= c-1 {
		w, err = Simplex(p, c, seed)
		return w, err == nil, err
	}
	w, err = Spread(p, c, seed)
	return w, false, err
}

// Simplex returns a simplex ETF of C unit columns in R^p, WᵀW = (C/(C−1))(I − 11ᵀ/C), in a random position given by
// the seed. It needs p ≥ C−1 (erratum E23; the paper's construction with U ∈ R^{p×C} needs p ≥ C).
//
// This is the paper's W = √(C/(C−1))·U(I − 11ᵀ/C) with I − 11ᵀ/C = BBᵀ, B ∈ R^{C×(C−1)} an orthonormal basis of 1^⊥:
// only Q = UB ∈ R^{p×(C−1)}, again with orthonormal columns, is needed, and that exists for p = C−1 too.
func Simplex(p, c int, seed uint64) (*mat.Dense, error) {
	if err := check(p, c); err != nil {
		return nil, err
	}
	if p < c-1 {
		return nil,
			fmt.Errorf("etf: %d classes have no simplex ETF in dimension %d: it needs p ≥ %d (Spread has the best "+
				"spread found below that)", c, p, c-1)
	}
	var w mat.Dense
	w.Mul(orthonormal(p, c-1, seed), helmert(c).T())
	w.Scale(math.Sqrt(float64(c)/float64(c-1)), &w)
	return &w, nil
}

// check returns an error if there are fewer than 2 classes or 1 dimension.
func check(p, c int) error {
	if p < 1 || c < 2 {
		return fmt.Errorf("etf: %d classes in dimension %d: need at least 2 classes and 1 dimension", c, p)
	}
	return nil
}

// orthonormal returns a p×k matrix with orthonormal columns, uniformly distributed: the factor Q of a Gaussian matrix,
// with the sign of each column set by the diagonal of R.
func orthonormal(p, k int, seed uint64) *mat.Dense {
	rng := rand.New(rand.NewPCG(seed, 0))
	a := mat.NewDense(p, k, nil)
	for i := range p {
		for j := range k {
			a.Set(i, j, rng.NormFloat64())
		}
	}
	// It calls LAPACK's routines, because gonum's QR computes the whole p×p matrix, of which only k columns are needed.
	q, tau := a.RawMatrix(), make([]float64, min(p, k))
	size := make([]float64, 1)
	lapack64.Geqrf(q, tau, size, -1)
	work := make([]float64, int(size[0]))
	lapack64.Geqrf(q, tau, work, len(work))
	flip := make([]bool, k)
	for j := range k {
		flip[j] = a.At(j, j) < 0
	}
	lapack64.Orgqr(q, tau, size, -1)
	work = make([]float64, int(size[0]))
	lapack64.Orgqr(q, tau, work, len(work))
	for j := range k {
		if flip[j] {
			col := a.ColView(j).(*mat.VecDense)
			col.ScaleVec(-1, col)
		}
	}
	return a
}

// helmert returns a C×(C−1) orthonormal basis of 1^⊥: column k is (1, …, 1, −(k+1), 0, …, 0)/√((k+1)(k+2)).
func helmert(c int) *mat.Dense {
	b := mat.NewDense(c, c-1, nil)
	for k := range c - 1 {
		norm := math.Sqrt(float64((k + 1) * (k + 2)))
		for i := range k + 1 {
			b.Set(i, k, 1/norm)
		}
		b.Set(k+1, k, -float64(k+1)/norm)
	}
	return b
}
