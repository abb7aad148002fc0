package dynamics

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// kernelProblem is a random state with a kernel and unseen points. It also has the same kernels written out as pn×pn
// and pn×pm matrices in the order of H's columns.
type kernelProblem struct {
	state        *State
	kernel       Kernel
	hStar, kStar *mat.Dense
	full, star   *mat.Dense
}

type kernelForm int

const (
	free          kernelForm = iota // I_n⊗I_p
	betweenSample                   // κ⊗I_p
	printedForm                     // I_n⊗K_p
	productForm                     // κ⊗K_p
	fullForm
)

var kernelForms = []kernelForm{free, betweenSample, printedForm, productForm, fullForm}

// gramOf returns JJᵀ and J_* from random features of the given rank.
func randomJacobian(rng *rand.Rand, rows, rank int) *mat.Dense {
	j := normal(rng, rows, rank)
	j.Scale(1/math.Sqrt(float64(rank)), j)
	return j
}

func product3(a, b *mat.Dense) *mat.Dense {
	out := new(mat.Dense)
	out.Mul(a, b.T())
	return out
}

// randomKernelProblem draws sizes (C = 2, N = 1 and p < C occur), an order of the samples, and a kernel that may be
// singular.
func randomKernelProblem(rng *rand.Rand, form kernelForm) kernelProblem {
	s := randomState(rng, rng.IntN(2) == 0)
	p, _, n := s.Dims()
	m := 1 + rng.IntN(3)
	s.Order = rng.Perm(n)
	pr := kernelProblem{state: s, hStar: normal(rng, p, m)}
	kappa, kappaStar := identity(n), mat.NewDense(n, m, nil)
	features := identity(p)
	rank := func(size int) int { return 1 + rng.IntN(2*size) } // often less than size
	if form == betweenSample || form == productForm {
		r := rank(n)
		j, js := randomJacobian(rng, n, r), randomJacobian(rng, m, r)
		kappa, kappaStar = product3(j, j), product3(j, js)
		pr.kernel.Samples = kappa
	}
	if form == printedForm || form == productForm {
		j := randomJacobian(rng, p, rank(p))
		features = product3(j, j)
		pr.kernel.Features = features
	}
	pr.kStar = kappaStar
	pr.full, pr.star = new(mat.Dense), new(mat.Dense)
	pr.full.Kronecker(kappa, features)
	pr.star.Kronecker(kappaStar, features)
	if form == fullForm {
		r := rank(n * p)
		j, js := randomJacobian(rng, n*p, r), randomJacobian(rng, m*p, r)
		pr.full, pr.star = product3(j, j), product3(j, js)
		pr.kernel.Full, pr.kStar = pr.full, pr.star
	}
	pr.full, pr.star = pr.inOrder(pr.full, true), pr.inOrder(pr.star, false)
	return pr
}

// inOrder permutes blocks of p rows, and columns, from the caller's order to that of the columns of H.
func (pr kernelProblem) inOrder(k *mat.Dense, columns bool) *mat.Dense {
	p, _, _ := pr.state.Dims()
	at := func(i int) int { return pr.state.Order[i/p]*p + i%p }
	out := mat.DenseCopyOf(k)
	out.Apply(func(i, j int, _ float64) float64 {
		if columns {
			return k.At(at(i), at(j))
		}
		return k.At(at(i), j)
	}, out)
	return out
}

// applied returns unvec(K vec(X)), where vec stacks columns.
func applied(k mat.Matrix, x *mat.Dense) *mat.Dense {
	p, n := x.Dims()
	v := mat.NewVecDense(p*n, nil)
	for j := range n {
		for i := range p {
			v.SetVec(j*p+i, x.At(i, j))
		}
	}
	var kv mat.VecDense
	kv.MulVec(k, v)
	out := mat.NewDense(p, kv.Len()/p, nil)
	for j := range kv.Len() / p {
		for i := range p {
			out.Set(i, j, kv.AtVec(j*p+i))
		}
	}
	return out
}

// kernelField is the right-hand side of Theorem 8, written out for H, H_*, W and b.
type kernelField struct {
	pr                      kernelProblem
	gamma, lambda1, lambda2 float64
	anchored, onFeatures    bool // onFeatures: the penalty ½λ1‖H‖² replaces weight decay
}

func (f kernelField) at(h, hs, w *mat.Dense, b []float64) (dh, dhs, dw *mat.Dense, db []float64) {
	m := f.pr.state.M(f.gamma)
	inside := new(mat.Dense)
	inside.Mul(w, m)
	if f.onFeatures {
		inside.Sub(inside, scaledCopy(f.lambda1, h))
	}
	dh, dhs = applied(f.pr.full, inside), applied(f.pr.star.T(), inside)
	if !f.onFeatures {
		dh.Sub(dh, scaledCopy(f.lambda1, h))
		dhs.Sub(dhs, scaledCopy(f.lambda1, hs))
	}
	dw, db = new(mat.Dense), make([]float64, len(b))
	dw.Mul(h, m.T())
	dw.Sub(dw, scaledCopy(f.lambda2, w))
	for i := range b {
		db[i] = mat.Sum(m.RowView(i)) - f.lambda2*b[i]
	}
	if f.anchored {
		dw.Zero()
		clear(db)
	}
	return dh, dhs, dw, db
}

func (f kernelField) descend(momentum float64, eta1, eta2 func(t float64) float64, steps int) (*State, *mat.Dense) {
	return iterateField(f.pr, f.at, momentum, eta1, eta2, steps)
}

func (f kernelField) flow(t *testing.T, eta1, eta2 func(t float64) float64, end float64) (*State, *mat.Dense) {
	t.Helper()
	return simulate(t, f.pr, f.at, eta1, eta2, end)
}

// field is the descent direction of H, H_*, W and b.
type field func(h, hs, w *mat.Dense, b []float64) (dh, dhs, dw *mat.Dense, db []float64)

// iterateField iterates gradient descent with momentum.
func iterateField(pr kernelProblem, at field, momentum float64, eta1, eta2 func(t float64) float64, steps int) (*State,
	*mat.Dense) {
	s, hs := pr.state.Clone(), mat.DenseCopyOf(pr.hStar)
	var vh, vhs, vw mat.Dense
	vh.Scale(0, s.H)
	vhs.Scale(0, hs)
	vw.Scale(0, s.W)
	vb := make([]float64, len(s.B))
	for t := range steps {
		dh, dhs, dw, db := at(s.H, hs, s.W, s.B)
		for _, x := range []struct {
			x, v, d *mat.Dense
			eta     float64
		}{{s.H, &vh, dh, eta1(float64(t))}, {hs, &vhs, dhs, eta1(float64(t))}, {s.W, &vw, dw, eta2(float64(t))}} {
			x.v.Scale(momentum, x.v)
			x.v.Add(x.v, x.d)
			x.x.Add(x.x, scaledCopy(x.eta, x.v))
		}
		for i := range vb {
			vb[i] = momentum*vb[i] + db[i]
			s.B[i] += eta2(float64(t)) * vb[i]
		}
	}
	return s, hs
}

// simulate integrates gradient flow with error control.
func simulate(t *testing.T, pr kernelProblem, at field, eta1, eta2 func(t float64) float64, end float64) (*State,
	*mat.Dense) {
	t.Helper()
	p, c, n := pr.state.Dims()
	_, m := pr.hStar.Dims()
	split := func(x []float64) (h, hs, w *mat.Dense, b []float64) {
		return mat.NewDense(p, n, x[:p*n]), mat.NewDense(p, m, x[p*n:p*(n+m)]), mat.NewDense(p, c,
			x[p*(n+m):p*(n+m+c)]), x[p*(n+m+c):]
	}
	x := make([]float64, p*(n+m+c)+c)
	h, hs, w, b := split(x)
	h.Copy(pr.state.H)
	hs.Copy(pr.hStar)
	w.Copy(pr.state.W)
	copy(b, pr.state.B)
	x, err := Integrate(func(t float64, x, dx []float64) {
		h, hs, w, b := split(x)
		dh, dhs, dw, db := at(h, hs, w, b)
		oh, ohs, ow, ob := split(dx)
		oh.Scale(eta1(t), dh)
		ohs.Scale(eta1(t), dhs)
		ow.Scale(eta2(t), dw)
		for i := range ob {
			ob[i] = eta2(t) * db[i]
		}
	}, 0, end, x, 1e-13)
	if err != nil {
		t.Fatal(err)
	}
	h, hs, w, b = split(x)
	return &State{H: h, W: w, B: b, Counts: pr.state.Counts}, hs
}
