//go:build !js

package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Peeled is cross-entropy on free features with unequal classes, under decays (Hong and Ling, 2023; the layer-peeled
// model of Fang et al., 2021, bounds norms instead): features and prototypes at the minimum of
//
//	Σ_c (n_c/n) CE(Wᵀh_c, c) + ½λ2‖W‖² + ½λ1 Σ_c n_c‖h_c‖²,
//
// where by convexity every class has one feature h_c. In the logits it is the convex problem CE + √(λ1λ2)·‖Z‖_*.
type Peeled struct {
	Step
	Lambda1, Lambda2 float64 // λ1 of every sample's feature, λ2 of the prototypes, both > 0
}

// Collapsed says whether the minority's prototypes coincide at the minimum: √n_min/n ≤ √(λ1λ2). (At such a minimum
// the gradient in the directions that tell minority classes apart has the singular value √n_min/n, and the nuclear
// norm keeps it at 0 up to its own factor.) Gradient flow of the unhinged loss lets the same modes die at
// (1+γ)√n_min/n < √(λ1λ2).
func (p Peeled) Collapsed() bool {
	n := float64(p.Majority*p.Large + p.Minority*p.Small)
	return math.Sqrt(float64(p.Small))/n <= math.Sqrt(p.Lambda1*p.Lambda2)
}

// Minimize finds the minimum by brute force: L-BFGS on all numbers of W and h_c, from a start that tells all classes
// apart.
func (p Peeled) Minimize() (*ClassMeans, error) {
	if err := (Classes{Sizes: p.Sizes()}).validate(); err != nil {
		return nil, err
	}
	if !(p.Lambda1 > 0 && p.Lambda2 > 0) || math.IsInf(p.Lambda1*p.Lambda2, 0) {
		return nil, fmt.Errorf("dynamics: λ1 = %v, λ2 = %v: both must be finite and positive, else there is no minimum",
			p.Lambda1, p.Lambda2)
	}
	sizes := p.Sizes()
	c, n := len(sizes), (Classes{Sizes: sizes}).samples()
	// x holds W and then H Ŝᵀ·√λ1/√λ2, c×c, a row a class.
	balance := math.Sqrt(p.Lambda2 / p.Lambda1)
	value := func(grad, x []float64) float64 {
		w, h := mat.NewDense(c, c, x[:c*c]), mat.NewDense(c, c, x[c*c:])
		logits := new(mat.Dense)
		logits.Mul(h, w.T())
		sum := 0.0
		for y, size := range sizes {
			row, weight := logits.RawRowView(y), float64(size)/n
			scale := balance / math.Sqrt(float64(size))
			floats.Scale(scale, row)
			log := floats.LogSumExp(row)
			sum += weight * (log - row[y])
			for j, v := range row { // becomes the derivative by h_yᵀw_j
				row[j] = weight * scale * math.Exp(v-log)
			}
			row[y] -= weight * scale
		}
		if grad != nil {
			dw, dh := mat.NewDense(c, c, grad[:c*c]), mat.NewDense(c, c, grad[c*c:])
			dw.Mul(logits.T(), h)
			dh.Mul(logits, w)
			floats.AddScaled(grad, p.Lambda2, x)
		}
		return sum + p.Lambda2*floats.Dot(x, x)/2
	}
	start := make([]float64, 2*c*c)
	for y := range c {
		start[y*c+y], start[c*c+y*c+y] = 1, 1
	}
	found, err := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 { return value(nil, x) }, Grad: func(grad, x []float64) { value(grad, x) },
	}, start, &optimize.Settings{
		GradientThreshold: 1e-11, MajorIterations: 20_000, Converger: optimize.NeverTerminate{},
	}, &optimize.LBFGS{})
	if found == nil {
		return nil, fmt.Errorf("dynamics: the minimum of cross-entropy was not found: %w", err)
	}
	grad := make([]float64, len(start))
	if value(grad, found.X); floats.Norm(grad, math.Inf(1)) > 1e-8 {
		return nil, fmt.Errorf("dynamics: the minimum of cross-entropy was not found: the gradient is still %.2g (%v)",
			floats.Norm(grad, math.Inf(1)), err)
	}
	out := &ClassMeans{W: mat.DenseCopyOf(mat.NewDense(c, c, found.X[:c*c]).T()),
		H: mat.DenseCopyOf(mat.NewDense(c, c, found.X[c*c:]).T())}
	out.H.Apply(func(_, y int, v float64) float64 { return v * balance / math.Sqrt(float64(sizes[y])) }, out.H)
	return out, nil
}
