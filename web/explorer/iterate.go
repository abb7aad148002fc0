package explorer

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// A brute-force iteration has steps of the time stepTime at most, and shorter ones where its norms would otherwise be
// off by more than stepError in log₁₀. It has no more than maxSteps: a longer time takes longer ones.
var stepTime, stepError, maxSteps = 1.0, 0.01, 4000.0

// iteration is gradient descent on all numbers of H and W, without any theorem: what the closed forms are compared
// with.
type iteration struct {
	state            *dynamics.State
	m, driven        *mat.Dense // M, and Mκ, both C×n
	lambda1, lambda2 float64
	ratio            float64 // s = η1/η2
	fixed            bool    // the prototypes
}

// steps returns the number of steps to a time, for a state that grows or dies at this rate. A step of the length η
// multiplies by 1 + η·rate where the flow has exp(η·rate): after the time t the logarithms differ by about t·η·rate²/2.
func steps(end, rate float64) int {
	needed := end * end * rate * rate / 2 / (stepError * math.Ln10)
	return int(min(maxSteps, math.Ceil(max(1, end/stepTime, needed))))
}

// stepsInWords says how long the steps of an iteration are, and how far off they are.
func stepsInWords(end, rate float64) string {
	n := steps(end, rate)
	words := fmt.Sprintf(" The iteration takes %d steps of the length %.3g.", n, end/float64(n))
	if off := end * end / float64(n) * rate * rate / 2 / math.Ln10; off > 2*stepError {
		words += fmt.Sprintf(" They are too long for so long a time: log₁₀ of the norms is off by about %.2g. "+
			"Make the time shorter.", off)
	}
	return words
}

// iterate adds an iteration's accuracy, norms and distances to the picture: points without values, and Iterate, which
// computes them from a copy of the state. The state grows or dies at the rate at most. limit is what distances are
// measured to, or nil. A state with more than cosinesUpTo numbers in H shows none, because to build its limit takes too
// long.
func (p *Picture) iterate(rate float64, state *dynamics.State, limit dynamics.Point,
	start func(*dynamics.State) iteration) {
	times := p.Panels[0].At
	p.Answer += stepsInWords(times[len(times)-1], rate)
	accuracy := p.Panels[0].points("iteration")
	normH, normW := p.Panels[1].points("‖H‖, iteration"), p.Panels[1].points("‖W‖, iteration")
	distances := map[string][]float64{}
	if rows, _, n := state.Dims(); rows*n <= cosinesUpTo && limit != nil {
		for _, curve := range p.Panels[2].Curves {
			distances[curve.Name] = p.Panels[2].points(curve.Name + ", iteration")
		}
	}
	p.Iterate = func(pause func(float64) bool) bool {
		targets := map[string]*mat.Dense{}
		if len(distances) > 0 {
			direction := limit.Direction()
			for name := range distances {
				targets[name] = part(direction, name)
			}
		}
		return start(state.Clone()).run(times, rate, pause,
			func(i int, s *dynamics.State, pause func() bool) (goOn bool) {
				normH[i], normW[i] = finite(math.Log10(mat.Norm(s.H, 2))), finite(math.Log10(mat.Norm(s.W, 2)))
				for name, values := range distances {
					values[i] = finite(math.Log10(dynamics.DirectionGap(part(s, name), targets[name])))
				}
				accuracy[i], goOn = percentRight(s, pause)
				return goOn
			})
	}
}

// part returns what a curve of distances is about: H, W, or both side by side.
func part(s *dynamics.State, curve string) *mat.Dense {
	switch curve {
	case "H":
		return s.H
	case "W":
		return s.W
	}
	var both mat.Dense
	both.Augment(s.H, s.W)
	return &both
}

// run iterates to the last of the times, and calls see with the index of each time that it reaches. It returns false as
// soon as pause or see does.
func (it iteration) run(times []float64, rate float64, pause func(done float64) bool,
	see func(i int, s *dynamics.State, pause func() bool) bool) bool {
	end := times[len(times)-1]
	steps := steps(end, rate)
	eta := end / float64(steps)
	next := 0
	for step := 0; step <= steps; step++ {
		now := func() bool { return pause(float64(step) / float64(steps+1)) }
		at := eta * float64(step)
		reached := next
		for next < len(times) && at >= times[next]-1e-9*end {
			next++
		}
		if next > reached && !see(next-1, it.state, now) {
			return false
		}
		if step < steps && !it.advance(eta, now) {
			return false
		}
	}
	return true
}

// advance does one step. Each row of H and W moves by itself, because M is constant: so the step is done in groups of
// rows, with a pause after each.
func (it iteration) advance(eta float64, pause func() bool) bool {
	p, c, n := it.state.Dims()
	const numbers = 1 << 20 // products a group: some milliseconds in a browser
	rows := max(1, numbers/(c*n))
	var dh, dw mat.Dense
	for from := 0; from < p; from += rows {
		to := min(p, from+rows)
		h := it.state.H.Slice(from, to, 0, n).(*mat.Dense)
		w := it.state.W.Slice(from, to, 0, c).(*mat.Dense)
		dh.Reset()
		dw.Reset()
		dh.Mul(w, it.driven)
		dw.Mul(h, it.m.T())
		move(h, &dh, eta*it.ratio, it.lambda1)
		if !it.fixed {
			move(w, &dw, eta, it.lambda2)
		}
		if !pause() {
			return false
		}
	}
	return true
}

// move is x ← x + η(d − λx). The rows of x follow each other in memory.
func move(x, d *mat.Dense, eta, lambda float64) {
	a, b := x.RawMatrix().Data, d.RawMatrix().Data
	for i := range b {
		a[i] += eta * (b[i] - lambda*a[i])
	}
}

// percentRight is the accuracy in percent, class by class with pauses, and false if a pause returned false.
func percentRight(s *dynamics.State, pause func() bool) (float64, bool) {
	p, _, n := s.Dims()
	right, from := 0, 0
	for y, count := range s.Counts {
		for _, decided := range dynamics.Predict(s.Logits(s.H.Slice(0, p, from, from+count).(*mat.Dense))) {
			if decided == y {
				right++
			}
		}
		from += count
		if !pause() {
			return 0, false
		}
	}
	return 100 * float64(right) / float64(n), true
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
