package dynamics

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Krylov replaces a full kernel K, pn×pn, that is too large for memory. Theorem 8 moves W and HMᵀ by the operator
//
//	G vec(W) = vec(unvec(K vec(W M)) Mᵀ),   pC×pC,
//
// from W(0) and H(0)Mᵀ only. With an orthonormal basis Q of the block Krylov space of these two, KernelFlow replaces
// G by its Rayleigh–Ritz approximation QQᵀG on that space. This is exact if the space is invariant, which it always is
// after p·C products. Otherwise KernelFlow.Defect says how large the neglected
// part is at a time. The products are also kept, because they are the features' directions: Products·p·n numbers.
type Krylov struct {
	// Product returns unvec(K vec(X)) for X, both p×n, with columns in the caller's order. An example is the product
	// with a network's Jacobian and its transpose.
	Product  func(x *mat.Dense) (*mat.Dense, error)
	Products int // the largest number of products, from 2; fewer are made if the space becomes invariant before
}

// space returns the basis Q, pC×m, and QᵀM̃K, m×pn, with columns in the caller's order. Every vector is orthogonalised
// against all earlier ones, twice.
func (k *Krylov) space(core *kernelCore, s *State) (basis, mk *mat.Dense, err error) {
	p, c, n := s.Dims()
	if k.Product == nil || k.Products < 2 {
		return nil, nil, fmt.Errorf("dynamics: Kernel.Krylov needs a Product, and Products of at least 2, for W and " +
			"for HMᵀ")
	}
	most := min(k.Products, p*c)
	waiting := []*mat.Dense{core.rows(s.W), core.pulled()}
	var q []*mat.VecDense
	var rows []float64
	for len(waiting) > 0 && len(q) < most {
		v := mat.NewVecDense(p*c, append([]float64(nil), waiting[0].RawRowView(0)...))
		waiting = waiting[1:]
		if !orthonormal(v, q) {
			continue
		}
		q = append(q, v)
		row, err := core.multiplied(k.Product, v.RawVector().Data, n, len(q))
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, row.RawRowView(0)...)
		waiting = append(waiting, core.samples.contractRight(row, p))
	}
	if len(q) == 0 {
		return nil, nil, fmt.Errorf("dynamics: W and HMᵀ are 0 at the start: the state does not move, whatever the " +
			"kernel is, and Kernel.Krylov has no direction to begin with")
	}
	basis = mat.NewDense(p*c, len(q), nil)
	for j, v := range q {
		basis.SetCol(j, v.RawVector().Data)
	}
	return basis, mat.NewDense(len(q), p*n, rows), nil
}

// multiplied returns unvec(K vec(W M)) for vec(W), in the form of rows. product multiplies by the kernel K from the
// training samples to cols points; number counts its calls.
func (core *kernelCore) multiplied(product func(x *mat.Dense) (*mat.Dense, error), w []float64, cols, number int) (
	*mat.Dense, error) {
	p, _, _ := core.state.Dims()
	x, err := product(core.samples.spread(w, p))
	if err != nil {
		return nil, fmt.Errorf("dynamics: product %d with the kernel: %w", number, err)
	}
	if r, c := x.Dims(); r != p || c != cols {
		return nil, fmt.Errorf("dynamics: product %d with the kernel is %d×%d: want p×n, %d×%d, a column a point",
			number, r, c, p, cols)
	}
	return core.rows(x), finite("a product with the kernel", x)
}

// orthonormal makes v orthogonal to the vectors q and of length 1. It returns false if only rounding is left of v.
func orthonormal(v *mat.VecDense, q []*mat.VecDense) bool {
	before := mat.Norm(v, 2)
	for range 2 {
		for _, u := range q {
			v.AddScaledVec(v, -mat.Dot(u, v), u)
		}
	}
	after := mat.Norm(v, 2)
	if !(after > 1e-13*before) {
		return false
	}
	v.ScaleVec(1/after, v)
	return true
}

// spread returns W M, p×n with columns in the caller's order, for vec(W).
func (s samples) spread(w []float64, p int) *mat.Dense {
	total := make([]float64, p)
	for i, v := range w {
		total[i%p] += v
	}
	out := mat.NewDense(p, s.n, nil)
	for j, y := range s.labels {
		for f := range p {
			out.Set(f, j, ((1+s.gamma)*w[y*p+f]-s.gamma*total[f])/float64(s.n))
		}
	}
	return out
}

// compress returns QᵀGQ and the size of its entries, for the rows QᵀG.
func (core *kernelCore) compress(rows, basis *mat.Dense) (g *mat.Dense, scale float64, err error) {
	core.residual = mat.DenseCopyOf(rows.T())
	g = new(mat.Dense)
	g.Mul(rows, basis)
	var difference mat.Dense
	difference.Sub(g, g.T())
	scale = mat.Norm(g, 1)
	if asymmetry := mat.Max(&difference); asymmetry > 10*kernelRounding*scale {
		return nil, 0, fmt.Errorf("dynamics: Kernel.Krylov.Product is not a product with a symmetric matrix: xᵀKy and "+
			"yᵀKx differ by %v of %v", asymmetry, scale)
	}
	return g, scale, nil
}

// lift turns the modes of QᵀGQ into those of QQᵀG, and the products G Q into residuals of the modes.
func (core *kernelCore) lift(basis *mat.Dense) {
	var products, kept, parts, modes mat.Dense
	products.Mul(core.residual, core.v)
	modes.Mul(basis, core.v)
	parts.Mul(basis.T(), &products)
	kept.Mul(basis, &parts)
	core.residual.Sub(&products, &kept)
	core.v = &modes
}

// Defect returns, for a flow with Kernel.Krylov, how much of H'Mᵀ/η1 the Krylov space neglects at a point,
//
//	‖(I − QQᵀ) G vec(W)‖ / ‖QQᵀ G vec(W)‖.
//
// It is 0 to rounding if the space is invariant, and 0 for all other kernels. The error e of vec(W) obeys the same
// equations as W, driven by the neglected part: e' = η2(a − λ2 e), a' = η1(G e + (I−QQᵀ) G vec(W) − λ1 a).
func (f *KernelFlow) Defect(at Point) (float64, error) {
	if f.residual == nil {
		return 0, nil
	}
	known, ok := at.(*point)
	if !ok {
		return 0, errors.New("dynamics: the point is not of this trajectory")
	}
	state, ok := known.now.(kernelState)
	if !ok || !state.of(f.kernelCore) {
		return 0, errors.New("dynamics: the point is not of this trajectory")
	}
	w := state.w.RowView(0)
	var dropped mat.VecDense
	dropped.MulVec(f.residual, w)
	kept := 0.0
	for k, sigma2 := range f.sigma2 {
		kept = math.Hypot(kept, sigma2*w.AtVec(k))
	}
	if kept == 0 {
		return 0, nil
	}
	return mat.Norm(&dropped, 2) / kept, nil
}
