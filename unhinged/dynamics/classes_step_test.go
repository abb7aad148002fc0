package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// logParts returns the logarithms of two norms: of the mean of the columns from … to−1, and of these columns without
// their mean.
func logParts(x *mat.Dense, from, to int) (mean, apart float64) {
	rows, _ := x.Dims()
	for i := range rows {
		row := x.RawRowView(i)[from:to]
		m := floats.Sum(row) / float64(len(row))
		mean = math.Hypot(mean, m)
		for _, v := range row {
			apart = math.Hypot(apart, v-m)
		}
	}
	return math.Log(mean), math.Log(apart)
}

// TestStepGrowth checks three differences, in prototypes and in features: between majority classes, between the groups
// (the minority's mean), and between minority classes. They grow with the exponents of the closed form.
func TestStepGrowth(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 13))
	for range 60 {
		s := Step{Majority: 2 + rng.IntN(3), Minority: 2 + rng.IntN(3), Small: 1 + rng.IntN(5)}
		s.Large = s.Small + 1 + rng.IntN(4*s.Small)
		c := Classes{Sizes: s.Sizes(), Gamma: 1 / float64(s.Majority+s.Minority-1)}
		modes := s.Modes(c.Gamma, 0)
		f := Imbalanced{Classes: c, Rates: Constant(0.5+rng.Float64(), 1)}
		f.Lambda1 = 0.3 * rng.Float64() * modes.Minority
		if rng.IntN(2) == 0 {
			f.Lambda2 = 0.3 * rng.Float64() * modes.Minority
		}
		g := modes.Growth(f.Rates.Ratio(), f.Lambda1, f.Lambda2)
		flow := must[*ClassFlow](t)(f.From(Unstructured(c.Sizes, 1)))
		// At γ = 1/(C−1), a mean that all prototypes share stays, and so the start must not have such a mean.
		for i := range flow.start.W.RawMatrix().Rows {
			row := flow.start.W.RawRowView(i)
			floats.AddConst(-floats.Sum(row)/float64(len(row)), row)
		}
		first := 12 / g.Minority // then shrinking parts are e^{−24} of growing ones
		second := first + 1/g.Majority
		a, b := must[*ClassMeans](t)(flow.At(first)), must[*ClassMeans](t)(flow.At(second))
		classes := len(c.Sizes)
		measured := func(of func(m *ClassMeans) float64) float64 {
			return (of(b) + b.Log - of(a) - a.Log) / (second - first)
		}
		for name, x := range map[string]func(m *ClassMeans) *mat.Dense{
			"W": func(m *ClassMeans) *mat.Dense { return m.W }, "H": func(m *ClassMeans) *mat.Dense { return m.H },
		} {
			what := fmt.Sprintf("%+v, λ1 = %g, λ2 = %g, %s", s, f.Lambda1, f.Lambda2, name)
			closeTo(t, what+": majority", measured(func(m *ClassMeans) float64 {
				_, apart := logParts(x(m), 0, s.Majority)
				return apart
			}), g.Majority, 1e-7)
			closeTo(t, what+": between", measured(func(m *ClassMeans) float64 {
				mean, _ := logParts(x(m), s.Majority, classes)
				return mean
			}), g.Between, 1e-7)
			closeTo(t, what+": minority", measured(func(m *ClassMeans) float64 {
				_, apart := logParts(x(m), s.Majority, classes)
				return apart
			}), g.Minority, 1e-7)
		}
	}
}

// TestGroupsApart checks that at γ = 0 without a shift every class is a mode of its own. Nothing merges, and the norms
// of features differ only because of the class sizes.
func TestGroupsApart(t *testing.T) {
	s := Step{Majority: 2, Minority: 3, Large: 40, Small: 10}
	g := s.Modes(0, 0).Growth(1, 0, 0)
	f := Imbalanced{Classes: Classes{Sizes: s.Sizes()}, Rates: Constant(1, 1)}
	flow := must[*ClassFlow](t)(f.From(Unstructured(s.Sizes(), 1)))
	a, b := must[*ClassMeans](t)(flow.At(500)), must[*ClassMeans](t)(flow.At(600))
	closeTo(t, "merging", g.Merging(), 0, 0)
	closeTo(t, "cosine", b.Cosine(3, 4), 0, 1e-12)
	measured := math.Log(b.NormH(0)/b.NormH(4)*a.NormH(4)/a.NormH(0)) / 100
	closeTo(t, "starving", g.Starving(), measured, 1e-9)
}

// TestUnstructured checks that prototypes and class means are orthogonal, and that they have the norms of random
// features.
func TestUnstructured(t *testing.T) {
	m := Unstructured([]int{4, 9}, 6)
	z := mat.NewDense(4, 4, nil)
	z.Augment(m.W, m.H)
	var gram mat.Dense
	gram.Mul(z.T(), z)
	if !mat.EqualApprox(&gram, mat.NewDiagDense(4, []float64{1, 1, 9, 4}), 1e-15) {
		t.Errorf("inner products %v", mat.Formatted(&gram))
	}
}

// TestEFRClocks checks that EFR alone slows the merging per unit of time and never stops it. Per e-fold of the
// minority's mean, EFR makes the merging faster: the rate rises from 1 − σ_min/σ_b to 1 − σ_min²/σ_b². Equal decays do
// not change the rate per unit of time.
func TestEFRClocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 13))
	for range 200 {
		s := Step{Majority: 1 + rng.IntN(5), Minority: 2 + rng.IntN(5), Small: 1 + rng.IntN(9)}
		s.Large = s.Small + 1 + rng.IntN(100)
		m := s.Modes(1/float64(s.Majority+s.Minority-1), 0)
		last := m.Growth(1, 0, 0)
		closeTo(t, "without EFR", last.Merging()/last.Between, 1-m.Minority/m.Between, 1e-12)
		for _, lambda := range []float64{0.1, 0.5, 1, 3, 10, 100} {
			g := m.Growth(1, lambda*m.Between, 0)
			if !(g.Merging() > 0 && g.Merging() < last.Merging()) {
				t.Errorf("%+v, λ1 = %g σ_b: merging at %g after %g", s, lambda, g.Merging(), last.Merging())
			}
			if !(g.Merging()/g.Between > last.Merging()/last.Between) {
				t.Errorf("%+v, λ1 = %g σ_b: per e-fold %g after %g", s, lambda, g.Merging()/g.Between,
					last.Merging()/last.Between)
			}
			last = g
		}
		g := m.Growth(1, 1e4*m.Between, 0)
		closeTo(t, "with large EFR", g.Merging()/g.Between, 1-math.Pow(m.Minority/m.Between, 2), 1e-6)
		decay := m.Growth(1, 0.3, 0.3)
		closeTo(t, "equal decays", decay.Merging(), m.Between-m.Minority, 1e-12)
	}
}

// TestSingleMajority checks that with one majority class the norms of the features keep a ratio, which is C−1 in the
// limit.
func TestSingleMajority(t *testing.T) {
	for _, s := range []Step{{1, 1, 9, 2}, {1, 4, 30, 3}, {1, 9, 100, 1}} {
		c := Classes{Sizes: s.Sizes(), Gamma: 1 / float64(s.Minority)}
		m := must[*ClassModes](t)(c.Modes()).Limit()
		closeTo(t, fmt.Sprintf("%+v", s), m.NormH(0)/m.NormH(1), float64(s.Minority), 1e-12)
		if s.Minority > 1 {
			closeTo(t, "cosine", m.Cosine(1, 2), 1, 1e-12)
		}
	}
}
