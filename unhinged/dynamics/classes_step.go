package dynamics

import "math"

// Step is step imbalance: R = Majority classes of Large samples each come first, then C−R = Minority classes of Small.
// Both groups need a class.
type Step struct{ Majority, Minority, Large, Small int }

// Sizes returns the class sizes.
func (s Step) Sizes() []int {
	sizes := make([]int, s.Majority+s.Minority)
	for c := range sizes {
		sizes[c] = s.Large
		if c >= s.Majority {
			sizes[c] = s.Small
		}
	}
	return sizes
}

// StepModes are the singular values of Classes.Modes under step imbalance, in closed form.
type StepModes struct {
	// Majority tells majority classes apart, (1+γ)√n_maj/n, R−1 times. It is NaN for R = 1.
	Majority float64
	// Minority tells minority classes apart, (1+γ)√n_min/n, C−R−1 times. It is NaN for C−R = 1.
	Minority float64
	// Between is the mode that moves the mean of the minority's prototypes: the larger one of the two that the groups
	// share. At γ = 0 without a shift the groups share nothing, and it is √n_min/n.
	Between float64
	// Rest is the other one, 0 at γ = 1/(C−1).
	Rest float64
}

// Modes returns the singular values for a γ and the kernel I + c·11ᵀ. With u = 1/√R on the majority's classes and
// v = 1/√(C−R) on the minority's, M maps the span of both into itself by
//
//	A = [[(1+γ−γR)√n_maj, −γ√(R(C−R) n_min)], [−γ√(R(C−R) n_maj), (1+γ−γ(C−R))√n_min]]/n,
//
// and the shift adds c(M1)(M1)ᵀ to AAᵀ. The two values are (√(F+2D) ± √(F−2D))/2 with F = ‖A‖² + c‖M1‖² and
// D = |det A|·√(1+cn). At γ = 1/(C−1) D = 0, and
//
//	σ_b² = (1+γ)²(n_maj(C−R) + n_min R + c R(C−R)(n_maj − n_min)²)/(C n²).
func (s Step) Modes(gamma, shift float64) StepModes {
	r, q, large, small := float64(s.Majority), float64(s.Minority), float64(s.Large), float64(s.Small)
	n := r*large + q*small
	out := StepModes{Majority: (1 + gamma) * math.Sqrt(large) / n, Minority: (1 + gamma) * math.Sqrt(small) / n}
	if gamma == 0 && shift == 0 {
		out.Between, out.Rest = out.Minority, out.Majority
	} else {
		own, other := (1+gamma-gamma*r)/n, (1+gamma-gamma*q)/n
		cross := gamma * gamma * r * q / (n * n)
		driveLarge, driveSmall := (1+gamma)*large/n-gamma, (1+gamma)*small/n-gamma // M1
		f := (own*own+cross)*large + (other*other+cross)*small +
			shift*(r*driveLarge*driveLarge+q*driveSmall*driveSmall)
		d := (1 + gamma) / (n * n) * math.Abs(1+gamma-gamma*(r+q)) * math.Sqrt(large*small*(1+shift*n))
		sum, difference := math.Sqrt(f+2*d), math.Sqrt(math.Max(0, f-2*d))
		out.Between = (sum + difference) / 2
		out.Rest = d / out.Between
	}
	if s.Majority == 1 {
		out.Majority = math.NaN()
	}
	if s.Minority == 1 {
		out.Minority = math.NaN()
	}
	return out
}

// StepGrowth are the exponents, per unit of ζ2, at which the parts of prototypes and features grow under step imbalance
// with trainable prototypes.
type StepGrowth struct{ Majority, Between, Minority float64 }

// Growth returns the exponents for regularisation (12), where λ1 is weight decay on the parameters if there is a shift,
// and s = η1/η2. A mode grows at ½(−(sλ1+λ2) + √((sλ1−λ2)² + 4sσ²)); for s = 1 that is σ − λ at λ1 = λ2 = λ, and
// −λ1/2 + √(λ1²/4 + σ²) with EFR alone.
func (m StepModes) Growth(s, lambda1, lambda2 float64) StepGrowth {
	of := func(sigma float64) float64 { return newMode(sigma, s, lambda1, lambda2).plus }
	return StepGrowth{of(m.Majority), of(m.Between), of(m.Minority)}
}

// Merging is the exponent at which minority prototypes merge, per unit of ζ2: their distances fall as
// exp(−Merging·ζ2) beside their mean. Divided by Between it is the same per e-fold of that mean, divided by Majority
// the same per e-fold of the whole state. It is NaN for C−R = 1, where nothing can merge.
func (g StepGrowth) Merging() float64 { return g.Between - g.Minority }

// Starving is the exponent at which the features of the minority fall behind those of the majority in norm, per unit of
// ζ2. Where it is negative, the majority's prototypes merge instead. It is NaN for R = 1: then the norms' ratio tends
// to a constant (C−1 at γ = 1/(C−1) without a shift).
func (g StepGrowth) Starving() float64 { return g.Majority - g.Between }
