package vision

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// naiveCollapse is tr(Σ_W Σ_B†)/C with both p×p covariances formed and the pseudo-inverse by eigenvalues.
func naiveCollapse(features *mat.Dense, labels []uint8, classes int) float64 {
	n, p := features.Dims()
	means, global, present := make([]*mat.VecDense, classes), mat.NewVecDense(p, nil), 0
	for c := range classes {
		means[c] = mat.NewVecDense(p, nil)
		count := 0.0
		for i, label := range labels {
			if int(label) == c {
				means[c].AddVec(means[c], features.RowView(i))
				count++
			}
		}
		if count > 0 {
			means[c].ScaleVec(1/count, means[c])
			global.AddVec(global, means[c])
			present++
		} else {
			means[c] = nil
		}
	}
	global.ScaleVec(1/float64(present), global)
	within, between := mat.NewSymDense(p, nil), mat.NewSymDense(p, nil)
	for i, label := range labels {
		var d mat.VecDense
		d.SubVec(features.RowView(i), means[label])
		within.SymRankOne(within, 1/float64(n), &d)
	}
	for _, m := range means {
		if m != nil {
			var d mat.VecDense
			d.SubVec(m, global)
			between.SymRankOne(between, 1/float64(present), &d)
		}
	}
	var eigen mat.EigenSym
	eigen.Factorize(between, true)
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	trace := 0.0
	for k, value := range values {
		if value > values[p-1]*1e-12 {
			u := vectors.ColView(k)
			trace += mat.Inner(u, within, u) / value
		}
	}
	return trace / float64(present)
}

func TestWithinClassCollapseAgainstItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		classes, p := 2+random.IntN(5), 1+random.IntN(9)
		n := classes * (1 + random.IntN(6))
		features, labels := mat.NewDense(n, p, nil), make([]uint8, n)
		for i := range n {
			labels[i] = uint8(random.IntN(classes)) // some class may be absent
			if i < 2 {
				labels[i] = uint8(i)
			}
			for k := range p {
				features.Set(i, k, random.NormFloat64()+2*float64(int(labels[i])*(k+1)%3))
			}
		}
		want := naiveCollapse(features, labels, classes)
		got := withinClassCollapse(mat.DenseCopyOf(features), labels, classes)
		if math.Abs(got-want) > 1e-8*want {
			t.Errorf("C = %d, n = %d, p = %d: %.10g, by definition %.10g", classes, n, p, got, want)
		}
	}
}

func TestWithinClassCollapseOfCollapsedFeatures(t *testing.T) {
	features := mat.NewDense(4, 2, []float64{1, 2, 1, 2, -3, 5, -3, 5})
	if got := withinClassCollapse(features, []uint8{0, 0, 1, 1}, 2); got != 0 {
		t.Errorf("collapsed features measure %g", got)
	}
	same := mat.NewDense(2, 2, []float64{1, 1, 1, 1})
	if got := withinClassCollapse(same, []uint8{0, 1}, 2); !math.IsNaN(got) {
		t.Errorf("coinciding class means measure %g, should be NaN", got)
	}
}

func TestPrototypeMeasures(t *testing.T) {
	w := mat.NewDense(3, 2, []float64{3, 0, 0, 0.5, -1, 1})
	if largest, smallest := norms(w); largest != 3 || smallest != 0.5 {
		t.Errorf("norms between %g and %g, should be 0.5 and 3", smallest, largest)
	}
	if angle := smallestAngle(w); math.Abs(angle-45) > 1e-6 {
		t.Errorf("smallest angle %g°, should be 45°", angle)
	}
}
