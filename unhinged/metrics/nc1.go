package metrics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// NC1 holds three measures of the variability of the features within their classes, relative to the variability between
// the class means. They are 0 if every feature is at its class mean, and do not change if all features are shifted,
// rotated or scaled. All are NaN for fewer than two classes, or if the class means coincide and the features have
// collapsed to them.
type NC1 struct {
	// Trace is tr(Σ_W Σ_B⁺)/C of Papyan, Han and Donoho (2020), the inverse of the signal-to-noise ratio along the
	// class means. (Their example code has no 1/C.) It is NaN if the class means coincide.
	Trace float64
	// Quotient is tr Σ_W / tr Σ_B, over all directions at once: equation (3) of Tirer, Huang and Niles-Weed,
	// "Perturbation Analysis of Neural Collapse" (2023). +Inf if the class means coincide.
	Quotient float64
	// CDNV is the class-distance normalized variance of Galanti, György and Hutter (2022), the mean over pairs c ≠ d of
	// (σ_c² + σ_d²)/(2‖μ_c − μ_d‖²), σ_c² = E[‖h − μ_c‖² | c]. Every pair has the same weight, for any class sizes.
	// +Inf if two means coincide.
	CDNV float64
}

// NC1 returns the within-class variability. It is an error if Within is ClassBalanced and the classes were not added in
// the proportion of Sizes.
func (m *Moments) NC1() (NC1, error) {
	none := NC1{math.NaN(), math.NaN(), math.NaN()}
	present := m.present()
	if len(present) < 2 {
		return none, nil
	}
	within, err := m.covariance()
	if err != nil {
		return none, err
	}
	variance := 0.0
	withinShares, betweenShares := m.config.Within.shares(m.counts), m.config.Between.shares(m.counts)
	means, between := m.centred(), 0.0
	for k, c := range present {
		variance += withinShares[c] * m.squares[c] / float64(m.counts[c])
		row := means.RawRowView(k)
		floats.Scale(math.Sqrt(betweenShares[c]), row)
		between += floats.Dot(row, row)
	}
	return NC1{Trace: traceRatio(within, means, m.rounding()) / float64(len(present)), Quotient: variance / between,
		CDNV: m.cdnv(present)}, nil
}

// traceRatio is tr(Σ_W Σ_B⁺) = Σ_k v_kᵀ Σ_W v_k / s_k² with the singular values s_k and vectors v_k of A [C, p], Σ_B =
// AᵀA. Singular values that are 0 up to rounding are left out. At least one of C singular values is 0, because the rows
// of A are linearly dependent.
func traceRatio(within mat.Symmetric, a *mat.Dense, rounding float64) float64 {
	var svd mat.SVD
	if !svd.Factorize(a, mat.SVDThin) {
		return math.NaN()
	}
	c, p := a.Dims()
	s := svd.Values(nil)
	rank := 0
	for rank < min(c-1, p) && s[rank] > max(1e-10*s[0], rounding) {
		rank++
	}
	if rank == 0 {
		return math.NaN()
	}
	var v, along mat.Dense
	svd.VTo(&v)
	directions := v.Slice(0, p, 0, rank)
	along.Mul(within, directions)
	along.MulElem(&along, directions)
	sum := 0.0
	for k := range rank {
		sum += floats.Sum(mat.Col(nil, k, &along)) / (s[k] * s[k])
	}
	return sum
}

// rounding is a bound of the rounding error of a difference of class means.
func (m *Moments) rounding() float64 { return 0x1p-50 * mat.Norm(m.means, 2) }

// covariance is Σ_W.
func (m *Moments) covariance() (*mat.SymDense, error) {
	p := m.config.Dimension
	total, first := 0.0, -1 // Σ_i ω_i
	for c, count := range m.counts {
		total += m.weight(c) * float64(count)
		if count == 0 || m.config.Within == SampleWeighted {
			continue
		}
		if first < 0 {
			first = c
		}
		if m.size(c) == 0 || count*m.size(first) != m.counts[first]*m.size(c) {
			return nil,
				fmt.Errorf("metrics: %d samples of class %d and %d of class %d were added, not in the proportion "+
					"%d:%d of Sizes that a class-balanced Σ_W is made with",
					m.counts[first], first, count, c, m.size(first), m.size(c))
		}
	}
	var within mat.SymDense
	within.ScaleSym(1/total, mat.NewSymDense(p, m.scatter))
	return &within, nil
}

func (m *Moments) size(c int) int {
	if m.config.Sizes == nil {
		return 1
	}
	return m.config.Sizes[c]
}

func (m *Moments) cdnv(present []int) float64 {
	sum := 0.0
	for i, c := range present {
		for _, d := range present[:i] {
			distance := floats.Distance(m.means.RawRowView(c), m.means.RawRowView(d), 2)
			sum += (m.squares[c]/float64(m.counts[c]) + m.squares[d]/float64(m.counts[d])) / (2 * distance * distance)
		}
	}
	return sum / float64(len(present)*(len(present)-1)/2)
}
