package errata

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// The numbers of the example must be those in the list of errata, and the printed conditions must hold while cosines
// fall.
func TestE5AndE16Counterexamples(t *testing.T) {
	w, h := []float64{1, 0}, []float64{0.3 * math.Cos(0.3), 0.3 * math.Sin(0.3)}
	beta, _ := cosines(h, w, 0.29, false, 0, 2)
	for i, want := range []float64{0.955, 0.896, 0.983} {
		if math.Abs(beta[i]-want) > 5e-4 {
			t.Errorf("E5: cosine %d is %v, want %v", i, beta[i], want)
		}
	}
	if size := floats.Norm(h, 2); 0.29/size > 1 || 0.29/(size*size) < 1 {
		t.Error("E5: the example does not tell the conditions apart")
	}
	if beta, _ := cosines(h, w, 0.9, true, 0, 1); beta[1] >= beta[0] {
		t.Errorf("E16: the cosine rises from %v to %v", beta[0], beta[1])
	}
}
