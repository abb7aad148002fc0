package ntk

// affine is a dense layer or a convolution: k ← weight·Σ_o k(p+o, q+o) + bias, ntk ← weight·Σ_o ntk(p+o, q+o) + k.
type affine struct {
	filter
	weight, bias float64
	top, left    int // zeros before the image
}

func (a *affine) variances(in []positions, out positions) {
	var block []float64
	a.sum(in[0].layout, out.layout, false, 0, &block, in[0].q, out.q)
	for i, q := range out.q {
		out.q[i] = a.weight*q + a.bias
	}
}

func (a *affine) covariances(t *tile, in []operand, out operand, line int) {
	x, y := in[0], out.part(line)
	ks, nears, ntks := y.k, y.near[:len(y.k)], y.ntk[:len(y.k)]
	if !x.image() && a.bias == 0 {
		xNears, xNTKs := x.near[:len(ks)], x.ntk[:len(ks)]
		for e, k := range x.k[:len(ks)] {
			k *= a.weight
			ks[e], nears[e], ntks[e] = k, a.weight*xNears[e], a.weight*xNTKs[e]+k
		}
		return
	}
	a.sum(x.layout, out.layout, out.full, line, &t.block, x.k, ks)
	if x.input {
		clear(ntks)
	} else {
		a.sum(x.layout, out.layout, out.full, line, &t.block, x.ntk, ntks)
	}
	for e, k := range ks {
		k = a.weight*k + a.bias
		ks[e], ntks[e] = k, a.weight*ntks[e]+k
	}
	out.close(line, in, a, a.bias)
}

func (a *affine) terms(in []operand, out operand, e int, add func(weight, k, near, q1, q2 float64)) {
	x := in[0]
	if !x.image() {
		add(a.weight, x.k[e], x.near[e], x.v1.q[0], x.v2.q[e])
		return
	}
	h1, h2, w1, w2 := out.position(e, out.full)
	for i := range a.size {
		for j := range a.size {
			p1, inside1 := x.at(h1*a.stride+i-a.top, w1*a.stride+j-a.left)
			p2, inside2 := x.at(h2*a.stride+i-a.top, w2*a.stride+j-a.left)
			switch {
			case inside1 && inside2:
				entry := x.entry(p1, p2, out.full)
				add(a.weight, x.k[entry], x.near[entry], x.v1.q[p1], x.v2.q[p2])
			case inside1:
				add(a.weight, 0, 0, x.v1.q[p1], 0)
			case inside2:
				add(a.weight, 0, 0, 0, x.v2.q[p2])
			}
		}
	}
}

// sum adds up the entries under the filter for a line of the output. block is scratch memory.
func (a *affine) sum(in, out layout, full bool, line int, block *[]float64, from, target []float64) {
	if !in.image() {
		copy(target, from)
		return
	}
	wide := (out.width-1)*a.stride + a.size
	size := wide
	if full {
		size *= wide
	}
	if cap(*block) < size {
		*block = make([]float64, size)
	}
	rows := (*block)[:size]
	clear(rows)
	if full {
		a.window(in, out, true, line/out.height, line%out.height, rows, from, target)
		return
	}
	for h := range out.height {
		a.window(in, out, false, h, h, rows, from, target[h*out.width:(h+1)*out.width])
	}
}

// window adds up the entries under the filter at rows h1 and h2 of the output: first over rows, into an array with
// zeros around it, then along the rows. In a full covariance, of (h, w) with (h', w'), the filter moves both positions
// together, along the diagonals.
func (a *affine) window(in, out layout, full bool, h1, h2 int, rows, from, target []float64) {
	wide := (out.width-1)*a.stride + a.size
	inside := min(in.width, wide-a.left)
	first, columns, step := a.left, 1, 0 // for one row of positions, or one row for each position of the other image
	if full {
		first, columns, step = a.left*wide+a.left, inside, wide
	}
	var memory [8][]float64
	sources := memory[:0]
	y1, y2 := h1*a.stride-a.top, h2*a.stride-a.top
	for i := max(0, -y1, -y2); i < min(a.size, in.height-max(y1, y2)); i++ {
		y, size := y1+i, in.width
		if full {
			y, size = y*in.height+y2+i, in.width*in.width
		}
		sources = append(sources, from[y*size:(y+1)*size])
	}
	for w := range columns {
		accumulate(rows[first+w*step:][:inside], sources, 1)
		for i, source := range sources {
			sources[i] = source[in.width:]
		}
	}
	for w := 0; w*out.width < len(target); w++ {
		sources = memory[:0]
		for j := range a.size {
			sources = append(sources, rows[w*a.stride*step+j*(step+1):])
		}
		accumulate(target[w*out.width:(w+1)*out.width], sources, a.stride)
	}
}

// accumulate sets target to the sum of the sources, where it uses every stride-th number of each.
func accumulate(target []float64, sources [][]float64, stride int) {
	n := len(target)
	if len(sources) == 3 && stride == 1 { // the usual filter
		a, b, c := sources[0][:n], sources[1][:n], sources[2][:n]
		for i, v := range a {
			target[i] = v + b[i] + c[i]
		}
		return
	}
	clear(target)
	for _, source := range sources {
		for i := range target {
			target[i] += source[i*stride]
		}
	}
}

// pool averages windows of height×width positions that do not overlap. If no positions are left, its output is a
// vector.
type pool struct{ height, width int }

// variances cannot be computed from the input's variances: program.variances computes them from the covariances.
func (pool) variances([]positions, positions) { panic("ntk: pooling needs covariances") }

func (p pool) covariances(t *tile, in []operand, out operand, line int) {
	x, y := in[0], out.part(line)
	scale := 1 / float64(p.height*p.height*p.width*p.width)
	for e := range y.k {
		h1, h2, w1, w2 := out.position(line*len(y.k)+e, true)
		k, ntk := 0.0, 0.0
		for y1 := h1 * p.height; y1 < (h1+1)*p.height; y1++ {
			for y2 := h2 * p.height; y2 < (h2+1)*p.height; y2++ {
				for x1 := w1 * p.width; x1 < (w1+1)*p.width; x1++ {
					first := x.entry(y1*x.width+x1, y2*x.width+w2*p.width, true)
					rowK, rowNTK := 0.0, 0.0
					for i := first; i < first+p.width; i++ {
						rowK += x.k[i]
						rowNTK += x.ntk[i]
					}
					k += rowK
					ntk += rowNTK
				}
			}
		}
		y.k[e], y.ntk[e] = k*scale, ntk*scale
	}
	out.close(line, in, nil, 0)
}

// mean is the operation of Flatten: the mean over the positions (p, p).
type mean struct{}

func (mean) variances(in []positions, out positions) {
	out.q[0] = 0
	for _, q := range in[0].q {
		out.q[0] += q / float64(len(in[0].q))
	}
}

func (m mean) covariances(_ *tile, in []operand, out operand, line int) {
	x := in[0]
	n := x.positions()
	k, ntk := 0.0, 0.0
	for p := range n {
		e := x.entry(p, p, x.full)
		k += x.k[e]
		ntk += x.ntk[e]
	}
	out.k[0], out.ntk[0] = k/float64(n), ntk/float64(n)
	out.close(line, in, m, 0)
}

func (mean) terms(in []operand, _ operand, _ int, add func(weight, k, near, q1, q2 float64)) {
	x := in[0]
	n := x.positions()
	for p := range n {
		e := x.entry(p, p, x.full)
		add(1/float64(n), x.k[e], x.near[e], x.v1.q[p], x.v2.q[p])
	}
}

// sum adds the branches of a Residual.
type sum struct{}

func (sum) variances(in []positions, out positions) {
	clear(out.q)
	for _, x := range in {
		for p, q := range x.q {
			out.q[p] += q
		}
	}
}

func (s sum) covariances(_ *tile, in []operand, out operand, line int) {
	y := out.part(line)
	clear(y.k)
	clear(y.ntk)
	for _, x := range in {
		c := x.part(line)
		for e, k := range c.k {
			y.k[e] += k
			y.ntk[e] += c.ntk[e]
		}
	}
	out.close(line, in, s, 0)
}

func (sum) terms(in []operand, out operand, e int, add func(weight, k, near, q1, q2 float64)) {
	p1, p2 := 0, e
	if out.image() {
		h1, h2, w1, w2 := out.position(e, out.full)
		p1, p2 = h1*out.width+w1, h2*out.width+w2
	}
	for _, x := range in {
		add(1, x.k[e], x.near[e], x.v1.q[p1], x.v2.q[p2])
	}
}
