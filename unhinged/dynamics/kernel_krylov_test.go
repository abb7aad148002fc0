package dynamics

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// krylovOf returns the kernel that has only the products of a full kernel.
func krylovOf(full *mat.Dense, products int) Kernel {
	return Kernel{Krylov: &Krylov{func(x *mat.Dense) (*mat.Dense, error) { return applied(full, x), nil }, products}}
}

// krylovPair returns the flow of a random full kernel, which may be singular, and the flow of its products.
func krylovPair(t *testing.T, rng *rand.Rand, products int, v Invariant) (pr kernelProblem, whole, space *KernelFlow) {
	t.Helper()
	pr = randomKernelProblem(rng, fullForm)
	v.Kernel = pr.kernel
	whole, err := v.From(pr.state)
	if err != nil {
		t.Fatal(err)
	}
	v.Kernel = krylovOf(pr.kernel.Full, products)
	if space, err = v.From(pr.state); err != nil {
		t.Fatal(err)
	}
	return pr, whole, space
}

// TestKrylovWhole checks that with as many products as G has dimensions, the Krylov space gives the results of the
// whole kernel, at seen and unseen points, for the flow and for descent with momentum, and that its defect is only
// rounding.
func TestKrylovWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 1))
	for i := range 60 {
		v := Invariant{Gamma: rng.Float64(), Lambda1: rng.Float64() / 2, Rates: Constant(0.4, 0.7), Anchored: i%3 == 0}
		if !v.Anchored {
			v.Lambda2 = rng.Float64() / 2
		}
		pr, whole, space := krylovPair(t, rng, 1000, v)
		unseen, err := whole.Test(pr.hStar, pr.kStar)
		if err != nil {
			t.Fatal(err)
		}
		byProducts, err := space.TestProducts(pr.hStar, func(x *mat.Dense) (*mat.Dense, error) {
			return applied(pr.kStar.T(), x), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		d1, err1 := whole.Descent(0.5)
		d2, err2 := space.Descent(0.5)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		for j, both := range [][2]func(int) (Point, error){
			{at(whole), at(space)},
			{d1.At, d2.At},
		} {
			for _, time := range []int{0, 1, 7} {
				a, err1 := both[0](time)
				b, err2 := both[1](time)
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				sa, err1 := a.State()
				sb, err2 := b.State()
				ha, err3 := unseen.Features(a)
				hb, err4 := byProducts.Features(b)
				if err := errors.Join(err1, err2, err3, err4); err != nil {
					t.Fatal(err)
				}
				scale := math.Exp(a.LogNormZ())
				for name, d := range map[string]float64{"W": distance(sa.W, sb.W), "H": distance(sa.H, sb.H),
					"H_*": distance(ha, hb)} {
					if d > 1e-9*scale {
						t.Errorf("%d, way %d, t = %v: %s differs by %.1e of ‖Z‖", i, j, time, name, d/scale)
					}
				}
				if defect, err := space.Defect(b); err != nil || defect > 1e-9 {
					t.Errorf("%d, way %d, t = %v: defect %.1e, %v", i, j, time, defect, err)
				}
			}
		}
	}
}

// at returns the points of a flow at whole times, as At does for a descent.
func at(f *KernelFlow) func(int) (Point, error) {
	return func(t int) (Point, error) { return f.At(float64(t)) }
}

func distance(a, b *mat.Dense) float64 {
	var d mat.Dense
	d.Sub(a, b)
	return mat.Norm(&d, 2)
}

// TestKrylovDefect checks that without weight decay the error of W is at most the integral of the defect, ∫
// sinh(σ(t−s))/σ·‖(I−QQᵀ)G w(s)‖ ds, where σ² is the largest eigenvalue of G. The error and the defect must decrease as
// the number of products increases.
func TestKrylovDefect(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 2))
	falls, tries := 0, 0
	for range 60 {
		pr, whole, space := krylovPair(t, rng, 4, Invariant{Gamma: 0.3, Rates: Constant(1, 1)})
		sigma, end := whole.Threshold(), 2/whole.Threshold()
		if sigma == 0 {
			continue
		}
		v := Invariant{Gamma: 0.3, Rates: Constant(1, 1), Kernel: krylovOf(pr.kernel.Full, 6)}
		longer, err := v.From(pr.state)
		if err != nil {
			t.Fatal(err)
		}
		errorOf := func(f *KernelFlow) (apart, bound float64) {
			const parts = 400
			for i := range parts + 1 {
				s := end * float64(i) / parts
				p, err := f.At(s)
				if err != nil {
					t.Fatal(err)
				}
				defect, err := f.Defect(p)
				if err != nil {
					t.Fatal(err)
				}
				weight := end / parts
				if i == 0 || i == parts {
					weight /= 2
				}
				known := p.(*point)
				state := known.now.(kernelState)
				kept := 0.0
				for k, sigma2 := range f.sigma2 {
					kept = math.Hypot(kept, sigma2*state.w.At(0, k)*math.Exp(known.log))
				}
				bound += weight * math.Sinh(sigma*(end-s)) / sigma * defect * kept
			}
			a, err1 := whole.At(end)
			b, err2 := f.At(end)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			sa, err1 := a.State()
			sb, err2 := b.State()
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			return distance(sa.W, sb.W), bound
		}
		apart, bound := errorOf(space)
		less, _ := errorOf(longer)
		rounding := 1e-12 * mat.Norm(pr.state.W, 2)
		if apart > 1.001*bound+rounding {
			t.Errorf("W is %.3e apart, and the bound is %.3e", apart, bound)
		}
		if apart > 1e3*rounding {
			tries++
			if less < apart {
				falls++
			}
		}
	}
	if tries < 20 || falls < tries {
		t.Errorf("more products made the error smaller in %d of %d tries", falls, tries)
	}
}

// TestKrylovRefuses checks that a function that cannot be the product with a kernel is refused.
func TestKrylovRefuses(t *testing.T) {
	state := Gaussian(3, 4, 2, 1)
	p, _, n := state.Dims()
	identity := func(x *mat.Dense) (*mat.Dense, error) { return x, nil }
	by := func(product func(x *mat.Dense) *mat.Dense) Kernel {
		return Kernel{Krylov: &Krylov{func(x *mat.Dense) (*mat.Dense, error) { return product(x), nil }, 12}}
	}
	for want, k := range map[string]Kernel{
		"at least 2":         {Krylov: &Krylov{identity, 1}},
		"needs a Product":    {Krylov: &Krylov{nil, 5}},
		"exclude each other": {Krylov: &Krylov{identity, 5}, Samples: mat.NewDense(n, n, nil)},
		"out of memory": {Krylov: &Krylov{func(*mat.Dense) (*mat.Dense, error) {
			return nil, errors.New("out of memory")
		}, 5}},
		"want p×n":               by(func(*mat.Dense) *mat.Dense { return mat.NewDense(n, p, nil) }),
		"must be finite":         by(func(x *mat.Dense) *mat.Dense { return scaledCopy(math.NaN(), x) }),
		"positive semi-definite": by(func(x *mat.Dense) *mat.Dense { return scaledCopy(-1, x) }),
		"symmetric": by(func(x *mat.Dense) *mat.Dense {
			skew := mat.DenseCopyOf(x)
			skew.Set(0, 0, x.At(0, 0)+3*x.At(2, n-1))
			return skew
		}),
	} {
		_, err := Invariant{Gamma: 0.3, Rates: Constant(1, 1), Kernel: k}.From(state)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
	still := state.Clone()
	still.H.Zero()
	still.W.Zero()
	free := Invariant{Gamma: 0.3, Rates: Constant(1, 1), Kernel: Kernel{Krylov: &Krylov{identity, 5}}}
	if _, err := free.From(still); err == nil {
		t.Error("a state without a direction was accepted")
	}
	f, err := free.From(state)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.TestSums(mat.NewDense(3, 1, nil), mat.NewDense(4, 1, nil)); err == nil {
		t.Error("TestSums was accepted beside products")
	}
	other, err := Invariant{Gamma: 0.3, Rates: Constant(1, 1)}.From(state)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.At(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Defect(foreign); err == nil {
		t.Error("a point of another trajectory has a defect")
	}
}
