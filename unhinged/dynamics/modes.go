package dynamics

import "math"

// mat2 maps the pair (h, w) of a mode at time 0 to the pair at a later time: [h←h, h←w, w←h, w←w].
type mat2 [4]float64

// combine returns a·m + b·n.
func combine(a float64, m mat2, b float64, n mat2) mat2 {
	return mat2{a*m[0] + b*n[0], a*m[1] + b*n[1], a*m[2] + b*n[2], a*m[3] + b*n[3]}
}

// mode is the eigendecomposition of the generator, per unit of ζ2,
//
//	A = [[−s·λ1, s·σ], [σ, −λ2]] = ω⁺Π⁺ + ω⁻Π⁻,  ω^± = ½(−(sλ1+λ2) ± √((sλ1−λ2)² + 4sσ²))
//
// (For λ1 = λ2, Corollary 5 calls ω⁻ and ω⁺ ω1 and ω2.) Gradient flow, gradient descent and descent with momentum have
// the same two eigenvectors.
type mode struct {
	plus, minus     float64 // ω⁺ ≥ ω⁻
	onPlus, onMinus mat2    // Π⁺, Π⁻; I and 0 where A = ω·I; A and 0 where A is nilpotent
}

func newMode(sigma, s, lambda1, lambda2 float64) mode {
	var m mode
	half := (s*lambda1 - lambda2) / 2
	delta := math.Hypot(half, math.Sqrt(s)*sigma)
	center := (s*lambda1 + lambda2) / 2
	m.minus = -center - delta
	if det := s * (lambda1*lambda2 - sigma*sigma); det != 0 {
		m.plus = det / m.minus // ω⁺ω⁻ = det A: exactly 0 at λ1λ2 = σ²
	}
	if delta == 0 {
		m.onPlus = mat2{1, 0, 0, 1}
		if sigma != 0 { // s = 0 and λ2 = 0: h is constant and w grows as σζ2·h, faster than any eigenvector
			m.onPlus = mat2{2: sigma}
		}
		return m
	}
	// Π^± = ½(I ± N/δ), N = [[−half, sσ], [σ, half]]; δ − |half| without cancellation.
	small := s * sigma * sigma / (delta + math.Abs(half))
	p, q := small/(2*delta), (delta+math.Abs(half))/(2*delta)
	a, d := p, q // Π⁺'s diagonal when half ≥ 0: features decay faster
	if half < 0 {
		a, d = q, p
	}
	b, c := s*sigma/(2*delta), sigma/(2*delta)
	m.onPlus = mat2{a, b, c, d}
	m.onMinus = mat2{d, -b, -c, a}
	return m
}

// scaled is the number sign·exp(log), which may be too large or too small for float64.
type scaled struct{ sign, log float64 }

func (v scaled) at(log float64) float64 {
	if v.sign == 0 {
		return 0
	}
	return v.sign * math.Exp(v.log-log)
}

// growth evaluates at one time the factor of a component along an eigenvector with eigenvalue ω (per unit of ζ2), x' =
// ω x with x(0) = 1, and a component that is driven at a constant unit rate, y' = ω y + 1 with y(0) = 0.
type growth interface {
	of(omega float64) scaled
	driven(omega float64) float64
}

// flowGrowth is gradient flow at ζ: exp(ωζ) and (exp(ωζ)−1)/ω.
type flowGrowth struct{ zeta float64 }

func (g flowGrowth) of(omega float64) scaled { return scaled{1, omega * g.zeta} }

func (g flowGrowth) driven(omega float64) float64 {
	if omega == 0 {
		return g.zeta
	}
	return math.Expm1(omega*g.zeta) / omega
}

// powerGrowth is gradient descent at a constant rate: (1+ηω)^t and its geometric series.
type powerGrowth struct{ eta, steps float64 }

func (g powerGrowth) of(omega float64) scaled {
	f := 1 + g.eta*omega
	v := scaled{1, 0}
	if g.steps == 0 {
		return v
	}
	if f < 0 && math.Mod(g.steps, 2) == 1 {
		v.sign = -1
	}
	if f < 0 {
		v.log = g.steps * math.Log(-f)
	} else {
		v.log = g.steps * math.Log1p(g.eta*omega) // −Inf at f = 0: at returns 0
	}
	return v
}

func (g powerGrowth) driven(omega float64) float64 {
	if omega == 0 {
		return g.eta * g.steps
	}
	if f := 1 + g.eta*omega; f < 0 {
		return (g.of(omega).at(0) - 1) / omega
	}
	return math.Expm1(g.of(omega).log) / omega
}

// heavyBall runs x(t+1) = x − η(t)v(t+1), v(t+1) = μ v(t) − ω x(t) − drive, v(0) = 0, and calls record at every step
// from 0 to len(etas) with x as mantissa·exp(log).
func heavyBall(omega, drive, x, momentum float64, etas []float64, record func(step int, x, log float64)) {
	v, log := 0.0, 0.0
	record(0, x, 0)
	for t, eta := range etas {
		v = momentum*v - omega*x - drive
		x -= eta * v
		if drive == 0 { // a driven number grows at most linearly: no rescaling
			if size := math.Abs(x) + math.Abs(v); (size > 1e100 || size < 1e-100) && size > 0 {
				x, v, log = x/size, v/size, log+math.Log(size)
			}
		}
		record(t+1, x, log)
	}
}

// recordedGrowth is gradient descent with a schedule or with momentum. Its sequences are computed once for all recorded
// steps.
type recordedGrowth struct {
	scaled map[float64]scaled
	drives map[float64]float64
}

func (g recordedGrowth) of(omega float64) scaled      { return g.scaled[omega] }
func (g recordedGrowth) driven(omega float64) float64 { return g.drives[omega] }

// recordGrowth runs the sequences of each ω, and the driven ones of each ω in drives, for the given ascending steps.
func recordGrowth(omegas, drives []float64, momentum float64, etas []float64, steps []int) []growth {
	out := make([]growth, len(steps))
	for i := range out {
		out[i] = recordedGrowth{map[float64]scaled{}, map[float64]float64{}}
	}
	run := func(omega, drive, x float64, keep func(g recordedGrowth, x, log float64)) {
		next := 0
		heavyBall(omega, drive, x, momentum, etas, func(step int, x, log float64) {
			for next < len(steps) && steps[next] == step {
				keep(out[next].(recordedGrowth), x, log)
				next++
			}
		})
	}
	for _, omega := range omegas {
		run(omega, 0, 1, func(g recordedGrowth, x, log float64) {
			g.scaled[omega] = scaled{math.Copysign(1, x), math.Log(math.Abs(x)) + log}
		})
	}
	for _, omega := range drives {
		run(omega, 1, 0, func(g recordedGrowth, x, _ float64) { g.drives[omega] = x })
	}
	return out
}
