package ntk

import (
	"github.com/gomlx/gomlx/core/graph"
)

// A jacobian is the Jacobian of the C outputs of N examples by all parameters, as factors, with one or more for each
// layer.
type jacobian struct {
	// trace means that only sums over the outputs are needed, so that the outputs may be given in any orthonormal
	// basis.
	trace   bool
	outputs int
	factors []factor
}

// factor is the part of a Jacobian that belongs to some of the parameters, J[n, c, θ]. Its contribution to the kernel
// depends on its form:
//
//	plain       Σ_p g[n,c,p] g[m,k,p]                                      with J = g
//	outer       (w²·Σ_i a[n,i] a[m,i] + b²)·Σ_o g[n,c,o] g[m,k,o]          with J = (w·a⊗g, b·g): a dense layer
//	separable   Σ_o (Σ_p a[n,p,o] a[m,p,o]) g[c,o] g[k,o]                  with J = a·g
//
// In outer, g is [1, C, ...] if the gradients are the same for all examples. For a trace only the sum over c = k is
// needed, and the axis C may have another size. The forms of a network's factors do not depend on how many examples
// there are, nor on the size of images.
type factor struct {
	form
	nodes []*graph.Node // a, unless plain, and g
}

type form struct {
	kind         kind
	weight, bias float64 // w and b of outer
}

type kind int

const (
	plain kind = iota
	outer
	separable
)

func (j *jacobian) add(f form, nodes ...*graph.Node) {
	j.factors = append(j.factors, factor{f, nodes})
}

// reduced replaces gradients that are the same for all examples, up to the gain, by their norm over the outputs if only
// a trace is needed, because it depends on Σ_c g_ci g_ci only.
func (j *jacobian) reduced(δ cotangent) cotangent {
	if j.trace && δ.shared {
		δ.each = graph.Sqrt(graph.ReduceAndKeep(graph.Square(δ.each), graph.ReduceSum, 1))
	}
	return δ
}

// dense adds the factors of a layer x·W + b.
func (j *jacobian) dense(x *graph.Node, δ cotangent, weights, bias parameter) {
	f := form{kind: outer}
	if weights.trainable() {
		f.weight = weights.scale
	}
	if bias.trainable() {
		f.bias = bias.scale
	}
	if f.weight != 0 || f.bias != 0 {
		j.add(f, x, j.reduced(δ).merged().each)
	}
}

// conv adds the factors of a convolution of x to y.
func (j *jacobian) conv(c ConvLayer, x, y *graph.Node, δ cotangent, weights, bias parameter) {
	images := y.Shape().Dimensions
	n, positions, channels := images[0], images[1]*images[2], images[3]
	dims := δ.each.Shape().Dimensions
	if bias.trainable() {
		node := graph.BroadcastToDims(δ.everywhere(y).each, n, dims[1], images[1], images[2], channels)
		j.add(form{}, graph.MulScalar(graph.ReduceSum(node, 2, 3), bias.scale))
	}
	if !weights.trainable() {
		return
	}
	size := c.filter.size * c.filter.size * x.Shape().Dimensions[3]
	patches := graph.Reshape(c.patches(graph.MulScalar(x, weights.scale), y), n, positions, size)
	if len(j.factors) > 0 {
		patches = after(j.factors[len(j.factors)-1].nodes[0], patches)
	}
	if δ.uniform() {
		// The gradients are the same for all examples and positions up to the gain: N products take the place of N·C.
		gain := graph.Reshape(δ.gain, n, positions, channels)
		g := graph.Reshape(j.reduced(δ).each, -1, channels)
		a := graph.Einsum("nsp,nso->npo", patches, gain)
		if j.trace {
			j.add(form{}, graph.Reshape(graph.Mul(a, graph.Reshape(g, 1, 1, channels)), n, 1, size*channels))
		} else {
			j.add(form{kind: separable}, a, g)
		}
		return
	}
	// With positions before outputs, there is one product for each example.
	node := graph.TransposeAllAxes(graph.BroadcastToDims(δ.each, n, dims[1], images[1], images[2], channels), 0, 2, 3,
		1, 4)
	if δ.gain != nil {
		node = graph.Mul(node, graph.ExpandAxes(δ.gain, 3))
	}
	a := graph.Einsum("nsp,nsq->npq", patches, graph.Reshape(node, n, positions, dims[1]*channels))
	a = graph.TransposeAllAxes(graph.Reshape(a, n, size, dims[1], channels), 0, 2, 1, 3)
	j.add(form{}, graph.Reshape(a, n, dims[1], size*channels))
}

// patches returns, for each position of the output y, the inputs under the filter, [N, h, w, size·size·channels].
func (c ConvLayer) patches(x, y *graph.Node) *graph.Node {
	for axis := 1; axis <= 2; axis++ {
		dims := x.Shape().Dimensions
		_, before, err := c.filter.apply(dims[axis])
		if err != nil {
			panic(err)
		}
		after := max(0, (y.Shape().Dimensions[axis]-1)*c.filter.stride+c.filter.size-dims[axis]-before)
		zeros := func(count int) *graph.Node {
			shape := x.Shape().Clone()
			shape.Dimensions[axis] = count
			return graph.Zeros(x.Graph(), shape)
		}
		parts := []*graph.Node{x}
		if before > 0 {
			parts = append([]*graph.Node{zeros(before)}, parts...)
		}
		if after > 0 {
			parts = append(parts, zeros(after))
		}
		x = graph.Concatenate(parts, axis)
	}
	along := func(axis, first int) graph.SliceAxisSpec {
		return graph.AxisRange(first, first+(y.Shape().Dimensions[axis]-1)*c.filter.stride+1).Stride(c.filter.stride)
	}
	var seen []*graph.Node
	for i := range c.filter.size {
		for j := range c.filter.size {
			seen = append(seen, graph.Slice(x, graph.AxisRange(), along(1, i), along(2, j)))
		}
	}
	return graph.Concatenate(seen, 3)
}

// contraction says which part of the kernel [N1, N2, C, C] is computed.
type contraction int

const (
	full      contraction = iota // [N1, N2, C, C]
	traced                       // its sum over c = k, [N1, N2]
	perOutput                    // c = k, [N1, N2, C]
	diagonal                     // n = m, [N, C, C]
)

// contract returns the kernel of two Jacobians. A full one is [N1, C, N2, C].
func (want contraction) contract(left, right *jacobian) *graph.Node {
	var kernel *graph.Node
	for i, l := range left.factors {
		if kernel == nil {
			kernel = want.term(l, right.factors[i])
			continue
		}
		for k, node := range l.nodes {
			l.nodes[k] = after(kernel, node)
		}
		kernel = graph.Add(kernel, want.term(l, right.factors[i]))
	}
	return kernel
}

// after returns node, which is computed after first. The Go backend (gomlx v0.28.0) runs independent operations in
// parallel and has a deadlock if each of its workers runs a matrix product that waits for another worker.
func after(first, node *graph.Node) *graph.Node { return graph.SchedulingBarrier(node, first) }

func (want contraction) term(l, r factor) *graph.Node {
	lg, rg := l.nodes[len(l.nodes)-1], r.nodes[len(r.nodes)-1]
	switch l.kind {
	case plain:
		return want.products(lg, rg)
	case outer:
		inputs := map[contraction]string{full: "ni,mi->nm", traced: "ni,mi->nm", perOutput: "ni,mi->nm",
			diagonal: "ni,ni->n"}[want]
		a := graph.AddScalar(graph.MulScalar(graph.Einsum(inputs, l.nodes[0], r.nodes[0]), l.weight*l.weight),
			l.bias*l.bias)
		n, m := l.nodes[0].Shape().Dimensions[0], r.nodes[0].Shape().Dimensions[0]
		switch want {
		case full:
			a = graph.Reshape(a, n, 1, m, 1)
		case perOutput:
			a = graph.Reshape(a, n, m, 1)
		case diagonal:
			a = graph.Reshape(a, n, 1, 1)
		}
		return graph.Mul(a, want.products(after(a, lg), rg))
	}
	gg := graph.Mul(graph.InsertAxes(lg, 1), graph.InsertAxes(rg, 0)) // [c, k, o]
	switch want {
	case full:
		return graph.Einsum("nmo,cko->ncmk", graph.Einsum("npo,mpo->nmo", l.nodes[0], r.nodes[0]), gg)
	case perOutput:
		return graph.Einsum("nmo,co->nmc", graph.Einsum("npo,mpo->nmo", l.nodes[0], r.nodes[0]), graph.Mul(lg, rg))
	default:
		return graph.Einsum("no,cko->nck", graph.ReduceSum(graph.Mul(l.nodes[0], r.nodes[0]), 1), gg)
	}
}

// products returns the products of g, [N or 1, C, p], over its last axis.
func (want contraction) products(l, r *graph.Node) *graph.Node {
	dims := l.Shape().Dimensions
	lone := map[contraction]bool{full: dims[0]*dims[1] == 1, traced: dims[0] == 1, perOutput: dims[0] == 1,
		diagonal: dims[1] == 1}[want]
	if lone && dims[0] == r.Shape().Dimensions[0] {
		return want.inBlocks(l, r)
	}
	switch want {
	case full:
		return graph.Einsum("ncp,mkp->ncmk", l, r)
	case traced:
		return graph.Einsum("ncp,mcp->nm", l, r)
	case perOutput:
		return graph.Einsum("ncp,mcp->nmc", l, r)
	default:
		return graph.Einsum("ncp,nkp->nck", l, r)
	}
}

// inBlocks returns the products of single rows, computed as sums over blocks: XLA on the CPU adds up the product of two
// vectors one number after the other, which for a million numbers in float32 has an error of 0.2 %. Its products of
// matrices are accurate.
func (want contraction) inBlocks(l, r *graph.Node) *graph.Node {
	size := l.Shape().Dimensions[2]
	block := min(size, 1024)
	for size%block != 0 {
		block--
	}
	split := func(node *graph.Node) *graph.Node {
		dims := node.Shape().Dimensions
		return graph.Reshape(node, dims[0], dims[1], -1, block)
	}
	l, r = split(l), split(r)
	switch want {
	case full:
		return graph.ReduceSum(graph.Einsum("ncab,mkab->ncmka", l, r), -1)
	case traced:
		return graph.ReduceSum(graph.Einsum("ncab,mcab->nmca", l, r), -2, -1)
	case perOutput:
		return graph.ReduceSum(graph.Einsum("ncab,mcab->nmca", l, r), -1)
	default:
		return graph.ReduceSum(graph.Einsum("ncab,nkab->ncka", l, r), -1)
	}
}

// batchNorm adds the factors of scale·normal + shift.
func (j *jacobian) batchNorm(δ cotangent, normal *graph.Node, scale, shift bool) {
	node := δ.everywhere(normal).each
	sum := func(node *graph.Node) *graph.Node {
		dims := node.Shape().Dimensions
		return graph.ReduceSum(graph.Reshape(node, dims[0], dims[1], -1, dims[len(dims)-1]), 2)
	}
	if scale {
		j.add(form{}, sum(graph.Mul(node, graph.ExpandAxes(normal, 1))))
	}
	if shift {
		n := normal.Shape().Dimensions[0]
		j.add(form{}, sum(graph.BroadcastToDims(node, append([]int{n}, node.Shape().Dimensions[1:]...)...)))
	}
}
