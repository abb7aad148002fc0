package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// randomStep draws R and C−R, which may be 1, and sizes, which may be equal or 1.
func randomStep(rng *rand.Rand) Step {
	s := Step{Majority: 1 + rng.IntN(4), Minority: 1 + rng.IntN(4), Small: 1 + rng.IntN(3)}
	s.Large = s.Small + rng.IntN(6)
	return s
}

// randomClasses draws sizes that form a step, a long tail or neither, a γ, and a shift or none.
func randomClasses(rng *rand.Rand) Classes {
	c := Classes{Sizes: randomStep(rng).Sizes()}
	switch rng.IntN(3) {
	case 0:
		c.Sizes = LongTail(2+rng.IntN(5), 1+rng.IntN(9), 1+20*rng.Float64())
	case 1:
		for y := range c.Sizes {
			c.Sizes[y] = 1 + rng.IntN(5)
		}
	}
	c.Gamma = randomGamma(rng, len(c.Sizes))
	if rng.IntN(2) == 0 {
		c.Shift = rng.Float64()
	}
	return c
}

// TestModes compares the decomposition with that of M κ^½ written out over all samples, and with the closed form for a
// step.
func TestModes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 13))
	for range 300 {
		c := randomClasses(rng)
		modes := must[*ClassModes](t)(c.Modes())
		s := &State{W: mat.NewDense(1, len(c.Sizes), nil), Counts: c.Sizes}
		s.H = mat.NewDense(1, int(c.samples()), nil)
		m := s.M(c.Gamma)
		g := new(mat.Dense)
		g.Product(m, sharedKernel(c), m.T())
		got := new(mat.Dense)
		got.Scale(1, modes.V)
		got.Apply(func(_, k int, v float64) float64 { return v * modes.Sigma[k] * modes.Sigma[k] }, got)
		got.Mul(got, modes.V.T())
		got.Sub(got, g)
		if e := mat.Norm(got, 2); e > 1e-13*(1+mat.Norm(g, 2)) {
			t.Errorf("%+v: V σ² Vᵀ differs from M κ Mᵀ by %g", c, e)
		}
	}
	for range 300 {
		step := randomStep(rng)
		c := Classes{Sizes: step.Sizes()}
		c.Gamma = randomGamma(rng, len(c.Sizes))
		if rng.IntN(2) == 0 {
			c.Shift = 3 * rng.Float64()
		}
		closed := step.Modes(c.Gamma, c.Shift)
		want := []float64{closed.Between, closed.Rest}
		for range step.Majority - 1 {
			want = append(want, closed.Majority)
		}
		for range step.Minority - 1 {
			want = append(want, closed.Minority)
		}
		slices.Sort(want)
		slices.Reverse(want)
		modes := must[*ClassModes](t)(c.Modes())
		if !floats.EqualApprox(modes.Sigma, want, 1e-13*(1+modes.Sigma[0])) {
			t.Errorf("%+v of γ = %g, c = %g: σ = %v, closed form %v", step, c.Gamma, c.Shift, modes.Sigma, want)
		}
		if (step.Majority == 1) != math.IsNaN(closed.Majority) || (step.Minority == 1) != math.IsNaN(closed.Minority) {
			t.Errorf("%+v: a group of one class has a mode within: %+v", step, closed)
		}
	}
}

// TestModesOfSELI checks that at γ = 1/(C−1) the middle mode has the value that the docstring states and, for ρ > 1,
// lies between the others. The squared singular values for any sizes must solve the secular equation Σ 1/(n_c − μ) = 0.
func TestModesOfSELI(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 13))
	for range 200 {
		s := randomStep(rng)
		gamma, shift := 1/float64(s.Majority+s.Minority-1), rng.Float64()
		r, q, large, small := float64(s.Majority), float64(s.Minority), float64(s.Large), float64(s.Small)
		n := r*large + q*small
		want := (1 + gamma) / n * math.Sqrt((large*q+small*r+shift*r*q*(large-small)*(large-small))/(r+q))
		m := s.Modes(gamma, shift)
		closeTo(t, fmt.Sprintf("%+v: σ_b", s), m.Between, want, 1e-13)
		if m.Rest > 1e-8*m.Between {
			t.Errorf("%+v: the last mode is %g, not 0", s, m.Rest)
		}
		free := s.Modes(gamma, 0)
		if s.Large > s.Small && (free.Between <= free.Minority || free.Between >= free.Majority) {
			t.Errorf("%+v: σ_b = %g is not between %g and %g", s, free.Between, free.Minority, free.Majority)
		}
		if limit := s.ShiftLimit(); s.Majority > 1 && s.Large > s.Small {
			closeTo(t, fmt.Sprintf("%+v: σ_b at the limit of the shift", s), s.Modes(gamma, limit).Between,
				free.Majority, 1e-12)
		}

		classes := 2 + rng.IntN(6)
		sizes := make([]int, classes)
		for y := range sizes {
			sizes[y] = 10*y + 1 + rng.IntN(8) // all sizes are different
		}
		c := Classes{Sizes: sizes, Gamma: 1 / float64(classes-1)}
		for k, sigma := range must[*ClassModes](t)(c.Modes()).Sigma {
			if k == classes-1 {
				continue // the mode with value 0
			}
			mu := math.Pow(sigma*c.samples()/(1+c.Gamma), 2)
			sum, size := 0.0, 0.0
			for _, n := range sizes {
				sum += 1 / (float64(n) - mu)
				size += 1 / math.Pow(float64(n)-mu, 2)
			}
			if math.Abs(sum) > 1e-10*size {
				t.Errorf("%v: μ = %g leaves %g of the secular equation", sizes, mu, sum)
			}
		}
	}
}

// TestKeptModes checks that SELI has the logits of the centred labels, and that in the flow's limit the prototypes and
// features of minority classes are 0.
func TestKeptModes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 13))
	for range 100 {
		s := Step{Majority: 2 + rng.IntN(3), Minority: 1 + rng.IntN(4), Small: 1 + rng.IntN(3)}
		s.Large = s.Small + 1 + rng.IntN(5)
		c := Classes{Sizes: s.Sizes(), Gamma: 1 / float64(s.Majority+s.Minority-1)}
		modes := must[*ClassModes](t)(c.Modes())
		seli := modes.SELI()
		l := new(mat.Dense)
		l.Mul(seli.W.T(), seli.H)
		l.Scale(c.samples(), l)
		for i := range c.Sizes {
			for j := range c.Sizes {
				want := -c.Gamma
				if i == j {
					want = 1
				}
				if math.Abs(l.At(i, j)-want) > 1e-12 {
					t.Fatalf("%+v: logits of SELI %v", s, mat.Formatted(l))
				}
			}
		}
		limit := modes.Limit()
		for y := range c.Sizes {
			gone := y >= s.Majority
			if gone != (limit.NormW(y) < 1e-12) || gone != (limit.NormH(y) < 1e-12) {
				t.Errorf("%+v: in the limit class %d has the norms %g and %g", s, y, limit.NormW(y), limit.NormH(y))
			}
		}
	}
}

func TestLongTailSizes(t *testing.T) {
	if got := LongTail(10, 5000, 100); !slices.Equal(got, []int{5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50}) {
		t.Errorf("CIFAR-10 at ρ = 100: %v", got)
	}
	if got := LongTail(2, 3, 100); !slices.Equal(got, []int{3, 1}) {
		t.Errorf("%v", got)
	}
}
