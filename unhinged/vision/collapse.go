package vision

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// withinClassCollapse is NC1 of Papyan, Han and Donoho (2020), tr(Σ_W Σ_B†)/C: the variability of the features within
// their classes against that of the C class means, 0 where every feature is at its class's mean. Rows of features are
// the samples, [n, p]. Σ_B has no inverse, and its pseudo-inverse is built from the thin SVD of the centred class means,
//
//	Σ_B = U S² Uᵀ/C,   tr(Σ_W Σ_B†)/C = Σ_k u_kᵀ Σ_W u_k / s_k²,   k over the s_k that are not 0,
//
// so that no p×p matrix is formed: u_kᵀ Σ_W u_k is the mean square of the deviations along u_k. Classes without a sample
// are left out of C. It is NaN if the class means coincide.
func withinClassCollapse(features *mat.Dense, labels []uint8, classes int) float64 {
	n, p := features.Dims()
	counts := make([]float64, classes)
	means := mat.NewDense(classes, p, nil)
	for i, label := range labels {
		counts[label]++
		row := means.RawRowView(int(label))
		for k, v := range features.RawRowView(i) {
			row[k] += v
		}
	}
	present := 0.0
	global := make([]float64, p)
	for c, count := range counts {
		if count == 0 {
			continue
		}
		present++
		row := means.RawRowView(c)
		for k := range row {
			row[k] /= count
			global[k] += row[k]
		}
	}
	centred := mat.NewDense(classes, p, nil) // rows of absent classes stay 0: they add no direction
	for c, count := range counts {
		if count == 0 {
			continue
		}
		for k, v := range means.RawRowView(c) {
			centred.Set(c, k, v-global[k]/present)
		}
	}
	var svd mat.SVD
	if !svd.Factorize(centred, mat.SVDThin) {
		return math.NaN()
	}
	s := svd.Values(nil)
	var directions mat.Dense
	svd.VTo(&directions) // [p, rank]: rows of centred are samples, so that U of the formula is V here
	for i, label := range labels {
		row := features.RawRowView(i)
		for k, v := range means.RawRowView(int(label)) {
			row[k] -= v
		}
	}
	var along mat.Dense
	along.Mul(features, &directions)
	sum, rank := 0.0, 0
	for k, singular := range s {
		if singular <= s[0]*1e-10 { // the means are centred: at least one s_k is 0 but for rounding
			continue
		}
		rank++
		square := 0.0
		for i := range n {
			square += along.At(i, k) * along.At(i, k)
		}
		sum += square / float64(n) / (singular * singular)
	}
	if rank == 0 {
		return math.NaN()
	}
	return sum
}

// norms returns the largest and the smallest norm of the rows of w.
func norms(w *mat.Dense) (largest, smallest float64) {
	smallest = math.Inf(1)
	n, _ := w.Dims()
	for c := range n {
		norm := mat.Norm(w.RowView(c), 2)
		largest, smallest = max(largest, norm), min(smallest, norm)
	}
	return largest, smallest
}

// smallestAngle is the smallest angle between two rows of w, in degrees.
func smallestAngle(w *mat.Dense) float64 {
	smallest := 180.0
	n, _ := w.Dims()
	for a := range n {
		for b := range a {
			x, y := w.RowView(a), w.RowView(b)
			cosine := mat.Dot(x, y) / mat.Norm(x, 2) / mat.Norm(y, 2)
			smallest = min(smallest, math.Acos(max(-1, min(1, cosine)))*180/math.Pi)
		}
	}
	return smallest
}
