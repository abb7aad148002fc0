package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Imbalanced is gradient flow of class means and prototypes for classes of any sizes, under the kernel κ = I + c·11ᵀ:
//
//	H' = η1 (W M κ − λ1 H),   W' = η2 (H Mᵀ − λ2 W).
//
// It costs what C classes cost, however many samples there are, and answers in ClassMeans. (Invariant has every sample
// and any kernel, and answers as every Trajectory does.)
type Imbalanced struct {
	Classes
	Lambda1 float64 // λ1 ≥ 0, of the features
	Lambda2 float64 // λ2 ≥ 0, of the prototypes
	Rates   Rates   // η1 of the features, η2 of the prototypes; Rates.H only with anchored prototypes
	// Penalty says that λ1 is a penalty ½λ1‖H‖² on the features, as EFR is, and not weight decay of the parameters:
	// H' = η1 (W M − λ1 H) κ. Without a shift the two are the same.
	Penalty  bool
	Anchored bool // prototypes are fixed: λ2 must be 0, and η2 has no meaning
}

// From returns the flow from a start. It is an error if a constant is out of range or the sizes do not fit.
func (f Imbalanced) From(start *ClassMeans) (*ClassFlow, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	if err := start.validate(len(f.Sizes)); err != nil {
		return nil, err
	}
	if err := validPenalties(f.Lambda1, f.Lambda2, f.Anchored); err != nil {
		return nil, err
	}
	if err := f.Rates.validateMoving(f.Anchored); err != nil {
		return nil, err
	}
	flow := &ClassFlow{Imbalanced: f, start: start, rate: f.Rates.W}
	if f.Anchored {
		flow.rate = f.Rates.featureSchedule()
		flow.omegas = []float64{-f.Lambda1, -f.Lambda1 * f.sharedPenalty()}
		return flow, nil
	}
	if f.Rates.H != nil {
		return nil, fmt.Errorf("dynamics: class means with prototypes that learn need proportional rates: set " +
			"Rates.S and not Rates.H")
	}
	return flow, flow.diagonalize()
}

// ClassFlow is the flow in closed form. With H Ŝᵀ = √s·X K^½ and K = Ŝ κ Ŝᵀ = I + c·ssᵀ, a row (x, w) obeys
// (x, w)' = (x, w)S per unit of ζ2, with the symmetric matrix of size 2C
//
//	S = [[−sλ1 I, √s K^½Ŝ Mᵀ], [√s M Ŝᵀ K^½, −λ2 I]],   with Penalty −sλ1 K in the place of −sλ1 I.
//
// With anchored prototypes the part of H along ŝ and the rest are each driven at a constant rate.
type ClassFlow struct {
	Imbalanced
	start  *ClassMeans
	rate   Schedule
	omegas []float64
	v      *mat.Dense
}

// sharedPenalty returns the eigenvalue with which λ1 acts along ŝ.
func (f Imbalanced) sharedPenalty() float64 {
	if f.Penalty {
		return 1 + f.Shift*f.samples()
	}
	return 1
}

func (f *ClassFlow) diagonalize() error {
	c, ratio := len(f.Sizes), f.Rates.Ratio()
	m := f.alongShared(f.matrix(), math.Sqrt(1+f.Shift*f.samples()))
	penalty := f.alongShared(identity(c), f.sharedPenalty())
	s := mat.NewDense(2*c, 2*c, nil)
	for i := range c {
		s.Set(c+i, c+i, -f.Lambda2)
		for j := range c {
			s.Set(i, j, -ratio*f.Lambda1*penalty.At(i, j))
			s.Set(c+i, j, math.Sqrt(ratio)*m.At(i, j))
			s.Set(j, c+i, math.Sqrt(ratio)*m.At(i, j))
		}
	}
	var err error
	f.omegas, f.v, err = eigenSym("the generator", s)
	return err
}

// At returns class means and prototypes at time t ≥ 0.
func (f *ClassFlow) At(t float64) (*ClassMeans, error) {
	if err := ascending([]float64{t}); err != nil {
		return nil, err
	}
	return f.after(flowGrowths(f.rate, []float64{t})[0]), nil
}

// Descend returns class means and prototypes after steps of gradient descent on the same objective: the exact iterates.
func (f *ClassFlow) Descend(steps int) (*ClassMeans, error) {
	times := timesOf([]int{steps})
	if err := ascending(times); err != nil {
		return nil, err
	}
	growths, err := descentGrowths(f.rate, 0, f.omegas, f.omegas, times)
	if err != nil {
		return nil, err
	}
	return f.after(growths[0]), nil
}

func (f *ClassFlow) after(g growth) *ClassMeans {
	start := f.weighted(f.start.H, math.Sqrt)
	unweigh := func(h *mat.Dense) *mat.Dense {
		return f.weighted(h, func(n float64) float64 { return 1 / math.Sqrt(n) })
	}
	if f.Anchored {
		return &ClassMeans{W: mat.DenseCopyOf(f.start.W), H: unweigh(f.driven(start, g)), Log: f.start.Log}
	}
	p, c := f.start.W.Dims()
	root, k := math.Sqrt(f.Rates.Ratio()), math.Sqrt(1+f.Shift*f.samples())
	x := mat.NewDense(p, 2*c, nil)
	x.Slice(0, p, 0, c).(*mat.Dense).Scale(1/root, f.alongShared(start, 1/k))
	x.Slice(0, p, c, 2*c).(*mat.Dense).Copy(f.start.W)
	x.Mul(x, f.v)
	log := math.Inf(-1)
	grown := make([]scaled, 2*c)
	for i, omega := range f.omegas {
		grown[i] = g.of(omega)
		if grown[i].sign != 0 {
			log = math.Max(log, grown[i].log)
		}
	}
	if math.IsInf(log, -1) {
		log = 0
	}
	x.Apply(func(_, j int, v float64) float64 { return v * grown[j].at(log) }, x)
	x.Mul(x, f.v.T())
	h := mat.DenseCopyOf(x.Slice(0, p, 0, c))
	h.Scale(root, h)
	w := mat.DenseCopyOf(x.Slice(0, p, c, 2*c))
	return &ClassMeans{W: w, H: unweigh(f.alongShared(h, k)), Log: f.start.Log + log}
}

// driven returns H Ŝᵀ with fixed prototypes, in two parts. The one along ŝ is driven 1 + cn times as fast. Both decay
// at λ1; with Penalty the one along ŝ also decays 1 + cn times as fast.
func (f *ClassFlow) driven(start *mat.Dense, g growth) *mat.Dense {
	force := new(mat.Dense)
	force.Mul(f.start.W, f.matrix())
	part := func(omega, drive float64) *mat.Dense {
		out := scaledCopy(g.of(omega).at(0), start)
		out.Add(out, scaledCopy(g.driven(omega)*drive, force))
		return out
	}
	h, shared := part(f.omegas[0], 1), part(f.omegas[1], 1+f.Shift*f.samples())
	h = f.alongShared(h, 0)
	h.Add(h, shared)
	h.Sub(h, f.alongShared(shared, 0))
	return h
}

// weighted returns the columns of x times what weight makes of the class sizes.
func (f *ClassFlow) weighted(x *mat.Dense, weight func(n float64) float64) *mat.Dense {
	out := mat.DenseCopyOf(x)
	out.Apply(func(_, c int, v float64) float64 { return v * weight(float64(f.Sizes[c])) }, out)
	return out
}
