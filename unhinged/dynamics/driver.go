package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// driver holds the singular value decomposition M = V diag(σ) Xᵀ Ŝ of the constant matrix M = ((1+γ)·onehotᵀ − γ·11ᵀ)/n
// in the loss −Tr(Mᵀ Wᵀ H), and the inner products of a projected state in this basis. For equal class sizes V = X is
// not needed explicitly: σ has the two values of Theorem 2, on 1^⊥ and on 1 (the second one with its sign), and a
// function f of M Mᵀ is x ↦ f(σ1)·x + (f(σ2) − f(σ1))·mean(x).
type driver struct {
	*Projection
	sigma []float64 // C of them, or 2 for equal class sizes
	v, x  *mat.Dense
	// Inner products of each mode's h = Hc x_k and w = W v_k: ‖h‖², ⟨h, w⟩, ‖w‖² (summed over the modes that share σ).
	grams []gram
	hp    *mat.Dense // (Hc X)ᵀH⊥
	wp    *mat.Dense // (W V)ᵀH⊥
	hh    *mat.Dense // (Hc X)ᵀ(Hc X), …
	hw    *mat.Dense
	ww    *mat.Dense
	drift []float64 // M·1, which drives the biases
}

type gram struct{ hh, hw, ww float64 }

// Sigma returns the singular values of M for equal class sizes, Theorem 2: σ1 on 1^⊥ (C−1 times) and σ2 on 1.
func Sigma(gamma float64, c, n int) (sigma1, sigma2 float64) {
	scale := float64(c) * math.Sqrt(float64(n))
	return (1 + gamma) / scale, (1 + gamma - gamma*float64(c)) / scale
}

func (pr *Projection) drive(gamma float64) (*driver, error) {
	if gamma < 0 || math.IsNaN(gamma) || math.IsInf(gamma, 0) {
		return nil, fmt.Errorf("dynamics: γ = %v: must be finite and not negative", gamma)
	}
	_, c, n := pr.state.Dims()
	d := &driver{Projection: pr, drift: make([]float64, c)}
	for k, count := range pr.state.Counts {
		d.drift[k] = (1+gamma)*float64(count)/float64(n) - gamma
	}
	if count, ok := pr.state.Balanced(); ok {
		s1, s2 := Sigma(gamma, c, count)
		d.sigma = []float64{s1, s2}
		d.hh, d.hw, d.ww, d.hp, d.wp = pr.hh, pr.hw, pr.ww, pr.hp, pr.wp
		d.grams = pr.grams
		return d, nil
	}
	r := mat.NewDense(c, c, nil)
	for i := range c {
		for j := range c {
			v := -gamma
			if i == j {
				v = 1
			}
			r.Set(i, j, v*math.Sqrt(float64(pr.state.Counts[j]))/float64(n))
		}
	}
	var svd mat.SVD
	if !svd.Factorize(r, mat.SVDFull) {
		return nil, fmt.Errorf("dynamics: the singular value decomposition of M (C = %d, γ = %v) did not converge", c,
			gamma)
	}
	d.sigma = svd.Values(nil)
	d.v, d.x = new(mat.Dense), new(mat.Dense)
	svd.UTo(d.v)
	svd.VTo(d.x)
	d.hh, d.hw, d.ww, d.hp, d.wp = new(mat.Dense), new(mat.Dense), new(mat.Dense), new(mat.Dense), new(mat.Dense)
	d.hh.Product(d.x.T(), pr.hh, d.x)
	d.hw.Product(d.x.T(), pr.hw, d.v)
	d.ww.Product(d.v.T(), pr.ww, d.v)
	d.hp.Mul(d.x.T(), pr.hp)
	d.wp.Mul(d.v.T(), pr.wp)
	d.grams = make([]gram, c)
	for k := range d.grams {
		d.grams[k] = gram{d.hh.At(k, k), d.hw.At(k, k), d.ww.At(k, k)}
	}
	return d, nil
}
