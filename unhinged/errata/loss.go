package errata

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/unhinged-lab/lab/unhinged/etf"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// unhingedLoss is (1) for the logits s.
func unhingedLoss(s []float64, y int, gamma float64) float64 {
	loss := -s[y]
	for j, v := range s {
		if j != y {
			loss += gamma * v
		}
	}
	return loss
}

// logits returns Wᵀh.
func logits(w *mat.Dense, h []float64) []float64 {
	_, c := w.Dims()
	s := mat.NewVecDense(c, nil)
	s.MulVec(w.T(), mat.NewVecDense(len(h), h))
	return s.RawVector().Data
}

// toUnit scales x to norm 1.
func toUnit(x []float64) []float64 {
	floats.Scale(1/floats.Norm(x, 2), x)
	return x
}

// demonstrateE9 draws unit features against a unit-column ETF and counts, among those whose loss is below a bound, the
// fraction that is misclassified.
func demonstrateE9() (Demonstration, error) {
	const classes, dim, gamma = 4, 3, 0.3
	w, err := etf.Simplex(dim, classes, 9)
	if err != nil {
		return Demonstration{}, err
	}
	bound := (1 + gamma) * math.Sqrt((classes-2)/(2*(classes-1.)))
	rng := rand.New(rand.NewPCG(9, 0))
	var below, wrong [2]float64 // the printed bound, the right one
	for range 5000 {
		s := logits(w, toUnit(normal(rng, dim)))
		y := rng.IntN(classes)
		for k, limit := range []float64{bound, -bound} {
			if unhingedLoss(s, y, gamma) < limit {
				below[k]++
				if floats.MaxIdx(s) != y {
					wrong[k]++
				}
			}
		}
	}
	if below[1] == 0 {
		return Demonstration{}, errors.New("dynamics: E9: no feature has a loss below the bound")
	}
	return Demonstration{
		ID: "E9", Printed: "Appendix A: correctly classified if L < (1+γ)√((C−2)/(2(C−1)))",
		Right:        "if L < −(1+γ)√((C−2)/(2(C−1)))",
		PrintedError: wrong[0] / below[0], RightError: wrong[1] / below[1], Tolerance: 0,
	}, nil
}

// demonstrateE20 compares the loss of page 5 at γ = 1/(C−1), the average of the margins, with (1). (Page 20's
// "empirical form", (1/N)Σ(w_yᵀh + b_y − γΣ(w_iᵀh + b_i)), lacks the same sign.)
func demonstrateE20() (Demonstration, error) {
	const classes = 5
	rng := rand.New(rand.NewPCG(20, 0))
	d := Demonstration{
		ID: "E20", Printed: "p. 5: the loss (1/(C−1)) Σ_{j≠y} [w_yᵀh + b_y − (w_jᵀh + b_j)]", Right: "minus that",
		Tolerance: 1e-14,
	}
	for range 10 {
		s, y := normal(rng, classes), rng.IntN(classes)
		margin := (classes*s[y] - floats.Sum(s)) / (classes - 1)
		loss := unhingedLoss(s, y, 1./(classes-1))
		d.PrintedError = math.Max(d.PrintedError, math.Abs(margin-loss))
		d.RightError = math.Max(d.RightError, math.Abs(-margin-loss))
	}
	return d, nil
}

// demonstrateE22 measures how far the objective of footnote 14 at the ETF lies above its smallest value over random
// unit prototypes and features. It is 0 for an objective that the ETF minimises.
func demonstrateE22() (Demonstration, error) {
	const classes, dim, scale = 4, 5, 3.0
	objective := func(m, h *mat.Dense) float64 { // Σ_i log softmax(s M̂ᵀĥ_i)_i
		sum := 0.0
		for i := range classes {
			s := logits(m, mat.Col(nil, i, h))
			floats.Scale(scale, s)
			sum += s[i] - floats.LogSumExp(s)
		}
		return sum
	}
	w, err := etf.Simplex(dim, classes, 22)
	if err != nil {
		return Demonstration{}, err
	}
	rng := rand.New(rand.NewPCG(22, 0))
	sphere := func() *mat.Dense {
		m := mat.NewDense(dim, classes, normal(rng, dim*classes))
		for i := range classes {
			m.SetCol(i, toUnit(mat.Col(nil, i, m)))
		}
		return m
	}
	atETF := objective(w, w)
	smallest, largest := atETF, atETF
	for range 200 {
		m := sphere()
		for _, h := range []*mat.Dense{m, sphere()} {
			v := objective(m, h)
			smallest, largest = math.Min(smallest, v), math.Max(largest, v)
		}
	}
	return Demonstration{
		ID: "E22", Printed: "footnote 14: minimise Σ_i log( e^{s m̂_iᵀĥ_i} / Σ_j e^{s m̂_jᵀĥ_i} )",
		Right:        "minimise −Σ_i log(…)",
		PrintedError: atETF - smallest, RightError: largest - atETF, Tolerance: 0,
	}, nil
}
