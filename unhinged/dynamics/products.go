package dynamics

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// multiply computes gradient descent with learning rates that are not proportional to each other. For each mode this is
// a product of matrices in the order of time, kept as the images of (h, w) = (1, 0) and (0, 1) with their scale as a
// logarithm.
func (f *Flow) multiply(momentum float64, steps []int) []Point {
	eta1, eta2 := tabulate(f.rates.H.At, steps), tabulate(f.rates.W.At, steps)
	logs := make([][]float64, len(steps)) // of every mode
	maps := make([][]mat2, len(steps))
	for i := range steps {
		logs[i], maps[i] = make([]float64, len(f.sigma)), make([]mat2, len(f.sigma))
	}
	for k, sigma := range f.sigma {
		x := mat2{1, 0, 0, 1}
		var v mat2
		log := 0.0
		next := 0
		for t := 0; next < len(steps); t++ {
			for next < len(steps) && steps[next] == t {
				logs[next][k], maps[next][k] = log, x
				next++
			}
			if t == len(eta1) {
				break
			}
			for j := range 2 { // columns: what h(0) and w(0) became
				h, w := x[j], x[2+j]
				v[j] = momentum*v[j] - sigma*w + f.lambda1*h
				v[2+j] = momentum*v[2+j] - sigma*h + f.lambda2*w
				x[j], x[2+j] = h-eta1[t]*v[j], w-eta2[t]*v[2+j]
			}
			if size := largest(x); size > 1e100 || size < 1e-100 && size > 0 {
				x, v, log = combine(1/size, x, 0, x), combine(1/size, v, 0, v), log+math.Log(size)
			}
		}
	}
	perp := recordGrowth([]float64{-f.lambda1}, nil, momentum, eta1, steps)
	bias := recordGrowth([]float64{-f.lambda2}, []float64{-f.lambda2}, momentum, eta2, steps)
	points := make([]Point, len(steps))
	for i := range steps {
		points[i] = f.ordered(logs[i], maps[i], perp[i].of(-f.lambda1), bias[i])
	}
	return points
}

// integrate computes gradient flow with learning rates that are not proportional to each other: it solves an ODE with
// error control for each mode.
func (f *Flow) integrate(times []float64) ([]Point, error) {
	points := make([]Point, len(times))
	maps, logs := make([]mat2, len(f.sigma)), make([]float64, len(f.sigma))
	for k := range maps {
		maps[k] = mat2{1, 0, 0, 1}
	}
	from := 0.0
	zeta1, zeta2 := integrals(f.rates.H, times), integrals(f.rates.W, times)
	for i, t := range times {
		for k, sigma := range f.sigma {
			x, err := integrate(func(t float64, x, dx []float64) {
				eta1, eta2 := f.rates.H.At(t), f.rates.W.At(t)
				for j := range 2 {
					dx[j] = eta1 * (sigma*x[2+j] - f.lambda1*x[j])
					dx[2+j] = eta2 * (sigma*x[j] - f.lambda2*x[2+j])
				}
			}, from, t, maps[k][:], 1e-12, func(x []float64) {
				if size := largest(mat2(x)); size > 0 {
					floats.Scale(1/size, x)
					logs[k] += math.Log(size)
				}
			})
			if err != nil {
				return nil, err
			}
			maps[k] = mat2(x)
		}
		from = t
		points[i] = f.ordered(logs, maps, scaled{1, -f.lambda1 * zeta1[i]}, flowGrowth{zeta2[i]})
	}
	return points, nil
}

// ordered returns the point of maps that have a scale of their own for each mode. Its distance to the leaders is a
// plain difference, and accurate to the rounding of float64 only: there is no common eigenbasis in which the
// cancellation could be avoided.
func (f *Flow) ordered(logs []float64, maps []mat2, perp scaled, biases growth) *point {
	log := perp.log
	for _, l := range logs {
		log = max(log, l)
	}
	now := linear{make([]mat2, len(maps)), perp.at(log)}
	for k := range maps {
		now.modes[k] = combine(math.Exp(logs[k]-log), maps[k], 0, maps[k])
	}
	p := f.driver.point(now)
	p.log, p.target, p.subtract = log, linearState{f.driver, f.span(f.leaders)}, true
	p.biasDecay, p.biasGain = biases.of(-f.lambda2), biases.driven(-f.lambda2)
	return p
}

func largest(m mat2) float64 {
	return max(math.Abs(m[0]), math.Abs(m[1]), math.Abs(m[2]), math.Abs(m[3]))
}
