package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// linear maps the state at time 0 to a state, mode by mode; perp multiplies H⊥.
type linear struct {
	modes []mat2
	perp  float64
}

// Point is a state of a trajectory, held as the linear map that made it from the initial state, with its scale as
// a logarithm: asking it for a number costs microseconds and never builds H.
type Point struct {
	d   *driver
	log float64 // the map is exp(log)·now
	now linear
	// exp(log)·now = exp(log)·lead·target + exp(restLog)·rest, with rest computed without cancellation; lead[0] is H's,
	// lead[1] W's. If subtract is set, there is no such form, and split takes the difference of now and target instead.
	target   *linear
	lead     [2]float64
	rest     linear
	restLog  float64
	subtract bool

	biasDecay scaled // b(t) = biasDecay·b(0) + biasGain·M1
	biasGain  float64
}

// part selects H, W or both.
type part int

const (
	onlyH part = 1
	onlyW part = 2
	both  part = 3
)

// inner returns ⟨a Z0, b Z0⟩ over the part.
func (d *driver) inner(a, b linear, over part) float64 {
	sum := 0.0
	for k, g := range d.grams {
		x, y := a.modes[k], b.modes[k]
		if over&onlyH != 0 {
			sum += x[0]*y[0]*g.hh + (x[0]*y[1]+x[1]*y[0])*g.hw + x[1]*y[1]*g.ww
		}
		if over&onlyW != 0 {
			sum += x[2]*y[2]*g.hh + (x[2]*y[3]+x[3]*y[2])*g.hw + x[3]*y[3]*g.ww
		}
	}
	if over&onlyH != 0 {
		sum += a.perp * b.perp * d.perpNorm2
	}
	return sum
}

// norm returns ‖a Z0‖ over the part; its square may be too small for float64.
func (d *driver) norm(a linear, over part) float64 {
	scale := math.Abs(a.perp)
	for _, m := range a.modes {
		scale = max(scale, largest(m))
	}
	if scale == 0 || math.IsInf(scale, 0) || math.IsNaN(scale) {
		return scale
	}
	unit := linear{make([]mat2, len(a.modes)), a.perp / scale}
	for k, m := range a.modes {
		unit.modes[k] = combine(1/scale, m, 0, m)
	}
	return scale * math.Sqrt(math.Max(0, d.inner(unit, unit, over)))
}

func (p *Point) logNorm(over part) float64 { return p.log + math.Log(p.d.norm(p.now, over)) }

// LogNormH returns ln‖H‖ (Frobenius).
func (p *Point) LogNormH() float64 { return p.logNorm(onlyH) }

// LogNormW returns ln‖W‖ (Frobenius).
func (p *Point) LogNormW() float64 { return p.logNorm(onlyW) }

// LogNormZ returns ln‖Z‖, Z = (H, W).
func (p *Point) LogNormZ() float64 { return p.logNorm(both) }

// logDistance returns ln‖X/‖X‖ − X̄/‖X̄‖‖ for X = lead·X̄ + rest, to full relative accuracy however small it is.
func (p *Point) logDistance(over part) float64 {
	if over == both && p.lead[0] != p.lead[1] { // anchored, λ = 0: H grows and W does not
		return math.NaN()
	}
	lead, left, restLog := p.split(over)
	bar, rest := p.d.norm(*p.target, over), p.d.norm(left, over)
	if rest == 0 && lead > 0 {
		return math.Inf(-1)
	}
	cos := p.d.inner(*p.target, left, over) / (bar * rest) // between X̄ and rest
	size := math.Log(rest) + restLog - math.Log(math.Abs(lead)*bar) - p.log
	if lead <= 0 || size > 0 { // far away: no cancellation to avoid
		cos := p.d.inner(*p.target, p.now, over) / (bar * p.d.norm(p.now, over))
		return math.Log(math.Max(0, 2-2*cos)) / 2
	}
	return logTurn(size, cos)
}

// logTurn returns ln‖X/‖X‖ − X̄‖ for X = X̄ + e^size·R, X̄ and R of norm 1 with the given cosine between them.
func logTurn(size, cos float64) float64 {
	x := math.Exp(size)
	grown := x * (2*cos + x)
	norm := math.Sqrt(1 + grown) // ‖X‖
	shrink := -cos               // (1/‖X‖ − 1)/x for x → 0
	if x > 1e-200 {
		shrink = math.Expm1(-0.5*math.Log1p(grown)) / x
	}
	return size + math.Log(math.Max(0, shrink*shrink+2*shrink*cos/norm+1/(norm*norm)))/2
}

// split returns the point over the part as exp(log)·lead·target + exp(restLog)·rest. A difference of now and target is
// taken with a lead of each part's own, the one that makes the rest orthogonal to the target: one part may be much
// smaller than the other, and the lead of both together would then be rounding noise to it.
func (p *Point) split(over part) (lead float64, rest linear, restLog float64) {
	switch {
	case p.subtract:
		lead = p.d.inner(*p.target, p.now, over) / p.d.inner(*p.target, *p.target, over)
		rest = linear{make([]mat2, len(p.now.modes)), p.now.perp - lead*p.target.perp}
		for k, m := range p.now.modes {
			rest.modes[k] = combine(1, m, -lead, p.target.modes[k])
		}
		return lead, rest, p.log
	case over == onlyW:
		return p.lead[1], p.rest, p.restLog
	}
	return p.lead[0], p.rest, p.restLog
}

// LogDistance returns ln‖Ẑ − Z̄̂‖ to the limit direction Z̄ of Corollary 3 or 5 (for unequal class sizes: of
// Flow.Limit).
func (p *Point) LogDistance() float64 { return p.logDistance(both) }

// LogDistanceH returns ln‖Ĥ − H̄̂‖, Frobenius-normalised.
func (p *Point) LogDistanceH() float64 { return p.logDistance(onlyH) }

// LogDistanceW returns ln‖Ŵ − W̄̂‖, Frobenius-normalised.
func (p *Point) LogDistanceW() float64 { return p.logDistance(onlyW) }

// logGap returns ln‖X − X̄‖, not normalised.
func (p *Point) logGap(over part) float64 {
	lead, left, restLog := p.split(over)
	base, gap, rest := gapScales(lead, p.log, restLog)
	if math.IsInf(base, -1) {
		return base // arrived, to the last digit
	}
	diff := linear{make([]mat2, len(left.modes)), gap*p.target.perp + rest*left.perp}
	for k := range diff.modes {
		diff.modes[k] = combine(gap, p.target.modes[k], rest, left.modes[k])
	}
	return base + math.Log(p.d.norm(diff, over))
}

// gapScales returns exp(log)·lead·X̄ + exp(restLog)·R − X̄ as exp(base)·(gap·X̄ + rest·R).
func gapScales(lead, log, restLog float64) (base, gap, rest float64) {
	base = max(0, log)
	gap = lead*math.Exp(log-base) - math.Exp(-base)
	if gap == 0 {
		base = restLog
	} else if restLog > base {
		gap *= math.Exp(base - restLog)
		base = restLog
	}
	return base, gap, math.Exp(restLog - base)
}

// LogGapH returns ln‖H − H̄‖, H̄ the feature part of Z̄ (W M/λ with anchored prototypes); finite limits (λ = λ*) are
// reached.
func (p *Point) LogGapH() float64 { return p.logGap(onlyH) }

// LogGapW returns ln‖W − W̄‖, as figure 4(b) draws it (there P = W̄).
func (p *Point) LogGapW() float64 { return p.logGap(onlyW) }

// Biases returns b.
func (p *Point) Biases() []float64 {
	return movedBiases(p.d.state.B, p.d.drift, 0, 0, p.biasDecay, p.biasGain)
}

// movedBiases returns decay·(b − from) + gain·(drift − driftFrom).
func movedBiases(b, drift []float64, from, driftFrom float64, decay scaled, gain float64) []float64 {
	out := make([]float64, len(b))
	for i := range b {
		out[i] = product(b[i]-from, decay.at(0)) + product(drift[i]-driftFrom, gain)
	}
	return out
}

// product is a·b with 0·(±Inf) = 0: biases that are not driven stay, however fast others grow.
func product(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a * b
}

// biasesBeyondFirst returns b − b_0·1: what the drift adds to all alike would drown small differences.
func (p *Point) biasesBeyondFirst() []float64 {
	b, drift := p.d.state.B, p.d.drift
	return movedBiases(b, drift, b[0], drift[0], p.biasDecay, p.biasGain)
}

// Loss returns the unhinged loss (3), −Tr(Mᵀ Wᵀ H) − (M1)ᵀb, and the natural logarithm of its absolute value;
// the loss is ±Inf where float64 cannot hold it.
func (p *Point) Loss() (loss, logAbs float64) {
	sum := 0.0
	for k, g := range p.d.grams {
		x := p.now.modes[k]
		sum -= p.d.sigma[k] * (x[0]*x[2]*g.hh + (x[0]*x[3]+x[1]*x[2])*g.hw + x[1]*x[3]*g.ww)
	}
	return lossOf(sum, p.log, p.d.drift, p.Biases())
}

// lossOf returns exp(2·log)·sum − (M1)ᵀb and the natural logarithm of its absolute value.
func lossOf(sum, log float64, drift, biases []float64) (loss, logAbs float64) {
	fromBiases := 0.0
	for i, b := range biases {
		fromBiases -= drift[i] * b
	}
	if sum != 0 {
		loss = sum * math.Exp(2*log)
	}
	if math.IsInf(loss, 0) || fromBiases == 0 {
		return loss, 2*log + math.Log(math.Abs(sum))
	}
	loss += fromBiases
	return loss, math.Log(math.Abs(loss))
}

// State builds (H, W, b); an error where its numbers are too large for float64 (see Direction).
func (p *Point) State() (*State, error) {
	if err := fits(p.LogNormZ()); err != nil {
		return nil, err
	}
	return p.build(math.Exp(p.log)), nil
}

// fits refuses ‖Z‖ that is too large for float64.
func fits(logNormZ float64) error {
	if logNormZ > 709 {
		return fmt.Errorf("dynamics: ‖Z‖ = 10^%.1f is too large for float64: ask for Direction instead",
			logNormZ/math.Ln10)
	}
	return nil
}

// Direction builds Ẑ = Z/‖Z‖, with the biases on the same scale.
func (p *Point) Direction() *State {
	s := p.build(1 / p.d.norm(p.now, both))
	for i := range s.B {
		s.B[i] *= math.Exp(-p.LogNormZ())
	}
	return s
}

func (p *Point) build(scale float64) *State {
	d := p.d
	s := &State{
		H: mat.DenseCopyOf(d.perp), W: new(mat.Dense), B: p.Biases(),
		Counts: append([]int(nil), d.state.Counts...), Order: append([]int(nil), d.state.Order...),
	}
	s.H.Scale(scale*p.now.perp, s.H)
	var means, h, w mat.Dense
	means.Add(d.mapped(&h, d.means, d.x, p.now, 0, d.x), d.mapped(&w, d.state.W, d.v, p.now, 1, d.x))
	s.W.Add(d.mapped(&h, d.means, d.x, p.now, 2, d.v), d.mapped(&w, d.state.W, d.v, p.now, 3, d.v))
	means.Scale(scale, &means)
	s.W.Scale(scale, s.W)
	for j, y := range d.state.Labels() {
		root := math.Sqrt(float64(d.state.Counts[y]))
		for i := range s.H.RawMatrix().Rows {
			s.H.Set(i, j, s.H.At(i, j)+means.At(i, y)/root)
		}
	}
	return s
}

// mapped sets dst = a·from·diag(entry of every mode)·toᵀ.
func (d *driver) mapped(dst *mat.Dense, a, from mat.Matrix, l linear, entry int, to mat.Matrix) *mat.Dense {
	if d.v == nil { // equal class sizes: from = to, entry(σ1)·(I − 11ᵀ/C) + entry(σ2)·11ᵀ/C
		p, c := a.Dims()
		on1, on2 := l.modes[0][entry], l.modes[1][entry]
		dst.CloneFrom(a)
		for i := range p {
			row := dst.RawRowView(i)
			mean := 0.0
			for _, v := range row {
				mean += v
			}
			mean /= float64(c)
			for j := range row {
				row[j] = on1*row[j] + (on2-on1)*mean
			}
		}
		return dst
	}
	diag := make([]float64, len(l.modes))
	for k := range diag {
		diag[k] = l.modes[k][entry]
	}
	dst.Product(a, from, mat.NewDiagDense(len(diag), diag), to.T())
	return dst
}
