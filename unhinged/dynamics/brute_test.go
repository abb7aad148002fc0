package dynamics

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// bruteDescent iterates gradient descent on the full (H, W, b).
func bruteDescent(s *State, gamma, lambda1, lambda2, momentum float64, eta1, eta2 func(t float64) float64,
	anchored bool, steps int) *State {
	s = s.Clone()
	p, c, n := s.Dims()
	m := s.M(gamma)
	drift := make([]float64, c)
	for i := range c {
		drift[i] = mat.Sum(m.RowView(i))
	}
	vh, vw, vb := mat.NewDense(p, n, nil), mat.NewDense(p, c, nil), make([]float64, c)
	for t := range steps {
		e1, e2 := eta1(float64(t)), eta2(float64(t))
		var gh, gw mat.Dense
		gh.Mul(s.W, m)
		gw.Mul(s.H, m.T())
		vh.Apply(func(i, j int, v float64) float64 { return momentum*v - gh.At(i, j) + lambda1*s.H.At(i, j) }, vh)
		vw.Apply(func(i, j int, v float64) float64 { return momentum*v - gw.At(i, j) + lambda2*s.W.At(i, j) }, vw)
		s.H.Apply(func(i, j int, v float64) float64 { return v - e1*vh.At(i, j) }, s.H)
		if anchored {
			continue
		}
		s.W.Apply(func(i, j int, v float64) float64 { return v - e2*vw.At(i, j) }, s.W)
		for i := range c {
			vb[i] = momentum*vb[i] - drift[i] + lambda2*s.B[i]
			s.B[i] -= e2 * vb[i]
		}
	}
	return s
}

// bruteFlow returns gonum's matrix exponential of the whole linear system, for constant rates.
func bruteFlow(s *State, gamma, lambda1, lambda2, eta1, eta2, t float64) *State {
	_, c, n := s.Dims()
	m := s.M(gamma)
	size := n + c + c + 1 // for a row of (H, W) and for (b, 1)
	g := mat.NewDense(size, size, nil)
	for j := range n {
		g.Set(j, j, -eta1*lambda1*t)
		for i := range c {
			g.Set(n+i, j, eta1*m.At(i, j)*t) // rows act from the left: (h, w)·g
			g.Set(j, n+i, eta2*m.At(i, j)*t)
		}
	}
	for i := range c {
		g.Set(n+i, n+i, -eta2*lambda2*t)
		g.Set(n+c+i, n+c+i, -eta2*lambda2*t)
		g.Set(n+c+c, n+c+i, eta2*mat.Sum(m.RowView(i))*t)
	}
	var e mat.Dense
	e.Exp(g)
	out := s.Clone()
	row := mat.NewDense(1, n+c, nil)
	for i := range s.H.RawMatrix().Rows {
		copy(row.RawRowView(0), s.H.RawRowView(i))
		copy(row.RawRowView(0)[n:], s.W.RawRowView(i))
		var r mat.Dense
		r.Mul(row, e.Slice(0, n+c, 0, n+c))
		copy(out.H.RawRowView(i), r.RawRowView(0)[:n])
		copy(out.W.RawRowView(i), r.RawRowView(0)[n:])
	}
	b := mat.NewDense(1, c+1, append(append([]float64(nil), s.B...), 1))
	b.Mul(b, e.Slice(n+c, size, n+c, size))
	copy(out.B, b.RawRowView(0))
	return out
}

// randomState draws sizes and a state. Class sizes are equal or not, and C = 2, N = 1 and p < C occur.
func randomState(rng *rand.Rand, balanced bool) *State {
	p, c, n := 1+rng.IntN(6), 2+rng.IntN(5), 1+rng.IntN(4)
	s := Gaussian(p, c, n, rng.Uint64())
	if !balanced {
		total := 0
		for k := range s.Counts {
			s.Counts[k] = 1 + rng.IntN(5)
			total += s.Counts[k]
		}
		if s.Counts[0] == s.Counts[1] {
			s.Counts[0]++
			total++
		}
		s.H = normal(rng, p, total)
	}
	for k := range s.B {
		s.B[k] = rng.NormFloat64()
	}
	return s
}

// randomGamma returns γ inside its range, at its limits and beyond.
func randomGamma(rng *rand.Rand, c int) float64 {
	limit := 2 / (float64(c) - 2) // +Inf for C = 2
	switch rng.IntN(6) {
	case 0:
		return 0
	case 1:
		return 1 / float64(c-1)
	case 2:
		if c > 2 {
			return limit
		}
	case 3:
		if c > 2 {
			return limit * (1 + rng.Float64())
		}
	}
	return math.Min(limit, 3) * rng.Float64()
}

func closeTo(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance*(1+math.Abs(want)) {
		t.Errorf("%s = %.17g, want %.17g (tolerance %g)", what, got, want, tolerance)
	}
}

func closeStates(t *testing.T, what string, got, want *State, tolerance float64) {
	t.Helper()
	var dh, dw mat.Dense
	dh.Sub(got.H, want.H)
	dw.Sub(got.W, want.W)
	scale := 1 + math.Hypot(mat.Norm(want.H, 2), mat.Norm(want.W, 2))
	if d := math.Hypot(mat.Norm(&dh, 2), mat.Norm(&dw, 2)); !(d <= tolerance*scale) {
		t.Errorf("%s: (H, W) differs by %g of %g", what, d, scale)
	}
	for i := range want.B {
		closeTo(t, what+": b", got.B[i], want.B[i], tolerance)
	}
}

// observe computes from the definitions what Point computes from the structure. slack is the smallest margin between
// two logits, relative to the largest logit; if it is below rounding, the accuracy is undecided.
func observe(s *State, gamma float64, withBias bool) (loss, accuracy, slack float64) {
	m := s.M(gamma)
	var logits mat.Dense
	logits.Mul(s.W.T(), s.H)
	right := 0
	slack = math.Inf(1)
	_, c, n := s.Dims()
	for j, y := range s.Labels() {
		best := 0
		value := func(i int) float64 {
			if withBias {
				return logits.At(i, j) + s.B[i]
			}
			return logits.At(i, j)
		}
		for i := range c {
			loss -= m.At(i, j) * (logits.At(i, j) + s.B[i])
			if value(i) > value(best) {
				best = i
			}
		}
		if best == y {
			right++
		}
		for i := range c {
			if i != best {
				slack = min(slack, (value(best)-value(i))/(1e-300+math.Abs(value(best))+math.Abs(value(i))))
			}
		}
	}
	return loss, float64(right) / float64(n), slack
}
