package errata

import (
	"errors"
	"math"

	"github.com/unhinged-lab/lab/internal/brute"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mat"
)

// demonstrateE2 computes the biases under weight decay and a cosine rate: ψ by quadrature, as printed and with η2 for
// ζ2 in the integrand, and in closed form, against the ODE.
func demonstrateE2() (Demonstration, error) {
	const gamma, lambda1, lambda2, end = 0.2, 0.1, 0.7, 8.0
	rate := dynamics.CosineRate{Initial: 0.5, Steps: 10}
	s := dynamics.Gaussian(2, 3, 2, 2)
	copy(s.B, []float64{1, -0.5, 0.2})
	_, c, _ := s.Dims()
	brute, err := brute.Flow(s, gamma, lambda1, lambda2, rate, rate, 0, end)
	if err != nil {
		return Demonstration{}, err
	}
	phi := math.Exp(-lambda2 * rate.Integral(end))
	integral := func(factor func(t float64) float64) float64 { // ∫ factor(τ) e^{λ2 ζ2(τ)} dτ
		return quad.Fixed(func(tau float64) float64 { return factor(tau) * math.Exp(lambda2*rate.Integral(tau)) }, 0,
			end, 40, nil, 0)
	}
	miss := func(psi float64) float64 {
		b := make([]float64, c) // (14)
		for i := range b {
			b[i] = phi * (s.B[i] + (1+gamma-gamma*float64(c))/float64(c)*psi)
		}
		return largestDifference(b, brute.B)
	}
	closed := math.Expm1(lambda2*rate.Integral(end)) / lambda2
	return Demonstration{
		ID: "E2", Printed: "(14), (55), (72): ψ(t) = ∫ ζ2(τ) e^{λ2ζ2(τ)} dτ",
		Right:        "ψ(t) = ∫ η2(τ) e^{λ2ζ2(τ)} dτ = (e^{λ2ζ2(t)} − 1)/λ2",
		PrintedError: miss(integral(rate.Integral)), RightError: math.Max(miss(integral(rate.At)), miss(closed)),
		Tolerance: 1e-12,
	}, nil
}

// demonstrateE10 follows b_0/b_1 for γ = 1/(C−1) and for another γ. Page 29 concludes lim b_i/b_j = 1 without the
// corollary's γ ≠ 1/(C−1); (7) has it.
func demonstrateE10() (Demonstration, error) {
	const end = 20.0
	s := dynamics.Gaussian(2, 4, 2, 10)
	copy(s.B, []float64{1, 2, 3, 4})
	_, c, _ := s.Dims()
	d := Demonstration{
		ID: "E10", Printed: "p. 29: b_i/b_j → 1, for γ = 1/(C−1) too (and max/max for max/min)", Tolerance: 1e-12,
		Right: "b_i/b_j → 1 for γ ≠ 1/(C−1); for γ = 1/(C−1), b never moves",
	}
	for _, gamma := range []float64{0.1, 1 / float64(c-1)} {
		brute, err := brute.Flow(s, gamma, 0, 0, dynamics.ConstantRate(1), dynamics.ConstantRate(1), 0, end)
		if err != nil {
			return Demonstration{}, err
		}
		ratio := brute.B[0] / brute.B[1]
		moved := (1 + gamma - gamma*float64(c)) * end / float64(c) // (7)
		d.RightError = math.Max(d.RightError, math.Abs((s.B[0]+moved)/(s.B[1]+moved)-ratio))
		if gamma == 1/float64(c-1) {
			d.PrintedError = math.Abs(1 - ratio)
			d.RightError = math.Max(d.RightError, math.Abs(s.B[0]/s.B[1]-ratio))
		}
	}
	return d, nil
}

// demonstrateE19 counts the distinct eigenvalues of B = [[0, Mᵀ], [M, 0]] at γ = 1/(C−1), and multiplies (H, W)B out.
// It takes N = 1 and p = C, because otherwise the sizes in the printed (WMᵀ, HW) do not fit. The printed error is the
// smaller one of the two.
func demonstrateE19() (Demonstration, error) {
	s := dynamics.Gaussian(4, 4, 1, 19)
	p, c, n := s.Dims()
	gamma := 1 / float64(c-1)
	m := s.M(gamma)
	b := mat.NewSymDense(n+c, nil)
	for i := range c {
		for j := range n {
			b.SetSym(n+i, j, m.At(i, j))
		}
	}

	var eig mat.EigenSym
	if !eig.Factorize(b, false) {
		return Demonstration{}, errors.New("dynamics: E19: the eigenvalues of B did not converge")
	}
	values, distinct := eig.Values(nil), 1 // ascending
	for i := 1; i < len(values); i++ {
		if values[i]-values[i-1] > 1e-12 {
			distinct++
		}
	}

	z := mat.NewDense(p, n+c, nil)
	z.Augment(s.H, s.W)
	var brute mat.Dense
	brute.Mul(z, b)
	miss := func(left, right mat.Matrix) float64 {
		var d mat.Dense
		d.Augment(left, right)
		d.Sub(&d, &brute)
		return mat.Norm(&d, math.Inf(1))
	}
	var wmt, hw, wm, hmt mat.Dense
	wmt.Mul(s.W, m.T())
	hw.Mul(s.H, s.W)
	wm.Mul(s.W, m)
	hmt.Mul(s.H, m.T())
	return Demonstration{
		ID: "E19", Printed: "p. 25: (H, W)B = (WMᵀ, HW); the five eigenspaces have distinct eigenvalues",
		Right: "(H, W)B = (WM, HMᵀ); three distinct ones at γ = 1/(C−1), where E2 and E3 share 0 " +
			"(orthogonality, Lemma 9, is enough)",
		PrintedError: math.Min(math.Abs(float64(5-distinct)), miss(&wmt, &hw)),
		RightError:   math.Max(math.Abs(float64(3-distinct)), miss(&wm, &hmt)), Tolerance: 1e-13,
	}, nil
}

// demonstrateE31 computes the lower left block of the commutator [Aλ(t1), Aλ(t2)] in (57) for rates that are not
// proportional to each other.
func demonstrateE31() (Demonstration, error) {
	const gamma, lambda1, lambda2, t1, t2 = 0.3, 0.2, 0.5, 1.0, 4.0
	eta1, eta2 := dynamics.CosineRate{Initial: 0.9, Steps: 10}, dynamics.ExponentialRate{Initial: 0.7, Factor: 0.8}
	s := dynamics.Gaussian(2, 3, 2, 31)
	_, c, n := s.Dims()
	m := s.M(gamma)
	generator := func(t float64) *mat.Dense { // Aλ(t) of Z' = Z Aλ(t)
		a := mat.NewDense(n+c, n+c, nil)
		for i := range c {
			for j := range n {
				a.Set(n+i, j, eta1.At(t)*m.At(i, j))
				a.Set(j, n+i, eta2.At(t)*m.At(i, j))
				a.Set(j, j, -lambda1*eta1.At(t))
			}
			a.Set(n+i, n+i, -lambda2*eta2.At(t))
		}
		return a
	}
	var commutator, back mat.Dense
	commutator.Mul(generator(t1), generator(t2))
	back.Mul(generator(t2), generator(t1))
	commutator.Sub(&commutator, &back)
	miss := func(first float64) float64 { // λ2[first − η2(t1)η1(t2)]M
		var block mat.Dense
		block.Scale(lambda2*(first-eta2.At(t1)*eta1.At(t2)), m)
		block.Sub(&block, commutator.Slice(n, n+c, 0, n))
		return mat.Norm(&block, 2)
	}
	return Demonstration{
		ID: "E31", Printed: "(57), lower left: λ2[η2(t2)η1(t2) − η2(t1)η1(t2)]M",
		Right:        "λ2[η2(t2)η1(t1) − η2(t1)η1(t2)]M",
		PrintedError: miss(eta2.At(t2) * eta1.At(t2)), RightError: miss(eta2.At(t2) * eta1.At(t1)), Tolerance: 1e-13,
	}, nil
}

// demonstrateE33 computes the flow of a state in E1⁺ for two learning rates with the same initial value. H grows by
// α1⁺ζ1 + β1⁺ of (41).
func demonstrateE33() (Demonstration, error) {
	const gamma, c, n, end = 0.3, 3, 2, 8.0
	pr, err := dynamics.Gaussian(3, c, n, 33).Project()
	if err != nil {
		return Demonstration{}, err
	}
	spaces, err := pr.Eigenspaces()
	if err != nil {
		return Demonstration{}, err
	}
	start := spaces.E1Plus
	start.B = make([]float64, c)
	sigma, _ := dynamics.Sigma(gamma, c, n)
	d := Demonstration{
		ID: "E33", Printed: "Theorem 2: α and β only depend on C, N, γ, η1(0) and η2(0)",
		Right: "on C, N, γ, ζ1(t) and ζ2(t): on all of η1 and η2 (p. 23)", Tolerance: 1e-11,
	}
	var growth []float64
	for _, rate := range []dynamics.Schedule{dynamics.ConstantRate(0.5), dynamics.CosineRate{Initial: 0.5, Steps: 10}} {
		z, err := brute.Flow(start, gamma, 0, 0, rate, rate, 0, end)
		if err != nil {
			return Demonstration{}, err
		}
		zeta := rate.Integral(end) // ζ1 = ζ2
		alpha, beta := math.Sinh(sigma*zeta)/zeta, math.Cosh(sigma*zeta)
		growth = append(growth, mat.Norm(z.H, 2)/mat.Norm(start.H, 2))
		d.RightError = math.Max(d.RightError, math.Abs(alpha*zeta+beta-growth[len(growth)-1]))
	}
	d.PrintedError = math.Abs(growth[0] - growth[1]) // equal, by the printed form
	return d, nil
}
