package ntk

import "math"

// halfAngle is atan(y/x) for 0 ≤ y ≤ x and x > 0, where most of the time of ReLU's kernels goes. Unless y/x is small it is
// π/8 + atan((y − cx)/(x + cy)) with c = tan(π/8), the latter, |z| ≤ c, by a polynomial: other than math.Atan it has no
// branches that depend on the data.
func halfAngle(y, x float64) float64 {
	if y < 0.05*x {
		return math.Atan(y / x)
	}
	const c = math.Sqrt2 - 1
	t := (y - c*x) / (x + c*y)
	z := t * t
	z2 := z * z
	z4 := z2 * z2
	// The best polynomial of degree 11 for atan(√z)/√z on [0, c²], off by 1.3e-18: mpmath's chebyfit with 40 digits.
	low := (1 - 0.3333333333333312*z) + (0.19999999999940837-0.14285714279244968*z)*z2
	middle := (0.11111110744657099 - 0.09090896801472813*z) + (0.07692045194561481-0.06662950246036792*z)*z2
	high := (0.05846866752275139 - 0.05035049795312439*z) + (0.03796390316111083-0.017803896394812564*z)*z2
	return math.Pi/8 + t*(low+z4*(middle+z4*high))
}
