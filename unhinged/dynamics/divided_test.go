package dynamics

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

const bits = 2000

func bigFloat(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }

// bigExp sums the exponential series after halving the argument 40 times.
func bigExp(x *big.Float) *big.Float {
	r := new(big.Float).SetPrec(bits).SetMantExp(x, -40)
	sum, term := bigFloat(1), bigFloat(1)
	for j := 1; j < 60; j++ {
		term.Mul(term, r).Quo(term, bigFloat(float64(j)))
		sum.Add(sum, term)
	}
	for range 40 {
		sum.Mul(sum, sum)
	}
	return sum
}

func bigPower(x *big.Float, n int) *big.Float {
	out := bigFloat(1)
	for range n {
		out.Mul(out, x)
	}
	return out
}

// bigDivided is the divided difference by its definition; the nodes must be different.
func bigDivided(f func(x *big.Float) *big.Float, nodes ...float64) *big.Float {
	if len(nodes) == 1 {
		return f(bigFloat(nodes[0]))
	}
	d := new(big.Float).SetPrec(bits).Sub(bigDivided(f, nodes[1:]...), bigDivided(f, nodes[:len(nodes)-1]...))
	return d.Quo(d, new(big.Float).SetPrec(bits).Sub(bigFloat(nodes[len(nodes)-1]), bigFloat(nodes[0])))
}

// TestDividedDifferences compares with 2000-bit arithmetic, for nodes that are far apart, close to each other, and
// equal up to rounding.
func TestDividedDifferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 300 {
		spread := math.Pow(10, 1-18*rng.Float64())
		center := 2 * rng.NormFloat64()
		x, y, z := center+spread*rng.Float64(), center, center-spread*rng.Float64()
		if x == y || y == z {
			continue
		}
		zeta := math.Pow(10, 2-3*rng.Float64())
		steps := 1 + rng.IntN(60)
		eta := 0.05 + rng.Float64()
		flow := func(x *big.Float) *big.Float { return bigExp(new(big.Float).SetPrec(bits).Mul(x, bigFloat(zeta))) }
		power := func(x *big.Float) *big.Float {
			b := new(big.Float).SetPrec(bits).Mul(x, bigFloat(eta))
			return bigPower(b.Add(b, bigFloat(1)), steps)
		}
		check := func(what string, got scaled, want *big.Float, size float64) {
			t.Helper()
			w, _ := want.Float64()
			if d := math.Abs(got.at(0) - w); !(d <= size*math.Abs(w)) {
				t.Errorf("%s at %v, %v, %v (ζ = %v; η = %v, t = %v) = %v, want %v", what, x, y, z, zeta, eta, steps,
					got.at(0), w)
			}
		}
		exponent := 4e-16 * (10 + zeta*math.Max(math.Abs(x), math.Abs(z)))
		check("exp[x, y]", flowGrowth{zeta}.divided(x, y), bigDivided(flow, y, x), exponent)
		check("exp[y, x]", flowGrowth{zeta}.divided(y, x), bigDivided(flow, y, x), exponent)
		check("exp[x, y, z]", flowGrowth{zeta}.second(x, y, z), bigDivided(flow, x, y, z), 10*exponent)
		check("exp[z, x, y]", flowGrowth{zeta}.second(z, x, y), bigDivided(flow, x, y, z), 10*exponent)

		g := powerGrowth{eta, float64(steps)}
		bases := []float64{1 + eta*x, 1 + eta*y, 1 + eta*z}
		largest, smallest := 0.0, math.Inf(1)
		for _, b := range bases {
			largest, smallest = math.Max(largest, math.Abs(b)), math.Min(smallest, math.Abs(b))
		}
		// For powers with different signs, the error is guaranteed only relative to t·η·|X|^{t−1} and ½t²η²|X|^{t−2}.
		absolute := func(got scaled, want *big.Float, size float64) {
			t.Helper()
			w, _ := want.Float64()
			if d := math.Abs(got.at(0) - w); !(d <= 1e-14*float64(steps)*(1+1/largest)*size) {
				t.Errorf("powers at %v, %v, %v (η = %v, t = %v) = %v, want %v: off by %v of %v", x, y, z, eta, steps,
					got.at(0), w, d, size)
			}
		}
		n := float64(steps)
		absolute(g.divided(x, y), bigDivided(power, x, y), n*eta*math.Pow(largest, n-1))
		absolute(g.second(x, y, z), bigDivided(power, x, y, z), n*n*eta*eta*math.Pow(largest, n-2))
	}
}

// TestDividedDifferencesMeet checks equal nodes, where divided differences are derivatives.
func TestDividedDifferencesMeet(t *testing.T) {
	closeTo(t, "exp'", flowGrowth{3}.divided(0.2, 0.2).at(0), 3*math.Exp(0.6), 1e-15)
	closeTo(t, "exp''/2", flowGrowth{3}.second(0.2, 0.2, 0.2).at(0), 4.5*math.Exp(0.6), 1e-15)
	closeTo(t, "power'", powerGrowth{0.5, 4}.divided(0.2, 0.2).at(0), 4*0.5*math.Pow(1.1, 3), 1e-15)
	closeTo(t, "power''/2", powerGrowth{0.5, 4}.second(0.2, 0.2, 0.2).at(0), 6*0.25*math.Pow(1.1, 2), 1e-15)
	closeTo(t, "power' at 0", powerGrowth{0.5, 1}.divided(-2, -2).at(0), 0.5, 0)
	closeTo(t, "power''/2 at 0", powerGrowth{0.5, 2}.second(-2, -2, -2).at(0), 0.25, 0)
	closeTo(t, "power''/2 of one step", powerGrowth{0.5, 1}.second(3, 1, -2).at(0), 0, 1e-15)
}
