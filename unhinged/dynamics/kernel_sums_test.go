package dynamics

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// sumsOf returns the sums of κ's rows over the classes, by brute force.
func sumsOf(s *State, k *mat.Dense) *mat.Dense {
	_, c, _ := s.Dims()
	_, cols := k.Dims()
	sums := mat.NewDense(c, cols, nil)
	for j, y := range s.Labels() {
		for col := range cols {
			sums.Set(y, col, sums.At(y, col)+k.At(s.Order[j], col))
		}
	}
	return sums
}

// TestKernelSums checks that the sums over the classes give the results of the whole kernel, for random kernels, which
// may be singular, classes of any sizes (also of one sample), any γ and λ, with and without anchoring, at seen and
// unseen points.
func TestKernelSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 8))
	for i := range 60 {
		pr := randomKernelProblem(rng, []kernelForm{betweenSample, productForm}[i%2])
		f := randomField(rng, pr)
		v := Invariant{Gamma: f.gamma, Lambda1: f.lambda1, Lambda2: f.lambda2, Rates: Constant(0.4, 0.7),
			Anchored: f.anchored, Kernel: pr.kernel}
		whole, err := v.From(pr.state)
		if err != nil {
			t.Fatal(err)
		}
		largest := 0.0
		n, _ := pr.kernel.Samples.Dims()
		for j := range n {
			largest = math.Max(largest, pr.kernel.Samples.At(j, j))
		}
		v.Kernel.Samples, v.Kernel.Sums = nil, &ClassSums{sumsOf(pr.state, pr.kernel.Samples), largest}
		summed, err := v.From(pr.state)
		if err != nil {
			t.Fatal(err)
		}
		unseen, err := whole.Test(pr.hStar, pr.kStar)
		if err != nil {
			t.Fatal(err)
		}
		unseenSummed, err := summed.TestSums(pr.hStar, sumsOf(pr.state, pr.kStar))
		if err != nil {
			t.Fatal(err)
		}
		for _, time := range []float64{0, 1, 7} {
			p, err := whole.At(time)
			if err != nil {
				t.Fatal(err)
			}
			q, err := summed.At(time)
			if err != nil {
				t.Fatal(err)
			}
			want, err := p.State()
			if err != nil {
				t.Fatal(err)
			}
			got, err := q.State()
			if err != nil {
				t.Fatal(err)
			}
			closeStates(t, "state", got, want, 1e-12)
			wantStar, err := unseen.Features(p)
			if err != nil {
				t.Fatal(err)
			}
			gotStar, err := unseenSummed.Features(q)
			if err != nil {
				t.Fatal(err)
			}
			if !mat.EqualApprox(gotStar, wantStar, 1e-12*(1+mat.Norm(wantStar, 2))) {
				t.Errorf("case %d, t = %g: features of unseen points differ", i, time)
			}
		}
	}
}

func TestKernelSumsRefuses(t *testing.T) {
	s := Gaussian(2, 3, 2, 1)
	sums := func(change func(m *mat.Dense)) *ClassSums {
		s.Order = []int{0, 1, 2, 3, 4, 5}
		m := sumsOf(s, identity(6))
		change(m)
		return &ClassSums{m, 1}
	}
	none := func(*mat.Dense) {}
	for _, c := range []struct {
		want   string
		kernel Kernel
	}{
		{"not set", Kernel{Sums: &ClassSums{}}},
		{"6×6: want 3×6", Kernel{Sums: &ClassSums{identity(6), 1}}},
		{"(1, 2) is NaN", Kernel{Sums: sums(func(m *mat.Dense) { m.Set(1, 2, math.NaN()) })}},
		{"Largest is -1", Kernel{Sums: &ClassSums{sums(none).Train, -1}}},
		{"class 2 and sample 1, is 2.1", Kernel{Sums: sums(func(m *mat.Dense) { m.Set(2, 1, 2.1) })}},
		{"not symmetric: its sum over classes 2 and 0", Kernel{Sums: sums(func(m *mat.Dense) { m.Set(2, 1, 0.1) })}},
		{"all that the loss sees", Kernel{Sums: sums(func(m *mat.Dense) { m.Set(0, 0, -2); m.Set(0, 1, -2) })}},
		{"excludes Kernel.Samples", Kernel{Samples: identity(6), Sums: sums(none)}},
		{"exclude each other", Kernel{Full: identity(12), Sums: sums(none)}},
	} {
		_, err := Invariant{Gamma: 0.5, Rates: Constant(1, 1), Kernel: c.kernel}.From(s)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if _, err := (MSE{Rates: Constant(1, 1), Kernel: Kernel{Sums: sums(none)}}).From(s); err == nil {
		t.Error("MSE takes sums")
	}
	full, err := Invariant{Rates: Constant(1, 1), Kernel: Kernel{Full: identity(12)}}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := full.TestSums(mat.NewDense(2, 1, nil), mat.NewDense(3, 1, nil)); err == nil {
		t.Error("sums for a full kernel")
	}
	flow, err := Invariant{Rates: Constant(1, 1), Kernel: Kernel{Sums: sums(none)}}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][2]*mat.Dense{{nil, nil}, {mat.NewDense(2, 1, nil), mat.NewDense(3, 2, nil)},
		{mat.NewDense(2, 1, nil), mat.NewDense(2, 1, nil)}, {mat.NewDense(3, 1, nil), mat.NewDense(3, 1, nil)},
		{mat.NewDense(2, 1, nil), mat.NewDense(3, 1, []float64{0, math.NaN(), 0})}} {
		if _, err := flow.TestSums(bad[0], bad[1]); err == nil {
			t.Errorf("accepted %v", bad)
		}
	}
}
