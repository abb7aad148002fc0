package errata

import (
	"cmp"
	"math"
	"math/big"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// iterate runs gradient descent on (11) at the rate η in the number type T, and returns H and W (row after row).
func iterate[T float32 | float64](s *dynamics.State, gamma, lambda, eta float64, steps int) (h, w []T) {
	p, c, n := s.Dims()
	cast := func(m *mat.Dense) []T {
		out := make([]T, len(m.RawMatrix().Data))
		for i, v := range m.RawMatrix().Data {
			out[i] = T(v)
		}
		return out
	}
	h, w = cast(s.H), cast(s.W)
	m, l, rate := cast(s.M(gamma)), T(lambda), T(eta)
	gainH, gainW := make([]T, n), make([]T, c)
	for range steps {
		for i := range p {
			rowH, rowW := h[i*n:(i+1)*n], w[i*c:(i+1)*c]
			clear(gainH)
			clear(gainW)
			for k, wk := range rowW {
				for j, mkj := range m[k*n : (k+1)*n] {
					gainH[j] += wk * mkj
					gainW[k] += rowH[j] * mkj
				}
			}
			for j := range rowH {
				rowH[j] += rate * (gainH[j] - l*rowH[j])
			}
			for k := range rowW {
				rowW[k] += rate * (gainW[k] - l*rowW[k])
			}
		}
	}
	return h, w
}

// demonstrateE26 runs gradient descent at λ = λ* as in figure 4(b), at a small size, and measures ‖W − P‖², where P is
// the limit of Corollary 5: in float32, as in the figure, and in float64.
func demonstrateE26() (Demonstration, error) {
	const gamma, eta, steps = 0.2, 0.01, 40_000
	s := dynamics.Gaussian(3, 4, 2, 26)
	for _, m := range []*mat.Dense{s.H, s.W} { // a start that float32 holds exactly
		m.Apply(func(_, _ int, v float64) float64 { return float64(float32(v)) }, m)
	}
	pr, err := s.Project()
	if err != nil {
		return Demonstration{}, err
	}
	spaces, err := pr.Eigenspaces()
	if err != nil {
		return Demonstration{}, err
	}
	limit := spaces.E1Plus.W.RawMatrix().Data // s = 1
	lambda := dynamics.CriticalLambda(gamma, 4, 2)
	_, single := iterate[float32](s, gamma, lambda, eta, steps)
	_, double := iterate[float64](s, gamma, lambda, eta, steps)
	widened := make([]float64, len(single))
	for i, v := range single {
		widened[i] = float64(v)
	}
	square := func(w []float64) float64 { d := floats.Distance(w, limit, 2); return d * d }
	return Demonstration{
		ID: "E26", Printed: "figure 4(b): ‖W − P‖² stalls for λ = λ* (float32)",
		Right:        "it goes to 0 (float64: to rounding)",
		PrintedError: square(widened), RightError: square(double), Tolerance: 1e-20,
	}, nil
}

// demonstrateE27 runs gradient descent at γ = 2 > 2/(C−2), C = 4, in float64 and exactly: with N = 2 and η = 1 the
// entries of 8M are integers, and so are those of 8ᵗH and 8ᵗW if H and W start as integers. It compares the accuracy
// over the last steps, where the E1 part is smaller than the rounding of the E2 part, with 1/C. (At earlier steps, here
// at t = 5, the accuracy can be 1.)
func demonstrateE27() (Demonstration, error) {
	const p, c, n, gamma, eta, from, to = 8, 4, 2, 2.0, 1.0, 300, 320
	s := dynamics.Gaussian(p, c, n, 29)
	for _, m := range []*mat.Dense{s.H, s.W} {
		m.Apply(func(_, _ int, v float64) float64 { return math.Round(100 * v) }, m)
	}
	flow, err := dynamics.Unconstrained{Gamma: gamma, Rates: dynamics.Constant(eta, eta)}.From(s)
	if err != nil {
		return Demonstration{}, err
	}
	closed, err := flow.Descent(0)
	if err != nil {
		return Demonstration{}, err
	}
	d := Demonstration{
		ID: "E27", Printed: "figures 1(b), 5(a): accuracy changes late in the run for γ > 2/(C−2)",
		Right: "rounding; exactly, it is 1/C", Tolerance: 0,
	}
	exactH, exactW := iterateExactly(s, gamma, from)
	for t := from; t <= to; t++ {
		h, w := iterate[float64](s, gamma, 0, eta, t)
		rounded := fractionRight(s.Labels(), c, func(k, j int) float64 {
			sum := 0.0
			for i := range p {
				sum += w[i*c+k] * h[i*c*n+j]
			}
			return sum
		}, cmp.Compare)
		d.PrintedError = math.Max(d.PrintedError, math.Abs(rounded-1./c))

		exact := fractionRight(s.Labels(), c, func(k, j int) *big.Int {
			sum := new(big.Int)
			for i := range p {
				sum.Add(sum, new(big.Int).Mul(exactW[i*c+k], exactH[i*c*n+j]))
			}
			return sum
		}, (*big.Int).Cmp)
		point, err := closed.At(t)
		if err != nil {
			return Demonstration{}, err
		}
		d.RightError = math.Max(d.RightError, math.Max(math.Abs(exact-1./c), math.Abs(point.Accuracy(false)-1./c)))
		exactH, exactW = exactStep(exactH, exactW, s.M(gamma))
	}
	return d, nil
}

// iterateExactly returns nᵗH and nᵗW after t steps of gradient descent at η = 1 without regularisation, for integers H,
// W and γ.
func iterateExactly(s *dynamics.State, gamma float64, steps int) (h, w []*big.Int) {
	integers := func(m *mat.Dense) []*big.Int {
		out := make([]*big.Int, len(m.RawMatrix().Data))
		for i, v := range m.RawMatrix().Data {
			out[i] = big.NewInt(int64(v))
		}
		return out
	}
	h, w = integers(s.H), integers(s.W)
	m := s.M(gamma)
	for range steps {
		h, w = exactStep(h, w, m)
	}
	return h, w
}

// exactStep returns nH + W(nM) and nW + H(nM)ᵀ.
func exactStep(h, w []*big.Int, m *mat.Dense) (nextH, nextW []*big.Int) {
	c, n := m.Dims()
	scaled := func(x []*big.Int) []*big.Int {
		out := make([]*big.Int, len(x))
		for i, v := range x {
			out[i] = new(big.Int).Mul(big.NewInt(int64(n)), v)
		}
		return out
	}
	nextH, nextW = scaled(h), scaled(w)
	term := new(big.Int)
	for k := range c {
		for j := range n {
			entry := big.NewInt(int64(math.Round(float64(n) * m.At(k, j))))
			for i := range len(w) / c {
				nextH[i*n+j].Add(nextH[i*n+j], term.Mul(w[i*c+k], entry))
				nextW[i*c+k].Add(nextW[i*c+k], term.Mul(h[i*n+j], entry))
			}
		}
	}
	return nextH, nextW
}

// fractionRight returns the accuracy of argmax_k logit(k, j) over the samples j; the first of equal logits counts.
func fractionRight[T any](labels []int, classes int, logit func(k, j int) T, compare func(a, b T) int) float64 {
	right := 0
	for j, y := range labels {
		best := 0
		for k := range classes {
			if compare(logit(k, j), logit(best, j)) > 0 {
				best = k
			}
		}
		if best == y {
			right++
		}
	}
	return float64(right) / float64(len(labels))
}
