package ntk

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// activation is a nonlinearity φ applied to every number: a layer, and the step it makes.
type activation struct {
	name     string // as [Parse] reads it; "" for a [Function]
	node     func(x *graph.Node) *graph.Node
	variance func(q float64) float64 // E[φ(u)²], u ~ N(0, q)
	// One of the two is set: dual computes one entry, and entries a line of them without the variances. single means
	// that the precision of float32 is enough.
	dual    func(q1, q2, k, near float64) dual
	entries func(in, out covariance, single bool)
}

// dual has the new values of K = k and near, those of the covariance of φ(u) and φ(v), and E[φ'(u)φ'(v)].
type dual struct{ k, near, derivative float64 }

func (a activation) forward(_ *model.Scope, _ Parameterization, x *graph.Node) *graph.Node {
	return a.node(x)
}

func (a activation) infinite(p *program, in register) (register, error) {
	if err := p.checkGaussian(a, in); err != nil {
		return 0, err
	}
	return p.add(a, p.shapes[in], in), nil
}

func (a activation) variances(in []positions, out positions) {
	for i, q := range in[0].q {
		out.q[i] = a.variance(q)
	}
}

func (a activation) covariances(t *tile, in []operand, out operand, line int) {
	x, y := in[0].part(line), out.part(line)
	if a.entries != nil {
		a.entries(x, y, t.single)
		return
	}
	in[0].rows(line, func(first int, v1, v2 variances) {
		q1 := v1.q[0]
		for j, q2 := range v2.q {
			if len(v1.q) > 1 {
				q1 = v1.q[j]
			}
			e := first + j
			d := a.dual(q1, q2, x.k[e], x.near[e])
			y.k[e], y.near[e], y.ntk[e] = d.k, d.near, x.ntk[e]*d.derivative
		}
	})
}

// The nonlinearities with closed forms. They keep full precision as the angle between two inputs goes to 0 or π.
var (
	// ReLU is max(x, 0): the arc-cosine kernel of Cho and Saul (2009).
	ReLU = ABReLU(0, 1)
	// Abs is |x|.
	Abs = ABReLU(-1, 1)
	// Erf is the error function: the arcsine kernel of Williams (1997).
	Erf Layer = activation{name: "erf", node: graph.Erf, variance: erfVariance, dual: erfDual}
	// GELU is x·Φ(x), Φ the normal distribution function (not its tanh approximation).
	GELU Layer = activation{
		name: "gelu",
		node: func(x *graph.Node) *graph.Node {
			return graph.Mul(graph.MulScalar(x, 0.5), graph.OnePlus(graph.Erf(graph.MulScalar(x, math.Sqrt(0.5)))))
		},
		variance: func(q float64) float64 { return geluKernel(q, q, q, 0).k },
		dual:     geluDual,
	}
	// Sin is sin(x).
	Sin Layer = activation{name: "sin", node: graph.Sin,
		variance: func(q float64) float64 { return -math.Expm1(-2*q) / 2 }, dual: sinDual}
)

// LeakyReLU is max(x, 0) + slope·min(x, 0).
func LeakyReLU(slope float64) Layer { return ABReLU(slope, 1) }

func erfVariance(q float64) float64 { return 2 / math.Pi * math.Atan2(2*q, math.Sqrt(1+4*q)) }

// erfDual is K = (2/π) asin(2k/√((1+2q₁)(1+2q₂))), as an angle whose tangent is 2k/s with s² = (1+2q₁)(1+2q₂) − 4k².
// With A₁ and A₂ the angles of the two variances and B that of |k|,
//
//	√(A₁A₂) − B = ((A₁−B) + (A₂−B))/2 − (√A₁−√A₂)²/2
//
// where A₁−B is the angle whose sine is proportional to q₁s − |k|√(1+4q₁). The cancellation in this difference is
// avoided with (q₁s)² − k²(1+4q₁) = (1+2q₁)(q₁(q₁−q₂) + (1+2q₁)(q₁q₂−k²)).
func erfDual(q1, q2, k, near float64) dual {
	size := math.Abs(k)
	det := near * (near + 2*size)
	s := math.Sqrt(1 + 2*(q1+q2) + 4*det)
	d := dual{k: 2 / math.Pi * math.Atan2(2*k, s), derivative: 4 / math.Pi / s}
	if q1 == 0 || q2 == 0 {
		return d
	}
	difference := func(p, q float64) float64 {
		root := math.Sqrt(1 + 4*p)
		return math.Atan2(2*(1+2*p)*(p*(p-q)+(1+2*p)*det)/(p*s+size*root), root*s+4*p*size)
	}
	d1, d2 := difference(q1, q2), difference(q2, q1)
	roots := (d1 - d2) / (math.Sqrt(math.Pi/2*erfVariance(q1)) + math.Sqrt(math.Pi/2*erfVariance(q2)))
	d.near = max(0, (d1+d2-roots*roots)/math.Pi)
	return d
}

// sinDual is K = (e^{−D/2} − e^{−S/2})/2 with D = E(u−v)² and S = E(u+v)². For the new values, q₁q₂ − K² =
// ((1−e^{−D})(1−e^{−S}) − (e^{−q₁}−e^{−q₂})²)/4.
func sinDual(q1, q2, k, near float64) dual {
	size := math.Abs(k)
	roots := 0.0
	if q1 != q2 {
		roots = (q1 - q2) / (math.Sqrt(q1) + math.Sqrt(q2))
	}
	distance := roots*roots + 2*near
	covariance := -math.Exp(-distance/2) * math.Expm1(-2*size) / 2
	exponentials := math.Exp(-min(q1, q2)) * math.Expm1(-math.Abs(q1-q2))
	d := dual{k: math.Copysign(covariance, k), derivative: math.Exp(-distance/2) * (1 + math.Exp(-2*size)) / 2}
	if r := math.Sqrt(math.Expm1(-2*q1) * math.Expm1(-2*q2) / 4); r > 0 {
		d.near = max(0, (math.Expm1(-distance)*math.Expm1(-distance-4*size)-exponentials*exponentials)/4/(r+covariance))
	}
	return d
}

// geluKernel computes everything but near. By Stein's lemma, with s² = det(1+Σ) and n = 1/(2πs), the expectation of the
// product of the two normal densities,
//
//	E[Φ(u)Φ(v)]   = T = 1/4 + atan(k/s)/2π
//	E[uΦ(u)vΦ(v)] = kT + n(q₁q₂ − k² + k²(1/(1+q₁) + 1/(1+q₂)))
//	E[φ'(u)φ'(v)] = T + nk(1/(1+q₁) + 1/(1+q₂) + 1/s²).
func geluKernel(q1, q2, k, near float64) dual {
	det := near * (near + 2*math.Abs(k)) // q₁q₂ − k²
	s := math.Sqrt(1 + q1 + q2 + det)
	t := 0.25 + math.Atan2(k, s)/(2*math.Pi)
	n := 1 / (2 * math.Pi * s)
	inverse := 1/(1+q1) + 1/(1+q2)
	return dual{k: k*t + n*(det+k*k*inverse), derivative: t + n*k*(inverse+1/(s*s))}
}

// geluDual computes near, if it is small, by Price's theorem ∂K/∂k = E[φ'(u)φ'(v)], integrated from k to √(q₁q₂).
func geluDual(q1, q2, k, near float64) dual {
	d := geluKernel(q1, q2, k, near)
	r := near + math.Abs(k)
	top := math.Sqrt(geluKernel(q1, q1, q1, 0).k) * math.Sqrt(geluKernel(q2, q2, q2, 0).k)
	if k <= 0 || near > threshold*min(1, r) {
		d.near = max(0, top-math.Abs(d.k))
		return d
	}
	if q1 != q2 {
		d.near = max(0, top-geluKernel(q1, q2, r, 0).k)
	}
	// Gauss–Legendre
	for _, node := range [3][2]float64{{-math.Sqrt(0.6), 5. / 18}, {0, 8. / 18}, {math.Sqrt(0.6), 5. / 18}} {
		at := near * (1 + node[0]) / 2
		d.near += node[1] * near * geluKernel(q1, q2, r-at, at).derivative
	}
	return d
}
