package dynamics

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// FeaturePenalty is training with the unhinged loss and the penalty ½λ1‖H‖² on the features of a network with the
// invariant kernel κ⊗I_p. (Invariant's λ1 is weight decay of the parameters instead. The two agree only for κ = I.)
//
//	H' = η1 (W M − λ1 H) κ,   W' = η2 (H Mᵀ − λ2 W),   b' = η2 (M 1 − λ2 b),   H_*' = η1 (W M − λ1 H) κ_*.
//
// This is linear, but it does not reduce to C modes: it needs all eigenvalues of κ and, if prototypes learn, those of a
// symmetric matrix of size n+C, where n is the rank of κ. With κ = E Λ Eᵀ, H = H(0) + √s·x Λ^½Eᵀ and Q = M E Λ^½, a row
// (x, w) obeys
//
//	(x, w)' = (x, w) [[−sλ1Λ, √s Qᵀ], [√s Q, −λ2]] + (−√s λ1 h(0) E Λ^½, h(0) Mᵀ)   per unit of ζ2.
type FeaturePenalty struct {
	Gamma    float64 // γ ≥ 0, the weight of the non-target logits, exactly as given: 0 means 0
	Lambda1  float64 // λ1 ≥ 0, of the features
	Lambda2  float64 // λ2 ≥ 0, of prototypes and biases
	Rates    Rates   // η1 of the network, η2 of prototypes and biases; Rates.H only with anchored prototypes
	Kernel   Kernel  // between samples, n×n: Kernel.Samples, or none for I_n; the other forms are refused
	Anchored bool    // prototypes and biases are fixed: λ2 must be 0, and η2 has no meaning
}

// From returns the trajectory from the state, which must not change afterwards.
func (f FeaturePenalty) From(s *State) (*DualFlow, error) {
	if err := validPenalties(f.Lambda1, f.Lambda2, f.Anchored); err != nil {
		return nil, err
	}
	if err := f.Rates.validateMoving(f.Anchored); err != nil {
		return nil, err
	}
	d, err := newDual(s, f.Kernel, f.Gamma)
	if err != nil {
		return nil, err
	}
	m := d.samples.matrix()
	if f.Anchored {
		force := new(mat.Dense)
		force.Mul(s.W, m)
		force.Sub(force, scaledCopy(f.Lambda1, d.h))
		p, _, _ := s.Dims()
		hessian := mat.NewDense(p, p, nil)
		for i := range p {
			hessian.Set(i, i, f.Lambda1)
		}
		q, err := d.quadratic(hessian, force)
		if err != nil {
			return nil, err
		}
		flow := q.flow(f.Rates.featureSchedule())
		if f.Lambda1 == 0 {
			flow.limit = func() (Limit, error) {
				return Limit{},
					fmt.Errorf("dynamics: λ1 = 0: the features grow without limit (for the direction ask Invariant)")
			}
		}
		return flow, nil
	}
	if f.Rates.H != nil {
		return nil,
			fmt.Errorf("dynamics: a feature penalty with prototypes that learn needs proportional rates: set Rates.S " +
				"and not Rates.H")
	}
	return d.penalized(f, m)
}

// penalized solves (x, w)' = (x, w)S + c in the eigenbasis of S.
func (d *dual) penalized(f FeaturePenalty, m *mat.Dense) (*DualFlow, error) {
	kappas, e, err := d.eigenKernel()
	if err != nil {
		return nil, err
	}
	p, c, all := d.state.Dims()
	still := 0 // eigenvalues of κ that are 0: features do not move along their eigenvectors
	for still < all-1 && kappas[still] == 0 {
		still++
	}
	kappas, e = kappas[still:], mat.DenseCopyOf(e.Slice(0, all, still, all))
	n := all - still
	q, he, hm := new(mat.Dense), new(mat.Dense), new(mat.Dense)
	q.Mul(m, e)
	he.Mul(d.h, e)
	hm.Mul(d.h, m.T())
	s, force := f.system(kappas, q, he, hm)
	start := mat.NewDense(p, n+c, nil)
	start.Slice(0, p, n, n+c).(*mat.Dense).Copy(d.state.W)
	omegas, v, err := eigenSym("the generator", s)
	if err != nil {
		return nil, err
	}
	rounding := float64(n+c) * 0x1p-52 * math.Max(math.Abs(omegas[0]), math.Abs(omegas[n+c-1]))
	for i, omega := range omegas {
		if math.Abs(omega) <= rounding {
			omegas[i] = 0
		}
	}
	force.Mul(force, v)
	start.Mul(start, v)
	at := penalizedModes{dual: d, lambda2: f.Lambda2, root: math.Sqrt(f.Rates.Ratio()), drift: d.samples.drift(),
		kappas: kappas, e: e, omegas: omegas, v: v, start: start, force: force}.at
	return d.linearFlow(f.Rates.W, slices.Compact(append(slices.Clone(omegas), -f.Lambda2)), at, func() (Limit, error) {
		if omegas[n+c-1] >= 0 || f.Lambda2 == 0 {
			return Limit{},
				fmt.Errorf("dynamics: λ1 = %v and λ2 = %v leave a component that does not decay (eigenvalue %v): the "+
					"state has no limit", f.Lambda1, f.Lambda2, omegas[n+c-1])
		}
		end, err := at(endless{})
		return finiteLimit(end, -omegas[n+c-1]), err
	}, 2/math.Abs(omegas[0])), nil
}

// penalizedModes is the solution of (x, w)' = (x, w)S + c in the eigenbasis of S.
type penalizedModes struct {
	*dual
	lambda2      float64
	root         float64   // √(η1/η2)
	drift        []float64 // of the biases
	kappas       []float64
	e            *mat.Dense // eigenvectors of κ, whose eigenvalues are kappas
	omegas       []float64
	v            *mat.Dense // eigenvectors of S, whose eigenvalues are omegas
	start, force *mat.Dense // (x, w)(0) and c in these eigenvectors
}

// at returns the point at the time that g stands for.
func (s penalizedModes) at(g growth) (*point, error) {
	p, modes := s.start.Dims()
	n := len(s.kappas)
	z := mat.NewDense(p, modes, nil)
	for k, omega := range s.omegas {
		grown, driven := g.of(omega).at(0), g.driven(omega)
		for i := range p {
			z.Set(i, k, product(s.start.At(i, k), grown)+product(s.force.At(i, k), driven))
		}
	}
	z.Mul(z, s.v.T())
	x := mat.DenseCopyOf(z.Slice(0, p, 0, n))
	var h, y mat.Dense
	x.Apply(func(_, j int, v float64) float64 { return s.root * v * math.Sqrt(s.kappas[j]) }, x)
	h.Mul(x, s.e.T())
	h.Add(&h, s.h)
	x.Apply(func(_, j int, v float64) float64 {
		if s.kappas[j] == 0 {
			return 0
		}
		return v / s.kappas[j]
	}, x)
	y.Mul(x, s.e.T())
	decay, gain := g.of(-s.lambda2), g.driven(-s.lambda2)
	point, err := s.point(&h, &y, mat.DenseCopyOf(z.Slice(0, p, n, modes)),
		movedBiases(s.state.B, s.drift, 0, 0, decay, gain))
	if err == nil {
		point.b, point.biasDecay, point.biasGain = s.state.B, decay, gain
	}
	return point, err
}

// system returns S and c of (x, w)' = (x, w)S + c, given the eigenvalues of κ, M E, H(0) E and H(0) Mᵀ.
func (f FeaturePenalty) system(kappas []float64, q, he, hm *mat.Dense) (s, force *mat.Dense) {
	p, c := hm.Dims()
	n, root := len(kappas), math.Sqrt(f.Rates.Ratio())
	s, force = mat.NewDense(n+c, n+c, nil), mat.NewDense(p, n+c, nil)
	for j, k := range kappas {
		s.Set(j, j, -root*root*f.Lambda1*k)
		for i := range c {
			s.Set(n+i, j, root*q.At(i, j)*math.Sqrt(k))
			s.Set(j, n+i, s.At(n+i, j))
		}
		for i := range p {
			force.Set(i, j, -root*f.Lambda1*he.At(i, j)*math.Sqrt(k))
		}
	}
	for k := range c {
		s.Set(n+k, n+k, -f.Lambda2)
		for i := range p {
			force.Set(i, n+k, hm.At(i, k))
		}
	}
	return s, force
}
