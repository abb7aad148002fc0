package dynamics

import (
	"fmt"
	"math"
)

// part selects H, W or both.
type part int

const (
	onlyH part = 1
	onlyW part = 2
	both  part = 3
)

// vector is a state (H, W), or a linear combination of states, in the representation of its trajectory. Its methods
// take vectors of the same trajectory only.
type vector interface {
	// dot returns ⟨v, o⟩ over the part, norm ‖v‖ over the part.
	dot(o vector, over part) float64
	norm(over part) float64
	// combined returns x·v + y·o.
	combined(x, y float64, o vector) vector
}

// body is a vector with the other quantities whose computation depends on the representation.
type body interface {
	vector
	// loss returns the loss of exp(log)·v with the biases, and the natural logarithm of its absolute value.
	loss(log float64, biases []float64) (loss, logAbs float64)
	// classifier returns the train accuracy of exp(log)·v as a function of the biases; nil stands for none.
	classifier(log float64) func(biases []float64) float64
	// build returns (H, W) of scale·v, and no biases.
	build(scale float64) *State
}

// point is the Point of all linear trajectories: a vector with its scale as a logarithm.
type point struct {
	log float64 // the state is exp(log)·now
	now body
	// The state is exp(log)·lead·target + exp(restLog)·rest, with rest computed without cancellation; lead[0] is H's,
	// lead[1] W's. If subtract is set, there is no such form, and split computes the difference of now and target
	// instead.
	target   vector // distances are measured to it; nil if there is none
	lead     [2]float64
	rest     vector
	restLog  float64
	subtract bool

	b, drift  []float64 // b(t) = biasDecay·b + biasGain·drift
	biasDecay scaled
	biasGain  float64
}

func (p *point) logNorm(over part) float64 { return p.log + math.Log(p.now.norm(over)) }

func (p *point) LogNormH() float64 { return p.logNorm(onlyH) }
func (p *point) LogNormW() float64 { return p.logNorm(onlyW) }
func (p *point) LogNormZ() float64 { return p.logNorm(both) }

// split returns the point over the part as exp(log)·lead·target + exp(restLog)·rest. If it has to compute the
// difference of now and target, H and W each have their own lead, the one that makes the rest orthogonal to the target:
// one of them may be much smaller than the other, and a common lead would then have too large a rounding error for it.
func (p *point) split(over part) (lead float64, rest vector, restLog float64) {
	switch {
	case p.subtract:
		if size := p.target.dot(p.target, over); size > 0 {
			lead = p.target.dot(p.now, over) / size
		}
		return lead, p.now.combined(1, -lead, p.target), p.log
	case over == onlyW:
		return p.lead[1], p.rest, p.restLog
	}
	return p.lead[0], p.rest, p.restLog
}

// logDistance returns ln‖X/‖X‖ − X̄/‖X̄‖‖ for X = lead·X̄ + rest, to full relative accuracy however small it is.
func (p *point) logDistance(over part) float64 {
	if p.target == nil || over == both && p.lead[0] != p.lead[1] { // anchored, λ = 0: H grows and W does not
		return math.NaN()
	}
	lead, left, restLog := p.split(over)
	bar, rest := p.target.norm(over), left.norm(over)
	if rest == 0 && lead > 0 {
		return math.Inf(-1)
	}
	cos := p.target.dot(left, over) / (bar * rest) // between X̄ and rest
	size := math.Log(rest) + restLog - math.Log(math.Abs(lead)*bar) - p.log
	if lead <= 0 || size > 0 { // far away: no cancellation to avoid
		cos := p.target.dot(p.now, over) / (bar * p.now.norm(over))
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

func (p *point) LogDistance() float64  { return p.logDistance(both) }
func (p *point) LogDistanceH() float64 { return p.logDistance(onlyH) }
func (p *point) LogDistanceW() float64 { return p.logDistance(onlyW) }

// logGap returns ln‖X − X̄‖, not normalised.
func (p *point) logGap(over part) float64 {
	if p.target == nil {
		return math.NaN()
	}
	lead, left, restLog := p.split(over)
	base, gap, rest := gapScales(lead, p.log, restLog)
	if math.IsInf(base, -1) {
		return base // the target is reached to the last digit
	}
	return base + math.Log(p.target.combined(gap, rest, left).norm(over))
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

func (p *point) LogGapH() float64 { return p.logGap(onlyH) }
func (p *point) LogGapW() float64 { return p.logGap(onlyW) }

func (p *point) Biases() []float64 { return movedBiases(p.b, p.drift, 0, 0, p.biasDecay, p.biasGain) }

// biasesBeyondFirst returns b − b_0·1. It computes the differences directly, because the drift may add a much larger
// number to all biases.
func (p *point) biasesBeyondFirst() []float64 {
	return movedBiases(p.b, p.drift, p.b[0], p.drift[0], p.biasDecay, p.biasGain)
}

// movedBiases returns decay·(b − from) + gain·(drift − driftFrom).
func movedBiases(b, drift []float64, from, driftFrom float64, decay scaled, gain float64) []float64 {
	out := make([]float64, len(b))
	for i := range b {
		out[i] = product(b[i]-from, decay.at(0)) + product(drift[i]-driftFrom, gain)
	}
	return out
}

// product is a·b with 0·(±Inf) = 0: biases that are not driven stay constant even if the growth of the others
// overflows.
func product(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a * b
}

func (p *point) Loss() (loss, logAbs float64) { return p.now.loss(p.log, p.Biases()) }

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

func (p *point) Accuracy(withBias bool) float64 {
	accuracy := p.now.classifier(p.log)
	if withBias {
		return accuracy(p.biasesBeyondFirst())
	}
	return accuracy(nil)
}

func (p *point) accuracies(biasesDiffer bool) (without, with float64) {
	accuracy := p.now.classifier(p.log)
	without = accuracy(nil)
	if !biasesDiffer {
		return without, without
	}
	return without, accuracy(p.biasesBeyondFirst())
}

func (p *point) State() (*State, error) {
	if err := fits(p.LogNormZ()); err != nil {
		return nil, err
	}
	s := p.now.build(math.Exp(p.log))
	s.B = p.Biases()
	return s, nil
}

// fits returns an error if ‖Z‖ is too large for float64.
func fits(logNormZ float64) error {
	if logNormZ > 709 {
		return fmt.Errorf("dynamics: ‖Z‖ = 10^%.1f is too large for float64: ask for Direction instead",
			logNormZ/math.Ln10)
	}
	return nil
}

func (p *point) Direction() *State {
	s := p.now.build(1 / p.now.norm(both))
	s.B = p.Biases()
	for i := range s.B {
		s.B[i] *= math.Exp(-p.LogNormZ())
	}
	return s
}
