package ntk

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/numbers"
)

const precision = 1200 // enough bits for 1 + 2^-1074

func bigs(v float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(v) }

func bigAdd(x, y *big.Float) *big.Float { return new(big.Float).Add(x, y) }
func bigSub(x, y *big.Float) *big.Float { return new(big.Float).Sub(x, y) }
func bigMul(x, y *big.Float) *big.Float { return new(big.Float).Mul(x, y) }
func bigQuo(x, y *big.Float) *big.Float { return new(big.Float).Quo(x, y) }
func bigSqrt(x *big.Float) *big.Float   { return new(big.Float).SetPrec(precision).Sqrt(x) }

// bigAtan returns atan(x) for 0 ≤ x ≤ 1, by halving the angle eight times and 40 terms of the series. Its relative
// error is below 2^-640.
func bigAtan(x *big.Float) *big.Float {
	const halvings = 8
	for range halvings {
		x = bigQuo(x, bigAdd(bigs(1), bigSqrt(bigAdd(bigs(1), bigMul(x, x)))))
	}
	sum, power, square := bigs(0), x, bigMul(x, x)
	for k := range 40 {
		term := bigQuo(power, bigs(float64(2*k+1)))
		if k%2 == 1 {
			term.Neg(term)
		}
		sum, power = bigAdd(sum, term), bigMul(power, square)
	}
	return bigMul(sum, bigs(1<<halvings))
}

// isNear reports whether got equals want up to a tolerance relative to scale, or up to the smallest float64 numbers.
func isNear(got float64, want, scale *big.Float, tolerance float64) bool {
	d := bigSub(bigs(got), want)
	bound := bigAdd(bigMul(bigs(tolerance), scale.Abs(scale)), bigs(1e-323))
	return d.Abs(d).Cmp(bound) <= 0
}

// between returns numbers in [0, 1]: both ends, tiny and denormal ones, a grid and random ones.
func between(random *rand.Rand) []float64 {
	x := []float64{0, 5e-324, 1e-310, 0x1p-1022, 1, 1 - 0x1p-53}
	for i := range 50 {
		x = append(x, float64(i)/50, math.Ldexp(random.Float64(), -i), math.Ldexp(random.Float64(), -20*i))
	}
	return x
}

// TestAtan compares the polynomials with atan(√z)/√z − 1, computed with many digits.
func TestAtan(t *testing.T) {
	zs := between(rand.New(rand.NewPCG(4, 4)))
	for _, test := range []struct {
		name            string
		atan            func(ws, zs []float64)
		angle, relative float64 // the largest errors of the arctangent and of w
	}{
		{"atan32", atan32, 1.2e-8, 6e-8},
		{"atan64", atan64, 0x1p-53 + 1e-16, 6e-16},
	} {
		ws := make([]float64, len(zs))
		test.atan(ws, zs)
		for i, z := range zs {
			ratio := bigs(1)
			if z > 0 {
				root := bigSqrt(bigs(z))
				ratio = bigQuo(bigAtan(root), root)
			}
			want := bigSub(ratio, bigs(1))
			if !isNear(ws[i], want, ratio, test.angle) || !isNear(ws[i], want, bigSub(ratio, bigs(1)), test.relative) {
				t.Errorf("%s(%g) = %.17g, want %.17g", test.name, z, ws[i], want)
			}
		}
	}
}

// bigRectify returns ABReLU's kernel and its derivative by Cho and Saul's formulas, where near = √(q₁q₂) − |k|.
func bigRectify(even, odd float64, k, near *big.Float) (newK, derivative *big.Float) {
	pi := bigMul(bigs(4), bigAtan(bigs(1)))
	size := new(big.Float).Abs(k)
	opposite := bigAdd(near, bigAdd(size, size))
	angle := bigMul(bigs(2), bigAtan(bigSqrt(bigQuo(near, opposite))))
	sin := bigSqrt(bigMul(near, opposite))
	abs := bigMul(bigQuo(bigs(2), pi), bigAdd(sin, bigMul(bigSub(bigQuo(pi, bigs(2)), angle), size)))
	sign := bigSub(bigs(1), bigQuo(bigMul(bigs(2), angle), pi))
	if k.Sign() < 0 {
		sign.Neg(sign)
	}
	return bigAdd(bigMul(bigs(even), abs), bigMul(bigs(odd), k)), bigAdd(bigs(odd), bigMul(bigs(even), sign))
}

// TestRectify compares ABReLU's step with Cho and Saul's formulas, computed with many digits. No accuracy may be lost
// at any angle.
func TestRectify(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	for _, slopes := range [][2]float64{{0, 1}, {-1, 1}, {0.25, 1}, {-0.5, 2}, {1, 1}} {
		a, b := slopes[0], slopes[1]
		even, odd := (b-a)*(b-a)/4, (a+b)*(a+b)/4
		bigEven, bigOdd := bigs(even), bigs(odd)
		for _, single := range []bool{false, true} {
			tolerance := 1e-15
			if single {
				tolerance = 6e-8
			}
			for _, gap := range between(random) {
				// √(q₁q₂) is 1, and near is gap up to rounding.
				in := covariance{[]float64{1 - gap, gap - 1}, []float64{gap, gap}, []float64{1, 1}}
				out := covariance{make([]float64, 2), make([]float64, 2), make([]float64, 2)}
				rectify(in, out, even, odd, single)
				for i, k := range in.k {
					near := bigs(gap)
					wantK, wantNTK := bigRectify(even, odd, bigs(k), near)
					r := bigAdd(near, bigs(math.Abs(k)))
					newR := bigMul(bigAdd(bigEven, bigOdd), r)
					wantNear := bigSub(newR, new(big.Float).Abs(wantK))
					for _, number := range []struct {
						name        string
						got         float64
						want, scale *big.Float
					}{{"K", out.k[i], wantK, newR}, {"near", out.near[i], wantNear, bigAdd(bigs(0), wantNear)},
						{"derivative", out.ntk[i], wantNTK, bigAdd(bigEven, bigOdd)}} {
						if !isNear(number.got, number.want, number.scale, tolerance) {
							t.Errorf("ABReLU(%g, %g), single %v, K %g, gap %g: %s %.17g, want %.17g", a, b, single, k,
								gap, number.name, number.got, number.want)
						}
					}
				}
			}
		}
	}
}

// TestNearDiagonal compares the kernels of inputs that differ by 1e-9 to 0.1 of their size, or that are opposite up to
// such a difference, with many-digit arithmetic: to 1e-13 in float64 and to 1e-6 in float32. Cancellation would leave
// errors of 1e-8 in float64 and 1e-4 in float32.
func TestNearDiagonal(t *testing.T) {
	const features, pairs, wStd = 100, 60, 1.5
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, _ float64) {
		tolerance := 1e-13
		if dtype == dtypes.Float32 {
			tolerance = 1e-6
		}
		random := rand.New(rand.NewPCG(6, 6))
		x := values(normals(random.Uint64(), dtype, features))
		v := values(normals(random.Uint64(), dtype, pairs, features))
		for i := range v {
			pair := i / features
			v[i] = x[i%features] + v[i]*math.Pow(10, -1-8*float64(pair)/(pairs-1))
			if pair%5 == 4 {
				v[i] = -v[i]
			}
		}
		x1, x2 := tensors.FromFlatDataAndDimensions(x, 1, features), tensors.FromFlatDataAndDimensions(v, pairs,
			features)
		if dtype == dtypes.Float32 {
			x1, x2 = numbers.Tensor(dtypes.Float32, x, 1, features), numbers.Tensor(dtypes.Float32, v, pairs, features)
			v = values(x2)
		}
		for _, bStd := range []float64{0, 0.5} {
			dense := Dense(1).Std(wStd, bStd)
			kernels, err := Serial(dense, ReLU, dense, ReLU, dense).Infinite(backend).Kernels(x1, x2)
			got := both(t, kernels, err)
			for pair := range pairs {
				y := v[pair*features : (pair+1)*features]
				linear := func(k *big.Float) *big.Float { return bigAdd(bigMul(bigs(wStd*wStd), k), bigs(bStd*bStd)) }
				product := func(x, y []float64) *big.Float {
					sum := bigs(0)
					for i, v := range x {
						sum = bigAdd(sum, bigMul(bigs(v), bigs(y[i])))
					}
					return linear(bigQuo(sum, bigs(features)))
				}
				q1, q2, k := product(x, x), product(y, y), product(x, y)
				ntk := k
				for range 2 {
					near := bigSub(bigSqrt(bigMul(q1, q2)), new(big.Float).Abs(k))
					newK, derivative := bigRectify(0.25, 0.25, k, near)
					q1, q2, k = linear(bigQuo(q1, bigs(2))), linear(bigQuo(q2, bigs(2))), linear(newK)
					ntk = bigAdd(bigMul(bigs(wStd*wStd), bigMul(ntk, derivative)), k)
				}
				for which, want := range []*big.Float{k, ntk} {
					if !isNear(got[which][pair], want, bigAdd(bigs(0), want), tolerance) {
						t.Errorf("pair %d of %d, bias %g, kernel %d: %.17g, want %.17g", pair, pairs, bStd, which,
							got[which][pair], want)
					}
				}
			}
		}
	})
}
