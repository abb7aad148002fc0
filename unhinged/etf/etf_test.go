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

// TestSimplexOfWideFeatures checks that prototypes need memory for p·C numbers, and not for p².
func TestSimplexOfWideFeatures(t *testing.T) {
	w, err := Simplex(300_000, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if e := gramError(w); e > 1e-13 {
		t.Errorf("off by %g", e)
	}
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

func TestEnergyGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	for _, s := range []float64{1, 5} {
		const p, c = 3, 5
		x := make([]float64, p*c)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		got := make([]float64, p*c)
		energy(got, x, p, c, s)
		want := fd.Gradient(nil, func(x []float64) float64 { return energy(nil, x, p, c, s) }, x,
			&fd.Settings{Formula: fd.Central})
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-7 {
				t.Errorf("s = %g: gradient %d is %g, finite differences %g", s, i, got[i], want[i])
			}
		}
	}
}

// The optimisation must reach the ETF if one exists.
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

// angle returns the smallest angle between two columns, in degrees.
func angle(w *mat.Dense) float64 { return math.Acos(math.Min(1, LargestCosine(w))) * 180 / math.Pi }

// TestSpreadReachesTheKnownOptima checks the best known smallest angles below p = C−1. In three dimensions, they are
// those of Sloane's tables of spherical codes (proved for C ≤ 14 and C = 24); in the plane, those of regular polygons;
// for p+1 < C ≤ 2p, 90° (Rankin); the others are those of the 24-cell and of the 16 points of the Clebsch graph. An
// optimisation from a single start or a single first scale misses some of them.
func TestSpreadReachesTheKnownOptima(t *testing.T) {
	for _, test := range []struct {
		p, c int
		want float64
	}{
		{3, 5, 90}, {3, 6, 90}, {3, 7, 77.8695}, {3, 8, 74.8585}, {3, 9, 70.5288}, {3, 10, 66.1468}, {3, 11, 63.4349},
		{3,
			12, 63.4349},
		{3, 13, 57.1367}, {3, 14, 55.6706}, {3, 24, 43.6908}, {4, 6, 90}, {4, 8, 90}, {4, 24, 60}, {5, 10, 90}, {5, 16,
			78.4630},
		{1, 3, 0}, {2, 4, 90}, {2, 5, 72}, {2, 11, 360. / 11},
	} {
		seeds := uint64(3)
		if testing.Short() {
			seeds = 1
		}
		for seed := range seeds {
			w, exact, err := Prototypes(test.p, test.c, seed)
			if err != nil {
				t.Fatal(err)
			}
			if exact {
				t.Errorf("p = %d, C = %d: said to be an exact ETF", test.p, test.c)
			}
			for j := range test.c {
				if norm := mat.Norm(w.ColView(j), 2); math.Abs(norm-1) > 1e-14 {
					t.Errorf("p = %d, C = %d: prototype %d has the norm %g", test.p, test.c, j, norm)
				}
			}
			if got := angle(w); math.Abs(got-test.want) > 0.001 {
				t.Errorf("p = %d, C = %d, seed %d: smallest angle %.4f°, the best known is %.4f°", test.p, test.c, seed,
					got,
					test.want)
			}
		}
	}
}

// TestSpreadOfManyPrototypes checks that a hundred prototypes in 64 dimensions are at least 90° apart, which is the
// optimum, and that the result depends on the seed only.
func TestSpreadOfManyPrototypes(t *testing.T) {
	w, err := Spread(64, 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := angle(w); math.Abs(got-90) > 1e-3 {
		t.Errorf("smallest angle %.5f°, want 90°", got)
	}
	a, _ := Spread(3, 7, 4)
	b, _ := Spread(3, 7, 4)
	other, _ := Spread(3, 7, 5)
	if !mat.Equal(a, b) {
		t.Error("the same seed gave other prototypes")
	}
	if mat.EqualApprox(a, other, 0.1) {
		t.Error("another seed gave the same prototypes")
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
