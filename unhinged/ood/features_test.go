package ood

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func randomRows(random *rand.Rand, n, p int) *mat.Dense {
	x := mat.NewDense(n, p, nil)
	for i := range n {
		for k := range p {
			x.Set(i, k, float64(k+1)*random.NormFloat64()+float64(k))
		}
	}
	return x
}

// TestMahalanobis compares with the explicit inverse.
func TestMahalanobis(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 10 {
		classes, p, n := 1+random.IntN(4), 1+random.IntN(5), 60
		train, labels := randomRows(random, n, p), make([]int, n)
		for i := range labels {
			labels[i] = i % classes
			floats.AddConst(float64(5*labels[i]), train.RawRowView(i))
		}
		score, err := Mahalanobis(train, labels, classes)
		if err != nil {
			t.Fatal(err)
		}
		means, covariance := mat.NewDense(classes, p, nil), mat.NewDense(p, p, nil)
		for c := range classes {
			count := 0.0
			for i := c; i < n; i += classes {
				floats.Add(means.RawRowView(c), train.RawRowView(i))
				count++
			}
			floats.Scale(1/count, means.RawRowView(c))
		}
		for i, c := range labels {
			d := mat.NewVecDense(p, floats.SubTo(make([]float64, p), train.RawRowView(i), means.RawRowView(c)))
			covariance.RankOne(covariance, 1/float64(n), d, d)
		}
		var inverse mat.Dense
		if err := inverse.Inverse(covariance); err != nil {
			t.Fatal(err)
		}
		x := randomRows(random, 7, p)
		for i, got := range score(x) {
			want := math.Inf(-1)
			for c := range classes {
				d := mat.NewVecDense(p, floats.SubTo(make([]float64, p), x.RawRowView(i), means.RawRowView(c)))
				want = max(want, -mat.Inner(d, &inverse, d))
			}
			if math.Abs(got-want) > 1e-8*(1+math.Abs(want)) {
				t.Errorf("classes %d, p %d: %g, want %g", classes, p, got, want)
			}
		}
	}
}

// TestMahalanobisIgnoresConstantDirections checks that a coordinate without variance within the classes does not affect
// the score.
func TestMahalanobisIgnoresConstantDirections(t *testing.T) {
	train := mat.NewDense(4, 2, []float64{1, 3, -1, 3, 2, 3, -2, 3})
	score, err := Mahalanobis(train, []int{0, 0, 0, 0}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := score(mat.NewDense(2, 2, []float64{1, 3, 1, 7})); math.Abs(got[0]-got[1]) > 1e-12 ||
		math.Abs(got[0]+0.4) > 1e-12 {
		t.Errorf("scores %v, want -0.4 twice", got)
	}
}

// TestKNN compares with the distances to all training features.
func TestKNN(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for range 10 {
		n, p := 1+random.IntN(20), 1+random.IntN(5)
		train, x := randomRows(random, n, p), randomRows(random, 5, p)
		k := 1 + random.IntN(n)
		score, err := KNN(train, k)
		if err != nil {
			t.Fatal(err)
		}
		a, b := unitRows(train), unitRows(x)
		for i, got := range score(x) {
			distances := make([]float64, n)
			for j := range distances {
				distances[j] = floats.Distance(a.RawRowView(j), b.RawRowView(i), 2)
			}
			indices := make([]int, n)
			floats.Argsort(distances, indices)
			if math.Abs(got+distances[k-1]) > 1e-7 {
				t.Errorf("n %d, k %d: %g, want %g", n, k, got, -distances[k-1])
			}
		}
	}
}

// TestNECO checks that features in the span of the training features score 1, and that the score of others is the
// cosine of their angle to the span.
func TestNECO(t *testing.T) {
	train := mat.NewDense(4, 3, []float64{1, 1, 0, -1, -1, 0, 1, 1, 0, -1, -1, 0})
	score, err := NECO(train, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := score(mat.NewDense(4, 3, []float64{2, 2, 0, 2, -2, 0, 1, 1, math.Sqrt2, 0, 0, 0}))
	for i, want := range []float64{1, 0, math.Sqrt(0.5), 0} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("feature %d scores %g, want %g", i, got[i], want)
		}
	}
}

// TestViM compares with a calculation by hand, whose principal space is the first axis.
func TestViM(t *testing.T) {
	train := mat.NewDense(4, 2, []float64{10, 1, -10, 1, 10, -1, -10, -1})
	logits := mat.NewDense(4, 2, []float64{4, 0, 0, 4, 4, 0, 0, 4})
	vim, err := NewViM(train, logits, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	// α = 16/4, so that a residual of 3 gives a virtual logit of 12.
	got := vim.Score(mat.NewDense(1, 2, []float64{7, 3}), mat.NewDense(1, 2, []float64{2, 1}))
	if want := math.Log(math.Exp(2)+math.Exp(1)) - 12; math.Abs(got[0]-want) > 1e-12 {
		t.Errorf("score %g, want %g", got[0], want)
	}
	moved, err := NewViM(train, logits, []float64{0, 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	got = moved.Score(mat.NewDense(1, 2, []float64{7, 3}), mat.NewDense(1, 2, []float64{2, 1})) // residual 2, α = 16/4
	if want := math.Log(math.Exp(2)+math.Exp(1)) - 8; math.Abs(got[0]-want) > 1e-12 {
		t.Errorf("score %g, want %g", got[0], want)
	}
}

// TestLogitOrigin checks that the residual is orthogonal to the columns of W, that the solution is in the span of its
// rows, and that the logits are 0 if the biases are in the range of W.
func TestLogitOrigin(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		classes, p := 1+random.IntN(5), 1+random.IntN(5)
		w, biases := randomRows(random, classes, p), make([]float64, classes)
		if classes > 1 && random.IntN(2) == 0 { // makes the matrix rank-deficient
			w.SetRow(0, w.RawRowView(1))
		}
		for c := range biases {
			biases[c] = random.NormFloat64()
		}
		origin, err := LogitOrigin(w, biases)
		if err != nil {
			t.Fatal(err)
		}
		residual, gradient := mat.NewVecDense(classes, nil), mat.NewVecDense(p, nil)
		residual.MulVec(w, mat.NewVecDense(p, origin))
		residual.AddVec(residual, mat.NewVecDense(classes, biases))
		gradient.MulVec(w.T(), residual)
		if mat.Norm(gradient, 2) > 1e-9 {
			t.Errorf("classes %d, p %d: Wᵀ(Wo + b) = %v", classes, p, gradient.RawVector().Data)
		}
	}
	if origin, err := LogitOrigin(mat.NewDense(2, 2, nil), []float64{1, 2}); err != nil || floats.Norm(origin, 2) != 0 {
		t.Errorf("prototypes 0: %v, %v", origin, err)
	}
}

func TestFitsRefuse(t *testing.T) {
	x := mat.NewDense(3, 2, []float64{1, 0, 0, 1, 1, 1})
	for name, fit := range map[string]func() error{
		"labels too few":     func() error { _, err := Mahalanobis(x, []int{0}, 1); return err },
		"label out of range": func() error { _, err := Mahalanobis(x, []int{0, 1, 2}, 2); return err },
		"class without":      func() error { _, err := Mahalanobis(x, []int{0, 0, 0}, 2); return err },
		"k 0":                func() error { _, err := KNN(x, 0); return err },
		"k too large":        func() error { _, err := KNN(x, 4); return err },
		"NECO 0":             func() error { _, err := NECO(x, 0); return err },
		"NECO too large":     func() error { _, err := NECO(x, 3); return err },
		"ViM all directions": func() error { _, err := NewViM(x, x, nil, 2); return err },
		"ViM other logits":   func() error { _, err := NewViM(x, mat.NewDense(2, 2, nil), nil, 1); return err },
		"biases too few":     func() error { _, err := LogitOrigin(x, []float64{1}); return err },
		"ViM nothing outside": func() error {
			_, err := NewViM(mat.NewDense(2, 2, nil), mat.NewDense(2, 2, nil), nil,
				1)
			return err
		},
	} {
		if fit() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
