package dynamics

import (
	"math"

	"github.com/unhinged-lab/lab/internal/parallel"
)

// solve returns gradient flow at ascending times.
func (f *SphericalFlow) solve(times []float64) ([]Point, error) {
	out := make([]Point, len(times))
	zetas := integrals(f.rate, times)
	parallel.For(len(times), func(k int) {
		p := f.newPoint(times[k])
		for i := range p.a {
			p.a[i], p.b[i] = f.turn(f.cos[i], f.sin[i], f.gain[i]*zetas[k])
		}
		flush(p.b)
		p.sums = f.observe(0, p.a, p.b)
		out[k] = p
	})
	return out, nil
}

// turn returns (cos θ, sin θ) after θ' = −sin θ for the time x, from θ in [0, π]: tan(θ/2) falls as e^{−x}. Where (104)
// replaces sin θ by |cos θ|·tan θ_ε, φ = π − θ obeys φ' = tan θ_ε·cos φ, and asinh(tan φ) grows as x·tan θ_ε until cos
// θ = −1+ε.
func (f *SphericalFlow) turn(cos, sin, x float64) (float64, float64) {
	if edge := -1 + f.s.Adjust; cos < edge {
		tan := math.Sqrt(1-edge*edge) / -edge
		start := math.Asinh(sin / -cos)
		if leaves := (math.Asinh(tan) - start) / tan; x < leaves {
			t := math.Sinh(start + x*tan) // tan φ
			return -1 / math.Sqrt(1+t*t), t / math.Sqrt(1+t*t)
		} else {
			cos, sin, x = edge, math.Sqrt(1-edge*edge), x-leaves
		}
	}
	switch {
	case sin == 0:
		return cos, 0
	case cos > 0:
		return fromHalf(sin / (1 + cos) * math.Exp(-x))
	}
	return fromHalf((1 - cos) / sin * math.Exp(-x))
}

// fromHalf returns cos θ and sin θ from t = tan(θ/2).
func fromHalf(t float64) (cos, sin float64) { return (1 - t) * (1 + t) / (1 + t*t), 2 * t / (1 + t*t) }
