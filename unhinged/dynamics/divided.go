package dynamics

import "math"

// times returns x·v.
func (v scaled) times(x float64) scaled {
	if x == 0 || v.sign == 0 {
		return scaled{}
	}
	return scaled{v.sign * math.Copysign(1, x), v.log + math.Log(math.Abs(x))}
}

// plus returns v + w.
func (v scaled) plus(w scaled) scaled {
	if v.sign == 0 {
		return w
	}
	log := math.Max(v.log, w.log)
	if w.sign == 0 || math.IsInf(log, -1) {
		return v
	}
	sum := v.at(log) + w.at(log)
	if sum == 0 {
		return scaled{}
	}
	return scaled{math.Copysign(1, sum), log + math.Log(math.Abs(sum))}
}

// smooth is a growth f that also has divided differences, which are accurate for eigenvalues that lie close together
// too: f[x, y] = (f(x) − f(y))/(x − y) is the response of a coordinate that another one drives, and f[x, y, z] that of
// a third coordinate driven by the second.
type smooth interface {
	growth
	divided(x, y float64) scaled
	second(x, y, z float64) scaled
}

func (g flowGrowth) divided(x, y float64) scaled {
	if g.zeta == 0 {
		return scaled{}
	}
	x, y = math.Max(x, y), math.Min(x, y)
	share := 1.0
	if z := (x - y) * g.zeta; z > 0 {
		share = -math.Expm1(-z) / z
	}
	return scaled{1, x*g.zeta + math.Log(g.zeta*share)}
}

func (g flowGrowth) second(x, y, z float64) scaled {
	x, y, z = descending(x, y, z)
	if (x-z)*g.zeta > 1 {
		return secondOf(g, x, y, z)
	}
	// e^{yζ}ζ² Σ_j h_j/(j+2)!, h_j the complete symmetric polynomials of (x−y)ζ and (z−y)ζ.
	over := 0.5
	sum := homogeneousSeries((x-y)*g.zeta, (z-y)*g.zeta, func(j int) float64 {
		c := over
		over /= float64(j + 3)
		return c
	})
	return scaled{1, y * g.zeta}.times(g.zeta).times(g.zeta).times(sum)
}

func (g powerGrowth) divided(x, y float64) scaled {
	if g.eta == 0 || g.steps == 0 {
		return scaled{}
	}
	x, y = math.Max(x, y), math.Min(x, y)
	high, low := 1+g.eta*x, 1+g.eta*y
	switch {
	case x == y || g.steps == 1:
		return powerGrowth{g.eta, g.steps - 1}.of(x).times(g.eta * g.steps)
	case low > 0:
		return g.of(x).times(-math.Expm1(g.steps*math.Log1p(-g.eta*(x-y)/high)) / (x - y))
	case high < 0:
		return g.of(y).times(math.Expm1(g.steps*math.Log1p(g.eta*(x-y)/low)) / (x - y))
	}
	return g.of(x).plus(g.of(y).times(-1)).times(1 / (x - y))
}

func (g powerGrowth) second(x, y, z float64) scaled {
	if g.eta == 0 || g.steps == 0 {
		return scaled{}
	}
	x, y, z = descending(x, y, z)
	if x == z || g.steps <= 2 {
		return powerGrowth{g.eta, g.steps - 2}.of(x).times(g.eta * g.eta * g.steps * (g.steps - 1) / 2)
	}
	unit := g.steps * g.eta / (1 + g.eta*y)
	if !(math.Abs(unit)*(x-z) <= 1) {
		return secondOf(g, x, y, z)
	}
	// (1+ηy)^t u² Σ_j C(t, j+2)/t^{j+2} h_j, u = tη/(1+ηy).
	choose := (1 - 1/g.steps) / 2
	sum := homogeneousSeries((x-y)*unit, (z-y)*unit, func(j int) float64 {
		c := choose
		choose *= (1 - float64(j+2)/g.steps) / float64(j+3)
		return c
	})
	return g.of(y).times(unit).times(unit).times(sum)
}

// secondOf is the second divided difference by definition, for x ≥ y ≥ z that lie apart.
func secondOf(g smooth, x, y, z float64) scaled {
	return g.divided(x, y).plus(g.divided(y, z).times(-1)).times(1 / (x - z))
}

// homogeneousSeries returns Σ_j coefficient(j)·h_j(a, b), h_j = Σ_i aⁱ b^{j−i}, for |a|, |b| ≤ 1 and coefficients that
// fall like 1/(j+2)!. It calls coefficient with j = 0, 1, 2, … in this order.
func homogeneousSeries(a, b float64, coefficient func(j int) float64) float64 {
	sum, h, power := 0.0, 1.0, 1.0
	for j := range 20 {
		sum += coefficient(j) * h
		power *= b
		h = a*h + power
	}
	return sum
}

// descending returns three numbers in descending order.
func descending(x, y, z float64) (a, b, c float64) {
	a, c = max(x, y, z), min(x, y, z)
	return a, max(min(x, y), min(max(x, y), z)), c
}
