package metrics

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// NC3 holds measures of how far the prototypes W are from self-duality, that is from a multiple of the centred class
// means M, with column μ_c − μ_G for class c. They do not change if the features are shifted, if features and
// prototypes are rotated together, or if either is scaled. W is not centred.
type NC3 struct {
	Distance float64 // ‖W/‖W‖_F − M/‖M‖_F‖_F (Papyan, Han and Donoho, 2020; their example code squares it): 0 to 2
	// ‖WᵀM/‖WᵀM‖_F − (I − 11ᵀ/C)/√(C−1)‖_F (Zhu et al., 2021): 0 only if W and M are dual ETFs, too
	GramDistance float64
	MeanCosine   float64 // Avg_c cos(w_c, μ_c − μ_G): 1 for self-duality, for any norms
}

// NC3 compares the prototypes w [C, p] with the class means; prototypes of classes without samples are left out.
// Measures are NaN for fewer than two classes, or if a vector whose direction they need is zero.
func (m *Moments) NC3(w mat.Matrix) (NC3, error) {
	out := NC3{math.NaN(), math.NaN(), math.NaN()}
	rows, err := m.rowsOf(w)
	if err != nil || rows == nil || rows.RawMatrix().Rows < 2 {
		return out, err
	}
	means := m.centred()
	var gram mat.Dense
	gram.Mul(rows, means.T())
	out.MeanCosine = 0
	c, _ := rows.Dims()
	for k, norm := range rowNorms(rows) {
		out.MeanCosine += gram.At(k, k) / norm / mat.Norm(means.RowView(k), 2) / float64(c)
	}
	out.GramDistance = etfDistance(&gram)
	rows.Scale(1/mat.Norm(rows, 2), rows)
	means.Scale(1/mat.Norm(means, 2), means)
	rows.Sub(rows, means)
	out.Distance = mat.Norm(rows, 2)
	return out, nil
}
