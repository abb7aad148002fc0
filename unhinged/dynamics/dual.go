package dynamics

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// DualFlow is a trajectory of features H(t) = H(0) + Y(t)κ with a p×n matrix Y, under a kernel κ⊗I_p: what MSE and
// FeaturePenalty make, whose features do not stay in the span of MK as those of Invariant do.
type DualFlow struct {
	flow        func(times []float64) ([]*DualPoint, error)
	descent     func(momentum float64, times []float64) ([]*DualPoint, error)
	limit       func() (*DualPoint, error)
	largestRate float64
}

// At returns gradient flow at time t ≥ 0.
func (f *DualFlow) At(t float64) (*DualPoint, error) { return one(f.Points([]float64{t})) }

// Points returns gradient flow at ascending times.
func (f *DualFlow) Points(times []float64) ([]*DualPoint, error) {
	if err := ascending(times); err != nil {
		return nil, err
	}
	return f.flow(times)
}

// Descend returns gradient descent with momentum μ in [0, 1) after ascending numbers of steps: v(t+1) = μ v(t) +
// gradient + λx, x(t+1) = x − η(t)v(t+1), v(0) = 0.
func (f *DualFlow) Descend(momentum float64, steps []int) ([]*DualPoint, error) {
	if err := validMomentum(momentum); err != nil {
		return nil, err
	}
	times := timesOf(steps)
	if err := ascending(times); err != nil {
		return nil, err
	}
	return f.descent(momentum, times)
}

// Limit returns the state that flow, and descent below LargestRate, tends to; an error where there is none or it is not
// known.
func (f *DualFlow) Limit() (*DualPoint, error) { return f.limit() }

// LargestRate returns the constant rate up to which plain gradient descent with the same ratio η1/η2 does not oscillate
// into growth, 2 over the largest curvature: of η1 with anchored prototypes, else of η2. It is NaN for MSE with
// prototypes that learn, whose curvature changes.
func (f *DualFlow) LargestRate() float64 { return f.largestRate }

// DualPoint is a state with what is needed to know its features on points never trained on.
type DualPoint struct {
	*State
	dual *mat.Dense // Y, p×n, columns in the caller's order of samples
}

// Features returns H_* = H_*(0) + Yκ_*, p×m, from the features at the start, p×m, and the kernel from training samples
// (in the order of the training kernel's) to these points, n×m.
func (d *DualPoint) Features(hStar, kernel *mat.Dense) (*mat.Dense, error) {
	if err := validUnseen(d.State, hStar, kernel, 1); err != nil {
		return nil, err
	}
	h := new(mat.Dense)
	h.Mul(d.dual, kernel)
	h.Add(h, hStar)
	return h, nil
}

// Logits returns Wᵀh + b of every column of p×m features, C×m.
func (s *State) Logits(features *mat.Dense) *mat.Dense {
	logits := new(mat.Dense)
	logits.Mul(s.W.T(), features)
	for c, b := range s.B {
		floats.AddConst(b, logits.RawRowView(c))
	}
	return logits
}

// Accuracy returns the train accuracy of the rule argmax_c w_cᵀh + b_c. (The first of equal logits counts.)
func (s *State) Accuracy() float64 {
	return fraction(Predict(s.Logits(s.H)), s.Labels())
}

// Predict returns the first largest of every column of C×m logits.
func Predict(logits *mat.Dense) []int { return classes(mat.DenseCopyOf(logits.T()), nil, 0) }

// MeanSquaredError returns ‖WᵀH + b1ᵀ − onehot‖²/n, the loss of (25).
func (s *State) MeanSquaredError() float64 {
	r := s.Logits(s.H)
	for j, y := range s.Labels() {
		r.Set(y, j, r.At(y, j)-1)
	}
	norm := mat.Norm(r, 2)
	_, n := s.H.Dims()
	return norm * norm / float64(n)
}

// dual is a state in the caller's order of samples, with κ.
type dual struct {
	state   *State
	samples samples
	kappa   *mat.Dense
	h       *mat.Dense
}

func newDual(s *State, k Kernel, gamma float64) (*dual, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if k.Full != nil || k.Features != nil {
		return nil,
			fmt.Errorf("dynamics: only a kernel between samples, κ⊗I_p, is offered here: set Kernel.Samples alone")
	}
	order, err := newSamples(s, gamma)
	if err != nil {
		return nil, err
	}
	d := &dual{state: s, samples: order, kappa: k.Samples, h: mat.DenseCopyOf(s.H)}
	if d.kappa == nil {
		d.kappa = identity(order.n)
	}
	if _, err := validateKernel("kernel κ", d.kappa, order.n, "a row a training sample"); err != nil {
		return nil, err
	}
	for j, i := range order.place {
		d.h.SetCol(i, mat.Col(nil, j, s.H))
	}
	return d, nil
}

// point makes a point of H and Y in the caller's order; it refuses numbers too large for float64.
func (d *dual) point(h, y, w *mat.Dense, b []float64) (*DualPoint, error) {
	s := d.state.Clone()
	s.H, s.W, s.B = d.samples.sorted(h, 1), mat.DenseCopyOf(w), append([]float64(nil), b...)
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("the state grew too large for float64: %w", err)
	}
	return &DualPoint{s, mat.DenseCopyOf(y)}, nil
}

// eigenKernel returns κ's eigenvalues, what is negative by rounding as 0, and eigenvectors.
func (d *dual) eigenKernel() ([]float64, *mat.Dense, error) {
	values, vectors, err := eigenSym("kernel κ", d.kappa)
	if err != nil {
		return nil, nil, err
	}
	n := float64(d.samples.n)
	largest := values[len(values)-1]
	if values[0] < -kernelRounding*n*largest {
		return nil, nil, fmt.Errorf("dynamics: kernel κ is not positive semi-definite: its smallest eigenvalue is %v",
			values[0])
	}
	for j, v := range values {
		if v <= n*0x1p-52*largest {
			values[j] = 0
		}
	}
	return values, vectors, nil
}

// endless is the growth at t = ∞ of what decays: f = 0, driven −1/ω; what nothing moves or holds counts as still.
type endless struct{}

func (endless) of(float64) scaled { return scaled{} }

func (endless) driven(omega float64) float64 {
	if omega == 0 {
		return 0
	}
	return -1 / omega
}

// quadratic is H' = η(B − A H)κ with a symmetric, positive semi-definite A: with A = U diag(α) Uᵀ and κ = E diag(κ_j)
// Eᵀ, Y(ζ) = U[(Uᵀ(B − A H(0))E) ∘ ((1 − e^{−α_iκ_jζ})/(α_iκ_j))]Eᵀ.
type quadratic struct {
	*dual
	alpha, kappas []float64
	u, e          *mat.Dense
	pull          *mat.Dense // Uᵀ(B − A H(0))E
}

func (d *dual) quadratic(a, force *mat.Dense) (*quadratic, error) {
	q := &quadratic{dual: d, pull: new(mat.Dense)}
	var err error
	if q.kappas, q.e, err = d.eigenKernel(); err != nil {
		return nil, err
	}
	if q.alpha, q.u, err = eigenSym("the Hessian", a); err != nil {
		return nil, err
	}
	for i, v := range q.alpha {
		if v <= float64(len(q.alpha))*0x1p-52*q.alpha[len(q.alpha)-1] {
			q.alpha[i] = 0
		}
	}
	q.pull.Product(q.u.T(), force, q.e)
	return q, nil
}

func (q *quadratic) omegas() []float64 {
	seen := map[float64]bool{}
	var out []float64
	for _, a := range q.alpha {
		for _, k := range q.kappas {
			if omega := -a * k; !seen[omega] {
				seen[omega] = true
				out = append(out, omega)
			}
		}
	}
	return out
}

func (q *quadratic) at(g growth) (*DualPoint, error) {
	moved := mat.DenseCopyOf(q.pull)
	moved.Apply(func(i, j int, v float64) float64 { return product(v, g.driven(-q.alpha[i]*q.kappas[j])) }, moved)
	var y, h mat.Dense
	y.Product(q.u, moved, q.e.T())
	moved.Apply(func(_, j int, v float64) float64 { return v * q.kappas[j] }, moved)
	h.Product(q.u, moved, q.e.T())
	h.Add(&h, q.h)
	return q.point(&h, &y, q.state.W, q.state.B)
}

// flow is a DualFlow at the rate of the features.
func (q *quadratic) flow(rate Schedule) *DualFlow {
	return newDualFlow(rate, q.omegas(), q.at, func() (*DualPoint, error) { return q.at(endless{}) },
		2/(q.alpha[len(q.alpha)-1]*q.kappas[len(q.kappas)-1]))
}

// newDualFlow is the DualFlow of a closed form in what has become of the eigenvalues.
func newDualFlow(rate Schedule, omegas []float64, at func(growth) (*DualPoint, error), limit func() (*DualPoint, error),
	largestRate float64) *DualFlow {
	return &DualFlow{
		flow: func(times []float64) ([]*DualPoint, error) {
			points := make([]*DualPoint, len(times))
			for i, zeta := range integrals(rate, times) {
				var err error
				if points[i], err = at(flowGrowth{zeta}); err != nil {
					return nil, err
				}
			}
			return points, nil
		},
		descent: func(momentum float64, times []float64) ([]*DualPoint, error) {
			growths, err := descend(rate, momentum, omegas, omegas, times, func(g growth) growth { return g })
			if err != nil {
				return nil, err
			}
			points := make([]*DualPoint, len(times))
			for i, g := range growths {
				if points[i], err = at(g); err != nil {
					return nil, err
				}
			}
			return points, nil
		},
		limit: limit, largestRate: largestRate,
	}
}

// validUnseen refuses features and kernels of unseen points that do not fit; q is the block of a full kernel.
func validUnseen(s *State, hStar, kernel *mat.Dense, q int) error {
	p, _, n := s.Dims()
	if hStar == nil || kernel == nil {
		return fmt.Errorf("dynamics: unseen points need features at the start and a kernel to the training samples")
	}
	rows, m := hStar.Dims()
	if rows != p {
		return fmt.Errorf("dynamics: features of unseen points are %d×%d: want p = %d rows, a column a point", rows, m,
			p)
	}
	if rows, cols := kernel.Dims(); rows != n*q || cols != m*q {
		return fmt.Errorf("dynamics: the kernel to unseen points is %d×%d: want %d×%d, a row a training sample and a "+
			"column a point (each in blocks of p for a full kernel)", rows, cols, n*q, m*q)
	}
	if err := finite("features of unseen points", hStar); err != nil {
		return err
	}
	return finite("kernel to unseen points", kernel)
}

// onehot returns the C×n matrix of labels in the caller's order.
func (s samples) onehot() *mat.Dense {
	y := mat.NewDense(len(s.counts), s.n, nil)
	for i, label := range s.labels {
		y.Set(label, i, 1)
	}
	return y
}

// identity returns I_n.
func identity(n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n {
		m.Set(i, i, 1)
	}
	return m
}
