package errata

import (
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// linearNetwork is a model vec(H) = JΘ + vec(H0), whose neural tangent kernel JJᵀ never changes, with prototypes W and
// biases b. It is trained by gradient flow on Θ itself, (22), which is the brute force for the errata of section 3.5.
// slope returns ∂L/∂logits, C×n, for given logits.
func linearNetwork(s *dynamics.State, j *mat.Dense, slope func(logits *mat.Dense) *mat.Dense, eta,
	end float64) (*dynamics.State, error) {
	const tolerance = 1e-12
	p, c, n := s.Dims()
	_, q := j.Dims()
	features := func(theta []float64) *mat.Dense {
		var v mat.VecDense
		v.MulVec(j, mat.NewVecDense(q, theta))
		h := mat.DenseCopyOf(s.H)
		for i := range n {
			for f := range p {
				h.Set(f, i, h.At(f, i)+v.AtVec(i*p+f))
			}
		}
		return h
	}
	x := make([]float64, q+p*c+c)
	copy(x[q:], s.W.RawMatrix().Data)
	copy(x[q+p*c:], s.B)
	x, err := dynamics.Integrate(func(_ float64, x, dx []float64) {
		now := &dynamics.State{H: features(x[:q]), W: mat.NewDense(p, c, x[q:q+p*c]), B: x[q+p*c:]}
		by := slope(now.Logits(now.H))
		var byH, byW mat.Dense
		byH.Mul(now.W, by)
		byW.Mul(now.H, by.T())
		stacked := mat.NewVecDense(p*n, nil)
		for i := range n {
			for f := range p {
				stacked.SetVec(i*p+f, byH.At(f, i))
			}
		}
		var byTheta mat.VecDense
		byTheta.MulVec(j.T(), stacked)
		copy(dx, byTheta.RawVector().Data)
		copy(dx[q:], byW.RawMatrix().Data)
		for k := range c {
			dx[q+p*c+k] = floats.Sum(by.RawRowView(k))
		}
		floats.Scale(-eta, dx)
	}, 0, end, x, tolerance)
	if err != nil {
		return nil, err
	}
	return &dynamics.State{H: features(x[:q]), W: mat.NewDense(p, c, x[q:q+p*c]), B: x[q+p*c:], Counts: s.Counts}, nil
}

// unhingedSlope returns ∂L/∂logits of (3), which is −M for all logits.
func unhingedSlope(s *dynamics.State, gamma float64) func(*mat.Dense) *mat.Dense {
	slope := scaledCopy(-1, s.M(gamma))
	return func(*mat.Dense) *mat.Dense { return slope }
}

// missZ returns ‖(H, W) − (H', W')‖ relative to ‖(H', W')‖.
func missZ(h, w mat.Matrix, want *dynamics.State) float64 {
	var dh, dw mat.Dense
	dh.Sub(h, want.H)
	dw.Sub(w, want.W)
	return math.Hypot(mat.Norm(&dh, 2), mat.Norm(&dw, 2)) / want.NormZ()
}

// demonstrateE6 evaluates (24) as printed, with and without η in the exponent, and with C = U_A⁻¹⊗U_B⁻¹. It takes p = C
// and N = 1, so that 2p = n+C, because the printed sizes do not fit otherwise.
func demonstrateE6() (Demonstration, error) {
	const p, gamma, eta, end = 3, 0.3, 0.5, 3.0
	s := dynamics.Gaussian(p, p, 1, 6)
	root := mat.DenseCopyOf(dynamics.Gaussian(p, p, 1, 66).H)
	var kp mat.Dense
	kp.Mul(root, root.T())
	j := new(mat.Dense)
	j.Kronecker(identity(p), root) // K = I_CN ⊗ K_p
	brute, err := linearNetwork(s, j, unhingedSlope(s, gamma), eta, end)
	if err != nil {
		return Demonstration{}, err
	}

	b, z := mat.NewDense(2*p, 2*p, nil), mat.NewDense(2*p, 2*p, nil)
	m := s.M(gamma)
	b.Slice(p, 2*p, 0, p).(*mat.Dense).Copy(m)
	b.Slice(0, p, p, 2*p).(*mat.Dense).Copy(m.T())
	z.Slice(0, p, 0, p).(*mat.Dense).Copy(s.H)
	z.Slice(p, 2*p, p, 2*p).(*mat.Dense).Copy(s.W)
	form := form24{start: z, end: end, brute: brute}
	ua, err := form.eigenA(&kp)
	if err != nil {
		return Demonstration{}, err
	}
	var ub *mat.Dense
	if form.lambdaB, ub, err = eigenSym(b); err != nil {
		return Demonstration{}, err
	}

	var inverseA, both, printed, right mat.Dense
	if err := inverseA.Inverse(ua); err != nil {
		return Demonstration{}, err
	}
	both.Mul(ub.T(), &inverseA)
	printed.Kronecker(&both, identity(2*p))
	right.Kronecker(&inverseA, ub.T())
	d := Demonstration{
		ID: "E6", Printed: "(24): C = U_B⁻¹U_A⁻¹⊗I, without η (sizes fit only for p = C, N = 1)",
		Right:     "C = U_A⁻¹⊗U_B⁻¹, exponent η(Λ_A⊗Λ_B)t",
		Tolerance: 1e-10,
	}
	asPrinted, err := form.miss(&printed, 1)
	if err != nil {
		return Demonstration{}, err
	}
	withRate, err := form.miss(&printed, eta)
	if err != nil {
		return Demonstration{}, err
	}
	d.PrintedError = math.Min(asPrinted, withRate)
	if d.RightError, err = form.miss(&right, eta); err != nil {
		return Demonstration{}, err
	}
	closed, err := kernelMiss(s, gamma, eta, end, dynamics.Kernel{Features: &kp}, brute)
	d.RightError = math.Max(d.RightError, closed)
	return d, err
}

// form24 evaluates (24) for A and B with the eigenvalues lambdaA and lambdaB.
type form24 struct {
	lambdaA, lambdaB []float64
	start            *mat.Dense // Z(0): H(0) and W(0) in the diagonal blocks
	end              float64    // the time
	brute            *dynamics.State
}

// eigenA sets lambdaA to the eigenvalues of A for the kernel K_p = kp and returns the eigenvectors of A: an eigenvector
// u of K_p with the eigenvalue k gives A(±√k u, u) = ±√k(±√k u, u).
func (f *form24) eigenA(kp *mat.Dense) (*mat.Dense, error) {
	values, u, err := eigenSym(kp)
	if err != nil {
		return nil, err
	}
	p := len(values)
	vectors := mat.NewDense(2*p, 2*p, nil)
	f.lambdaA = make([]float64, 2*p)
	for k, v := range values {
		for sign, col := range map[float64]int{1: k, -1: p + k} {
			f.lambdaA[col] = sign * math.Sqrt(v)
			for i := range p {
				vectors.Set(i, col, f.lambdaA[col]*u.At(i, k))
				vectors.Set(p+i, col, u.At(i, k))
			}
		}
	}
	return vectors, nil
}

// miss returns how far (24) is from the brute force, with C = change and the exponent rate·(Λ_A⊗Λ_B)·end.
func (f *form24) miss(change *mat.Dense, rate float64) (float64, error) {
	n := len(f.lambdaA)
	var start, solution mat.VecDense
	start.MulVec(change, mat.NewVecDense(n*n, f.start.RawMatrix().Data)) // row-first
	for i, a := range f.lambdaA {
		for k, b := range f.lambdaB {
			at := i*n + k
			start.SetVec(at, start.AtVec(at)*math.Exp(rate*a*b*f.end))
		}
	}
	if err := solution.SolveVec(change, &start); err != nil {
		return 0, err
	}
	at, p := mat.NewDense(n, n, solution.RawVector().Data), n/2
	return missZ(at.Slice(0, p, 0, p), at.Slice(p, n, p, n), f.brute), nil
}

// kernelMiss returns how far the closed form is from the brute force.
func kernelMiss(s *dynamics.State, gamma, eta, end float64, kernel dynamics.Kernel, brute *dynamics.State) (float64,
	error) {
	flow, err := dynamics.Invariant{Gamma: gamma, Rates: dynamics.Constant(eta, eta), Kernel: kernel}.From(s)
	if err != nil {
		return 0, err
	}
	point, err := flow.At(end)
	if err != nil {
		return 0, err
	}
	got, err := point.State()
	if err != nil {
		return 0, err
	}
	return missZ(got.H, got.W, brute), nil
}

// demonstrateE7 trains a network with fewer parameters than features, so that its kernel is singular and couples
// samples. The printed form has a single p×p matrix in its place, here the mean over the samples of the kernel of a
// sample with itself.
func demonstrateE7() (Demonstration, error) {
	const p, c, n, parameters, gamma, eta, end = 3, 3, 2, 10, 0.3, 0.5, 3.0
	s := dynamics.Gaussian(p, c, n, 7)
	j := mat.DenseCopyOf(dynamics.Gaussian(p*c*n, parameters, 1, 77).W)
	j.Scale(1/math.Sqrt(parameters), j)
	brute, err := linearNetwork(s, j, unhingedSlope(s, gamma), eta, end)
	if err != nil {
		return Demonstration{}, err
	}
	var full mat.Dense
	full.Mul(j, j.T())
	own := mat.NewDense(p, p, nil)
	for i := range c * n {
		own.Add(own, full.Slice(i*p, (i+1)*p, i*p, (i+1)*p))
	}
	own.Scale(1./(c*n), own)
	d := Demonstration{
		ID: "E7", Printed: "Theorem 8: the kernel ∇ΘHᵀ∇ΘH is one p×p matrix (K = I_CN⊗K_p), A is diagonalisable",
		Right: "K ∈ R^{pCN×pCN} couples samples and may be singular: modes of (M⊗I)K(M⊗I)ᵀ", Tolerance: 1e-10,
	}
	if d.PrintedError, err = kernelMiss(s, gamma, eta, end, dynamics.Kernel{Features: own}, brute); err != nil {
		return Demonstration{}, err
	}
	d.RightError, err = kernelMiss(s, gamma, eta, end, dynamics.Kernel{Full: &full}, brute)
	return d, err
}

// demonstrateE11 trains a network with the kernel κ⊗I_p on the mean squared error.
func demonstrateE11() (Demonstration, error) {
	const p, c, n, width, eta, end = 2, 3, 2, 4, 0.2, 2.0
	s := dynamics.Gaussian(p, c, n, 11)
	inputs := mat.DenseCopyOf(dynamics.Gaussian(c*n, width, 1, 111).W)
	j := new(mat.Dense)
	j.Kronecker(inputs, identity(p))
	labels := s.Labels()
	slope := func(logits *mat.Dense) *mat.Dense {
		for i, y := range labels {
			logits.Set(y, i, logits.At(y, i)-1)
		}
		return scaledCopy(2./(c*n), logits)
	}
	brute, err := linearNetwork(s, j, slope, eta, end)
	if err != nil {
		return Demonstration{}, err
	}
	var kappa mat.Dense
	kappa.Mul(inputs, inputs.T())
	flow, err := dynamics.MSE{Rates: dynamics.Constant(eta, eta), Kernel: dynamics.Kernel{Samples: &kappa}}.From(s)
	if err != nil {
		return Demonstration{}, err
	}
	// (25) as printed increases the loss, so it is compared at a time at which the loss is still finite.
	const early = end / 40
	printed, err := linearNetwork(s, j, func(logits *mat.Dense) *mat.Dense { return scaledCopy(-1, slope(logits)) },
		eta, early)
	if err != nil {
		return Demonstration{}, err
	}
	var at []*dynamics.State
	for _, t := range []float64{early, end} {
		point, err := flow.At(t)
		if err != nil {
			return Demonstration{}, err
		}
		state, err := point.State()
		if err != nil {
			return Demonstration{}, err
		}
		at = append(at, state)
	}
	return Demonstration{
		ID: "E11", Printed: "(25): C(t) = +(2η/CN)(WᵀH + b1ᵀ − I⊗1ᵀ), as early as a 40th of the time",
		Right:        "C(t) = −(2η/CN)(WᵀH + b1ᵀ − I⊗1ᵀ)",
		PrintedError: missZ(printed.H, printed.W, at[0]), RightError: missZ(at[1].H, at[1].W, brute), Tolerance: 1e-8,
	}, nil
}
