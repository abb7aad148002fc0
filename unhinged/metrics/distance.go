package metrics

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Both distances come from ‖H − V‖² = Σ_c Σ_{i in c} ‖h_i − μ_c‖² + n_c ‖μ_c − v_c‖², where all columns of V of a class
// c are v_c. This is a sum of small numbers and not a difference of large ones.

// DistanceToWM returns ‖Ĥ − V̂‖_F, V = W M, both normalised by their Frobenius norms. This is the error of Theorem 6,
// as in figure 15(c). Column i of W M is ((1+γ)w_{y_i} − γ Σ_c w_c)/n for any class sizes; γ does not matter where Σ_c
// w_c = 0. w is [C, p]. NaN if H or W M is zero. (Figure 9 normalises column by column: see DistanceToPrototypes.)
func (m *Moments) DistanceToWM(w mat.Matrix, gamma float64) (float64, error) {
	if _, err := m.rowsOf(w); err != nil {
		return math.NaN(), err
	}
	v := mat.DenseCopyOf(w)
	sum := make([]float64, m.config.Dimension)
	for c := range m.counts {
		floats.Add(sum, v.RawRowView(c))
	}
	var h2, v2 float64
	for c, count := range m.counts {
		row, mean := v.RawRowView(c), m.means.RawRowView(c)
		floats.Scale(1+gamma, row)
		floats.AddScaled(row, -gamma, sum)
		h2 += m.squares[c] + float64(count)*floats.Dot(mean, mean)
		v2 += float64(count) * floats.Dot(row, row)
	}
	square := 0.0
	for c, count := range m.counts {
		row, mean := v.RawRowView(c), m.means.RawRowView(c)
		floats.Scale(1/math.Sqrt(v2), row)
		floats.AddScaled(row, -1/math.Sqrt(h2), mean)
		square += m.squares[c]/h2 + float64(count)*floats.Dot(row, row)
	}
	return math.Sqrt(square), nil
}

// DistanceToPrototypes returns ‖Ĥ − Ŵ(I⊗1ᵀ)‖_F = √Σ_i ‖ĥ_i − ŵ_{y_i}‖², with features and prototypes normalised one by
// one. This is the error (20) of Theorem 7, as in figure 9. w is [C, p]. The result is NaN if a prototype is zero. It
// needs Config.Normalize, because the moments must be those of the normalised features.
func (m *Moments) DistanceToPrototypes(w mat.Matrix) (float64, error) {
	if !m.config.Normalize {
		return math.NaN(),
			errors.New("metrics: the distance to the prototypes is that of normalised features: gather the moments " +
				"with Normalize")
	}
	rows, err := m.rowsOf(w)
	if err != nil {
		return math.NaN(), err
	}
	square := 0.0
	for k, c := range m.present() {
		row := rows.RawRowView(k)
		floats.Scale(1/floats.Norm(row, 2), row)
		floats.Sub(row, m.means.RawRowView(c))
		square += m.squares[c] + float64(m.counts[c])*floats.Dot(row, row)
	}
	return math.Sqrt(square), nil
}
