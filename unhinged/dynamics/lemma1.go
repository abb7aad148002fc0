package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Lemma1 is the minimisation of the mean unhinged loss (3), without biases, over ‖w_c‖ ≤ E1 and ‖h‖ ≤ E2, for equal
// class sizes. Erratum E13 corrects the printed lemma, which has the simplex ETF as the only minimiser, for any γ > 0:
//
//   - 0 < γ < 2/(C−2), or C = 2: the minimum is −(1+γ)E1E2, attained exactly where ‖w_c‖ = E1, W1 = 0 and h = E2·ŵ_y.
//     The ETF is one such W, and the only one (up to rotation) if C ≤ 3; for C ≥ 4 there is a continuum (see
//     Continuum).
//   - γ > 2/(C−2): the minimum is −(γ(C−1)−1)E1E2, at w_c = E1·u for all c and h = −E2·u.
//   - γ = 2/(C−2): both have the same loss, as has every W with ‖w_c‖ = E1 and equal w_cᵀΣw.
//   - γ = 0: the minimum is −E1E2, with any W of ‖w_c‖ = E1.
//
// In dimension p = 1 an odd number of ±E1 cannot add up to W1 = 0, and the first minimum is not attained.
type Lemma1 struct {
	Gamma  float64
	E1, E2 float64 // bounds of the norms of prototypes and of features; zero means 1
}

func (l Lemma1) radii() (e1, e2 float64) {
	e1, e2 = l.E1, l.E2
	if e1 == 0 {
		e1 = 1
	}
	if e2 == 0 {
		e2 = 1
	}
	return e1, e2
}

// Minimum returns the smallest loss for C classes: −max(1+γ, γ(C−1)−1)·E1E2.
func (l Lemma1) Minimum(c int) float64 {
	e1, e2 := l.radii()
	return -math.Max(1+l.Gamma, l.Gamma*float64(c-1)-1) * e1 * e2
}

// Lemma1Trace holds the observables of the projected descent, with a value for the start and one for each step.
type Lemma1Trace struct {
	Loss        []float64
	SumNorm     []float64 // ‖W1‖
	ETFDistance []float64 // ETFDistance(W)
	// Smallest and largest cosine of two prototypes, −1/(C−1) both for an ETF.
	MinCosine, MaxCosine []float64
}

// Minimize runs projected gradient descent: a step in H and W with the gradient of (3), then each column that left its
// ball is scaled back to it. The step size is 1/L, where L = max(1+γ, |1+γ−γC|)/(C√N), the largest absolute eigenvalue
// of Theorem 2's B, is the Lipschitz constant of the gradient: with it no step raises the loss. Biases do not take
// part.
//
// Beyond γ = 2/(C−2) a W with W1 = 0 is still a local minimum, where descent may stay, as long as γ(C(1−q)−2) < 2,
// where q is the smallest eigenvalue of WWᵀ/(C·E1²). That needs p < C: for p ≥ C, columns whose sum is 0 do not span
// the space, so that q = 0.
func (l Lemma1) Minimize(start *State, steps int) (*State, *Lemma1Trace, error) {
	if err := start.Validate(); err != nil {
		return nil, nil, err
	}
	n, balanced := start.Balanced()
	e1, e2 := l.radii()
	switch {
	case !balanced:
		return nil, nil, fmt.Errorf("dynamics: class sizes %v: Lemma 1 is about equal ones", start.Counts)
	case l.Gamma < 0 || math.IsNaN(l.Gamma) || math.IsInf(l.Gamma, 0):
		return nil, nil, fmt.Errorf("dynamics: γ = %v: must be finite and not negative", l.Gamma)
	case !(e1 > 0 && e2 > 0) || math.IsInf(e1*e2, 0):
		return nil, nil, fmt.Errorf("dynamics: E1 = %v, E2 = %v: norm bounds must be finite and positive", e1, e2)
	case steps < 0:
		return nil, nil, fmt.Errorf("dynamics: %d steps: must not be negative", steps)
	}
	s := start.Clone()
	_, c, samples := s.Dims()
	m := mat.NewDense(c, samples, nil) // M of (5)
	for i, y := range s.Labels() {
		for k := range c {
			m.Set(k, i, -l.Gamma/float64(samples))
		}
		m.Set(y, i, 1/float64(samples))
	}
	step := float64(c) * math.Sqrt(float64(n)) / math.Max(1+l.Gamma, math.Abs(1+l.Gamma-l.Gamma*float64(c)))

	trace := &Lemma1Trace{}
	var wm, hm mat.Dense
	intoBalls(s.W, e1)
	intoBalls(s.H, e2)
	for t := 0; ; t++ {
		wm.Mul(s.W, m) // −∂L/∂H
		trace.add(-floats.Dot(wm.RawMatrix().Data, s.H.RawMatrix().Data), s.W)
		if t == steps {
			return s, trace, nil
		}
		hm.Mul(s.H, m.T()) // −∂L/∂W
		wm.Scale(step, &wm)
		hm.Scale(step, &hm)
		s.H.Add(s.H, &wm)
		s.W.Add(s.W, &hm)
		intoBalls(s.W, e1)
		intoBalls(s.H, e2)
	}
}

// intoBalls scales the columns longer than radius to it.
func intoBalls(m *mat.Dense, radius float64) {
	_, cols := m.Dims()
	for j := range cols {
		column := mat.Col(nil, j, m)
		if norm := floats.Norm(column, 2); norm > radius {
			floats.Scale(radius/norm, column)
			m.SetCol(j, column)
		}
	}
}

func (tr *Lemma1Trace) add(loss float64, w *mat.Dense) {
	p, c := w.Dims()
	sum := make([]float64, p)
	for i := range sum {
		sum[i] = floats.Sum(w.RawRowView(i))
	}
	low, high := math.Inf(1), math.Inf(-1)
	var gram mat.Dense
	gram.Mul(w.T(), w)
	for i := range c {
		for j := range i {
			cos := gram.At(i, j) / math.Sqrt(gram.At(i, i)*gram.At(j, j))
			low, high = math.Min(low, cos), math.Max(high, cos)
		}
	}
	tr.Loss = append(tr.Loss, loss)
	tr.SumNorm = append(tr.SumNorm, floats.Norm(sum, 2))
	tr.ETFDistance = append(tr.ETFDistance, ETFDistance(w))
	tr.MinCosine = append(tr.MinCosine, low)
	tr.MaxCosine = append(tr.MaxCosine, high)
}

// ETFDistance returns ‖WᵀW/‖WᵀW‖ − (I − 11ᵀ/C)/√(C−1)‖ (Frobenius): 0 exactly for simplex ETFs of any scale, at most
// √2.
func ETFDistance(w *mat.Dense) float64 {
	_, c := w.Dims()
	var gram mat.Dense
	gram.Mul(w.T(), w)
	gram.Scale(1/mat.Norm(&gram, 2), &gram)
	root := math.Sqrt(float64(c - 1))
	for i := range c {
		for j := range c {
			want := -1 / float64(c)
			if i == j {
				want++
			}
			gram.Set(i, j, gram.At(i, j)-want/root)
		}
	}
	return mat.Norm(&gram, 2)
}

// Continuum returns the minimiser of E13's example for C = 4 and 0 ≤ γ ≤ 1, W = E1[e1, −e1, v, −v] with v =
// cos(angle)e1 + sin(angle)e2 and h = E2·ŵ_y, in R^p, p ≥ 2: whatever the angle, the loss is the minimum −(1+γ)E1E2 and
// W is no ETF.
func (l Lemma1) Continuum(p, n int, angle float64) (*State, error) {
	if p < 2 || n < 1 {
		return nil, fmt.Errorf("dynamics: dimension %d and %d samples per class: want at least 2 and 1", p, n)
	}
	e1, e2 := l.radii()
	s := &State{H: mat.NewDense(p, 4*n, nil), W: mat.NewDense(p, 4, nil), B: make([]float64, 4), Counts: []int{n, n, n,
		n}}
	sin, cos := math.Sincos(angle)
	for y, v := range [][2]float64{{1, 0}, {-1, 0}, {cos, sin}, {-cos, -sin}} {
		for i := range v {
			s.W.Set(i, y, e1*v[i])
			for k := range n {
				s.H.Set(i, y*n+k, e2*v[i])
			}
		}
	}
	return s, nil
}
