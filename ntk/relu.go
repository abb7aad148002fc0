package ntk

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// ABReLU is a·min(x, 0) + b·max(x, 0) = (b−a)/2·|x| + (a+b)/2·x. The even part and the odd part are uncorrelated. For
// an acute angle φ between the two inputs,
//
//	E|u||v| = √(q₁q₂)·(2/π)(sin φ + (π/2 − φ) cos φ),   E sgn(u) sgn(v) = 1 − 2φ/π.
func ABReLU(a, b float64) Layer {
	even, odd := (b-a)*(b-a)/4, (a+b)*(a+b)/4
	return activation{
		name: abReLUName(a, b),
		node: func(x *graph.Node) *graph.Node {
			return graph.Add(graph.MulScalar(graph.Abs(x), (b-a)/2), graph.MulScalar(x, (a+b)/2))
		},
		variance: func(q float64) float64 { return (even + odd) * q },
		entries:  func(in, out covariance, single bool) { rectify(in, out, even, odd, single) },
	}
}

// rectify is the step of ABReLU, which takes most of the time of its networks. It does not branch on the data, and its
// loops are short, so that the processor can work on several entries at a time. With z = tan²(φ/2) = near/(√(q₁q₂) +
// |k|) and φ = 2√z·(1 + w),
//
//	sin φ − φ cos φ = √z·(near − 2w|k|)/√(q₁q₂),
//
// without cancellation, because w = atan(√z)/√z − 1 is negative.
func rectify(in, out covariance, even, odd float64, single bool) {
	const block = 64
	var memory, series [block]float64
	slope := 4 / math.Pi * even
	for first := 0; first < len(in.k); first += block {
		last := min(first+block, len(in.k))
		n := last - first
		ks, nears, ntks := in.k[first:last], in.near[first:last][:n], in.ntk[first:last][:n]
		outK, outNear, outNTK := out.k[first:last][:n], out.near[first:last][:n], out.ntk[first:last][:n]
		zs, ws := memory[:n], series[:n]
		for e, k := range ks {
			opposite := nears[e] + 2*math.Abs(k) // √(q₁q₂) + |k|
			zs[e] = 0
			if opposite > 0 {
				zs[e] = nears[e] / opposite
			}
		}
		if single {
			atan32(ws, zs)
		} else {
			atan64(ws, zs)
		}
		for e, k := range ks {
			near, z, w := nears[e], zs[e], ws[e]
			size := math.Abs(k)
			root := math.Sqrt(z)
			c := 2 / math.Pi * root * (near - 2*size*w)
			sign := math.Copysign(even-slope*(root+root*w), k)
			newK := even*c + (even*size + odd*k)
			newNear := even*(near-c) + odd*(near+(size-k))
			if newK < 0 { // never for ReLU, and seldom otherwise
				newNear = even*(near+2*size+c) + odd*(near+(size+k))
			}
			outK[e], outNear[e], outNTK[e] = newK, newNear, ntks[e]*(odd+sign)
		}
	}
}

// atan32 sets ws to atan(√z)/√z − 1 for z in [0, 1], with an error of at most 1.1e-8 in the atan. It is z times the
// best polynomial of degree 8, by mpmath 1.3.0 with 40 digits: chebyfit(lambda z: (atan(sqrt(z))/sqrt(z) - 1)/z, [0,
// 1], 9).
func atan32(ws, zs []float64) {
	ws = ws[:len(zs)]
	for i, z := range zs {
		z2 := z * z
		z4 := z2 * z2
		ws[i] = z * ((-0.3333333173306352 + 0.1999973932983558*z) + (-0.14278568748210602+0.11033764115313455*z)*z2 +
			z4*((-0.08656880430154522+0.06250169444749563*z)+(-0.03587153898204336+0.013507771427020535*z)*z2+
				z4*-0.002386997316724113))
	}
}

// atan64 is atan32 with the polynomial of degree 19, whose error is at most 7.7e-17.
func atan64(ws, zs []float64) {
	ws = ws[:len(zs)]
	for i, z := range zs {
		z2 := z * z
		z4 := z2 * z2
		ws[i] = z * ((-0.3333333333333333 + 0.1999999999999753*z) + (-0.14285714285384132+0.11111111093490827*z)*z2 +
			z4*((-0.09090908590891934+0.07692298971033217*z)+(-0.06666564699289104+0.05881506877793656*z)*z2+
				z4*((-0.052579733342841106+0.04737749579527779*z)+(-0.04260356632601652+0.03749486812535247*z)*z2+
					z4*((-0.031277189066996385+0.023696731580048622*z)+(-0.015535152475414177+0.008368931178450162*z)*z2+
						z4*((-0.0034958859739163094+0.0010496035084968515*z)+(-0.00019996189377901382+1.806195461861215e-05*z)*z2)))))
	}
}
