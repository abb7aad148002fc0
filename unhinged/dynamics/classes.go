package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Classes are a training set of classes of any sizes, as the unhinged loss sees it. Each class counts by the mean of
// its features, because M has equal columns within a class: the loss does not drive what tells its samples
// apart. With S = onehotᵀ ∈ R^{C×n} and Ŝ = diag(n_c)^{-1/2} S everything is C×C:
//
//	M Ŝᵀ = ((1+γ)I − γ11ᵀ) diag(√n_c)/n,   Ŝ κ Ŝᵀ = I + c·ssᵀ,   s = (√n_1, …, √n_C).
//
// At γ = 1/(C−1) the matrix M is, up to scale, the SELI matrix of Thrampoulidis et al. (2022).
type Classes struct {
	Sizes []int   // n_c, samples of each class
	Gamma float64 // γ ≥ 0, the weight of the non-target logits, exactly as given: 0 means 0
	// Shift is c ≥ 0 of the kernel κ = I + c·11ᵀ between samples: every sample shares one direction, as the shift of a
	// network's last layer makes them. 0 means free features (section 3.1).
	Shift float64
}

func (c Classes) validate() error {
	if len(c.Sizes) < 2 {
		return fmt.Errorf("dynamics: %d class(es): need at least 2", len(c.Sizes))
	}
	for y, n := range c.Sizes {
		if n < 1 {
			return fmt.Errorf("dynamics: class %d has %d samples: need at least 1", y, n)
		}
	}
	if c.Gamma < 0 || math.IsNaN(c.Gamma) || math.IsInf(c.Gamma, 0) {
		return fmt.Errorf("dynamics: γ = %v: must be finite and not negative", c.Gamma)
	}
	if c.Shift < 0 || math.IsNaN(c.Shift) || math.IsInf(c.Shift, 0) {
		return fmt.Errorf("dynamics: c = %v of the kernel I + c·11ᵀ: must be finite and not negative", c.Shift)
	}
	return nil
}

// samples returns n = Σ n_c.
func (c Classes) samples() float64 {
	sum := 0
	for _, n := range c.Sizes {
		sum += n
	}
	return float64(sum)
}

// shared returns the unit vector ŝ, the direction of Ŝ that all samples share.
func (c Classes) shared() []float64 {
	s := make([]float64, len(c.Sizes))
	for y, n := range c.Sizes {
		s[y] = math.Sqrt(float64(n) / c.samples())
	}
	return s
}

// matrix returns M Ŝᵀ, C×C.
func (c Classes) matrix() *mat.Dense {
	k, n := len(c.Sizes), c.samples()
	m := mat.NewDense(k, k, nil)
	for j, size := range c.Sizes {
		for i := range k {
			m.Set(i, j, -c.Gamma*math.Sqrt(float64(size))/n)
		}
		m.Set(j, j, math.Sqrt(float64(size))/n)
	}
	return m
}

// alongShared returns x + (factor − 1)·x ŝŝᵀ: the rows of x with their part along ŝ multiplied by the factor.
func (c Classes) alongShared(x *mat.Dense, factor float64) *mat.Dense {
	out, s := mat.DenseCopyOf(x), c.shared()
	rows, _ := x.Dims()
	for i := range rows {
		row := out.RawRowView(i)
		floats.AddScaled(row, (factor-1)*floats.Dot(row, s), s)
	}
	return out
}

// ClassModes are the singular value decomposition M Ŝᵀ (Ŝ κ Ŝᵀ)^½ = V diag(σ) Xᵀ. The columns of V are prototypes'
// directions between classes, those of X those of features.
type ClassModes struct {
	Sigma []float64  // descending
	V, X  *mat.Dense // C×C
	sizes []int
}

// Modes returns the modes of classes of any sizes.
func (c Classes) Modes() (*ClassModes, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	m := c.alongShared(c.matrix(), math.Sqrt(1+c.Shift*c.samples()))
	var svd mat.SVD
	if !svd.Factorize(m, mat.SVDFull) {
		return nil, fmt.Errorf("dynamics: the singular value decomposition of M (C = %d, γ = %v) did not converge",
			len(c.Sizes), c.Gamma)
	}
	modes := &ClassModes{Sigma: svd.Values(nil), V: new(mat.Dense), X: new(mat.Dense), sizes: c.Sizes}
	svd.UTo(modes.V)
	svd.VTo(modes.X)
	return modes, nil
}

// SELI returns prototypes and class means of the geometry that Thrampoulidis et al. (2022) derive for cross-entropy at
// vanishing regularisation: WᵀW = V diag(σ) Vᵀ, HᵀH = X diag(σ) Xᵀ, every singular value kept as it is. It needs
// γ = 1/(C−1) and no shift to be theirs.
func (m *ClassModes) SELI() *ClassMeans {
	return m.kept(func(sigma float64) float64 { return sigma })
}

// Limit returns prototypes and class means of the direction that the flow tends to from starts without structure: of
// the singular values only the largest stays, with its multiplicity.
func (m *ClassModes) Limit() *ClassMeans {
	return m.kept(func(sigma float64) float64 {
		if sigma < m.Sigma[0]*(1-1e-12) {
			return 0
		}
		return 1
	})
}

// kept returns W = diag(√g)Vᵀ and H Ŝᵀ = diag(√g)Xᵀ with a gain g for each mode.
func (m *ClassModes) kept(gain func(sigma float64) float64) *ClassMeans {
	out := &ClassMeans{W: mat.DenseCopyOf(m.V.T()), H: mat.DenseCopyOf(m.X.T())}
	for k, sigma := range m.Sigma {
		root := math.Sqrt(gain(sigma))
		floats.Scale(root, out.W.RawRowView(k))
		floats.Scale(root, out.H.RawRowView(k))
		for y, n := range m.sizes {
			out.H.Set(k, y, out.H.At(k, y)/math.Sqrt(float64(n)))
		}
	}
	return out
}

// LongTail returns the sizes of long-tailed classes, ⌊largest·ρ^(−c/(C−1))⌋ for c = 0 … C−1 (Cao et al., 2019), with at
// least one sample each. It needs C ≥ 2 and ρ ≥ 1.
func LongTail(classes, largest int, rho float64) []int {
	sizes := make([]int, classes)
	for c := range sizes {
		share := math.Pow(rho, -float64(c)/float64(classes-1))
		sizes[c] = max(1, int(float64(largest)*share*(1+1e-12))) // 49.999… by rounding is 50
	}
	return sizes
}
