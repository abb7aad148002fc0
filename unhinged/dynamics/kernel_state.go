package dynamics

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// coefficients are those of a state of a KernelFlow: h_r = rest·h_r(0) + d_r Σ_k i_rk v_kᵀM̃κ̃, W = w Vᵀ.
type coefficients struct {
	rest float64
	w, i *mat.Dense // rows × modes
}

func scaledCopy(x float64, m *mat.Dense) *mat.Dense {
	out := new(mat.Dense)
	out.Scale(x, m)
	return out
}

// assemble applies responses to the initial state. The result is exp(log) times the coefficients c.
func (core *kernelCore) assemble(r responses) (c coefficients, log float64) {
	log = math.Inf(-1)
	consider := func(v scaled) {
		if v.sign != 0 {
			log = math.Max(log, v.log)
		}
	}
	consider(r.rest)
	for _, modes := range r.modes {
		for _, m := range modes {
			for _, v := range []scaled{m.wa, m.ww, m.ia, m.iw} {
				consider(v)
			}
		}
	}
	if math.IsInf(log, -1) {
		log = 0
	}
	rows, modes := core.w0.Dims()
	c = coefficients{r.rest.at(log), mat.NewDense(rows, modes, nil), mat.NewDense(rows, modes, nil)}
	plain := make([][4]float64, modes)
	for j := range core.d {
		for k, m := range r.modes[j] {
			plain[k] = [4]float64{m.wa.at(log), m.ww.at(log), m.ia.at(log), m.iw.at(log)}
		}
		for row, of := range core.of {
			if of != j {
				continue
			}
			a, w, toW, toI := core.a0.RawRowView(row), core.w0.RawRowView(row), c.w.RawRowView(row), c.i.RawRowView(row)
			for k, m := range plain {
				toW[k], toI[k] = m[0]*a[k]+m[1]*w[k], m[2]*a[k]+m[3]*w[k]
			}
		}
	}
	return c, log
}

// driven returns diag(d)·i.
func (core *kernelCore) driven(i *mat.Dense) *mat.Dense {
	out := mat.DenseCopyOf(i)
	for r, of := range core.of {
		floats.Scale(core.d[of], out.RawRowView(r))
	}
	return out
}

// kernelState is a state of a KernelFlow, held as a few numbers for each mode. Features are computed from them only by
// build, by the accuracy, and for points that are not trained on.
type kernelState struct {
	flat
	core *kernelCore
	coefficients
}

// stateOf returns the state with these coefficients.
func (core *kernelCore) stateOf(c coefficients) kernelState {
	x := new(mat.Dense)
	x.Mul(core.driven(c.i), core.lower)
	h := x.RawMatrix().Data
	floats.AddScaled(h, c.rest, core.inside.RawMatrix().Data)
	return kernelState{flat{append(h, c.rest*core.outside), c.w.RawMatrix().Data}, core, c}
}

func (s kernelState) loss(log float64, biases []float64) (loss, logAbs float64) {
	sum := 0.0
	for r, of := range s.core.of {
		d, w, i, a := s.core.d[of], s.w.RawRowView(r), s.i.RawRowView(r), s.core.a0.RawRowView(r)
		for k, sigma2 := range s.core.sigma2 {
			sum -= w[k] * (s.rest*a[k] + d*sigma2*i[k])
		}
	}
	return lossOf(sum, log, s.core.drift, biases)
}

func (s kernelState) classifier(log float64) func(biases []float64) float64 {
	return classifier(logits(s, s.core.train), s.core.state.Labels(), log)
}

func (s kernelState) build(scale float64) *State {
	out := s.core.state.Clone()
	out.H, out.W = scaledCopy(scale, s.features(s.core.train)), scaledCopy(scale, s.prototypes(false))
	return out
}

func (s kernelState) features(at points) *mat.Dense {
	h := new(mat.Dense)
	h.Mul(s.core.driven(s.i), at.drive)
	h.Add(h, scaledCopy(s.rest, at.start))
	return s.core.unrows(h)
}

func (s kernelState) prototypes(centered bool) *mat.Dense {
	modes := s.core.v
	if centered {
		modes = s.core.centered
	}
	w := new(mat.Dense)
	w.Mul(s.w, modes.T())
	return s.core.unrows(w)
}

func (s kernelState) of(trajectory any) bool { return trajectory == s.core }
