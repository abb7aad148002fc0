package dynamics

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// coefficients say what a state of a KernelFlow is made of: h_r = rest·h_r(0) + d_r Σ_k i_rk v_kᵀM̃κ̃, W = w Vᵀ.
type coefficients struct {
	rest float64
	w, i *mat.Dense // rows × modes
}

// plus returns c + x·o.
func (c coefficients) plus(x float64, o coefficients) coefficients {
	out := coefficients{c.rest + x*o.rest, mat.DenseCopyOf(c.w), mat.DenseCopyOf(c.i)}
	floats.AddScaled(out.w.RawMatrix().Data, x, o.w.RawMatrix().Data)
	floats.AddScaled(out.i.RawMatrix().Data, x, o.i.RawMatrix().Data)
	return out
}

func scaledCopy(x float64, m *mat.Dense) *mat.Dense {
	out := new(mat.Dense)
	out.Scale(x, m)
	return out
}

// assemble applies responses to the start; what they make is exp(log) times the coefficients.
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

// features returns H or H_* of the points.
func (core *kernelCore) features(c coefficients, at points) *mat.Dense {
	h := new(mat.Dense)
	h.Mul(core.driven(c.i), at.drive)
	h.Add(h, scaledCopy(c.rest, at.start))
	return core.unrows(h)
}

// driven returns diag(d)·i.
func (core *kernelCore) driven(i *mat.Dense) *mat.Dense {
	out := mat.DenseCopyOf(i)
	for r, of := range core.of {
		floats.Scale(core.d[of], out.RawRowView(r))
	}
	return out
}

// prototypes returns W, or with the centered modes W up to a vector added to all prototypes.
func (core *kernelCore) prototypes(c coefficients, modes *mat.Dense) *mat.Dense {
	w := new(mat.Dense)
	w.Mul(c.w, modes.T())
	return core.unrows(w)
}

// coordinates returns H and W as vectors with the same norms and inner products.
func (core *kernelCore) coordinates(c coefficients) (h, w []float64) {
	x := new(mat.Dense)
	x.Mul(core.driven(c.i), core.lower)
	h = x.RawMatrix().Data
	floats.AddScaled(h, c.rest, core.inside.RawMatrix().Data)
	return append(h, c.rest*core.outside), c.w.RawMatrix().Data
}

// over returns the coordinates of H, W or both, in a slice of its own.
func (core *kernelCore) over(c coefficients, which part) []float64 {
	h, w := core.coordinates(c)
	switch which {
	case onlyH:
		return h
	case onlyW:
		return slices.Clone(w)
	}
	return append(h[:len(h):len(h)], w...)
}

// KernelPoint is a state of a trajectory of Theorem 8, held as a few numbers a mode with their scale as a logarithm:
// only State, Direction, Accuracy and what is asked of points never trained on build features.
type KernelPoint struct {
	core *kernelCore
	log  float64 // the state is exp(log)·now
	now  coefficients
	// exp(log)·now = exp(log)·lead·target + exp(restLog)·rest, without cancellation; lead[0] is H's, lead[1] W's.
	// If subtract is set, there is no such form, and split takes the difference of now and target instead.
	target   *coefficients
	lead     [2]float64
	rest     coefficients
	restLog  float64
	subtract bool

	biasDecay scaled
	biasGain  float64
}

func (p *KernelPoint) logNorm(which part) float64 {
	return p.log + math.Log(floats.Norm(p.core.over(p.now, which), 2))
}

// LogNormH returns ln‖H‖ (Frobenius).
func (p *KernelPoint) LogNormH() float64 { return p.logNorm(onlyH) }

// LogNormW returns ln‖W‖ (Frobenius).
func (p *KernelPoint) LogNormW() float64 { return p.logNorm(onlyW) }

// LogNormZ returns ln‖Z‖, Z = (H, W).
func (p *KernelPoint) LogNormZ() float64 { return p.logNorm(both) }

// split returns the point over the part as exp(log)·lead·bar + exp(restLog)·rest, bar the target. A difference of now
// and target is taken with a lead of each part's own, as Point.split has it.
func (p *KernelPoint) split(which part) (lead float64, bar, rest []float64, restLog float64) {
	bar = p.core.over(*p.target, which)
	switch {
	case p.subtract:
		rest = p.core.over(p.now, which)
		lead = floats.Dot(bar, rest) / floats.Dot(bar, bar)
		floats.AddScaled(rest, -lead, bar)
		return lead, bar, rest, p.log
	case which == onlyW:
		lead = p.lead[1]
	default:
		lead = p.lead[0]
	}
	return lead, bar, p.core.over(p.rest, which), p.restLog
}

func (p *KernelPoint) logDistance(which part) float64 {
	if p.target == nil || which == both && p.lead[0] != p.lead[1] { // anchored, λ = 0: H grows and W does not
		return math.NaN()
	}
	lead, bar, rest, restLog := p.split(which)
	normBar, normRest := floats.Norm(bar, 2), floats.Norm(rest, 2)
	if normRest == 0 && lead > 0 {
		return math.Inf(-1)
	}
	size := math.Log(normRest) + restLog - math.Log(math.Abs(lead)*normBar) - p.log
	if lead <= 0 || size > 0 { // far away: no cancellation to avoid
		now := p.core.over(p.now, which)
		floats.Scale(1/floats.Norm(now, 2), now)
		floats.AddScaled(now, -1/normBar, bar)
		return math.Log(floats.Norm(now, 2))
	}
	return logTurn(size, floats.Dot(bar, rest)/(normBar*normRest))
}

// LogDistance returns ln‖Ẑ − Z̄̂‖ to the direction Z̄ of KernelFlow.Limit; NaN where there is none.
func (p *KernelPoint) LogDistance() float64 { return p.logDistance(both) }

// LogDistanceH returns ln‖Ĥ − H̄̂‖, Frobenius-normalised.
func (p *KernelPoint) LogDistanceH() float64 { return p.logDistance(onlyH) }

// LogDistanceW returns ln‖Ŵ − W̄̂‖, Frobenius-normalised.
func (p *KernelPoint) LogDistanceW() float64 { return p.logDistance(onlyW) }

func (p *KernelPoint) logGap(which part) float64 {
	if p.target == nil {
		return math.NaN()
	}
	lead, bar, left, restLog := p.split(which)
	base, gap, rest := gapScales(lead, p.log, restLog)
	if math.IsInf(base, -1) {
		return base
	}
	diff := floats.ScaleTo(make([]float64, len(bar)), gap, bar)
	floats.AddScaled(diff, rest, left)
	return base + math.Log(floats.Norm(diff, 2))
}

// LogGapH returns ln‖H − H̄‖, not normalised: to finite limits.
func (p *KernelPoint) LogGapH() float64 { return p.logGap(onlyH) }

// LogGapW returns ln‖W − W̄‖, not normalised.
func (p *KernelPoint) LogGapW() float64 { return p.logGap(onlyW) }

// Biases returns b.
func (p *KernelPoint) Biases() []float64 {
	return movedBiases(p.core.state.B, p.core.drift, 0, 0, p.biasDecay, p.biasGain)
}

// Loss returns the unhinged loss (3) of the training samples and the natural logarithm of its absolute value; the loss
// is ±Inf where float64 cannot hold it.
func (p *KernelPoint) Loss() (loss, logAbs float64) {
	sum := 0.0
	for r, of := range p.core.of {
		d, w, i, a := p.core.d[of], p.now.w.RawRowView(r), p.now.i.RawRowView(r), p.core.a0.RawRowView(r)
		for k, sigma2 := range p.core.sigma2 {
			sum -= w[k] * (p.now.rest*a[k] + d*sigma2*i[k])
		}
	}
	return lossOf(sum, p.log, p.core.drift, p.Biases())
}

// State builds (H, W, b); an error where its numbers are too large for float64 (see Direction).
func (p *KernelPoint) State() (*State, error) {
	if err := fits(p.LogNormZ()); err != nil {
		return nil, err
	}
	return p.build(p.log), nil
}

// Direction builds Ẑ = Z/‖Z‖, with the biases on the same scale.
func (p *KernelPoint) Direction() *State {
	s := p.build(p.log - p.LogNormZ())
	floats.Scale(math.Exp(-p.LogNormZ()), s.B)
	return s
}

func (p *KernelPoint) build(log float64) *State {
	s := p.core.state.Clone()
	s.H = scaledCopy(math.Exp(log), p.core.features(p.now, p.core.train))
	s.W = scaledCopy(math.Exp(log), p.core.prototypes(p.now, p.core.v))
	s.B = p.Biases()
	return s
}

// Accuracy returns the train accuracy of the rule argmax_c w_cᵀh + b_c, or without the biases. (The first of equal
// logits counts.)
func (p *KernelPoint) Accuracy(withBias bool) float64 {
	return fraction(p.predict(p.core.train, withBias), p.core.state.Labels())
}

func (p *KernelPoint) accuracies(biasesDiffer bool) (without, with float64) {
	without = p.Accuracy(false)
	if !biasesDiffer {
		return without, without
	}
	return without, p.Accuracy(true)
}

// predict returns argmax_c w_cᵀh + b_c at points; what is added to all prototypes alike is left out, for it may be
// larger than the rest by any factor.
func (p *KernelPoint) predict(at points, withBias bool) []int {
	var logits mat.Dense
	logits.Mul(p.core.features(p.now, at).T(), p.core.prototypes(p.now, p.core.centered))
	var biases []float64
	if withBias {
		b, drift := p.core.state.B, p.core.drift
		biases = movedBiases(b, drift, b[0], drift[0], p.biasDecay, p.biasGain)
	}
	return classes(&logits, biases, math.Exp(-2*p.log))
}

// classes returns the first largest of logits + unit·biases in every row; biases may be nil, and unit +Inf.
func classes(logits *mat.Dense, biases []float64, unit float64) []int {
	m, _ := logits.Dims()
	out := make([]int, m)
	for i := range out {
		row := logits.RawRowView(i)
		for c, v := range row {
			margin := v - row[out[i]]
			if biases != nil && biases[c] != biases[out[i]] {
				margin += (biases[c] - biases[out[i]]) * unit
			}
			if margin > 0 {
				out[i] = c
			}
		}
	}
	return out
}

// fraction returns the share of equal elements.
func fraction(got, want []int) float64 {
	right := 0
	for i, y := range got {
		if y == want[i] {
			right++
		}
	}
	return float64(right) / float64(len(want))
}
