package dynamics

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// changed returns the n×n identity after a change.
func changed(n int, change func(m *mat.Dense)) *mat.Dense {
	m := identity(n)
	change(m)
	return m
}

// TestKernelRefuses checks the errors for kernels that are not valid, and that rounding is accepted.
func TestKernelRefuses(t *testing.T) {
	s := Gaussian(2, 3, 2, 1)
	for _, c := range []struct {
		name, want string
		kernel     Kernel
	}{
		{"size", "5×5: want 6×6", Kernel{Samples: identity(5)}},
		{"not square", "6×5: want 6×6", Kernel{Samples: mat.NewDense(6, 5, nil)}},
		{"factor", "K_p is 3×3: want 2×2", Kernel{Features: identity(3)}},
		{"full size", "K is 6×6: want 12×12", Kernel{Full: identity(6)}},
		{"both", "exclude each other", Kernel{Full: identity(12), Samples: identity(6)}},
		{"NaN", "(1, 2) is NaN", Kernel{Samples: changed(6, func(m *mat.Dense) { m.Set(1, 2, math.NaN()) })}},
		{"Inf", "(1, 2) is +Inf", Kernel{Full: changed(12, func(m *mat.Dense) { m.Set(1, 2, math.Inf(1)) })}},
		{"asymmetric", "not symmetric: element (4, 1)",
			Kernel{Samples: changed(6, func(m *mat.Dense) { m.Set(1, 4, 1e-3) })}},
		{"negative diagonal", "not positive semi-definite: element (3, 3)",
			Kernel{Samples: changed(6, func(m *mat.Dense) { m.Set(3, 3, -1e-3) })}},
		{"pair", "larger than its diagonal", Kernel{Features: changed(2, func(m *mat.Dense) {
			m.Set(0, 1, 1.1)
			m.Set(1, 0, 1.1)
		})}},
		{"factor's eigenvalues", "larger than its diagonal", Kernel{Features: mat.NewDense(2, 2, []float64{0, 1, 1,
			0})}},
		// every 2×2 minor is fine, but classes 0 and 1 have too large a covariance
		{"what the loss sees", "all that the loss sees", Kernel{Samples: changed(6, func(m *mat.Dense) {
			m.Apply(func(i, j int, _ float64) float64 {
				switch {
				case i == j:
					return 1
				case i/2 != j/2:
					return -0.9
				}
				return 0.9
			}, m)
		})}},
	} {
		_, err := Invariant{Gamma: 0, Rates: Constant(1, 1), Kernel: c.kernel}.From(s)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	// The kernel has a negative eigenvalue, but only within rounding.
	slightly := changed(6, func(m *mat.Dense) { m.Set(3, 3, -1e-8); m.Set(0, 1, 1e-8) })
	if _, err := (Invariant{Gamma: 0.5, Rates: Constant(1, 1), Kernel: Kernel{Samples: slightly}}).From(s); err != nil {
		t.Errorf("a kernel within rounding of positive semi-definite: %v", err)
	}
}

// TestInvariantRefuses checks the errors for constants and states that are not valid.
func TestInvariantRefuses(t *testing.T) {
	s := Gaussian(2, 3, 2, 1)
	for _, c := range []struct {
		name, want string
		v          Invariant
	}{
		{"γ", "γ = -1", Invariant{Gamma: -1, Rates: Constant(1, 1)}},
		{"λ1", "λ1 = NaN", Invariant{Lambda1: math.NaN(), Rates: Constant(1, 1)}},
		{"rates", "Rates.W", Invariant{}},
		{"no features' rate", "η1(0) = 0", Invariant{Rates: Constant(0, 1)}},
		{"anchored λ2", "anchored", Invariant{Lambda2: 1, Rates: Constant(1, 1), Anchored: true}},
	} {
		if _, err := c.v.From(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	wrong := s.Clone()
	wrong.Order = []int{0, 1, 2, 2, 4, 5}
	if _, err := (Invariant{Rates: Constant(1, 1)}).From(wrong); err == nil || !strings.Contains(err.Error(),
		"Order[3] = 2") {
		t.Errorf("order with a sample twice: error %v", err)
	}
	still, err := Invariant{Rates: Constant(1, 1), Kernel: Kernel{Samples: mat.NewDense(6, 6, nil)}}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := still.Limit(); err == nil || !strings.Contains(err.Error(), "M κ Mᵀ = 0") {
		t.Errorf("limit with a kernel of zeros: error %v", err)
	}
}

// TestUnseenRefuses checks the errors for points that are not trained on, and for their features.
func TestUnseenRefuses(t *testing.T) {
	s := Gaussian(2, 3, 2, 1)
	flow, err := Invariant{Gamma: 0.5, Rates: Constant(1, 1), Kernel: Kernel{Samples: identity(6)}}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flow.Test(identity(2), mat.NewDense(5, 2, nil)); err == nil || !strings.Contains(err.Error(),
		"5×2: want 6×2") {
		t.Errorf("unseen kernel of wrong size: error %v", err)
	}
	if _, err := flow.Test(identity(3), mat.NewDense(6, 3, nil)); err == nil || !strings.Contains(err.Error(),
		"want p = 2") {
		t.Errorf("unseen features of wrong size: error %v", err)
	}
	if _, err := flow.Test(identity(2), changed(6, func(m *mat.Dense) { m.Set(0, 0, math.NaN()) }).Slice(0, 6, 0,
		2).(*mat.Dense)); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("unseen kernel with NaN: error %v", err)
	}
	unseen, err := flow.Test(identity(2), mat.NewDense(6, 2, nil))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Invariant{Gamma: 0.5, Rates: Constant(1, 1)}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	p, err := other.At(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unseen.Features(p); err == nil || !strings.Contains(err.Error(), "another trajectory") {
		t.Errorf("point of another flow: error %v", err)
	}
	far, err := flow.At(1e6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unseen.Features(far); err == nil || !strings.Contains(err.Error(), "Direction") {
		t.Errorf("features too large for float64: error %v", err)
	}
	if _, err := flow.Descent(1); err == nil {
		t.Error("momentum 1 was not refused")
	}
}

// TestKernelOfZeros checks that a kernel of zeros keeps the features fixed and lets the prototypes grow.
func TestKernelOfZeros(t *testing.T) {
	s := Gaussian(2, 3, 2, 1)
	flow, err := Invariant{Gamma: 0.5, Rates: Constant(1, 1), Kernel: Kernel{Samples: mat.NewDense(6, 6, nil)}}.From(s)
	if err != nil {
		t.Fatal(err)
	}
	p, err := flow.At(3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.State()
	if err != nil {
		t.Fatal(err)
	}
	want := s.Clone()
	var grown mat.Dense
	grown.Mul(s.H, s.M(0.5).T())
	want.W.Add(want.W, scaledCopy(3, &grown))
	want.B = got.B
	closeStates(t, "kernel of zeros", got, want, 1e-13)
}
