package dynamics

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// flat holds coordinates of (H, W) in an orthonormal basis: two lists of numbers that have the norms and the inner
// products of H and of W.
type flat struct{ inH, inW []float64 }

func (v flat) coordinates() flat { return v }

func (v flat) dot(o vector, over part) float64 {
	b := o.(interface{ coordinates() flat }).coordinates()
	sum := 0.0
	if over&onlyH != 0 {
		sum += floats.Dot(v.inH, b.inH)
	}
	if over&onlyW != 0 {
		sum += floats.Dot(v.inW, b.inW)
	}
	return sum
}

func (v flat) norm(over part) float64 {
	norm := 0.0
	if over&onlyH != 0 {
		norm = floats.Norm(v.inH, 2)
	}
	if over&onlyW != 0 {
		norm = math.Hypot(norm, floats.Norm(v.inW, 2))
	}
	return norm
}

func (v flat) combined(x, y float64, o vector) vector {
	b := o.(interface{ coordinates() flat }).coordinates()
	sum := func(v, b []float64) []float64 {
		out := floats.ScaleTo(make([]float64, len(v)), x, v)
		floats.AddScaled(out, y, b)
		return out
	}
	return flat{sum(v.inH, b.inH), sum(v.inW, b.inW)}
}
