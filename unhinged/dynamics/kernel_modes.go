package dynamics

import (
	"math"

	"github.com/unhinged-lab/lab/internal/parallel"
	"gonum.org/v1/gonum/floats"
)

// response is the linear map (a(0), w(0)) ↦ (w, I) of a mode; a = e^{−λ1ζ1}a(0) + dσ² I.
type response struct{ wa, ww, ia, iw scaled }

// kernelMode is the generator of a mode per unit of ζ2, [[−sλ1, s·dσ²], [1, −λ2]] on (a, w), with I' = s·w − sλ1·I.
// With a = √d·σ·h it is the generator of mode on (h, w). The coordinate a is used here because it needs no division by
// σ, which may be 0.
type kernelMode struct {
	mode
	s, rho      float64 // ρ = −sλ1, the eigenvalue of features that are not driven; ω⁻ ≤ ρ ≤ ω⁺
	above, wide float64 // ω⁺ − ρ and ω⁺ − ω⁻ without cancellation
}

func newKernelMode(dsigma2, s, lambda1, lambda2 float64) kernelMode {
	sigma := math.Sqrt(dsigma2)
	half := (s*lambda1 - lambda2) / 2
	delta := math.Hypot(half, math.Sqrt(s)*sigma)
	m := kernelMode{mode: newMode(sigma, s, lambda1, lambda2), s: s, rho: -s * lambda1, wide: 2 * delta}
	if half >= 0 {
		m.above = half + delta
	} else {
		m.above = s * dsigma2 / (delta - half)
	}
	return m
}

// after returns the whole response at a time. It evaluates functions of the generator by divided differences, which are
// accurate for any two eigenvalues, however close.
func (m kernelMode) after(g smooth) response {
	plus, minus := m.onPlus[3], m.onMinus[3]
	return response{
		wa: g.divided(m.plus, m.minus),
		ww: g.of(m.plus).times(plus).plus(g.of(m.minus).times(minus)),
		ia: g.second(m.plus, m.rho, m.minus).times(m.s),
		iw: g.divided(m.plus, m.rho).times(m.s * plus).plus(g.divided(m.rho, m.minus).times(m.s * minus)),
	}
}

// leading returns the part of the response that is proportional to f(ω⁺), divided by f(ω⁺). It needs dσ² > 0.
func (m kernelMode) leading() response {
	plus := m.onPlus[3]
	one := scaled{1, 0}
	return response{
		wa: one.times(1 / m.wide), ww: one.times(plus), ia: one.times(m.s / (m.above * m.wide)),
		iw: one.times(m.s * plus / m.above),
	}
}

// trailing is the rest of the response.
func (m kernelMode) trailing(g smooth) response {
	plus, minus := m.onPlus[3], m.onMinus[3]
	low, rest := g.of(m.minus), g.of(m.rho)
	below := g.divided(m.rho, m.minus)
	return response{
		wa: low.times(-1 / m.wide),
		ww: low.times(minus),
		ia: rest.times(1 / m.above).plus(below).times(-m.s / m.wide),
		iw: rest.times(-m.s * plus / m.above).plus(below.times(m.s * minus)),
	}
}

// responses holds the responses of all modes at a time, [multiplier][mode], and rest, the factor of a(0) and H(0) where
// they are not driven.
type responses struct {
	rest  scaled
	modes [][]response
}

// newResponses allocates them.
func (core *kernelCore) newResponses() responses {
	r := responses{modes: make([][]response, len(core.d))}
	for j := range r.modes {
		r.modes[j] = make([]response, len(core.sigma2))
	}
	return r
}

// eachMode calls work for every multiplier and mode, on all cores.
func (core *kernelCore) eachMode(work func(j, k int)) {
	parallel.For(len(core.d)*len(core.sigma2), func(i int) { work(i/len(core.sigma2), i%len(core.sigma2)) })
}

// recordResponses runs gradient descent with momentum on (a, w, I), from a(0) = 1 and from w(0) = 1, mode by mode.
func (core *kernelCore) recordResponses(lambda1, lambda2, momentum float64, eta1, eta2 []float64,
	steps []int) []responses {
	out := make([]responses, len(steps))
	for i, g := range recordGrowth([]float64{-lambda1}, nil, momentum, eta1, steps) {
		out[i] = core.newResponses()
		out[i].rest = g.of(-lambda1)
	}
	core.eachMode(func(j, k int) {
		dsigma2 := core.d[j] * core.sigma2[k]
		x := []float64{1, 0, 0, 0, 1, 0} // a, w, I; a, w, I
		v := make([]float64, 6)
		log := 0.0
		next := 0
		for t := 0; ; t++ {
			for next < len(steps) && steps[next] == t {
				out[next].modes[j][k] = responseOf(x, log)
				next++
			}
			if next == len(steps) {
				return
			}
			for c := 0; c < 6; c += 3 {
				a, w, i := x[c], x[c+1], x[c+2]
				v[c] = momentum*v[c] - dsigma2*w + lambda1*a
				v[c+1] = momentum*v[c+1] - a + lambda2*w
				v[c+2] = momentum*v[c+2] - w + lambda1*i
				x[c], x[c+1], x[c+2] = a-eta1[t]*v[c], w-eta2[t]*v[c+1], i-eta1[t]*v[c+2]
			}
			if size := floats.Norm(x, math.Inf(1)); size > 1e100 || size < 1e-100 && size > 0 {
				floats.Scale(1/size, x)
				floats.Scale(1/size, v)
				log += math.Log(size)
			}
		}
	})
	return out
}

// integrateResponses computes gradient flow with learning rates that are not proportional to each other: it solves an
// ODE with error control for each mode.
func (core *kernelCore) integrateResponses(lambda1, lambda2 float64, rates Rates, times []float64) ([]responses,
	error) {
	out := make([]responses, len(times))
	for i, zeta1 := range integrals(rates.H, times) {
		out[i] = core.newResponses()
		out[i].rest = scaled{1, -lambda1 * zeta1}
	}
	errs := make([]error, len(core.d)*len(core.sigma2))
	core.eachMode(func(j, k int) {
		dsigma2 := core.d[j] * core.sigma2[k]
		x := []float64{1, 0, 0, 0, 1, 0}
		log, from := 0.0, 0.0
		for i, t := range times {
			var err error
			x, err = integrate(func(t float64, x, dx []float64) {
				eta1, eta2 := rates.H.At(t), rates.W.At(t)
				for c := 0; c < 6; c += 3 {
					dx[c] = eta1 * (dsigma2*x[c+1] - lambda1*x[c])
					dx[c+1] = eta2 * (x[c] - lambda2*x[c+1])
					dx[c+2] = eta1 * (x[c+1] - lambda1*x[c+2])
				}
			}, from, t, x, 1e-12, func(x []float64) {
				if size := floats.Norm(x, math.Inf(1)); size > 0 {
					floats.Scale(1/size, x)
					log += math.Log(size)
				}
			})
			if err != nil {
				errs[j*len(core.sigma2)+k] = err
				return
			}
			from = t
			out[i].modes[j][k] = responseOf(x, log)
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// responseOf reads (a, w, I) from a(0) = 1 and from w(0) = 1.
func responseOf(x []float64, log float64) response {
	one := scaled{1, log}
	return response{wa: one.times(x[1]), ww: one.times(x[4]), ia: one.times(x[2]), iw: one.times(x[5])}
}
