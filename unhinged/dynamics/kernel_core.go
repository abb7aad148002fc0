package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// kernelCore is the decomposition of a kernel. In every form the state splits into independent rows, and row r has the
// kernel d_r·κ̃:
//
//	h_r' = η1(d_r·w_r M̃κ̃ − λ1 h_r),   w_r' = η2(h_r M̃ᵀ − λ2 w_r).
//
// κ ⊗ K_p with K_p = U diag(d) Uᵀ has p rows, those of UᵀH and UᵀW, with M̃ = M and κ̃ = κ. A full kernel has a single
// row, vec(H)ᵀ and vec(W)ᵀ, with M̃ = M⊗I_p and κ̃ = K. With G = M̃κ̃M̃ᵀ = V diag(σ²) Vᵀ, C×C or pC×pC, each pair of a
// row r and a mode k has two numbers, a = h_r M̃ᵀv_k and w = w_r v_k, that obey a' = η1(d_rσ_k² w − λ1 a), w' = η2(a −
// λ2 w), and
//
//	h_r(t) = e^{−λ1ζ1}h_r(0) + d_r Σ_k I_rk v_kᵀM̃κ̃,   I_rk' = η1(w_rk − λ1 I_rk),  I_rk(0) = 0,
//
// This holds for any points, trained on or not, with their own h_r(0) and κ̃.
type kernelCore struct {
	state   *State
	samples samples
	drift   []float64
	q       int // features in a block of columns: p with a full kernel, else 1

	u        *mat.Dense // nil for U = I
	d        []float64  // distinct multipliers
	of       []int      // index in d of every row
	sigma2   []float64  // of every mode, ascending
	v        *mat.Dense // modes
	centered *mat.Dense // V without the mean over classes, which is enough for an argmax
	a0, w0   *mat.Dense // rows × modes
	train    points
	lower    *mat.Dense // train.drive = lower·(orthonormal rows)
	inside   *mat.Dense // coordinates of h(0) in these rows
	outside  float64    // norm of the part of h(0) outside of their span
	residual *mat.Dense // (I−QQᵀ)G of every mode if the modes are those of a Krylov space; else nil
}

// contracted returns M̃κ̃, or QᵀM̃κ̃ with the basis Q of a Krylov space, with columns in the caller's order, and the
// largest element of the kernel. basis is nil if there is no Krylov space.
func (k Kernel) contracted(core *kernelCore) (mk, basis *mat.Dense, largest float64, err error) {
	s, order := core.state, core.samples
	p, _, n := s.Dims()
	largest = 1
	if (k.Full != nil || k.Krylov != nil) && (k.Samples != nil || k.Features != nil || k.Sums != nil) ||
		k.Full != nil && k.Krylov != nil {
		return nil, nil, 0, fmt.Errorf("dynamics: Kernel.Full and Kernel.Krylov exclude each other and " +
			"Kernel.Samples, Kernel.Sums and Kernel.Features: a full kernel holds both factors")
	}
	switch {
	case k.Krylov != nil:
		core.q, core.of = p, []int{0}
		if basis, mk, err = k.Krylov.space(core, s); err != nil {
			return nil, nil, 0, err
		}
	case k.Full != nil:
		core.q, core.of = p, []int{0}
		if largest, err = validateKernel("kernel K", k.Full, p*n, "p·n, samples in blocks of p"); err != nil {
			return nil, nil, 0, err
		}
		mk = order.contract(k.Full, p)
	case k.Samples != nil && k.Sums != nil:
		return nil, nil, 0, fmt.Errorf("dynamics: Kernel.Sums excludes Kernel.Samples: set one of them")
	case k.Samples != nil:
		if largest, err = validateKernel("kernel κ", k.Samples, n, "a row a training sample"); err != nil {
			return nil, nil, 0, err
		}
		mk = order.contract(k.Samples, 1)
	case k.Sums != nil:
		if err := k.Sums.validate(order); err != nil {
			return nil, nil, 0, err
		}
		largest, mk = k.Sums.Largest, mat.DenseCopyOf(k.Sums.Train)
		order.weigh(mk, 1)
	default:
		mk = order.matrix()
	}
	return mk, basis, largest, nil
}

// decompose computes the modes of the kernel, and the coordinates of the state in them.
func (k Kernel) decompose(s *State, gamma float64) (*kernelCore, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	p, c, _ := s.Dims()
	order, err := newSamples(s, gamma)
	if err != nil {
		return nil, err
	}
	core := &kernelCore{state: s, samples: order, drift: order.drift(), q: 1, d: []float64{1}, of: make([]int, p)}
	mk, basis, largest, err := k.contracted(core)
	if err != nil {
		return nil, err
	}
	if k.Features != nil {
		if err := core.rotate(k.Features, p); err != nil {
			return nil, err
		}
	}
	g, scale := order.contractRight(mk, core.q), largest*order.weights()*order.weights()
	if basis != nil {
		if g, scale, err = core.compress(g, basis); err != nil {
			return nil, err
		}
	}
	if err := core.diagonalize(g, scale); err != nil {
		return nil, err
	}

	core.train = points{core.rows(s.H), new(mat.Dense)}
	core.train.drive.Mul(core.v.T(), order.sorted(mk, core.q))
	if basis != nil {
		core.lift(basis)
	}
	core.a0, core.w0 = new(mat.Dense), new(mat.Dense)
	core.a0.Mul(core.pulled(), core.v)
	core.w0.Mul(core.rows(s.W), core.v)
	core.centered = centerClasses(core.v, c, core.q)
	core.measure()
	return core, nil
}

// pulled returns H M̃ᵀ at the start, in rows.
func (core *kernelCore) pulled() *mat.Dense {
	inOrder := core.samples
	inOrder.labels = core.state.Labels()
	return inOrder.contractRight(core.rows(core.state.H), core.q)
}

// rotate computes the eigendecomposition of K_p. Equal eigenvalues become one multiplier.
func (core *kernelCore) rotate(kp *mat.Dense, p int) error {
	largest, err := validateKernel("kernel K_p", kp, p, "p×p")
	if err != nil {
		return err
	}
	values, vectors, err := eigenSym("kernel K_p", kp)
	if err != nil {
		return err
	}
	if values[0] < -kernelRounding*largest*float64(p) {
		return fmt.Errorf("dynamics: kernel K_p is not positive semi-definite: its smallest eigenvalue is %v",
			values[0])
	}
	settle(values, values[p-1])
	core.u, core.d = vectors, nil
	for r, v := range values {
		if r == 0 || v != values[r-1] {
			core.d = append(core.d, v)
		}
		core.of[r] = len(core.d) - 1
	}
	return nil
}

// diagonalize computes the eigendecomposition of G. scale is a bound of the entries of G.
func (core *kernelCore) diagonalize(g *mat.Dense, scale float64) error {
	values, vectors, err := eigenSym("M κ Mᵀ", g)
	if err != nil {
		return err
	}
	if values[0] < -kernelRounding*scale*float64(len(values)) {
		return fmt.Errorf("dynamics: the kernel is not positive semi-definite: M κ Mᵀ, all that the loss sees of it, "+
			"has the eigenvalue %v", values[0])
	}
	settle(values, scale)
	core.sigma2, core.v = values, vectors
	return nil
}

// settle removes the effect of rounding from ascending eigenvalues; scale is the size of the matrix's entries before
// cancellation. Eigenvalues that are negative or within rounding of 0 become 0. Eigenvalues that differ by rounding
// only become equal, so that they are treated as one eigenspace. Other small eigenvalues stay as they are: their effect
// is of the order of their value.
func settle(values []float64, scale float64) {
	const epsilon = 0x1p-52
	top := values[len(values)-1]
	rounding := epsilon * (16*scale + 4*float64(len(values))*top)
	for i, v := range values {
		if top <= rounding || v <= epsilon*top {
			values[i] = 0
		}
	}
	for from := 0; from < len(values); {
		to, sum := from, 0.0
		for to < len(values) && (to == from || values[to]-values[to-1] <= math.Min(rounding, 1e-9*values[to])) {
			sum += values[to]
			to++
		}
		for i := from; i < to; i++ {
			values[i] = sum / float64(to-from)
		}
		from = to
	}
}

// eigenSym returns the eigenvalues, ascending, and eigenvectors of the symmetric part.
func eigenSym(name string, m *mat.Dense) ([]float64, *mat.Dense, error) {
	n, _ := m.Dims()
	sym := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			sym.SetSym(i, j, (m.At(i, j)+m.At(j, i))/2)
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(sym, true) {
		return nil, nil, fmt.Errorf("dynamics: the eigenvalues of %s, %d×%d, did not converge", name, n, n)
	}
	vectors := new(mat.Dense)
	eig.VectorsTo(vectors)
	return eig.Values(nil), vectors, nil
}

// centerClasses returns V without, in each column and for each of the q features, the mean over the c classes, which
// adds the same vector to all prototypes and never changes an argmax.
func centerClasses(v *mat.Dense, c, q int) *mat.Dense {
	out := mat.DenseCopyOf(v)
	rows, modes := v.Dims()
	for k := range modes {
		for f := range q {
			mean := 0.0
			for i := f; i < rows; i += q {
				mean += v.At(i, k) / float64(c)
			}
			for i := f; i < rows; i += q {
				out.Set(i, k, v.At(i, k)-mean)
			}
		}
	}
	return out
}

// rows returns the p×m matrix X in the form that the dynamics work on: UᵀX, or a single row with the columns of X one
// after another.
func (core *kernelCore) rows(x *mat.Dense) *mat.Dense {
	p, m := x.Dims()
	switch {
	case core.q > 1:
		out := mat.NewDense(1, p*m, nil)
		for j := range m {
			for f := range p {
				out.Set(0, j*p+f, x.At(f, j))
			}
		}
		return out
	case core.u != nil:
		out := new(mat.Dense)
		out.Mul(core.u.T(), x)
		return out
	}
	return x
}

// unrows is the inverse of rows; it may return x itself.
func (core *kernelCore) unrows(x *mat.Dense) *mat.Dense {
	p, _ := core.state.W.Dims()
	switch {
	case core.q > 1:
		_, cols := x.Dims()
		out := mat.NewDense(p, cols/p, nil)
		for j := range cols / p {
			for f := range p {
				out.Set(f, j, x.At(0, j*p+f))
			}
		}
		return out
	case core.u != nil:
		out := new(mat.Dense)
		out.Mul(core.u, x)
		return out
	}
	return x
}

// measure finds orthonormal coordinates of the span of M̃κ̃, in which norms and inner products of H can be computed
// from a few numbers.
func (core *kernelCore) measure() {
	modes, _ := core.train.drive.Dims()
	basis := mat.DenseCopyOf(core.train.drive.T())
	tau := make([]float64, modes)
	work := make([]float64, 64*modes)
	lapack64.Geqrf(basis.RawMatrix(), tau, work, len(work))
	core.lower = mat.NewDense(modes, modes, nil)
	for i := range modes {
		for j := i; j < modes; j++ {
			core.lower.Set(j, i, basis.At(i, j))
		}
	}
	lapack64.Orgqr(basis.RawMatrix(), tau, work, len(work))
	core.inside = new(mat.Dense)
	core.inside.Mul(core.train.start, basis)
	var rest mat.Dense
	rest.Mul(core.inside, basis.T())
	rest.Sub(core.train.start, &rest)
	core.outside = mat.Norm(&rest, 2)
}
