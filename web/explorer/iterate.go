package explorer

import (
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// A brute-force iteration has steps of the time stepTime, but no more than maxSteps: a longer time takes longer ones.
var stepTime, maxSteps = 1.0, 2000.0

// iteration is gradient descent on all numbers of H and W, without any theorem: what the closed forms are compared
// with.
type iteration struct {
	state            *dynamics.State
	m, driven        *mat.Dense // M, and Mκ, both C×n
	lambda1, lambda2 float64
	ratio            float64 // s = η1/η2
	fixed            bool    // the prototypes
}

// observed are the observables of an iteration at the times of a picture; NaN between them.
type observed struct {
	accuracy, normH, normW []float64 // shares; natural logarithms
}

// run iterates to the last of the times and observes on the way. Its steps are of the
// time stepTime, or longer.
func (it iteration) run(times []float64, see func(i int, s *dynamics.State)) observed {
	end := times[len(times)-1]
	steps := int(min(maxSteps, max(1, math.Ceil(end/stepTime))))
	eta := end / float64(steps)
	n := len(times)
	out := observed{nans(n), nans(n), nans(n)}
	next := 0
	var dh, dw mat.Dense
	for step := 0; step <= steps; step++ {
		at := eta * float64(step)
		if at >= times[min(next, n-1)]-1e-9*end && next < n {
			for next < n && at >= times[next]-1e-9*end {
				next++
			}
			i := next - 1
			out.accuracy[i] = it.state.Accuracy()
			out.normH[i], out.normW[i] = math.Log(mat.Norm(it.state.H, 2)), math.Log(mat.Norm(it.state.W, 2))
			if see != nil {
				see(i, it.state)
			}
		}
		dh.Mul(it.state.W, it.driven)
		dw.Mul(it.state.H, it.m.T())
		advance(it.state.H, &dh, eta*it.ratio, it.lambda1)
		if !it.fixed {
			advance(it.state.W, &dw, eta, it.lambda2)
		}
	}
	return out
}

// advance is x ← x + η(d − λx).
func advance(x, d *mat.Dense, eta, lambda float64) {
	a, b := x.RawMatrix().Data, d.RawMatrix().Data
	for i := range a {
		a[i] += eta * (b[i] - lambda*a[i])
	}
}

// curves are the points of an iteration, in percent and as base-10 logarithms.
func (o observed) curves(panels []Panel) {
	add := func(panel int, name string, v []float64) {
		panels[panel].Curves = append(panels[panel].Curves, Curve{Name: name, Values: v, Points: true})
	}
	add(0, "iteration", percent(o.accuracy))
	add(1, "‖H‖, iteration", log10(o.normH))
	add(1, "‖W‖, iteration", log10(o.normW))
}

func nans(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// cosines returns those between the columns of w, row by row.
func cosines(w *mat.Dense) []float64 {
	p, c := w.Dims()
	out := make([]float64, c*c)
	norms := make([]float64, c)
	for i := range p {
		for j := range c {
			norms[j] = math.Hypot(norms[j], w.At(i, j))
		}
	}
	var gram mat.Dense
	gram.Mul(w.T(), w)
	for i := range c {
		for j := range c {
			if norms[i] > 0 && norms[j] > 0 {
				out[i*c+j] = min(1, max(-1, gram.At(i, j)/norms[i]/norms[j]))
			}
		}
	}
	return out
}
