package dynamics

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// DualFlow is the Trajectory of MSE and of FeaturePenalty: features H(t) = H(0) + Y(t)κ with a p×n matrix Y, under a
// kernel κ⊗I_p. Unlike the features of Invariant, they do not stay in the span of Mκ. Distances and gaps are plain
// differences to the limit, so they are accurate to about 10⁻¹⁶ (float64) and not below.
type DualFlow struct {
	solution
	start       *dual
	descent     func(momentum float64, times []float64) ([]*point, error)
	limit       func() (Limit, error) // with a point
	largestRate float64
}

// dualFlow returns a DualFlow, given functions that compute gradient flow and gradient descent at ascending times.
func (d *dual) dualFlow(
	flow func(times []float64) ([]*point, error), descent func(momentum float64, times []float64) ([]*point, error),
	limit func() (Limit, error), largestRate float64,
) *DualFlow {
	f := &DualFlow{start: d, descent: descent, limit: sync.OnceValues(limit), largestRate: largestRate}
	f.solution = func(times []float64) ([]Point, error) { return f.aimed(flow(times)) }
	return f
}

// Descent returns gradient descent on the same objective, with momentum μ in [0, 1).
func (f *DualFlow) Descent(momentum float64) (*Descent, error) {
	return newDescent(momentum, func(times []float64) ([]Point, error) { return f.aimed(f.descent(momentum, times)) })
}

// aimed sets the target that the points' distances are measured to: the limit, if there is one.
func (f *DualFlow) aimed(all []*point, err error) ([]Point, error) {
	if err != nil {
		return nil, err
	}
	end, none := f.limit()
	out := make([]Point, len(all))
	for i, p := range all {
		if none == nil {
			p.target, p.subtract = end.Point.(*point).now, true
		}
		out[i] = p
	}
	return out, nil
}

// Limit returns the state that gradient flow tends to, and gradient descent at rates below LargestRate. It is an error
// if there is no limit or if the limit is not known.
func (f *DualFlow) Limit() (Limit, error) { return f.limit() }

// LargestRate returns the largest constant rate at which plain gradient descent with the same ratio η1/η2 is stable, 2
// over the largest curvature. It is η1 if the prototypes are anchored, otherwise η2. It is NaN for MSE with prototypes
// that learn, because the curvature then changes during training.
func (f *DualFlow) LargestRate() float64 { return f.largestRate }

// dualState is a state with its Y, from which the features of points that are not trained on follow.
type dualState struct {
	flat
	d     *dual
	state *State     // without biases
	y     *mat.Dense // p×n, columns in the caller's order of samples
}

func (s dualState) loss(_ float64, biases []float64) (loss, logAbs float64) {
	now := *s.state
	now.B = biases
	loss = s.d.loss(&now)
	return loss, math.Log(math.Abs(loss))
}

func (s dualState) classifier(log float64) func(biases []float64) float64 {
	l := new(mat.Dense)
	l.Mul(s.state.H.T(), s.state.W)
	return classifier(l, s.state.Labels(), log)
}

func (s dualState) build(scale float64) *State {
	out := s.state.Clone()
	out.H.Scale(scale, out.H)
	out.W.Scale(scale, out.W)
	return out
}

func (s dualState) features(at points) *mat.Dense {
	h := new(mat.Dense)
	h.Mul(s.y, at.drive)
	h.Add(h, at.start)
	return h
}

func (s dualState) prototypes(bool) *mat.Dense { return s.state.W }

func (s dualState) of(trajectory any) bool { return trajectory == s.d }

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

// dual is the initial state of a DualFlow, with its samples in the caller's order, and κ.
type dual struct {
	state   *State
	samples samples
	kappa   *mat.Dense
	h       *mat.Dense
	loss    func(*State) float64
}

func newDual(s *State, k Kernel, gamma float64) (*dual, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if k.Full != nil || k.Features != nil || k.Sums != nil {
		return nil,
			fmt.Errorf("dynamics: only a kernel between samples, κ⊗I_p, is supported here: set Kernel.Samples alone")
	}
	order, err := newSamples(s, gamma)
	if err != nil {
		return nil, err
	}
	d := &dual{state: s, samples: order, kappa: k.Samples, h: mat.DenseCopyOf(s.H)}
	d.loss = d.unhinged
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

// unhinged returns the loss (3) of a state, with its columns in the order of the start's.
func (d *dual) unhinged(s *State) float64 {
	sum, own := 0.0, s.Logits(s.H)
	for j, y := range s.Labels() {
		for c := range s.B {
			sum += d.samples.gamma * own.At(c, j)
		}
		sum -= (1 + d.samples.gamma) * own.At(y, j)
	}
	return sum / float64(d.samples.n)
}

// point returns the point with H and Y, in the caller's order, and constant biases. Numbers that are too large for
// float64 are an error.
func (d *dual) point(h, y, w *mat.Dense, b []float64) (*point, error) {
	s := d.state.Clone()
	s.H, s.W, s.B = d.samples.sorted(h, 1), mat.DenseCopyOf(w), b
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("the state grew too large for float64: %w", err)
	}
	return &point{
		now: dualState{flat{s.H.RawMatrix().Data, s.W.RawMatrix().Data}, d, s, mat.DenseCopyOf(y)},
		b:   append([]float64(nil), b...), drift: d.samples.drift(), biasDecay: scaled{1, 0},
	}, nil
}

// eigenKernel returns the eigenvalues of κ and its eigenvectors. Eigenvalues that are negative only by rounding are set
// to 0.
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

// endless is the growth at t = ∞ for components that decay: e^{ωζ} is 0, and a driven component is −1/ω. For ω = 0 only
// a component that is not driven has a limit, its initial value.
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

func (q *quadratic) at(g growth) (*point, error) {
	moved := mat.DenseCopyOf(q.pull)
	moved.Apply(func(i, j int, v float64) float64 { return product(v, g.driven(-q.alpha[i]*q.kappas[j])) }, moved)
	var y, h mat.Dense
	y.Product(q.u, moved, q.e.T())
	moved.Apply(func(_, j int, v float64) float64 { return v * q.kappas[j] }, moved)
	h.Product(q.u, moved, q.e.T())
	h.Add(&h, q.h)
	return q.point(&h, &y, q.state.W, q.state.B)
}

// flow returns the DualFlow at the learning rate of the features. The component that decays most slowly sets the rate
// of the approach.
func (q *quadratic) flow(rate Schedule) *DualFlow {
	return q.linearFlow(rate, q.omegas(), q.at, func() (Limit, error) {
		slowest := math.Inf(1)
		for i, a := range q.alpha {
			for j, k := range q.kappas {
				if omega := a * k; omega > 0 && q.pull.At(i, j) != 0 {
					slowest = math.Min(slowest, omega)
				}
			}
		}
		end, err := q.at(endless{})
		return finiteLimit(end, slowest), err
	}, 2/(q.alpha[len(q.alpha)-1]*q.kappas[len(q.kappas)-1]))
}

// finiteLimit returns a Limit with a finite state, to which distances are measured.
func finiteLimit(end *point, rate float64) Limit {
	if end != nil {
		end.target, end.subtract = end.now, true
	}
	return Limit{Point: end, Finite: true, Rate: rate}
}

// linearFlow returns the DualFlow of a closed form, given as a function of the growth of the components.
func (d *dual) linearFlow(
	rate Schedule, omegas []float64, at func(growth) (*point, error), limit func() (Limit, error), largestRate float64,
) *DualFlow {
	each := func(growths []growth, err error) ([]*point, error) {
		points := make([]*point, len(growths))
		for i, g := range growths {
			if points[i], err = at(g); err != nil {
				return nil, err
			}
		}
		return points, err
	}
	return d.dualFlow(
		func(times []float64) ([]*point, error) { return each(flowGrowths(rate, times), nil) },
		func(momentum float64, times []float64) ([]*point, error) {
			return each(descentGrowths(rate, momentum, omegas, omegas, times))
		}, limit, largestRate)
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
