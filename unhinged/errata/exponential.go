package errata

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// demonstrateE14 compares (68), (69) and (75) with exp(S) of S = [[−λ1ζ1, σζ1], [σζ2, −λ2ζ2]], at random constants. The
// printed error is the smallest of the three errors, relative to the largest entry of exp(S).
func demonstrateE14() (Demonstration, error) {
	rng := rand.New(rand.NewPCG(14, 0))
	printed, right := make([]float64, 3), 0.0 // of (68), (69), (75)
	for range 20 {
		sigma, lambda1, lambda2 := rng.NormFloat64(), rng.Float64(), rng.Float64()
		zeta1, zeta2 := 0.1+2*rng.Float64(), 0.1+2*rng.Float64()
		exp := func(lambda1, lambda2 float64) (*mat.Dense, [2]float64) { // exp(S) and exp(S)(1,1)ᵀ
			var e mat.Dense
			e.Exp(mat.NewDense(2, 2, []float64{-lambda1 * zeta1, sigma * zeta1, sigma * zeta2, -lambda2 * zeta2}))
			return &e, [2]float64{e.At(0, 0) + e.At(0, 1), e.At(1, 0) + e.At(1, 1)}
		}
		roots := func(lambda1, lambda2 float64) (theta1, theta2 float64) { // (66)
			sum, diff := lambda1*zeta1+lambda2*zeta2, lambda1*zeta1-lambda2*zeta2
			root := math.Sqrt(diff*diff + 4*sigma*sigma*zeta1*zeta2)
			return (-sum - root) / 2, (-sum + root) / 2
		}

		e, ab := exp(lambda1, lambda2)
		scale := mat.Max(e)
		theta1, theta2 := roots(lambda1, lambda2)
		e1, e2 := math.Exp(theta1), math.Exp(theta2)
		k1, k2, gap := lambda1*zeta1+theta1, lambda1*zeta1+theta2, theta2-theta1

		// (68), second row.
		row68 := []float64{(k2*e2 - k1*e1) / gap, (sigma*zeta2*e2 - sigma*theta2*e1) / gap}
		row := []float64{(sigma*zeta2*e2 - sigma*zeta2*e1) / gap, (k2*e2 - k1*e1) / gap}
		printed[0] = math.Max(printed[0], largestDifference(row68, e.RawRowView(1))/scale)
		right = math.Max(right, largestDifference(row, e.RawRowView(1))/scale)

		// (69), b(t).
		b69 := e2 / gap * ((k2 + sigma*zeta2) + (k1-sigma*zeta2)*math.Exp(theta1-theta2))
		b := e2 / gap * ((k2 + sigma*zeta2) - (k1+sigma*zeta2)*math.Exp(theta1-theta2))
		printed[1] = math.Max(printed[1], math.Abs(b69-ab[1])/scale)
		right = math.Max(right, math.Abs(b-ab[1])/scale)

		// (75), b(t) with λ1 = λ2 = λ, ζ1 = sζ2, θ = ωζ2.
		lambda, s := lambda1, zeta1/zeta2
		e, ab = exp(lambda, lambda)
		scale = mat.Max(e)
		theta1, theta2 = roots(lambda, lambda)
		omega1, omega2 := theta1/zeta2, theta2/zeta2
		lead, fade := math.Exp(omega2*zeta2)/(omega2-omega1), math.Exp((omega1-omega2)*zeta2)
		b75 := lead * ((s*lambda + omega2 + sigma) + (s*lambda+omega1-sigma)*fade)
		b = lead * ((s*lambda + omega2 + sigma) - (s*lambda+omega1+sigma)*fade)
		printed[2] = math.Max(printed[2], math.Abs(b75-ab[1])/scale)
		right = math.Max(right, math.Abs(b-ab[1])/scale)
	}
	return Demonstration{
		ID: "E14",
		Printed: "(69): b = e^{θ2}/(θ2−θ1)·[(λ1ζ1+θ2+σζ2) + (λ1ζ1+θ1−σζ2)e^{θ1−θ2}], (75) likewise; (68)'s " +
			"second row (λ1ζ1+θ2)e^{θ2} − (λ1ζ1+θ1)e^{θ1}, σζ2e^{θ2} − σθ2e^{θ1}",
		Right:        "… − (λ1ζ1+θ1+σζ2)e^{θ1−θ2}; row σζ2e^{θ2} − σζ2e^{θ1}, (λ1ζ1+θ2)e^{θ2} − (λ1ζ1+θ1)e^{θ1}",
		PrintedError: floats.Min(printed), RightError: right, Tolerance: 1e-12,
	}, nil
}

// demonstrateE32 evaluates (69), as corrected by E14, and e^m(cosh d·I + (sinh d/d)(S − mI)), m = (θ1+θ2)/2, d =
// (θ2−θ1)/2, with sinh d/d = 1 at d = 0, against exp(S)(1, 1)ᵀ, at λ1ζ1 = λ2ζ2 for some σ, including 0. That is the
// case of (71)'s (a3, b3), and at γ = 1/(C−1) of its (a2, b2) too, wherever λ1 = λ2 and s = 1: v1 and v2 of (67) divide
// by 0, and (69) is 0/0. The printed error is +Inf instead of this NaN.
func demonstrateE32() (Demonstration, error) {
	const lambda1, lambda2, zeta1, zeta2 = 0.2, 0.2, 3.0, 3.0
	d := Demonstration{
		ID: "E32", Printed: "(66)–(69) for every σ, which (71) takes at σ = 0",
		Right: "for σ = 0 and λ1ζ1 = λ2ζ2, θ1 = θ2 and a = b = e^{θ1}", Tolerance: 1e-13,
	}
	for _, sigma := range []float64{0.7, -0.3, 0} {
		a, b := -lambda1*zeta1, -lambda2*zeta2
		var e mat.Dense
		e.Exp(mat.NewDense(2, 2, []float64{a, sigma * zeta1, sigma * zeta2, b}))
		want := []float64{e.At(0, 0) + e.At(0, 1), e.At(1, 0) + e.At(1, 1)}

		root := math.Sqrt((a-b)*(a-b) + 4*sigma*sigma*zeta1*zeta2)
		theta1, theta2 := (a+b-root)/2, (a+b+root)/2
		lead, fade := math.Exp(theta2)/(theta2-theta1), math.Exp(theta1-theta2)
		printed := []float64{ // (69)
			lead * ((sigma*zeta1 + a - theta1) - (sigma*zeta1+a-theta2)*fade),
			lead * ((theta2 - a + sigma*zeta2) - (theta1-a+sigma*zeta2)*fade),
		}

		mean, half, ratio := (a+b)/2, root/2, 1.0
		if half > 0 {
			ratio = math.Sinh(half) / half
		}
		scale := math.Exp(mean)
		right := []float64{
			scale * (math.Cosh(half) + ratio*(a-mean+sigma*zeta1)),
			scale * (math.Cosh(half) + ratio*(b-mean+sigma*zeta2)),
		}
		miss := largestDifference(printed, want)
		if math.IsNaN(miss) {
			miss = math.Inf(1)
		}
		d.PrintedError = math.Max(d.PrintedError, miss)
		d.RightError = math.Max(d.RightError, largestDifference(right, want))
	}
	return d, nil
}
