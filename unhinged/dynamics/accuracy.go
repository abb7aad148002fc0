package dynamics

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// margins holds the margins of all samples: the differences between the logit of a sample's own class and its other
// logits, without biases. A sample of class y is h̄_y + τh⊥, so its margin is that of the class mean plus τ(w_y −
// w_c)ᵀh⊥, which is usually small. A bound of the second term decides most classes as a whole; single samples are
// computed only where the bound does not decide.
type margins struct {
	d      *driver
	class  *mat.Dense                   // C×C, column y: Wᵀh̄_y, up to a shift of each column
	bound  func(y int, bound []float64) // for each class c, of |τ(w_y − w_c)ᵀh⊥_i| over the samples i of class y
	spread func(y, first int, open []int) spreadOf
	unit   float64 // factor of the biases; +Inf once Z has decayed and only they are left
}

func (s linearState) classifier(log float64) func(biases []float64) float64 {
	left, scale := s.prototypes()
	return margins{
		d: s.d, class: s.d.classLogits(left, s.linear), bound: s.d.spreadBound(left, s.perp),
		spread: func(y, first int, open []int) spreadOf { return s.d.spread(left, s.perp, y, first, open) },
		unit:   math.Exp(-2*log) / scale,
	}.accuracy
}

// accuracy returns the share of samples whose margins are all positive; bias may be nil.
func (m margins) accuracy(bias []float64) float64 {
	right, n, first := 0, 0, 0
	margin, bound := make([]float64, len(m.d.state.Counts)), make([]float64, len(m.d.state.Counts))
	var open, left []int
	var values []float64
	for y, count := range m.d.state.Counts {
		open = open[:0]
		lost := false
		mat.Col(margin, y, m.class)
		m.bound(y, bound)
		own := margin[y]
		for c, logit := range margin {
			if c == y {
				continue
			}
			margin[c] = own - logit
			if bias != nil && bias[y] != bias[c] {
				margin[c] += (bias[y] - bias[c]) * m.unit
			}
			if margin[c] < -bound[c] {
				lost = true
				break
			}
			if !(margin[c] > bound[c]) { // a NaN counts as wrong
				open = append(open, c)
			}
		}
		switch {
		case lost:
		case len(open) == 0:
			right += count
		default:
			spread := m.spread(y, first, open)
			left = left[:0] // samples that no class has won so far
			for i := range count {
				left = append(left, i)
			}
			values = slices.Grow(values[:0], count)[:count]
			for k, c := range open {
				spread(k, left, values)
				still := left[:0]
				for j, i := range left {
					if v := margin[c] + values[j]; v > 0 || v == 0 && c > y {
						still = append(still, i)
					}
				}
				left = still
			}
			right += len(left)
		}
		first += count
		n += count
	}
	return float64(right) / float64(n)
}

// prototypes returns the matrices that map (Hc, W0) to W, divided by their largest coefficient, and that coefficient.
// For equal class sizes it leaves out the E2 part: this part adds the same vector to all prototypes, which never
// changes an argmax, and it may be larger than the rest by any factor.
func (s linearState) prototypes() ([]mat2, float64) {
	left := append([]mat2(nil), s.modes...)
	if s.d.v == nil {
		left[1] = left[0]
	}
	scale := 0.0
	for _, m := range left {
		scale = max(scale, math.Abs(m[2]), math.Abs(m[3]))
	}
	if scale == 0 {
		scale = 1
	}
	for k := range left {
		left[k] = combine(1/scale, left[k], 0, left[k])
	}
	return left, scale
}

// classLogits returns W(t)ᵀh̄_y(t) in column y, from C×C inner products.
func (d *driver) classLogits(left []mat2, now linear) *mat.Dense {
	c, _ := d.hh.Dims()
	out := mat.NewDense(c, c, nil)
	if d.v == nil {
		l, on1, on2 := left[0], now.modes[0], now.modes[1]
		root, rowWH := math.Sqrt(float64(d.state.Counts[0])), make([]float64, c)
		for i := range c {
			row, rowHH, rowHW, rowWW := out.RawRowView(i), d.hh.RawRowView(i), d.hw.RawRowView(i), d.ww.RawRowView(i)
			mat.Col(rowWH, i, d.hw)
			shift := 0.0
			for j := range row {
				fromMeans, fromW := l[2]*rowHH[j]+l[3]*rowWH[j], l[2]*rowHW[j]+l[3]*rowWW[j]
				row[j] = on1[0]*fromMeans + on1[1]*fromW
				shift += (on2[0]-on1[0])*fromMeans + (on2[1]-on1[1])*fromW
			}
			mean := shift / float64(c)
			for j := range row {
				row[j] = (row[j] + mean) / root
			}
		}
		return out
	}
	for i := range c {
		l := left[i]
		for j := range c {
			r := now.modes[j]
			out.Set(i, j, l[2]*(r[0]*d.hh.At(i, j)+r[1]*d.hw.At(i, j))+l[3]*(r[0]*d.hw.At(j, i)+r[1]*d.ww.At(i, j)))
		}
	}
	out.Product(d.v, out, d.x.T())
	for j, count := range d.state.Counts {
		for i := range c {
			out.Set(i, j, out.At(i, j)/math.Sqrt(float64(count)))
		}
	}
	return out
}

// spreadBound sets bound[c] to a bound of |τ(w_y − w_c)ᵀh⊥_i| over the samples i of class y.
func (d *driver) spreadBound(left []mat2, perp float64) func(y int, bound []float64) {
	perp = math.Abs(perp)
	if d.v == nil {
		h, w := perp*math.Abs(left[0][2]), perp*math.Abs(left[0][3])
		return func(y int, bound []float64) {
			hp, wp := d.hpGap.RawRowView(y), d.wpGap.RawRowView(y)
			for c := range bound {
				bound[c] = h*hp[c] + w*wp[c]
			}
		}
	}
	// ‖w_y − w_c‖·max‖h⊥‖, from WᵀW.
	n := len(left)
	gram := mat.NewDense(n, n, nil)
	for i, l := range left {
		for j, r := range left {
			gram.Set(i, j, l[2]*r[2]*d.hh.At(i, j)+l[2]*r[3]*d.hw.At(i, j)+l[3]*r[2]*d.hw.At(j, i)+l[3]*r[3]*d.ww.At(i,
				j))
		}
	}
	gram.Product(d.v, gram, d.v.T())
	return func(y int, bound []float64) {
		for c := range bound {
			sum := gram.At(y, y) + gram.At(c, c)
			bound[c] = perp * d.perpMax[y] *
				math.Sqrt(math.Max(0, sum-2*gram.At(y, c))+1e-12*sum) // ≥ its rounding
		}
	}
}

// spreadOf sets values[j] to τ(w_y − w_c)ᵀh⊥_i of the class c = open[k] and the sample i = samples[j] of class y.
type spreadOf func(k int, samples []int, values []float64)

// spread is that of class y, whose first sample is column first of H.
func (d *driver) spread(left []mat2, perp float64, y, first int, open []int) spreadOf {
	if d.v == nil {
		h, w := perp*left[0][2], perp*left[0][3]
		ownH, ownW := d.hp.RawRowView(y)[first:], d.wp.RawRowView(y)[first:]
		return func(k int, samples []int, values []float64) {
			hp, wp := d.hp.RawRowView(open[k])[first:], d.wp.RawRowView(open[k])[first:]
			for j, i := range samples {
				values[j] = h*(ownH[i]-hp[i]) + w*(ownW[i]-wp[i])
			}
		}
	}
	modes := mat.NewDense(len(left), d.state.Counts[y], nil) // τ·w_kᵀh⊥_i of every mode k
	for k, l := range left {
		row, hp, wp := modes.RawRowView(k), d.hp.RawRowView(k)[first:], d.wp.RawRowView(k)[first:]
		for i := range row {
			row[i] = perp * (l[2]*hp[i] + l[3]*wp[i])
		}
	}
	differences := mat.NewDense(len(open), len(left), nil) // v_y − v_c
	for k, c := range open {
		floats.SubTo(differences.RawRowView(k), d.v.RawRowView(y), d.v.RawRowView(c))
	}
	var all mat.Dense
	all.Mul(differences, modes)
	return func(k int, samples []int, values []float64) {
		row := all.RawRowView(k)
		for j, i := range samples {
			values[j] = row[i]
		}
	}
}
