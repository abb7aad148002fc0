package errata

import (
	"math"
	"math/rand/v2"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
)

// cosines returns ŵᵀĥ after 0, 1, …, steps steps, by (19) on full vectors and by the recurrence (84) from α(0).
func cosines(h, w []float64, eta float64, rescale bool, alpha float64, steps int) (brute, recurrence []float64) {
	h = append([]float64(nil), h...)
	for t := 0; ; t++ {
		brute = append(brute, floats.Dot(h, w)/(floats.Norm(h, 2)*floats.Norm(w, 2)))
		if t == 0 {
			recurrence = append(recurrence, brute[0])
		}
		if t == steps {
			return brute, recurrence
		}
		dynamics.SphericalStep(h, w, eta, rescale)
		beta := recurrence[t]
		grown := 1 + alpha*alpha*(1-beta*beta)
		recurrence = append(recurrence, (beta+alpha*(1-beta*beta))/math.Sqrt(grown))
		if rescale {
			grown = math.Sqrt(grown)
		}
		alpha /= grown
	}
}

// demonstrateE5 follows the erratum's example, w = (1, 0), h = .3(cos .3, sin .3), (1+γ)η/(CN) = .29: the printed
// condition .29/.3 = .967 ≤ 1 is satisfied, so the cosine should rise, but it is .955, .896, .983.
func demonstrateE5() (Demonstration, error) {
	const eta, size, steps = 0.29, 0.3, 3
	w, h := []float64{1, 0}, []float64{size * math.Cos(0.3), size * math.Sin(0.3)}
	brute, printed := cosines(h, w, eta, false, eta/size, steps)
	_, right := cosines(h, w, eta, false, eta/(size*size), steps)
	return Demonstration{
		ID: "E5", Printed: "α = η(1+γ)‖w‖/(CN‖h‖), condition η(0)(1+γ)/(CN‖h(0)‖) ≤ 1/‖w‖",
		Right:        "α = η(1+γ)‖w‖/(CN‖h‖²), condition α(0) ≤ 1",
		PrintedError: largestDifference(printed, brute), RightError: largestDifference(right, brute), Tolerance: 1e-13,
	}, nil
}

// demonstrateE16 does the same with RLR, w = (1, 0), h = .3(cos .3, sin .3), (1+γ)η/(CN) = .9 ≤ 1 = 1/‖w‖: α(0) is 3,
// and the cosine falls.
func demonstrateE16() (Demonstration, error) {
	const eta, size, steps = 0.9, 0.3, 3
	w, h := []float64{1, 0}, []float64{size * math.Cos(0.3), size * math.Sin(0.3)}
	brute, printed := cosines(h, w, eta, true, eta, steps)
	_, right := cosines(h, w, eta, true, eta/size, steps)
	return Demonstration{
		ID: "E16", Printed: "RLR's step condition η(0)(1+γ)/(CN) ≤ 1/‖w‖", Right: "η(0)(1+γ)/(CN‖h(0)‖) ≤ 1/‖w‖",
		PrintedError: largestDifference(printed, brute), RightError: largestDifference(right, brute), Tolerance: 1e-13,
	}, nil
}

// demonstrateE8 measures the cosine of w+δ and ĥ in (104), which should be −1+ε, over random w and ĥ with ŵᵀĥ < −1+ε.
func demonstrateE8() (Demonstration, error) {
	const dim, epsilon = 5, 0.2
	rng := rand.New(rand.NewPCG(8, 0))
	d := Demonstration{
		ID: "E8", Printed: "δ = −(1+k)(w + ĥĥᵀw)", Right: "δ = −(1+k)(w − ĥĥᵀw)", Tolerance: 1e-12,
	}
	for range 50 {
		w, h := normal(rng, dim), normal(rng, dim)
		floats.Scale(0.05, h)
		floats.SubTo(h, h, w) // near −w
		if c := floats.Dot(h, w) / (floats.Norm(h, 2) * floats.Norm(w, 2)); c >= -1+epsilon {
			continue
		}
		miss := func(delta []float64) float64 {
			moved := floats.AddTo(make([]float64, dim), w, delta)
			return math.Abs(floats.Dot(moved, h)/(floats.Norm(moved, 2)*floats.Norm(h, 2)) - (-1 + epsilon))
		}
		right := dynamics.Adjustment(h, w, epsilon)
		d.RightError = math.Max(d.RightError, miss(right))
		// right = −(1+k)(I − ĥĥᵀ)w; the printed δ has the same factor −(1+k).
		along := floats.Dot(h, w) / floats.Dot(h, h)
		minus := floats.AddScaledTo(make([]float64, dim), w, -along, h)
		plus := floats.AddScaledTo(make([]float64, dim), w, along, h)
		floats.Scale(floats.Dot(right, minus)/floats.Dot(minus, minus), plus)
		d.PrintedError = math.Max(d.PrintedError, miss(plus))
	}
	return d, nil
}

// demonstrateE17 follows one sample with α(0) = .1 and compares the rate at which its error ‖ĥ − ŵ‖ falls with the
// exponent μ = −2 log(1−α(∞)) of (93), which bounds the error's square, and with μ/2.
func demonstrateE17() (Demonstration, error) {
	const from, to = 80, 120
	h, w := []float64{math.Cos(1), math.Sin(1)}, []float64{0.1, 0}
	var gaps []float64
	for range to + 1 {
		norm := floats.Norm(h, 2)
		gaps = append(gaps, math.Hypot(h[0]/norm-1, h[1]/norm))
		dynamics.SphericalStep(h, w, 1, false)
	}
	measured := math.Log(gaps[from]/gaps[to]) / (to - from)
	mu := -2 * math.Log1p(-w[0]/floats.Dot(h, h))
	return Demonstration{
		ID: "E17", Printed: "‖Ĥ − Ŵ(I⊗1ᵀ)‖ = O(e^{−μt}), from a bound on its square", Right: "O(e^{−μt/2})",
		PrintedError: math.Abs(mu - measured), RightError: math.Abs(mu/2 - measured), Tolerance: 1e-8,
	}, nil
}

// demonstrateE18 measures how far ‖h‖ grows beyond its bound, over random starts with α(0) ≤ 1. The right bound is
// GrowthBound. The printed theorem has no bound and has to assume a finite limit to conclude exponential convergence.
func demonstrateE18() (Demonstration, error) {
	rng := rand.New(rand.NewPCG(18, 0))
	largest := 0.0
	for range 100 {
		theta, alpha := math.Pi*rng.Float64(), rng.Float64()
		h, w := []float64{math.Cos(theta), math.Sin(theta)}, []float64{alpha, 0}
		for range 2000 {
			dynamics.SphericalStep(h, w, 1, false)
		}
		largest = math.Max(largest, floats.Norm(h, 2))
	}
	return Demonstration{
		ID: "E18", Printed: "exponential if further lim‖H‖ < ∞ (no bound on ‖H‖)",
		Right:        "always: Σ arctan(α sin θ) ≤ π, so ‖h(∞)‖ ≤ 4‖h(0)‖",
		PrintedError: math.Inf(1), RightError: math.Max(0, largest-dynamics.GrowthBound), Tolerance: 0,
	}, nil
}
