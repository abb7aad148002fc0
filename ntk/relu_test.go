package ntk

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

const precision = 1200 // bits: enough for 1 + 2^-1074

func bigs(v float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(v) }

func bigAdd(x, y *big.Float) *big.Float { return new(big.Float).Add(x, y) }
func bigSub(x, y *big.Float) *big.Float { return new(big.Float).Sub(x, y) }
func bigMul(x, y *big.Float) *big.Float { return new(big.Float).Mul(x, y) }
func bigQuo(x, y *big.Float) *big.Float { return new(big.Float).Quo(x, y) }
func bigSqrt(x *big.Float) *big.Float   { return new(big.Float).SetPrec(precision).Sqrt(x) }

// bigAtan is atan(x), 0 ≤ x ≤ 1, by halving the angle eight times and 40 terms of the series: to 2^-640 relative to it.
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

// isNear says whether got is want to a tolerance relative to scale, or to the smallest numbers that there are.
func isNear(got float64, want, scale *big.Float, tolerance float64) bool {
	d := bigSub(bigs(got), want)
	bound := bigAdd(bigMul(bigs(tolerance), scale.Abs(scale)), bigs(1e-323))
	return d.Abs(d).Cmp(bound) <= 0
}

// between are numbers in [0, 1] with both ends, tiny and denormal ones, on a grid and at random.
func between(random *rand.Rand) []float64 {
	x := []float64{0, 5e-324, 1e-310, 0x1p-1022, 1, 1 - 0x1p-53}
	for i := range 50 {
		x = append(x, float64(i)/50, math.Ldexp(random.Float64(), -i), math.Ldexp(random.Float64(), -20*i))
	}
	return x
}

// TestAtan compares the polynomials with atan(√z)/√z − 1 in many digits.
func TestAtan(t *testing.T) {
	zs := between(rand.New(rand.NewPCG(4, 4)))
	for _, test := range []struct {
		name            string
		atan            func(ws, zs []float64)
		angle, relative float64 // largest errors, of the atan and of w
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

// TestRectify compares ABReLU's step with Cho and Saul's formulas in many digits: nothing is lost at any angle.
func TestRectify(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	pi := bigMul(bigs(4), bigAtan(bigs(1)))
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
				// √(q₁q₂) is about 1; gap is near of it.
				in := covariance{[]float64{1 - gap, gap - 1}, []float64{gap, gap}, []float64{1, 1}}
				out := covariance{make([]float64, 2), make([]float64, 2), make([]float64, 2)}
				rectify(in, out, even, odd, single)
				for i, k := range in.k {
					near, size := bigs(gap), bigs(math.Abs(k))
					r, opposite := bigAdd(near, size), bigAdd(near, bigAdd(size, size))
					angle := bigMul(bigs(2), bigAtan(bigSqrt(bigQuo(near, opposite))))
					sin := bigSqrt(bigMul(near, opposite))
					abs := bigMul(bigQuo(bigs(2), pi), bigAdd(sin, bigMul(bigSub(bigQuo(pi, bigs(2)), angle), size)))
					sign := bigSub(bigs(1), bigQuo(bigMul(bigs(2), angle), pi))
					if k < 0 {
						sign.Neg(sign)
					}
					wantK := bigAdd(bigMul(bigEven, abs), bigMul(bigOdd, bigs(k)))
					wantNTK := bigAdd(bigOdd, bigMul(bigEven, sign))
					newR := bigMul(bigAdd(bigEven, bigOdd), r)
					wantNear := bigSub(newR, new(big.Float).Abs(wantK))
					for _, number := range []struct {
						name      string
						got       float64
						want, scale *big.Float
					}{{"K", out.k[i], wantK, newR}, {"near", out.near[i], wantNear, bigAdd(bigs(0), wantNear)}, {"derivative", out.ntk[i], wantNTK, bigAdd(bigEven, bigOdd)}} {
						if !isNear(number.got, number.want, number.scale, tolerance) {
							t.Errorf("ABReLU(%g, %g), single %v, K %g, gap %g: %s %.17g, want %.17g", a, b, single, k, gap, number.name, number.got, number.want)
						}
					}
				}
			}
		}
	}
}
