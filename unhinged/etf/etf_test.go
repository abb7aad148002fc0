package etf

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
)

// gramError returns the largest entry of |WᵀW − (C/(C−1))(I − 11ᵀ/C)|.
func gramError(w *mat.Dense) float64 {
	_, c := w.Dims()
	var gram mat.Dense
	gram.Mul(w.T(), w)
	worst := 0.0
	for i := range c {
		for j := range c {
			want := -1 / float64(c-1)
			if i == j {
				want = 1
			}
			worst = math.Max(worst, math.Abs(gram.At(i, j)-want))
		}
	}
	return worst
}

func TestSimplexIsAnETF(t *testing.T) {
	for _, size := range [][2]int{{1, 2}, {2, 2}, {2, 3}, {3, 3}, {9, 10}, {10, 10}, {64, 10}, {99, 100}, {512, 100}} {
		w, err := Simplex(size[0], size[1], 7)
		if err != nil {
			t.Fatal(err)
		}
		if p, c := w.Dims(); p != size[0] || c != size[1] {
			t.Errorf("p, C = %v: got %d×%d", size, p, c)
		}
		if e := gramError(w); e > 1e-13 {
			t.Errorf("p, C = %v: Gram matrix off by %g", size, e)
		}
	}
}

func TestSimplexDependsOnTheSeedOnly(t *testing.T) {
	a, _ := Simplex(16, 10, 1)
	b, _ := Simplex(16, 10, 1)
	other, _ := Simplex(16, 10, 2)
	if !mat.Equal(a, b) {
		t.Error("the same seed gave other prototypes")
	}
	if mat.EqualApprox(a, other, 0.1) {
		t.Error("another seed gave the same prototypes")
	}
}

func TestErrors(t *testing.T) {
	if _, err := Simplex(8, 10, 0); err == nil {
		t.Error("p = C−2: no error")
	}
	for _, size := range [][2]int{{0, 2}, {3, 1}, {-1, 5}} {
		if _, _, err := Prototypes(size[0], size[1], 0); err == nil {
			t.Errorf("p, C = %v: no error", size)
		}
		if _, err := Spread(size[0], size[1], 0); err == nil {
			t.Errorf("Spread with p, C = %v: no error", size)
		}
	}
}

func TestObjectiveGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	for _, s := range []float64{1, 5} {
		const p, c = 3, 5
		x := make([]float64, p*c)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		got := make([]float64, p*c)
		objective(got, x, p, c, s)
		want := fd.Gradient(nil, func(x []float64) float64 { return objective(nil, x, p, c, s) }, x, &fd.Settings{Formula: fd.Central})
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-7 {
				t.Errorf("s = %g: gradient %d is %g, finite differences %g", s, i, got[i], want[i])
			}
		}
	}
}

// The optimisation reaches the ETF where one exists.
func TestSpreadReachesTheETF(t *testing.T) {
	for _, size := range [][2]int{{1, 2}, {2, 3}, {4, 5}, {9, 10}, {12, 10}} {
		w, err := Spread(size[0], size[1], 5)
		if err != nil {
			t.Fatal(err)
		}
		if e := gramError(w); e > 1e-6 {
			t.Errorf("p, C = %v: Gram matrix off by %g", size, e)
		}
	}
}

// Below p = C−1 the best spreads are known in these cases: the regular polygon in the plane, the cross-polytope for
// C = 2p (no two closer than 90°, Rankin's bound), the icosahedron for p = 3, C = 12.
func TestSpreadReachesTheKnownOptima(t *testing.T) {
	for _, test := range []struct {
		p, c int
		want float64
	}{
		{1, 3, 1}, {2, 5, math.Cos(2 * math.Pi / 5)}, {2, 8, math.Cos(2 * math.Pi / 8)}, {3, 6, 0}, {4, 8, 0}, {3, 12, 1 / math.Sqrt(5)},
	} {
		w, exact, err := Prototypes(test.p, test.c, 1)
		if err != nil {
			t.Fatal(err)
		}
		if exact {
			t.Errorf("p = %d, C = %d: said to be an exact ETF", test.p, test.c)
		}
		if got := LargestCosine(w); math.Abs(got-test.want) > 1e-4 {
			t.Errorf("p = %d, C = %d: largest cosine %.6f, the optimum is %.6f", test.p, test.c, got, test.want)
		}
	}
}

func ExampleSimplex() {
	w, err := Simplex(2, 3, 0) // three prototypes in the plane, 120° apart
	if err != nil {
		panic(err)
	}
	var gram mat.Dense
	gram.Mul(w.T(), w)
	fmt.Printf("%.2f\n", mat.Formatted(&gram))
	// Output:
	// ⎡ 1.00  -0.50  -0.50⎤
	// ⎢-0.50   1.00  -0.50⎥
	// ⎣-0.50  -0.50   1.00⎦
}
