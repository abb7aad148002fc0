package metrics

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// NC3 is how far the prototypes W are from self-duality, being the centred class means M, μ_c − μ_G a column a class,
// up to one factor. It does not change when the features are shifted, both are rotated, or either is scaled. W is not
// centred.
type NC3 struct {
	Distance float64 // ‖W/‖W‖_F − M/‖M‖_F‖_F (Papyan, Han and Donoho, 2020; their example code squares it): 0 to 2
	// ‖WᵀM/‖WᵀM‖_F − (I − 11ᵀ/C)/√(C−1)‖_F (Zhu et al., 2021): 0 only if W and M are dual ETFs, too
	GramDistance float64
	MeanCosine   float64 // Avg_c cos(w_c, μ_c − μ_G): 1 when dual, whatever the norms
}

// NC3 compares the prototypes w [C, p] with the class means; prototypes of classes without a sample are left out. NaN
// with fewer than two classes, or where a zero vector has no direction.
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
