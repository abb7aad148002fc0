package tiles

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// stored writes a symmetric matrix with C outputs to disk, in number type T.
func stored[T float32 | float64](t *testing.T, m *mat.SymDense, c, tile int) *Array {
	t.Helper()
	n := m.SymmetricDim() / c
	k := Kernel{Arrays: []string{"k"}, DType: Float64, Rows: n, Cols: n, Tile: tile, Symmetric: true}
	if _, single := any(T(0)).(float32); single {
		k.DType = Float32
	}
	if c > 1 {
		k.Outputs = c
	}
	s, err := Create(filepath.Join(t.TempDir(), "kernel"), k)
	if err != nil {
		t.Fatal(err)
	}
	err = Compute(t.Context(), s, func(rows, cols Range) ([][]T, error) {
		var values []T
		for i := rows.From; i < rows.To; i++ {
			for j := cols.From; j < cols.To; j++ {
				for a := range c {
					for b := range c {
						values = append(values, T(m.At(i*c+a, j*c+b)))
					}
				}
			}
		}
		return [][]T{values}, nil
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return array(t, s, "k")
}

// withSpectrum returns QΛQᵀ with a random orthogonal Q.
func withSpectrum(random *rand.Rand, values []float64) *mat.SymDense {
	n := len(values)
	g := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			g.Set(i, j, random.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(g)
	var q, scaled, product mat.Dense
	qr.QTo(&q)
	scaled.Mul(&q, mat.NewDiagDense(n, values))
	product.Mul(&scaled, q.T())
	m := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			m.SetSym(i, j, (product.At(i, j)+product.At(j, i))/2)
		}
	}
	return m
}

// For matrices with known eigenvalues, both methods must be right within the bounds that they return, and must tell
// which matrices are positive semi-definite.
func TestSpectrum(t *testing.T) {
	t.Parallel() // this test spends its time waiting for the disk
	random := rand.New(rand.NewPCG(1, 2))
	for name, test := range map[string]struct {
		n           int
		value       func(i, n int) float64
		semidefined bool
	}{
		"definite":           {60, func(i, _ int) float64 { return 1 + float64(i*i) }, true},
		"fast decay":         {60, func(i, _ int) float64 { return 1000 * math.Exp(-float64(i)) }, true},
		"low rank":           {60, func(i, _ int) float64 { return float64(max(0, 4-i)) }, true},
		"all equal":          {60, func(int, int) float64 { return 2 }, true},
		"slightly negative":  {60, func(i, _ int) float64 { return float64(i) - 1e-3 }, false},
		"twice the smallest": {60, func(i, _ int) float64 { return float64(i / 2) }, true},
		"one":                {1, func(int, int) float64 { return 3 }, true},
		"two":                {2, func(i, _ int) float64 { return float64(i) - 3 }, false},
	} {
		values := make([]float64, test.n)
		low, high := math.Inf(1), math.Inf(-1)
		for i := range values {
			values[i] = test.value(i, test.n)
			low, high = min(low, values[i]), max(high, values[i])
		}
		m := withSpectrum(random, values)
		c := 1
		if test.n%3 == 0 {
			c = 1 + random.IntN(2)*2
		}
		a := stored[float64](t, m, c, 7)
		for _, exact := range []int{0, 1} {
			if test.n == 1 && exact == 1 {
				exact = -1
			}
			s, err := a.Spectrum(t.Context(), SpectrumOptions{Exact: exact})
			if err != nil {
				t.Fatal(err)
			}
			slack := 1e-13 * math.Max(math.Abs(low), math.Abs(high)) // rounding of the matrix itself
			if math.Abs(s.Smallest-low) > s.SmallestBound+slack || math.Abs(s.Largest-high) > s.LargestBound+slack {
				t.Errorf("%s: %v; want from %g to %g", name, s, low, high)
			}
			if bound := 1e-7 * max(math.Abs(low), math.Abs(high)); s.SmallestBound > bound || s.LargestBound > bound {
				t.Errorf("%s: loose bounds: %v", name, s)
			}
			if s.PositiveSemiDefinite() != test.semidefined || strings.Contains(s.String(), "NOT") == test.semidefined {
				t.Errorf("%s: %v", name, s)
			}
			if (s.Steps == 0) != (exact == 0) || strings.Contains(s.String(), "Lanczos") != (exact != 0) {
				t.Errorf("%s: %d steps of Lanczos' method with exact %d: %v", name, s.Steps, exact, s)
			}
		}
	}
}

// A positive semi-definite kernel must be recognised as such after its entries are rounded to float32, which changes
// its eigenvalues by at most Rounding.
func TestRoundingOfEntries(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 50)
	for i := range 5 {
		values[i] = float64(i + 1)
	}
	a := stored[float32](t, withSpectrum(random, values), 1, 20)
	for _, exact := range []int{0, 1} {
		s, err := a.Spectrum(t.Context(), SpectrumOptions{Exact: exact})
		if err != nil {
			t.Fatal(err)
		}
		if !s.PositiveSemiDefinite() || s.Smallest >= 0 || s.Smallest < -s.Rounding ||
			math.Abs(s.Largest-5) > s.Rounding || s.Rounding > 1e-5 {
			t.Errorf("%v", s)
		}
	}
}

// With too few steps, the errors of the values must still be within the bounds.
func TestFewSteps(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	values := make([]float64, 80)
	for i := range values {
		values[i] = float64(i)
	}
	a := stored[float64](t, withSpectrum(random, values), 1, 30)
	steps := 0
	s, err := a.Spectrum(t.Context(), SpectrumOptions{Exact: 1, Steps: 12,
		Progress: func(done, _ int) { steps = done }})
	if err != nil {
		t.Fatal(err)
	}
	nearest := func(v float64) float64 { return math.Abs(v - math.Min(79, math.Max(0, math.Round(v)))) }
	if steps != 12 || s.Steps != 12 || s.SmallestBound < 1e-3 || nearest(s.Smallest) > s.SmallestBound ||
		nearest(s.Largest) > s.LargestBound || s.Smallest < 0 || s.Largest > 79 {
		t.Errorf("after %d steps %v", steps, s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Spectrum(ctx, SpectrumOptions{Exact: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, _, err := a.Limits(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSpectrumRefuses(t *testing.T) {
	k := Kernel{Arrays: []string{"k"}, DType: Float64, Rows: 4, Cols: 4, Tile: 2}
	s, _ := kernelOf[float64](t, k)
	if _, err := array(t, s, "k").Spectrum(t.Context(), SpectrumOptions{}); err == nil || !strings.Contains(err.Error(),
		"it has no eigenvalues") {
		t.Errorf("error %v", err)
	}
	k.Symmetric = true
	empty, err := Create(filepath.Join(t.TempDir(), "kernel"), k)
	if err != nil {
		t.Fatal(err)
	}
	for _, exact := range []int{0, 1} {
		if _, err := array(t, empty, "k").Spectrum(t.Context(), SpectrumOptions{Exact: exact}); err == nil ||
			!strings.Contains(err.Error(), "compute the kernel again") {
			t.Errorf("error %v", err)
		}
	}
}
