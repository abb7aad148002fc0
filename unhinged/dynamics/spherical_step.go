package dynamics

import (
	"fmt"
	"math"
	"slices"

	"github.com/unhinged-lab/lab/internal/parallel"
)

// A sample is (a, b): h = ‖h(0)‖(a·û + b·v), so that a = cos θ and b = sin θ at the start. In these coordinates the
// update of Theorem 7 is a turn by a right angle, scaled, with κ = α sin θ:
//
//	a⁺ = a + κb,   b⁺ = b − κa = b(1 − α cos θ).
//
// It needs no trigonometric function, and as b is only ever multiplied, tiny angles keep their full relative accuracy.

// advance takes the samples (a, b) through one step for each rate.
func (d *SphericalFlow) advance(a, b, gain, rates []float64) {
	if d.s.Adjust == 0 && slices.Max(rates)*slices.Max(gain) <= smallStep {
		d.advanceSmall(a, b, gain, rates)
	} else {
		d.advanceAny(a, b, gain, rates)
	}
}

// advanceAny is advance for every α and for (104), where |cos θ|·tan takes the place of sin θ if cos θ < −1+ε.
func (d *SphericalFlow) advanceAny(a, b, gain, rates []float64) {
	edge := -1 + d.s.Adjust // −1 without (104): cos θ is never smaller
	tan := math.Sqrt(1-edge*edge) / -edge
	for _, eta := range rates {
		for i, x := range a {
			y := b[i]
			r := math.Sqrt(x*x + y*y)
			push := y / r
			if cos := x / r; cos < edge {
				push = math.Copysign(cos*tan, y)
			}
			k := eta * gain[i] / r * push
			if !d.s.Rescale {
				k /= r
			}
			a[i], b[i] = x+k*y, y-k*x
		}
	}
}

// smallStep is the largest α for which advanceSmall's series is exact to rounding: its fifth term is 3·2⁻⁶⁰.
const smallStep = 0x1p-6

// advanceSmall is advance for small α and the loss as it is, without divisions and roots: it keeps s = gain/(a²+b²)^m
// (m = 3/2, with RLR 1), so that κ = ηsb, and uses computes s⁺ = s·(1+κ²)^−m as a series in κ².
func (d *SphericalFlow) advanceSmall(a, b, gain, rates []float64) {
	c1, c2, c3, c4 := -3./2, 15./8, -35./16, 315./128
	if d.s.Rescale {
		c1, c2, c3, c4 = -1, 1, -1, 1
	}
	var scaled [block]float64
	s, b := scaled[:len(a)], b[:len(a)]
	for i, x := range a {
		r2 := x*x + b[i]*b[i]
		s[i] = gain[i] / r2
		if !d.s.Rescale {
			s[i] /= math.Sqrt(r2)
		}
	}
	for _, eta := range rates {
		for i, x := range a {
			y, g := b[i], s[i]
			k := eta * g * y
			a[i], b[i] = x+k*y, y-k*x
			k *= k
			s[i] = g + g*k*((c1+k*c2)+k*k*(c3+k*c4)) // in this order for short dependencies
		}
	}
}

// block is the number of samples that are advanced together, and chunk the number of steps at a time. Sums are added
// block by block in a fixed order, so that results do not depend on the number of cores.
const (
	block = 64
	chunk = 512
)

// run takes all samples from the start through the ascending steps and returns the iterate at each of them. Unless keep
// is set, the iterates have only the sums over all samples, except for the last one, which is complete.
func (d *SphericalFlow) run(steps []int, keep bool) ([]*SphericalPoint, error) {
	if len(steps) == 0 {
		return nil, fmt.Errorf("dynamics: no steps: want at least one")
	}
	for i, t := range steps {
		if t < 0 || i > 0 && t < steps[i-1] {
			return nil, fmt.Errorf("dynamics: step %d at position %d: steps must be ascending and not negative", t, i)
		}
	}
	if last := steps[len(steps)-1]; last > MaxSteps {
		return nil, fmt.Errorf("dynamics: %d steps: spherical descent makes every one, and at most %d", last, MaxSteps)
	}
	rates := make([]float64, steps[len(steps)-1])
	for t := range rates {
		rates[t] = d.rate.At(float64(t))
		if eta := rates[t]; eta < 0 || math.IsNaN(eta) || math.IsInf(eta, 0) {
			return nil, fmt.Errorf("dynamics: learning rate η(%d) = %v: must be finite and not negative", t, eta)
		}
	}
	n := len(d.labels)
	points := make([]*SphericalPoint, len(steps))
	for i, t := range steps {
		if points[i] = (&SphericalPoint{Time: float64(t), d: d}); keep || i == len(steps)-1 {
			points[i] = d.newPoint(float64(t))
		}
	}
	last := points[len(points)-1]
	copy(last.a, d.cos)
	copy(last.b, d.sin)
	sums := make([][]sphericalSums, (n+block-1)/block)
	parallel.For(len(sums), func(k int) {
		first, end := k*block, min((k+1)*block, n)
		a, b := last.a[first:end], last.b[first:end]
		now := 0
		for i, t := range steps {
			for now < t && !d.still(a, b) {
				to := min(now+chunk, t)
				d.advance(a, b, d.gain[first:end], rates[now:to])
				flush(b)
				now = to
			}
			now = t
			sums[k] = append(sums[k], d.observe(first, a, b))
			if keep {
				copy(points[i].a[first:end], a)
				copy(points[i].b[first:end], b)
			}
		}
	})
	for i, p := range points {
		for k := range sums {
			p.sums.add(sums[k][i])
		}
	}
	return points, nil
}

// flush sets numbers to zero that are about to become denormal and lose precision: those samples have reached their
// targets.
func flush(b []float64) {
	for i := range b {
		if math.Abs(b[i]) < 1e-290 {
			b[i] = 0
		}
	}
}

// still reports whether no sample will move again.
func (d *SphericalFlow) still(a, b []float64) bool {
	for i := range b {
		if b[i] != 0 || a[i] < 0 && d.s.Adjust > 0 {
			return false
		}
	}
	return true
}

// sphericalSums holds the observables of some samples.
type sphericalSums struct {
	loss      float64
	right     int
	err, norm float64 // ‖Ĥ − Û‖, ‖H‖
}

func (s *sphericalSums) add(other sphericalSums) {
	s.loss += other.loss
	s.right += other.right
	s.err = math.Hypot(s.err, other.err) // squares would underflow
	s.norm = math.Hypot(s.norm, other.norm)
}

// observe returns the observables of the samples first, first+1, … at (a, b).
func (d *SphericalFlow) observe(first int, a, b []float64) sphericalSums {
	out := sphericalSums{}
	largest := 0.0
	errors := make([]float64, len(a))
	for j := range a {
		i := first + j
		r := math.Hypot(a[j], b[j])
		cos := a[j] / r
		out.loss -= d.drive[d.labels[i]] * cos
		out.norm = math.Hypot(out.norm, r*d.norms[i])
		if d.right(i, a[j], b[j]) {
			out.right++
		}
		// 2 sin(θ/2), from whichever of sin θ and cos θ is accurate.
		if cos > 0 {
			errors[j] = math.Abs(b[j]) / r * math.Sqrt(2/(1+cos))
		} else {
			errors[j] = math.Sqrt(2 * (1 - cos))
		}
		largest = math.Max(largest, errors[j])
	}
	if largest > 0 {
		sum := 0.0
		for _, e := range errors {
			sum += (e / largest) * (e / largest)
		}
		out.err = largest * math.Sqrt(sum)
	}
	return out
}

// right reports whether sample i, at (a, b), is classified as its own class by argmax_c w_cᵀh, the first of equal
// logits.
func (d *SphericalFlow) right(i int, a, b float64) bool {
	if bar := d.bar[i]; b >= 0 && !math.IsNaN(bar) && !math.IsInf(bar, 0) {
		return a > b*bar
	}
	y := d.labels[i]
	own, other := d.targetMargins.RawRowView(y), d.tangentMargins.RawRowView(i)
	for c, m := range own {
		if m = a*m + b*other[c]; m < 0 || m == 0 && c < y {
			return false
		}
	}
	return true
}
