package ntk

// affine is a dense layer or a convolution: k ← weight·Σ_o k(p+o, q+o) + bias, ntk ← weight·Σ_o ntk(p+o, q+o) + k.
type affine struct {
	filter
	weight, bias float64
	top, left    int // zeros before the image
}

func (a affine) variances(in []positions, out positions) {
	block := make([]float64, in[0].width)
	for line := range out.lines(false) {
		target := out.line(out.q, line, false)
		a.sum(in[0].layout, out.layout, false, line, block, in[0].q, target)
		for i, q := range target {
			target[i] = a.weight*q + a.bias
		}
	}
}

func (a affine) covariances(t *tile, in []operand, out operand) {
	full, x := t.program.full, in[0]
	block := t.block(x.layout)
	for line := range out.lines(full) {
		ks, ntks := out.line(out.k, line, full), out.line(out.ntk, line, full)
		a.sum(x.layout, out.layout, full, line, block, x.k, ks)
		a.sum(x.layout, out.layout, full, line, block, x.ntk, ntks)
		for e, k := range ks {
			k = a.weight*k + a.bias
			ks[e], ntks[e] = k, a.weight*ntks[e]+k
		}
	}
	out.close(full, func(e int, add func(weight, k, near, q1, q2 float64)) {
		if !x.image() {
			add(a.weight, x.k[e], x.near[e], x.q1[0], x.q2[e])
			return
		}
		h1, h2, w1, w2 := out.position(e, full)
		for i := range a.size {
			for j := range a.size {
				p1, inside1 := x.at(h1*a.stride+i-a.top, w1*a.stride+j-a.left)
				p2, inside2 := x.at(h2*a.stride+i-a.top, w2*a.stride+j-a.left)
				switch {
				case inside1 && inside2:
					entry := x.entry(p1, p2, full)
					add(a.weight, x.k[entry], x.near[entry], x.q1[p1], x.q2[p2])
				case inside1:
					add(a.weight, 0, 0, x.q1[p1], 0)
				case inside2:
					add(a.weight, 0, 0, 0, x.q2[p2])
				}
			}
		}
	}, a.bias)
}

// sum adds up the filter's entries for one line of the output: for vectors there is one; in an image first the rows, into
// block, then along them. The entries of a full covariance, (h, w) with (h', w'), move together: along its diagonals.
func (a affine) sum(in, out layout, full bool, line int, block, from, target []float64) {
	if !in.image() {
		copy(target, from)
		return
	}
	h1, h2 := line, line
	if full {
		h1, h2 = line/out.height, line%out.height
	}
	a.addRows(in, full, h1*a.stride-a.top, h2*a.stride-a.top, block, from)
	clear(target)
	for j := range a.size {
		if !full {
			a.addAlong(target, block, j)
			continue
		}
		for w := range out.width {
			if x := w*a.stride + j - a.left; x >= 0 && x < in.width {
				a.addAlong(target[w*out.width:(w+1)*out.width], block[x*in.width:(x+1)*in.width], j)
			}
		}
	}
}

// addRows sets block to the sum of the filter's rows that start at y1 with those that start at y2.
func (a affine) addRows(in layout, full bool, y1, y2 int, block, from []float64) {
	clear(block)
	for i := max(0, -y1, -y2); i < min(a.size, in.height-max(y1, y2)); i++ {
		line := y1 + i
		if full {
			line = line*in.height + y2 + i
		}
		for e, v := range from[line*len(block) : (line+1)*len(block)] {
			block[e] += v
		}
	}
}

// addAlong adds the filter's entry j of row to each position of target.
func (a affine) addAlong(target, row []float64, j int) {
	first := max(0, (a.left-j+a.stride-1)/a.stride)
	x := first*a.stride + j - a.left
	if first >= len(target) || x >= len(row) {
		return
	}
	target, row = target[first:], row[x:]
	if a.stride == 1 {
		n := min(len(target), len(row))
		target, row = target[:n], row[:n]
		for w, v := range row {
			target[w] += v
		}
		return
	}
	for w := range min(len(target), (len(row)+a.stride-1)/a.stride) {
		target[w] += row[w*a.stride]
	}
}

// pool averages windows of height×width positions that do not overlap; without positions left it makes a vector.
type pool struct{ height, width int }

// variances do not follow from the input's variances: program.variances takes them from the covariances.
func (pool) variances([]positions, positions) { panic("ntk: pooling needs covariances") }

func (p pool) covariances(t *tile, in []operand, out operand) {
	x := in[0]
	scale := 1 / float64(p.height*p.height*p.width*p.width)
	for e := range out.k {
		h1, h2, w1, w2 := out.position(e, true)
		k, ntk := 0.0, 0.0
		for y1 := h1 * p.height; y1 < (h1+1)*p.height; y1++ {
			for y2 := h2 * p.height; y2 < (h2+1)*p.height; y2++ {
				for x1 := w1 * p.width; x1 < (w1+1)*p.width; x1++ {
					first := x.entry(y1*x.width+x1, y2*x.width+w2*p.width, true)
					for i := range p.width {
						k += x.k[first+i]
						ntk += x.ntk[first+i]
					}
				}
			}
		}
		out.k[e], out.ntk[e] = k*scale, ntk*scale
	}
	out.close(true, nil, 0)
}

// mean flattens: the mean over the positions with themselves.
type mean struct{}

func (mean) variances(in []positions, out positions) {
	out.q[0] = 0
	for _, q := range in[0].q {
		out.q[0] += q / float64(len(in[0].q))
	}
}

func (mean) covariances(t *tile, in []operand, out operand) {
	x, full := in[0], t.program.full
	n := x.positions()
	k, ntk := 0.0, 0.0
	for p := range n {
		e := x.entry(p, p, full)
		k += x.k[e]
		ntk += x.ntk[e]
	}
	out.k[0], out.ntk[0] = k/float64(n), ntk/float64(n)
	out.close(full, func(_ int, add func(weight, k, near, q1, q2 float64)) {
		for p := range n {
			e := x.entry(p, p, full)
			add(1/float64(n), x.k[e], x.near[e], x.q1[p], x.q2[p])
		}
	}, 0)
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

func (sum) covariances(t *tile, in []operand, out operand) {
	full := t.program.full
	clear(out.k)
	clear(out.ntk)
	for _, x := range in {
		for e, k := range x.k {
			out.k[e] += k
			out.ntk[e] += x.ntk[e]
		}
	}
	out.close(full, func(e int, add func(weight, k, near, q1, q2 float64)) {
		p1, p2 := 0, e
		if out.image() {
			h1, h2, w1, w2 := out.position(e, full)
			p1, p2 = h1*out.width+w1, h2*out.width+w2
		}
		for _, x := range in {
			add(1, x.k[e], x.near[e], x.q1[p1], x.q2[p2])
		}
	}, 0)
}
