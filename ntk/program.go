package ntk

import (
	"fmt"
	"math"
	"slices"
)

// A program is a network's infinite-width recursion as a list of steps between registers. A register holds, for one input,
// the variances q = K(x, x) of its positions, and for a tile of pairs of inputs the [covariance]s. The network's input is
// register 0.
type program struct {
	shapes []layout
	steps  []step
	// full: the covariances of images are of all pairs of positions, which pooling needs, not of a position with itself.
	full bool
	// needed: a nonlinearity follows, so that the register's variances and angles matter.
	needed []bool
}

type register int

// layout is the positions of an image, or zero for vectors.
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
	free      []register // whose covariances no later step reads
}

type operation interface {
	// variances fills out from the variances of the inputs, of one example, where they follow from them alone.
	variances(in []positions, out positions)
	// covariances fills out from the covariances of the inputs.
	covariances(t *tile, in []operand, out operand)
}

// positions is what a register holds for one example: the variance at each position.
type positions struct {
	layout
	q []float64
}

// covariance is what a register holds for a tile of pairs. k and ntk are the two kernels; near is √(q₁q₂) − |k| ≥ 0,
// carried along because where it is small the difference has no digits left, while the derivatives of ReLU's kernel go with
// its square root.
//
// The entries are, for vectors, one of x1 with a row of x2; for images, of one pair, [h, w], or [h, h', w, w'] if the
// program is full.
type covariance struct{ k, near, ntk []float64 }

// operand is a register within a tile: its covariances and the variances of both sides.
type operand struct {
	covariance
	layout
	q1, q2 []float64
	needed bool
}

// compile lists the steps of a network on inputs of the given layout.
func compile(network Network, input layout) (*program, error) {
	p := &program{shapes: []layout{input}}
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
	}
	return p, nil
}

func (p *program) add(o operation, shape layout, in ...register) register {
	out := register(len(p.shapes))
	p.shapes = append(p.shapes, shape)
	p.steps = append(p.steps, step{operation: o, in: in, out: out})
	return out
}

func (p *program) affine(in register, f filter, wStd, bStd float64) (register, error) {
	shape := p.shapes[in]
	op := affine{filter: f, weight: wStd * wStd / float64(f.size*f.size), bias: bStd * bStd}
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

// freshSince says whether r is a linear function, by steps from before on, of outputs that have weights of their own.
func (p *program) freshSince(r register, before int) bool {
	for i := len(p.steps) - 1; i >= before; i-- {
		s := p.steps[i]
		if s.out != r {
			continue
		}
		switch s.operation.(type) {
		case affine:
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

// size is how many covariances register r has for one pair.
func (p *program) size(r register) int {
	n := p.shapes[r].positions()
	if p.full {
		return n * n
	}
	return n
}

// variances returns q of each register for one example, from that of the input; self fills the input's covariances of the
// example with itself.
func (p *program) variances(input []float64, self func(covariance)) [][]float64 {
	q := make([][]float64, len(p.shapes))
	q[0] = input
	for i, s := range p.steps {
		if !p.needed[s.out] {
			continue
		}
		out := positions{p.shapes[s.out], make([]float64, p.shapes[s.out].positions())}
		q[s.out] = out.q
		if _, ok := s.operation.(pool); ok {
			t := newTile(p, 1)
			self(t.input())
			t.run(p.steps[:i+1], func(r register) (q1, q2 []float64) { return q[r], q[r] })
			out.diagonal(t.registers[s.out].k)
			continue
		}
		in := make([]positions, len(s.in))
		for j, r := range s.in {
			in[j] = positions{p.shapes[r], q[r]}
		}
		s.operation.variances(in, out)
	}
	return q
}

// diagonal fills q with the covariances [h, h, w, w].
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
	pairs     int // of vectors; of images one at a time
	registers []covariance
	unused    map[int][][]float64 // arrays by length
	scratch   []float64
}

func newTile(p *program, pairs int) *tile {
	return &tile{program: p, pairs: pairs, registers: make([]covariance, len(p.shapes)), unused: map[int][][]float64{}}
}

func (t *tile) array(n int) []float64 {
	if list := t.unused[n]; len(list) > 0 {
		t.unused[n] = list[:len(list)-1]
		return list[len(list)-1]
	}
	return make([]float64, n)
}

func (t *tile) allocate(r register) covariance {
	n := t.program.size(r) * t.pairs
	t.registers[r] = covariance{t.array(n), t.array(n), t.array(n)}
	return t.registers[r]
}

func (t *tile) release(r register) {
	c := t.registers[r]
	t.unused[len(c.k)] = append(t.unused[len(c.k)], c.k, c.near, c.ntk)
	t.registers[r] = covariance{}
}

// block is scratch memory for a line of entries of an image.
func (t *tile) block(l layout) []float64 {
	n := l.width
	if t.program.full {
		n *= n
	}
	if cap(t.scratch) < n {
		t.scratch = make([]float64, n)
	}
	return t.scratch[:n]
}

// input is where the covariances of the network's input go; its ntk is zero.
func (t *tile) input() covariance {
	c := t.allocate(0)
	clear(c.ntk)
	return c
}

// run takes the steps after the input has been filled. The output of the last step stays in its register: release it.
func (t *tile) run(steps []step, variances func(r register) (q1, q2 []float64)) {
	in := make([]operand, 0, 4)
	view := func(r register) operand {
		o := operand{covariance: t.registers[r], layout: t.program.shapes[r], needed: t.program.needed[r]}
		o.q1, o.q2 = variances(r)
		return o
	}
	for _, s := range steps {
		in = in[:0]
		for _, r := range s.in {
			in = append(in, view(r))
		}
		if _, ok := s.operation.(activation); ok && len(s.free) == 1 { // in place: each entry depends on itself alone
			t.registers[s.out] = t.registers[s.in[0]]
			s.operation.covariances(t, in, view(s.out))
			t.registers[s.in[0]] = covariance{}
			continue
		}
		t.allocate(s.out)
		s.operation.covariances(t, in, view(s.out))
		for _, r := range s.free {
			t.release(r)
		}
	}
}

// each visits the entries of o in the order in which they are stored, by rows that pair one variance of x1, or as many
// as there are of x2, with those of x2.
func (o operand) each(full bool, row func(first int, q1, q2 []float64)) {
	switch {
	case !o.image() || !full:
		row(0, o.q1, o.q2)
	default:
		first := 0
		for h1 := range o.height {
			for h2 := range o.height {
				for w1 := range o.width {
					p1 := h1*o.width + w1
					row(first, o.q1[p1:p1+1], o.q2[h2*o.width:(h2+1)*o.width])
					first += o.width
				}
			}
		}
	}
}

// position decodes the index of an image's entry: (h1, w1) of x1 and (h2, w2) of x2. A pooled vector's are zero.
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

// entry is the index of the covariance of position p1 with p2, which are the same if not full.
func (l layout) entry(p1, p2 int, full bool) int {
	if !full {
		return p1
	}
	return ((p1/l.width*l.height+p2/l.width)*l.width+p1%l.width)*l.width + p2%l.width
}

// lines is the number of rows of an image, or of pairs (h, h') of rows if full, which are stored one after the other.
// Vectors have one.
func (l layout) lines(full bool) int {
	if full && l.image() {
		return l.height * l.height
	}
	return max(1, l.height)
}

// line is one of the lines of a register's array.
func (l layout) line(array []float64, line int, full bool) []float64 {
	size := len(array) / l.lines(full)
	return array[line*size : (line+1)*size]
}

// at is the index of position (h, w), and whether there is one.
func (l layout) at(h, w int) (p int, inside bool) {
	return h*l.width + w, h >= 0 && w >= 0 && h < l.height && w < l.width
}

// threshold is how small near/√(q₁q₂) may get before the difference of the two has lost too many digits: the angle
// between two inputs goes with its square root.
const threshold = 1e-4

// A term visitor calls add for each of the terms w_o·k_o that an entry is the sum of, with their near and with the two
// variances.
type terms func(entry int, add func(weight, k, near, q1, q2 float64))

// close fills near from k. Where that leaves too few digits it is summed from the terms, if there are any.
func (o operand) close(full bool, terms terms, bias float64) {
	if !o.needed {
		return
	}
	o.each(full, func(first int, q1, q2 []float64) {
		r1 := math.Sqrt(q1[0])
		for j, v2 := range q2 {
			if len(q1) > 1 {
				r1 = math.Sqrt(q1[j])
			}
			e := first + j
			r := r1 * math.Sqrt(v2)
			near := r - math.Abs(o.k[e])
			if near < threshold*r && terms != nil {
				near = refine(o.k[e] < 0, q1[min(j, len(q1)-1)], v2, e, terms, bias)
			}
			o.near[e] = max(0, near)
		}
	})
}

// refine is √(q₁q₂) − |k| without cancellation, for k = Σ w_o k_o + bias, and q₁ and q₂ likewise. With s the sign of k,
//
//	√(q₁q₂) − s·k = Σ w_o (√(q₁ₒq₂ₒ) − s·k_o) + (1−s)·bias + √(q₁q₂)/2·Σ (√(w_o q₁ₒ/q₁) − √(w_o q₂ₒ/q₂))²,
//
// where the last sum, Cauchy and Schwarz's difference, has a term for the bias too.
func refine(negative bool, q1, q2 float64, entry int, terms terms, bias float64) float64 {
	sum, squares := 0.0, 0.0
	square := func(v1, v2 float64) {
		d := math.Sqrt(v1/q1) - math.Sqrt(v2/q2)
		squares += d * d
	}
	terms(entry, func(weight, k, near, v1, v2 float64) {
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
