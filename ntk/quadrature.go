package ntk

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"gonum.org/v1/gonum/integrate/quad"
)

// nodes is the number of nodes of the quadrature along each axis. It is exact for polynomials of degree 127.
const nodes = 64

// Function returns the nonlinearity f with derivative df. Its kernel is computed by Gauss–Hermite quadrature with 64×64
// nodes, which takes thousands of evaluations of f and df for each covariance. It is accurate to rounding for a smooth
// f whose scale is not much below √q, and to few digits for an f with kinks. node builds f in the finite network.
func Function(f, df func(x float64) float64, node func(x *graph.Node) *graph.Node) Layer {
	if f == nil || df == nil || node == nil {
		exceptions.Panicf("ntk: Function takes f, its derivative and its graph: none may be nil")
	}
	z, w := make([]float64, nodes), make([]float64, nodes)
	quad.Hermite{}.FixedLocations(z, w, math.Inf(-1), math.Inf(1))
	for i := range z { // ∫ e^{−x²} f(x) dx → E f(z), z ~ N(0, 1)
		z[i] *= math.Sqrt2
		w[i] /= math.Sqrt(math.Pi)
	}
	variance := func(q float64) float64 {
		sum := 0.0
		for i := range z {
			y := f(math.Sqrt(q) * z[i])
			sum += w[i] * y * y
		}
		return sum
	}
	return activation{node: node, variance: variance, dual: func(q1, q2, k, near float64) dual {
		a, b := math.Sqrt(q1), math.Sqrt(q2)
		cos, sin := 0.0, 1.0
		if r := near + math.Abs(k); r > 0 {
			cos, sin = k/r, math.Sqrt(near*(near+2*math.Abs(k)))/r
		}
		// near is computed as Σ (f(u)/√q₁' ∓ f(v)/√q₂')², which is accurate if it is small
		r1, r2 := math.Sqrt(variance(q1)), math.Sqrt(variance(q2))
		var d dual
		var minus, plus float64
		for i := range z {
			fu, dfu := f(a*z[i]), df(a*z[i])
			for j := range z {
				v := b * (cos*z[i] + sin*z[j])
				fv, weight := f(v), w[i]*w[j]
				d.k += weight * fu * fv
				d.derivative += weight * dfu * df(v)
				if r1 > 0 && r2 > 0 {
					x, y := fu/r1, fv/r2
					minus += weight * (x - y) * (x - y)
					plus += weight * (x + y) * (x + y)
				}
			}
		}
		d.near = r1 * r2 / 2 * min(minus, plus)
		return d
	}}
}
