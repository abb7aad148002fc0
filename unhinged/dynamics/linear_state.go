package dynamics

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// linear maps the state at time 0 to a state, mode by mode; perp multiplies H⊥.
type linear struct {
	modes []mat2
	perp  float64
}

// linearState is the image of the initial state under a linear map. Its inner products follow from those of the initial
// state in each mode, in microseconds and without building H.
type linearState struct {
	d *driver
	linear
}

func (s linearState) dot(o vector, over part) float64 {
	b := o.(linearState)
	sum := 0.0
	for k, g := range s.d.grams {
		x, y := s.modes[k], b.modes[k]
		if over&onlyH != 0 {
			sum += x[0]*y[0]*g.hh + (x[0]*y[1]+x[1]*y[0])*g.hw + x[1]*y[1]*g.ww
		}
		if over&onlyW != 0 {
			sum += x[2]*y[2]*g.hh + (x[2]*y[3]+x[3]*y[2])*g.hw + x[3]*y[3]*g.ww
		}
	}
	if over&onlyH != 0 {
		sum += s.perp * b.perp * s.d.perpNorm2
	}
	return sum
}

// norm returns ‖v‖ over the part. It is accurate even if ‖v‖² is too small for float64.
func (s linearState) norm(over part) float64 {
	scale := math.Abs(s.perp)
	for _, m := range s.modes {
		scale = max(scale, largest(m))
	}
	if scale == 0 || math.IsInf(scale, 0) || math.IsNaN(scale) {
		return scale
	}
	unit := linearState{s.d, linear{make([]mat2, len(s.modes)), s.perp / scale}}
	for k, m := range s.modes {
		unit.modes[k] = combine(1/scale, m, 0, m)
	}
	return scale * math.Sqrt(math.Max(0, unit.dot(unit, over)))
}

func (s linearState) combined(x, y float64, o vector) vector {
	b := o.(linearState)
	out := linear{make([]mat2, len(s.modes)), x*s.perp + y*b.perp}
	for k, m := range s.modes {
		out.modes[k] = combine(x, m, y, b.modes[k])
	}
	return linearState{s.d, out}
}

func (s linearState) loss(log float64, biases []float64) (loss, logAbs float64) {
	sum := 0.0
	for k, g := range s.d.grams {
		x := s.modes[k]
		sum -= s.d.sigma[k] * (x[0]*x[2]*g.hh + (x[0]*x[3]+x[1]*x[2])*g.hw + x[1]*x[3]*g.ww)
	}
	return lossOf(sum, log, s.d.drift, biases)
}

func (s linearState) build(scale float64) *State {
	d := s.d
	out := &State{
		H: mat.DenseCopyOf(d.perp), W: new(mat.Dense),
		Counts: append([]int(nil), d.state.Counts...), Order: append([]int(nil), d.state.Order...),
	}
	out.H.Scale(scale*s.perp, out.H)
	var means, h, w mat.Dense
	means.Add(d.mapped(&h, d.means, d.x, s.linear, 0, d.x), d.mapped(&w, d.state.W, d.v, s.linear, 1, d.x))
	out.W.Add(d.mapped(&h, d.means, d.x, s.linear, 2, d.v), d.mapped(&w, d.state.W, d.v, s.linear, 3, d.v))
	means.Scale(scale, &means)
	out.W.Scale(scale, out.W)
	for j, y := range d.state.Labels() {
		root := math.Sqrt(float64(d.state.Counts[y]))
		for i := range out.H.RawMatrix().Rows {
			out.H.Set(i, j, out.H.At(i, j)+means.At(i, y)/root)
		}
	}
	return out
}

// mapped sets dst = a·from·diag(entry of every mode)·toᵀ.
func (d *driver) mapped(dst *mat.Dense, a, from mat.Matrix, l linear, entry int, to mat.Matrix) *mat.Dense {
	if d.v == nil { // equal class sizes: from = to, entry(σ1)·(I − 11ᵀ/C) + entry(σ2)·11ᵀ/C
		p, c := a.Dims()
		on1, on2 := l.modes[0][entry], l.modes[1][entry]
		dst.CloneFrom(a)
		for i := range p {
			row := dst.RawRowView(i)
			mean := 0.0
			for _, v := range row {
				mean += v
			}
			mean /= float64(c)
			for j := range row {
				row[j] = on1*row[j] + (on2-on1)*mean
			}
		}
		return dst
	}
	diag := make([]float64, len(l.modes))
	for k := range diag {
		diag[k] = l.modes[k][entry]
	}
	dst.Product(a, from, mat.NewDiagDense(len(diag), diag), to.T())
	return dst
}

// point returns the point of a linear map, with the initial biases. The caller sets the target that distances are
// measured to.
func (d *driver) point(now linear) *point {
	return &point{now: linearState{d, now}, b: d.state.B, drift: d.drift}
}

// limit returns the point of a linear map that is the limit of a trajectory.
func (d *driver) limit(end linear) *point {
	p := d.point(end)
	p.target, p.lead = p.now, [2]float64{1, 1}
	p.rest = linearState{d, linear{make([]mat2, len(end.modes)), 0}}
	return p
}
