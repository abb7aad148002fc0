package metrics

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// PrototypeGeometry has the norms of prototypes and the angles between any two, in degrees, as in figure 19(c) to (e).
// Angles are NaN if a prototype is zero, or if there is only one.
type PrototypeGeometry struct {
	SmallestNorm, LargestNorm              float64
	NormRatio                              float64 // max‖w_c‖/min‖w_c‖
	SmallestAngle, MeanAngle, LargestAngle float64
}

// Prototypes measures the prototypes w [C, p].
func Prototypes(w mat.Matrix) PrototypeGeometry {
	v := mat.DenseCopyOf(w)
	norms := rowNorms(v)
	g := PrototypeGeometry{SmallestNorm: floats.Min(norms), LargestNorm: floats.Max(norms), SmallestAngle: math.NaN(),
		MeanAngle: math.NaN(), LargestAngle: math.NaN()}
	g.NormRatio = g.LargestNorm / g.SmallestNorm
	for i, norm := range norms {
		floats.Scale(1/norm, v.RawRowView(i))
	}
	c := len(norms)
	if c < 2 {
		return g
	}
	g.SmallestAngle, g.MeanAngle, g.LargestAngle = 180, 0, 0
	_, p := v.Dims()
	sum := make([]float64, p)
	for i := range c {
		for j := range i {
			// not by the arc cosine, which is accurate to 1e-8 only for small angles
			x, y := v.RawRowView(i), v.RawRowView(j)
			angle := 2 * math.Atan2(floats.Distance(x, y, 2), floats.Norm(floats.AddTo(sum, x, y), 2)) * 180 / math.Pi
			g.SmallestAngle, g.LargestAngle = min(g.SmallestAngle, angle), max(g.LargestAngle, angle)
			g.MeanAngle += angle / float64(c*(c-1)/2)
		}
	}
	return g
}
