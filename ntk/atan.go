package ntk

import "math"

// atan is the arc tangent of x in [0, 1], where most of the time of ReLU's kernels goes, in half the time of math.Atan: the
// angle to the nearest of 0, 1/4, 1/2, 3/4 and 1, by its Taylor series, whose argument is at most 1/8.
func atan(x float64) float64 {
	i := int(4*x + 0.5)
	c := 0.25 * float64(i)
	y := (x - c) / (1 + x*c)
	z := y * y
	return atans[i] + y*(1+z*(-1./3+z*(1./5+z*(-1./7+z*(1./9+z*(-1./11+z*(1./13+z*(-1./15+z/17))))))))
}

var atans = [5]float64{0, math.Atan(0.25), math.Atan(0.5), math.Atan(0.75), math.Atan(1)}
