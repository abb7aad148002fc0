package dynamics

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Projection is a state split into class means and deviations from them, with the inner products from which every
// observable follows. It does not depend on the constants of the dynamics (γ, λ, η, t): project once, then vary those.
// With S = onehotᵀ ∈ R^{C×n} and Ŝ = diag(n_c)^{-1/2} S (orthonormal rows), H = Hc·Ŝ + H⊥, where column c of Hc is √n_c
// times the mean of class c and H⊥ (E3 of Theorem 2) has class means 0.
type Projection struct {
	state *State
	means *mat.Dense // Hc, p×C
	perp  *mat.Dense // H⊥, p×n

	hh, hw, ww *mat.Dense // HcᵀHc, HcᵀW, WᵀW: C×C
	hp, wp     *mat.Dense // HcᵀH⊥, WᵀH⊥: C×n
	perpNorm2  float64    // ‖H⊥‖²
	perpMax    []float64  // largest ‖h⊥‖ of each class
	// For equal class sizes, the largest |(x_y − x_c)ᵀh⊥| over the samples of class y, x = Hc and x = W: C×C, row y.
	hpGap, wpGap *mat.Dense
	grams        []gram // of E1^± and E2^±, computed from differences because the mean over all classes may be large
}

// Project computes the projection of a valid state. It keeps a reference to the state, which must not change
// afterwards.
func (s *State) Project() (*Projection, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	p, c, n := s.Dims()
	pr := &Projection{
		state: s, means: mat.NewDense(p, c, nil), perp: mat.NewDense(p, n, nil),
		hh: new(mat.Dense), hw: new(mat.Dense), ww: new(mat.Dense), hp: new(mat.Dense), wp: new(mat.Dense),
		perpMax: make([]float64, c),
	}
	norms := make([]float64, n)
	for i := range p {
		row, perp, means := s.H.RawRowView(i), pr.perp.RawRowView(i), pr.means.RawRowView(i)
		first := 0
		for k, count := range s.Counts {
			sum := 0.0
			for _, v := range row[first : first+count] {
				sum += v
			}
			mean := sum / float64(count)
			means[k] = mean * math.Sqrt(float64(count))
			for j := first; j < first+count; j++ {
				perp[j] = row[j] - mean
				norms[j] += perp[j] * perp[j]
			}
			first += count
		}
	}
	for j, y := range s.Labels() {
		pr.perpNorm2 += norms[j]
		pr.perpMax[y] = math.Max(pr.perpMax[y], math.Sqrt(norms[j]))
	}
	pr.hh.Mul(pr.means.T(), pr.means)
	pr.hw.Mul(pr.means.T(), s.W)
	pr.ww.Mul(s.W.T(), s.W)
	pr.hp.Mul(pr.means.T(), pr.perp)
	pr.wp.Mul(s.W.T(), pr.perp)
	if _, ok := s.Balanced(); ok {
		pr.hpGap, pr.wpGap = pr.largestGaps(pr.hp), pr.largestGaps(pr.wp)
		hh1, hh2 := innerAlong1(pr.means, pr.means)
		hw1, hw2 := innerAlong1(pr.means, s.W)
		ww1, ww2 := innerAlong1(s.W, s.W)
		pr.grams = []gram{{hh1, hw1, ww1}, {hh2, hw2, ww2}}
	}
	return pr, nil
}

// largestGaps returns max_i |products_{y,i} − products_{c,i}| over the samples i of class y, in row y and column c.
func (pr *Projection) largestGaps(products *mat.Dense) *mat.Dense {
	c, _ := products.Dims()
	gaps := mat.NewDense(c, c, nil)
	first := 0
	for y, count := range pr.state.Counts {
		own := products.RawRowView(y)[first : first+count]
		for k := range c {
			largest := 0.0
			for i, v := range products.RawRowView(k)[first : first+count] {
				largest = max(largest, math.Abs(own[i]-v))
			}
			gaps.Set(y, k, largest)
		}
		first += count
	}
	return gaps
}

// innerAlong1 returns ⟨a, b⟩ of the parts of the rows that are orthogonal to 1, and along it.
func innerAlong1(a, b *mat.Dense) (across, along float64) {
	p, c := a.Dims()
	for i := range p {
		x, y := a.RawRowView(i), b.RawRowView(i)
		meanX, meanY := floats.Sum(x)/float64(c), floats.Sum(y)/float64(c)
		for j := range x {
			across += (x[j] - meanX) * (y[j] - meanY)
		}
		along += float64(c) * meanX * meanY
	}
	return across, along
}
