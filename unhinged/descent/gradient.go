package descent

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// point is (H, W, b) in a graph: features [n, p], prototypes [C, p] and biases [C], with a row for each sample or
// class.
type point [3]*Node

// each applies an operation to H, W and b.
func (x point) each(f func(i int, x *Node) *Node) point {
	return point{f(0, x[0]), f(1, x[1]), f(2, x[2])}
}

// logits returns WᵀH + b1ᵀ, [n, C], with normalised features if spherical is set.
func (x point) logits(spherical bool) *Node {
	features := x[0]
	if spherical {
		features = L2Normalize(features, -1)
	}
	return Add(MatMul(features, Transpose(x[1], 0, 1)), InsertAxes(x[2], 0))
}

// gradient returns the gradient of the mean loss plus ½λ1‖H‖² + ½λ2(‖W‖² + ‖b‖²). It is written out, because gomlx
// cannot differentiate inside a loop: with R = ∂L/∂logits, ∂L/∂H = RW, ∂L/∂W = RᵀH, ∂L/∂b = Rᵀ1. For the unhinged loss
// R = −Mᵀ. It is zero in W and b if those are anchored.
func (f BruteForce) gradient(x point, onehot *Node) point {
	features, prototypes := x[0], x[1]
	n := float64(features.Shape().Dimensions[0])
	residual := DivScalar(f.Loss.LogitGradient(onehot, x.logits(f.Spherical)), n)
	norms := L2Norm(features, -1)
	if f.Rescale {
		residual = Mul(residual, norms)
	}
	seen := features
	if f.Spherical {
		seen = Div(features, norms)
	}
	byFeatures := MatMul(residual, prototypes)
	if f.Spherical { // through h/‖h‖: (I − ĥĥᵀ)/‖h‖
		radial := ReduceAndKeep(Mul(byFeatures, seen), ReduceSum, -1)
		byFeatures = Div(Sub(byFeatures, Mul(seen, radial)), norms)
	}
	g := point{byFeatures, ZerosLike(x[1]), ZerosLike(x[2])}
	if !f.Anchored {
		g[1] = MatMul(Transpose(residual, 0, 1), seen)
		g[2] = ReduceSum(residual, 0)
	}
	return g.each(func(i int, gi *Node) *Node {
		lambda := f.Lambda1
		if i > 0 {
			lambda = f.Lambda2
			if f.Anchored {
				return gi
			}
		}
		return Add(gi, MulScalar(x[i], lambda))
	})
}
