package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// MSE is training with the mean squared error ‖WᵀH + b1ᵀ − onehot‖²/n under an invariant kernel κ⊗I_p, for comparison
// with the unhinged loss. With R = −(2/n)(WᵀH + b1ᵀ − onehot), (25) with the sign of descent (erratum E11):
//
//	H' = η1 W R κ,   W' = η2 H Rᵀ,   b' = η2 R 1,   H_*' = η1 W R κ_*.
//
// With prototypes that learn, this is nonlinear: gradient flow is integrated with error control, and gradient descent
// is computed step by step. With anchored prototypes it is kernel regression, which has a closed form for every t and
// for t = ∞: with F = WᵀH it is F' = −(2η1/n) WᵀW(F + b1ᵀ − onehot)κ, solved in the eigenbases of WWᵀ and κ.
type MSE struct {
	Rates    Rates  // η1 of the network, η2 of prototypes and biases
	Kernel   Kernel // between samples, n×n: Kernel.Samples, or none for I_n; the other forms are refused
	Anchored bool   // prototypes and biases are fixed, and η2 has no meaning
}

// mseTolerance is the tolerance of the ODE solver, relative to the largest number of the state.
const mseTolerance = 1e-10

// From returns the trajectory from the state, which must not change afterwards. The closed form computes all
// eigenvalues of κ.
func (m MSE) From(s *State) (*DualFlow, error) {
	if err := m.Rates.validateMoving(m.Anchored); err != nil {
		return nil, err
	}
	d, err := newDual(s, m.Kernel, 0)
	if err != nil {
		return nil, err
	}
	d.loss = (*State).MeanSquaredError
	sim := &mseRun{dual: d, rates: m.Rates, onehot: d.samples.onehot()}
	if m.Anchored {
		force := new(mat.Dense)
		force.Mul(s.W, sim.residual(d.h, s.W, s.B))
		hessian := new(mat.Dense)
		hessian.Mul(s.W, s.W.T())
		hessian.Scale(2/float64(d.samples.n), hessian)
		q, err := d.quadratic(hessian, force)
		if err != nil {
			return nil, err
		}
		for i, alpha := range q.alpha { // the force lies in the span of W
			if alpha == 0 {
				clear(q.pull.RawRowView(i))
			}
		}
		return q.flow(m.Rates.featureSchedule()), nil
	}
	return d.dualFlow(sim.flow, sim.descend, func() (Limit, error) {
		return Limit{},
			fmt.Errorf("dynamics: MSE with prototypes that learn is not linear: its limit is known only by " +
				"simulation, or for Anchored")
	}, math.NaN()), nil
}

// mseRun integrates (H, Y, W, b), with samples in the caller's order.
type mseRun struct {
	*dual
	rates  Rates
	onehot *mat.Dense
}

// residual returns R.
func (r *mseRun) residual(h, w *mat.Dense, b []float64) *mat.Dense {
	out := (&State{W: w, B: b}).Logits(h)
	out.Sub(r.onehot, out)
	out.Scale(2/float64(r.samples.n), out)
	return out
}

// split returns the parts of a vector.
func (r *mseRun) split(x []float64) (h, y, w *mat.Dense, b []float64) {
	p, c, n := r.state.Dims()
	return mat.NewDense(p, n, x[:p*n]), mat.NewDense(p, n, x[p*n:2*p*n]), mat.NewDense(p, c, x[2*p*n:2*p*n+p*c]),
		x[2*p*n+p*c:]
}

func (r *mseRun) start() []float64 {
	p, c, n := r.state.Dims()
	x := make([]float64, 2*p*n+p*c+c)
	h, _, w, b := r.split(x)
	h.Copy(r.h)
	w.Copy(r.state.W)
	copy(b, r.state.B)
	return x
}

// field sets dx to (W R κ, W R, H Rᵀ, R1). Multiplied by η1, η1, η2, η2 this is the right side of (25).
func (r *mseRun) field(x, dx []float64) {
	h, _, w, b := r.split(x)
	dh, dy, dw, db := r.split(dx)
	residual := r.residual(h, w, b)
	var spread mat.Dense
	spread.Mul(residual, r.kappa)
	dh.Mul(w, &spread)
	dy.Mul(w, residual)
	dw.Mul(h, residual.T())
	for c := range db {
		db[c] = floats.Sum(residual.RawRowView(c))
	}
}

// learned returns the index in x at which the numbers that learn at η2 begin.
func (r *mseRun) learned() int {
	p, _, n := r.state.Dims()
	return 2 * p * n
}

func (r *mseRun) flow(times []float64) ([]*point, error) {
	points := make([]*point, len(times))
	x, from, second := r.start(), 0.0, r.learned()
	for i, t := range times {
		var err error
		x, err = Integrate(func(t float64, x, dx []float64) {
			r.field(x, dx)
			floats.Scale(r.rates.Features(t), dx[:second])
			floats.Scale(r.rates.W.At(t), dx[second:])
		}, from, t, x, mseTolerance)
		if err != nil {
			return nil, err
		}
		from = t
		if points[i], err = r.dual.point(r.split(x)); err != nil {
			return nil, err
		}
	}
	return points, nil
}

func (r *mseRun) descend(momentum float64, times []float64) ([]*point, error) {
	points := make([]*point, len(times))
	x, second := r.start(), r.learned()
	v, dx := make([]float64, len(x)), make([]float64, len(x))
	step := 0
	for i, last := range wholes(times) {
		for ; step < last; step++ {
			r.field(x, dx)
			floats.Scale(momentum, v)
			floats.Add(v, dx)
			floats.AddScaled(x[:second], r.rates.Features(float64(step)), v[:second])
			floats.AddScaled(x[second:], r.rates.W.At(float64(step)), v[second:])
		}
		var err error
		if points[i], err = r.dual.point(r.split(x)); err != nil {
			return nil, err
		}
	}
	return points, nil
}
