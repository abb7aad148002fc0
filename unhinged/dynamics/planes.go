package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Planes holds a state in the coordinates of section 6. In the spherical case a sample of class y is driven by the
// vector u_y = ((1+γ)w_y − γ Σ_j w_j)/n, and never leaves the plane of its start and û_y: h = a·û_y + b·v with a unit
// tangent v ⟂ û_y of its own. Theorem 7 assumes W1 = 0; then û_y = ŵ_y and ‖u_y‖ = (1+γ)‖w_y‖/n. Without this
// assumption everything holds with û_y in place of ŵ_y, and Ĥ converges to û_y.
//
// Planes do not depend on the learning rate, on RLR or on (104): compute them once, then vary those settings with
// Spherical.On.
type Planes struct {
	state *State
	gamma float64

	labels   []int
	target   *mat.Dense // û, p×C
	drive    []float64  // ‖u_c‖
	normW    float64    // ‖W‖
	centered bool

	norms    []float64  // ‖h_i(0)‖
	cos, sin []float64  // of θ_i(0) = ∠(h_i(0), û_y)
	tangents *mat.Dense // v, n×p, a row a sample

	// Margins (w_y − w_c)ᵀh in these coordinates: a·targetMargins[y][c] + b·tangentMargins[i][c].
	targetMargins  *mat.Dense // C×C
	tangentMargins *mat.Dense // n×C
	// A sample with b ≥ 0 is classified correctly if cot θ = a/b > bar, provided that û_y itself is; NaN if û_y is not.
	bar []float64
}

// parallelTo is the sine below which a sample counts as parallel to its target, because h(0) and û are rounded
// themselves.
const parallelTo = 0x1p-50

// Planes returns the planes of a state, which must not change afterwards. Biases play no part: section 6 trains only
// the direction of the features. Samples and driving vectors that are zero are an error, because they have no
// direction.
func (s *State) Planes(gamma float64) (*Planes, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if gamma < 0 || math.IsNaN(gamma) || math.IsInf(gamma, 0) {
		return nil, fmt.Errorf("dynamics: γ = %v: must be finite and not negative", gamma)
	}
	p, c, n := s.Dims()
	pl := &Planes{
		state: s, gamma: gamma, labels: s.Labels(), target: mat.NewDense(p, c, nil), drive: make([]float64, c),
		normW: mat.Norm(s.W, 2), norms: make([]float64, n), cos: make([]float64, n), sin: make([]float64, n),
	}

	targets, err := pl.findTargets()
	if err != nil {
		return nil, err
	}
	if err := pl.split(targets); err != nil {
		return nil, err
	}
	pl.findMargins()
	return pl, nil
}

// findTargets computes the target and the drive of each class. It returns the targets as rows, which are faster to work
// with than columns.
func (pl *Planes) findTargets() ([][]float64, error) {
	s, gamma := pl.state, pl.gamma
	p, c, n := s.Dims()
	sum := make([]float64, p)
	for i := range p {
		sum[i] = floats.Sum(s.W.RawRowView(i))
	}
	pl.centered = floats.Norm(sum, 2) <= 1e-12*math.Sqrt(float64(c))*mat.Norm(s.W, 2)
	targets := make([][]float64, c)
	for k := range targets {
		w := mat.Col(nil, k, s.W)
		u := make([]float64, p)
		floats.AddScaledTo(u, u, (1+gamma)/float64(n), w)
		floats.AddScaled(u, -gamma/float64(n), sum)
		pl.drive[k] = floats.Norm(u, 2)
		if pl.drive[k] <= 1e-14*((1+gamma)*floats.Norm(w, 2)+gamma*floats.Norm(sum, 2))/float64(n) {
			return nil,
				fmt.Errorf("dynamics: (1+γ)w_%d − γΣw is zero: samples of class %d have no direction to converge to", k,
					k)
		}
		floats.Scale(1/pl.drive[k], u)
		targets[k] = u
		pl.target.SetCol(k, u)
	}
	return targets, nil
}

// split computes the norm, the angle and the tangent of each sample.
func (pl *Planes) split(targets [][]float64) error {
	pl.tangents = mat.DenseCopyOf(pl.state.H.T())
	for i, y := range pl.labels {
		h := pl.tangents.RawRowView(i)
		pl.norms[i] = floats.Norm(h, 2)
		if pl.norms[i] == 0 {
			return fmt.Errorf("dynamics: sample %d (class %d) is zero: it has no direction", i, y)
		}
		floats.Scale(1/pl.norms[i], h)
		for range 2 { // the second projection removes the rounding error of the first
			along := floats.Dot(h, targets[y])
			floats.AddScaled(h, -along, targets[y])
			pl.cos[i] += along
		}
		pl.sin[i] = floats.Norm(h, 2)
		if pl.sin[i] <= parallelTo {
			pl.sin[i], pl.cos[i] = 0, math.Copysign(1, pl.cos[i])
			tangent(h, targets[y])
			continue
		}
		floats.Scale(1/pl.sin[i], h)
	}
	return nil
}

// findMargins computes the margins in the coordinates of the planes, and each sample's bar.
func (pl *Planes) findMargins() {
	pl.targetMargins, pl.tangentMargins = new(mat.Dense), new(mat.Dense)
	pl.targetMargins.Mul(pl.target.T(), pl.state.W)
	for y := range pl.drive {
		marginsFromLogits(pl.targetMargins.RawRowView(y), y)
	}
	pl.tangentMargins.Mul(pl.tangents, pl.state.W)
	for i, y := range pl.labels {
		marginsFromLogits(pl.tangentMargins.RawRowView(i), y)
	}
	pl.bar = make([]float64, len(pl.labels))
	for i, y := range pl.labels {
		pl.bar[i] = math.Inf(-1)
		target, tangent := pl.targetMargins.RawRowView(y), pl.tangentMargins.RawRowView(i)
		for k, m := range target {
			if k == y {
				continue
			}
			if !(m > 0) {
				pl.bar[i] = math.NaN()
				break
			}
			pl.bar[i] = math.Max(pl.bar[i], -tangent[k]/m)
		}
	}
}

// marginsFromLogits replaces logit c by logit y − logit c.
func marginsFromLogits(row []float64, y int) {
	own := row[y]
	for c, v := range row {
		row[c] = own - v
	}
}

// tangent fills v with the unit vector orthogonal to unit u that lies nearest the axis u is farthest from: a
// deterministic direction away from the stuck point ŵᵀĥ = −1. In dimension 1 there is none, and v is zero.
func tangent(v, u []float64) {
	axis := 0
	for i := range u {
		if math.Abs(u[i]) < math.Abs(u[axis]) {
			axis = i
		}
	}
	clear(v)
	if len(v) == 1 {
		return
	}
	v[axis] = 1
	for range 2 {
		floats.AddScaled(v, -floats.Dot(u, v), u)
	}
	floats.Scale(1/floats.Norm(v, 2), v)
}

// Centered reports whether W1 = 0 (to rounding), as Theorem 7 assumes. If not, Ĥ converges to Targets and not to Ŵ.
func (pl *Planes) Centered() bool { return pl.centered }

// Targets returns the directions û_c that the samples of each class are driven to, p×C; Ŵ where W1 = 0.
func (pl *Planes) Targets() *mat.Dense { return mat.DenseCopyOf(pl.target) }

// CenterPrototypes returns a copy of the state with W1 = 0: the mean prototype subtracted from each.
func (s *State) CenterPrototypes() *State {
	out := s.Clone()
	p, c := out.W.Dims()
	for i := range p {
		row := out.W.RawRowView(i)
		floats.AddConst(-floats.Sum(row)/float64(c), row)
	}
	return out
}
