package metrics

import (
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// NC2 holds measures of how far C vectors are from a simplex equiangular tight frame (ETF): vectors of equal norms, any
// two at the cosine −1/(C−1). All are 0 for an ETF, and do not change if all vectors are rotated or scaled. They are
// NaN for fewer than two vectors; the measures of angles are NaN if a vector is zero. Standard deviations divide by C:
// code that divides by C − 1 has norm spreads larger by √(C/(C−1)).
type NC2 struct {
	NormSpread    float64 // Std‖v_c‖ / Avg‖v_c‖ ("equinorm"; Papyan, Han and Donoho, 2020)
	AngleSpread   float64 // Std of cos(v_c, v_d) over pairs c ≠ d ("equiangularity"; ibid.)
	AngleDistance float64 // Avg |cos(v_c, v_d) + 1/(C−1)| over pairs c ≠ d ("maximal angle"; ibid.)
	// ETFDistance is ‖VᵀV/‖VᵀV‖_F − (I − 11ᵀ/C)/√(C−1)‖_F, for vectors that are not normalised, so that it measures
	// norms and angles together (Zhu et al., 2021).
	ETFDistance float64
}

// NC2 measures the centred class means μ_c − μ_G. The global mean of classes of unequal sizes depends on Between: with
// ClassBalanced, the measures are 0 for class means that are an ETF up to a shift.
func (m *Moments) NC2() NC2 { return nc2(m.centred()) }

// PrototypeNC2 measures the prototypes w [C, p] without centring them.
func PrototypeNC2(w mat.Matrix) NC2 { return nc2(mat.DenseCopyOf(w)) }

func nc2(v *mat.Dense) NC2 {
	if v == nil || v.RawMatrix().Rows < 2 {
		return NC2{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	}
	c, _ := v.Dims()
	var gram mat.Dense
	gram.Mul(v, v.T())
	var out NC2
	norms := rowNorms(v)
	mean, std := stat.PopMeanStdDev(norms, nil)
	out.NormSpread = std / mean
	cosines := make([]float64, 0, c*(c-1)/2)
	for i := range c {
		for j := range i {
			cosine := gram.At(i, j) / norms[i] / norms[j]
			cosines = append(cosines, cosine)
			out.AngleDistance += math.Abs(cosine + 1/float64(c-1))
		}
	}
	out.AngleDistance /= float64(len(cosines))
	_, out.AngleSpread = stat.PopMeanStdDev(cosines, nil)
	out.ETFDistance = etfDistance(&gram)
	return out
}

// etfDistance is ‖G/‖G‖_F − (I − 11ᵀ/C)/√(C−1)‖_F for a C×C matrix, which it overwrites.
func etfDistance(g *mat.Dense) float64 {
	c, _ := g.Dims()
	g.Scale(1/mat.Norm(g, 2), g)
	unit := math.Sqrt(float64(c - 1))
	for i := range c {
		row := g.RawRowView(i)
		for j := range row {
			row[j] += 1 / (float64(c) * unit)
		}
		row[i] -= 1 / unit
	}
	return mat.Norm(g, 2)
}

func rowNorms(v *mat.Dense) []float64 {
	norms := make([]float64, v.RawMatrix().Rows)
	for i := range norms {
		norms[i] = mat.Norm(v.RowView(i), 2)
	}
	return norms
}
