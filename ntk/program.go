package ntk

import (
	"fmt"
	"math"
	"slices"
)

// A program is a network's infinite-width recursion as a list of steps between registers. A register holds, for one
// input, the variances q = K(x, x) of its positions, and for a tile of pairs of inputs the [covariance]s. The network's
// input is register 0.
type program struct {
	shapes      []layout
	provenances []provenance
	steps       []step
	// full means that images have covariances for all pairs of positions, which pooling needs, and not only for equal
	// positions.
	full bool
	// needed means that a nonlinearity follows, which uses the register's variances and angles.
	needed []bool
	path   []string // of the layer that is being compiled
}

type register int

// layout has the numbers of positions of an image, or zeros for vectors.
type layout struct{ height, width int }

func (l layout) image() bool    { return l.height > 0 }
func (l layout) positions() int { return max(1, l.height*l.width) }

func (l layout) String() string {
	if !l.image() {
		return "vectors"
	}
	return fmt.Sprintf("images of %d×%d", l.height, l.width)
}

type step struct {
	operation operation
	in        []register
	out       register
	free      []register // no later step reads their covariances
	inPlace   bool       // out uses the memory of the only input: entries depend on the same entry only
}

type operation interface {
	// variances computes out from the variances of the inputs, for one example, if these are sufficient.
	variances(in []positions, out positions)
	// covariances computes one line of out from the covariances of the inputs.
	covariances(t *tile, in []operand, out operand, line int)
}

// positions holds a register's variances for one example, one for each position.
type positions struct {
	layout
	q []float64
}

// variances of positions, and their roots.
type variances struct{ q, root []float64 }

func (v variances) slice(from, to int) variances { return variances{v.q[from:to], v.root[from:to]} }

func newVariances(n int) variances { return variances{make([]float64, n), make([]float64, n)} }

// roots computes the roots.
func (v variances) roots() {
	for i, q := range v.q {
		v.root[i] = math.Sqrt(q)
	}
}

// covariance holds a register's values for a tile of pairs. k and ntk are the two kernels. near is √(q₁q₂) − |k| ≥ 0.
// It is computed separately, because the difference would lose all digits where it is small, and the derivatives of
// ReLU's kernel depend on its square root.
//
// For vectors, the entries are those of one example of x1 with several of x2. For images they are those of one pair,
// [h, w], or [h, h', w, w'] if the program is full.
type covariance struct{ k, near, ntk []float64 }

// operand is a register within a tile: its covariances and the variances of both sides.
type operand struct {
	covariance
	layout
	v1, v2              variances
	full, needed, input bool // input: it is the network's input, whose ntk is zero
}

// compile returns the program of a network for inputs of the given layout.
func compile(network Network, input layout) (*program, error) {
	p := &program{shapes: []layout{input}, provenances: []provenance{given}}
	out, err := network.infinite(p, 0)
	if err != nil {
		return nil, err
	}
	if p.shapes[out].image() {
		return nil, fmt.Errorf("ntk: the network ends with %v: end it with Flatten or GlobalAveragePool", p.shapes[out])
	}
	if len(p.steps) == 0 {
		p.add(sum{}, p.shapes[out], out)
	}
	p.needed = make([]bool, len(p.shapes))
	last := make([]int, len(p.shapes))
	for i, s := range slices.Backward(p.steps) {
		_, nonlinear := s.operation.(activation)
		_, pooled := s.operation.(pool)
		p.full = p.full || pooled
		for _, r := range s.in {
			p.needed[r] = p.needed[r] || nonlinear || p.needed[s.out]
			if last[r] == 0 {
				last[r] = i + 1
				p.steps[i].free = append(p.steps[i].free, r)
			}
		}
		a, linear := s.operation.(*affine)
		p.steps[i].inPlace = len(p.steps[i].free) == 1 && (nonlinear || linear && a.bias == 0 &&
			!p.shapes[s.out].image())
	}
	return p, nil
}

func (p *program) add(o operation, shape layout, in ...register) register {
	out := register(len(p.shapes))
	p.shapes = append(p.shapes, shape)
	p.provenances = append(p.provenances, p.provenanceOf(o, in))
	p.steps = append(p.steps, step{operation: o, in: in, out: out})
	return out
}

func (p *program) affine(in register, f filter, wStd, bStd float64) (register, error) {
	if square := wStd*wStd + bStd*bStd; math.IsNaN(square) || math.IsInf(square, 0) {
		return 0, fmt.Errorf("ntk: σ_w = %g, σ_b = %g: want numbers whose squares are finite", wStd, bStd)
	}
	shape := p.shapes[in]
	op := &affine{filter: f, weight: wStd * wStd / float64(f.size*f.size), bias: bStd * bStd}
	if shape.image() {
		var err error
		if shape.height, op.top, err = f.apply(shape.height); err != nil {
			return 0, err
		}
		if shape.width, op.left, err = f.apply(p.shapes[in].width); err != nil {
			return 0, err
		}
	}
	return p.add(op, shape, in), nil
}

// freshSince reports whether the steps from before on compute r as a linear function of outputs of layers with their
// own weights.
func (p *program) freshSince(r register, before int) bool {
	for i := len(p.steps) - 1; i >= before; i-- {
		s := p.steps[i]
		if s.out != r {
			continue
		}
		switch s.operation.(type) {
		case *affine:
			return true
		case activation:
			return false
		}
		for _, in := range s.in {
			if !p.freshSince(in, before) {
				return false
			}
		}
		return true
	}
	return false
}

// size returns the number of covariances of register r for one pair.
func (p *program) size(r register) int {
	n := p.shapes[r].positions()
	if p.full {
		return n * n
	}
	return n
}

// variances computes the variances v of each needed register for one example, from those of the input. self sets the
// input's covariances of the example with itself.
func (p *program) variances(v []variances, single bool, self func(covariance)) {
	in := make([]positions, 0, 4)
	for i, s := range p.steps {
		if !p.needed[s.out] {
			continue
		}
		out := positions{p.shapes[s.out], v[s.out].q}
		if _, ok := s.operation.(pool); ok {
			t := newTile(p, 1, single)
			self(t.input())
			t.run(p.steps[:i+1], func(r register) (v1, v2 variances) { return v[r], v[r] })
			out.diagonal(t.registers[s.out].k)
		} else {
			in = in[:0]
			for _, r := range s.in {
				in = append(in, positions{p.shapes[r], v[r].q})
			}
			s.operation.variances(in, out)
		}
		v[s.out].roots()
	}
}

// of returns the variances of register r, if it is needed, for the examples from … to−1.
func (p *program) of(all []variances, r register, from, to int) variances {
	if all[r].q == nil {
		return variances{}
	}
	size := p.shapes[r].positions()
	return all[r].slice(from*size, to*size)
}

// diagonal sets q to the covariances [h, h, w, w].
func (p positions) diagonal(k []float64) {
	if !p.image() {
		copy(p.q, k)
		return
	}
	for h := range p.height {
		for w := range p.width {
			p.q[h*p.width+w] = k[((h*p.height+h)*p.width+w)*p.width+w]
		}
	}
}

// tile is the memory of one worker.
type tile struct {
	program   *program
	pairs     int // up to chunk pairs of vectors, or one pair of images
	chunk     int
	single    bool // float32's precision is enough
	registers []covariance
	unused    map[int][][]float64 // arrays by length
	calls     []call
	block     []float64 // scratch memory for convolutions
}

// call is a step with its operands.
type call struct {
	operation operation
	in        []operand
	out       operand
}

func newTile(p *program, chunk int, single bool) *tile {
	return &tile{program: p, pairs: chunk, chunk: chunk, single: single, registers: make([]covariance, len(p.shapes)),
		unused: map[int][][]float64{}, calls: make([]call, len(p.steps))}
}

func (t *tile) array(n int) []float64 {
	if list := t.unused[n]; len(list) > 0 {
		t.unused[n] = list[:len(list)-1]
		return list[len(list)-1]
	}
	return make([]float64, n)
}

func (t *tile) allocate(r register) covariance {
	n, full := t.program.size(r)*t.pairs, t.program.size(r)*t.chunk
	t.registers[r] = covariance{t.array(full)[:n], t.array(full)[:n], t.array(full)[:n]}
	return t.registers[r]
}

func (t *tile) release(r register) {
	c := t.registers[r]
	full := cap(c.k)
	t.unused[full] = append(t.unused[full], c.k[:full], c.near[:full], c.ntk[:full])
	t.registers[r] = covariance{}
}

// input returns the place for the covariances of the network's input. Its ntk is zero.
func (t *tile) input() covariance {
	c := t.allocate(0)
	clear(c.ntk)
	return c
}

// run executes the steps after the input has been set. The output of the last step stays in its register, and the
// caller must release it. A step in place is executed line by line together with the step before it, while the line is
// in the cache.
func (t *tile) run(steps []step, variances func(r register) (v1, v2 variances)) {
	view := func(r register) operand {
		o := operand{covariance: t.registers[r], layout: t.program.shapes[r], full: t.program.full,
			needed: t.program.needed[r], input: r == 0}
		o.v1, o.v2 = variances(r)
		return o
	}
	for first := 0; first < len(steps); {
		calls := t.calls[:0]
		for i, s := range steps[first:] {
			if i > 0 && !(s.inPlace && s.in[0] == steps[first+i-1].out) {
				break
			}
			calls = calls[:i+1]
			c := &calls[i]
			c.operation, c.in = s.operation, c.in[:0]
			for _, r := range s.in {
				c.in = append(c.in, view(r))
			}
			if s.inPlace {
				t.registers[s.out], t.registers[s.in[0]] = t.registers[s.in[0]], covariance{}
			} else {
				t.allocate(s.out)
			}
			c.out = view(s.out)
		}
		for line := range calls[0].out.lines(t.program.full) {
			for _, c := range calls {
				c.operation.covariances(t, c.in, c.out, line)
			}
		}
		if s := steps[first]; !s.inPlace {
			for _, r := range s.free {
				t.release(r)
			}
		}
		first += len(calls)
	}
}

// part returns a line of o's covariances.
func (o operand) part(line int) covariance {
	size := len(o.k) / o.lines(o.full)
	from, to := line*size, (line+1)*size
	return covariance{o.k[from:to], o.near[from:to], o.ntk[from:to]}
}

// rows visits the entries of a line in their order in memory, row by row. A row pairs variances of x2 with one variance
// of x1, or with the same number of variances of x1. first counts from the start of the line.
func (o operand) rows(line int, row func(first int, v1, v2 variances)) {
	if !o.full || !o.image() {
		row(0, o.v1, o.v2)
		return
	}
	h1, h2 := line/o.height, line%o.height
	v2 := o.v2.slice(h2*o.width, (h2+1)*o.width)
	for w1 := range o.width {
		p1 := h1*o.width + w1
		row(w1*o.width, o.v1.slice(p1, p1+1), v2)
	}
}

// position decodes the index of an image's entry into (h1, w1) of x1 and (h2, w2) of x2. For a pooled vector they are
// zero.
func (l layout) position(e int, full bool) (h1, h2, w1, w2 int) {
	if !l.image() {
		return 0, 0, 0, 0
	}
	if !full {
		return e / l.width, e / l.width, e % l.width, e % l.width
	}
	lines, pair := e/(l.width*l.width), e%(l.width*l.width)
	return lines / l.height, lines % l.height, pair / l.width, pair % l.width
}

// entry returns the index of the covariance of position p1 with p2. Unless full is set, the two must be equal.
func (l layout) entry(p1, p2 int, full bool) int {
	if !full {
		return p1
	}
	return ((p1/l.width*l.height+p2/l.width)*l.width+p1%l.width)*l.width + p2%l.width
}

// lines returns the number of lines. A full image has a line for each pair (h, h') of rows; they are stored one after
// the other. Everything else is one line.
func (l layout) lines(full bool) int {
	if full && l.image() {
		return l.height * l.height
	}
	return 1
}

// at returns the index of position (h, w), and whether this position exists.
func (l layout) at(h, w int) (p int, inside bool) {
	return h*l.width + w, h >= 0 && w >= 0 && h < l.height && w < l.width
}

// threshold is the smallest near/√(q₁q₂) for which the difference is precise enough. The angle between two inputs
// depends on its square root.
const threshold = 1e-4

// terms is the method of an operation whose output entry is a sum Σ w_o·k_o. It calls add for each term, with its near
// and its two variances.
type terms interface {
	terms(in []operand, out operand, entry int, add func(weight, k, near, q1, q2 float64))
}

// close computes near of a line from k. Where this is not precise enough, near is summed from the terms, if there are
// any.
func (o operand) close(line int, in []operand, terms terms, bias float64) {
	if !o.needed {
		return
	}
	c := o.part(line)
	o.rows(line, func(first int, v1, v2 variances) {
		ks, nears := c.k[first:first+len(v2.root)], c.near[first:first+len(v2.root)]
		r1 := v1.root[0]
		for j, root := range v2.root {
			if len(v1.root) > 1 {
				r1 = v1.root[j]
			}
			r := r1 * root
			near := r - math.Abs(ks[j])
			if near < threshold*r {
				if terms != nil {
					near = refine(ks[j] < 0, v1.q[min(j, len(v1.q)-1)], v2.q[j], bias,
						func(add func(weight, k, near, q1, q2 float64)) {
							terms.terms(in, o, line*len(c.k)+first+j, add)
						})
				}
				near = max(0, near)
			}
			nears[j] = near
		}
	})
}

// refine returns √(q₁q₂) − |k| without cancellation, for k = Σ w_o k_o + bias and corresponding q₁ and q₂. With s the
// sign of k,
//
//	√(q₁q₂) − s·k = Σ w_o (√(q₁ₒq₂ₒ) − s·k_o) + (1−s)·bias + √(q₁q₂)/2·Σ (√(w_o q₁ₒ/q₁) − √(w_o q₂ₒ/q₂))²,
//
// where the last sum, the difference in the inequality of Cauchy and Schwarz, has a term for the bias, too.
func refine(negative bool, q1, q2, bias float64, terms func(add func(weight, k, near, q1, q2 float64))) float64 {
	sum, squares := 0.0, 0.0
	square := func(v1, v2 float64) {
		d := math.Sqrt(v1/q1) - math.Sqrt(v2/q2)
		squares += d * d
	}
	terms(func(weight, k, near, v1, v2 float64) {
		if (k < 0) != negative {
			near += 2 * math.Abs(k)
		}
		sum += weight * near
		square(weight*v1, weight*v2)
	})
	square(bias, bias)
	if negative {
		sum += 2 * bias
	}
	return sum + math.Sqrt(q1)*math.Sqrt(q2)/2*squares
}
