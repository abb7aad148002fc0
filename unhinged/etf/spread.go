package etf

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Spread returns p×C unit prototypes that minimise −Σ_i log softmax_i of their own logits s·M̂ᵀM̂ (footnote 14 of the
// paper, with the minus sign of erratum E22), M̂ the normalised columns:
//
//	f(M) = Σ_i log Σ_j exp(s(m̂_jᵀm̂_i − 1)).
//
// For p ≥ C−1 the minimum is the simplex ETF (Simplex has it exactly). Below that no ETF exists, and the result is the
// best of a few local minima: that with the smallest largest cosine. The scale s is raised in steps, since a large one
// looks only at the nearest pairs and a small one is smooth. A hundred prototypes take a few seconds.
func Spread(p, c int, seed uint64) (*mat.Dense, error) {
	if err := check(p, c); err != nil {
		return nil, err
	}
	const starts = 4
	rng := rand.New(rand.NewPCG(seed, 0))
	var best *mat.Dense
	smallest := math.Inf(1)
	for range starts {
		m := make([]float64, p*c)
		for i := range m {
			m[i] = rng.NormFloat64()
		}
		for _, s := range []float64{1, 4, 16, 64} {
			var err error
			if m, err = minimise(m, p, c, s); err != nil {
				return nil, err
			}
		}
		w, _ := normalise(m, p, c)
		if largest := LargestCosine(w); largest < smallest {
			best, smallest = w, largest
		}
	}
	return best, nil
}

// LargestCosine returns the largest cosine between two of the columns of w: −1/(C−1) for a simplex ETF.
func LargestCosine(w *mat.Dense) float64 {
	_, c := w.Dims()
	largest := -1.0
	for i := range c {
		for j := range i {
			a, b := w.ColView(i), w.ColView(j)
			largest = math.Max(largest, mat.Dot(a, b)/(mat.Norm(a, 2)*mat.Norm(b, 2)))
		}
	}
	return largest
}

// minimise minimises f at scale s from the p×C matrix m (row-major).
func minimise(m []float64, p, c int, s float64) ([]float64, error) {
	problem := optimize.Problem{
		Func: func(x []float64) float64 { return objective(nil, x, p, c, s) },
		Grad: func(grad, x []float64) { objective(grad, x, p, c, s) },
	}
	result, err := optimize.Minimize(problem, m, &optimize.Settings{GradientThreshold: 1e-10, MajorIterations: 300}, &optimize.LBFGS{})
	if result == nil || result.X == nil {
		return nil, fmt.Errorf("etf: spreading %d prototypes in dimension %d: %w", c, p, err)
	}
	// At rounding level the line search finds no smaller value and reports an error: the point is a minimum all the same.
	return result.X, nil
}

// objective returns f at the p×C matrix x and, if grad is not nil, writes its gradient.
func objective(grad, x []float64, p, c int, s float64) float64 {
	m, norms := normalise(x, p, c)
	var cos mat.Dense
	cos.Mul(m.T(), m)
	// soft_ij = ∂f/∂(m̂_jᵀm̂_i)/s, the softmax of row i with 0 on the diagonal, where m̂_iᵀm̂_i is constant.
	soft := mat.NewDense(c, c, nil)
	f := 0.0
	for i := range c {
		for j := range i {
			e := math.Exp(s * (cos.At(i, j) - 1))
			soft.Set(i, j, e)
			soft.Set(j, i, e)
		}
	}
	for i := range c {
		row := soft.RawRowView(i)
		sum := 1 + floats.Sum(row)
		f += math.Log(sum)
		floats.Scale(1/sum, row)
	}
	if grad == nil {
		return f
	}
	var sym mat.Dense
	sym.Add(soft, soft.T())
	sym.Scale(s, &sym)
	g := mat.NewDense(p, c, grad)
	g.Mul(m, &sym)
	for j := range c { // through the normalisation: (I − m̂m̂ᵀ)g/‖m‖
		gj, mj := g.ColView(j).(*mat.VecDense), m.ColView(j)
		gj.AddScaledVec(gj, -mat.Dot(gj, mj), mj)
		gj.ScaleVec(1/norms[j], gj)
	}
	return f
}

// normalise returns the p×C matrix x (row-major) with unit columns, and their former norms.
func normalise(x []float64, p, c int) (*mat.Dense, []float64) {
	m := mat.NewDense(p, c, append([]float64(nil), x...))
	norms := make([]float64, c)
	for j := range c {
		col := m.ColView(j).(*mat.VecDense)
		norms[j] = mat.Norm(col, 2)
		col.ScaleVec(1/norms[j], col)
	}
	return m, norms
}
