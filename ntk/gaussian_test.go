package ntk

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/unhinged-lab/lab/internal/layers"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// TestNotGaussian checks that a nonlinearity whose input is not Gaussian in the limit is refused, with an error of one
// line that names it.
func TestNotGaussian(t *testing.T) {
	backend, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	vectors, images := normals(1, dtypes.Float64, 2, 4), normals(1, dtypes.Float64, 2, 4, 4, 1)
	given, again, sum := "its input is the network's input itself", "its input is the output of another nonlinearity",
		"its input is a sum in which a branch"
	pooled, flat, wide := "its input is a mean of finitely many outputs", "its input is a flattened image",
		"adds the network's input to a layer"
	for _, test := range []struct {
		network string
		x       *tensors.Tensor
		message string // "" if the network has a kernel
	}{
		{"relu dense:1", vectors, "relu at layer0 has no infinite-width kernel: " + given},
		{"flatten relu dense:1", images, "relu at layer1 has no infinite-width kernel: " + given},
		{"avgpool:2 identity erf flatten dense:1", images, given},
		{"residual[ relu ] dense:1", vectors, "relu at layer0/branch0 has no"},
		{"dense:1 relu relu dense:1", vectors, "relu at layer2 has no infinite-width kernel: " + again},
		{"dense:1 [ relu ] [ identity [ sin ] ] dense:1", vectors, "sin at layer2/layer1/layer0 has no"},
		{"dense:1 relu residual[ identity | relu dense:1 ] dense:1", vectors, "relu at layer2/branch1/layer0 has no"},
		{"conv:1,3 relu flatten relu dense:1", images, again},
		{"conv:1,3 relu avgpool:2 abs flatten dense:1", images, pooled},
		{"conv:1,3 relu gap abs dense:1", images, pooled},
		{"conv:1,3 relu avgpool:2 residual[ identity | conv:1,1 ] abs flatten dense:1", images, sum},
		{"conv:1,3 flatten relu dense:1", images, flat},
		{"dense:1 relu residual[ identity | dense:1 relu dense:1 ] relu dense:1", vectors,
			"relu at layer3 has no infinite-width kernel: " + sum},
		{"dense:1 residual[ identity | dense:1 relu ] dense:1", vectors, "2 branches of the Residual at layer1"},
		{"dense:1 residual[ dense:1 | dense:1 relu ] relu dense:1", vectors, sum},
		{"conv:1,3 residual[ flatten | gap dense:4 ] relu dense:1", images, sum},
		{"residual[ identity | dense:4 ] dense:1", vectors, wide},
		{"avgpool:2 residual[ conv:1,1 | identity ] flatten dense:1", images, wide},

		{"dense:1 residual[ identity | relu dense:1 ] relu dense:1", vectors, ""},
		{"dense:1 residual[ identity | residual[ relu | dense:1 ] dense:1 | dense:1 ] relu dense:1", vectors, ""},
		{"avgpool:2 conv:1,1 relu avgpool:2 conv:1,1 relu gap dense:1 relu dense:1", images, ""},
		{"conv:1,3 avgpool:2 relu flatten dense:1 dense:1 relu dense:1", images, ""},
		{"conv:1,3 gap relu dense:1", images, ""},
		{"dense:1 relu residual[ identity | dense:1 relu dense:1 ] dense:1 relu dense:1", vectors, ""},
		{"conv:1,3 residual[ flatten | gap dense:4 ] dense:4 relu dense:1", images, ""},
		{"residual[ residual[ dense:1 ] ] relu", vectors, ""},
	} {
		network, err := Parse(test.network)
		if err != nil {
			t.Fatal(err)
		}
		_, err = network.Infinite(backend).Kernels(test.x, nil)
		_, _, _, memory := network.Infinite(backend).Memory(test.x.Shape())
		switch {
		case fmt.Sprint(memory) != fmt.Sprint(err):
			t.Errorf("%s: error %v from Kernels, %v from Memory", test.network, err, memory)
		case test.message == "" && err != nil:
			t.Errorf("%s: %v", test.network, err)
		case test.message != "" && (err == nil || !strings.Contains(err.Error(), test.message) ||
			strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: error %v, want one line with %q", test.network, err, test.message)
		}
	}
}

// TestPreActivation checks that a residual block with its nonlinearity before the weights has a kernel. The expected
// value was confirmed by finite networks (1.211 ± .02 by Monte Carlo in NumPy). x is the first row of
// numpy.random.default_rng(3).standard_normal((4, 6)).
func TestPreActivation(t *testing.T) {
	backend, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.FromValue([][]float64{{2.0409191213851825, -2.5556650313141818, 0.41809884672577885,
		-0.5677696061279298,
		-0.45264929211044586, -0.2155971630897659}})
	network, err := Parse("dense:64 residual[ identity | relu dense:64 relu dense:64 ] relu dense:8")
	if err != nil {
		t.Fatal(err)
	}
	kernels, err := network.Infinite(backend).Kernels(x, nil)
	near(t, "NNGP", both(t, kernels, err)[0][0], 1.192, 5e-4)
}

// TestRandomCompositions checks that a random composition of layers either has no kernel of infinite width, or has the
// kernel of wide finite networks. Over draws of the weights, the mean of each entry must be within five standard errors
// plus a fraction of the kernel's size, which allows for the bias of finite width.
func TestRandomCompositions(t *testing.T) {
	backend, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(21, 9))
	for _, test := range []struct {
		input        []int
		width, count int
	}{{[]int{6}, 192, 100}, {[]int{5, 4, 2}, 48, 100}} {
		accepted := 0
		for range test.count {
			network := drawing{random, test.width, false}.network(test.input)
			x := normals(random.Uint64(), dtypes.Float64, append([]int{2}, test.input...)...)
			kernels, err := network.Infinite(backend).Kernels(x, nil)
			if err != nil {
				if !strings.Contains(err.Error(), "not Gaussian in the limit") && !strings.Contains(err.Error(),
					"Residual at layer") {
					t.Errorf("%s: %v", network, err)
				}
				continue
			}
			accepted++
			finite := drawKernels(t, backend, network, x, 20)
			for which, want := range both(t, kernels, err) {
				size := floats.Norm(want, math.Inf(1))
				for i, k := range want {
					var draws []float64
					for _, kernels := range finite {
						draws = append(draws, kernels[which][i])
					}
					mean, deviation := stat.MeanStdDev(draws, nil)
					allowed := 5*deviation/math.Sqrt(float64(len(draws))) + 8/float64(test.width)*size
					if off := math.Abs(mean - k); !(off <= allowed) {
						t.Errorf("%s: %s %d: %.4g ± %.2g by %d networks, infinite %.4g", network,
							[]string{"NNGP", "NTK"}[which], i, mean, deviation, len(draws), k)
					}
				}
			}
		}
		if accepted < test.count/5 {
			t.Errorf("%d of %d networks on inputs %v have a kernel", accepted, test.count, test.input)
		}
	}
}

// drawKernels draws the weights of a finite network several times and returns, for each draw, f·f/outputs and the mean
// over the outputs of the tangent kernel.
func drawKernels(t *testing.T, backend compute.Backend, network Network, x *tensors.Tensor,
	draws int) (all [][2][]float64) {
	t.Helper()
	store := seeded(0)
	nngp := model.MustNewExec(backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
		y := network.Model(scope, NTKParameterization, x)
		return graph.DivScalar(graph.Einsum("ic,jc->ij", y, y), float64(y.Shape().Dimensions[1]))
	})
	e := network.Empirical(backend, store.RootScope(), NTKParameterization)
	for seed := range int64(draws) {
		store.RootScope().SetParam(initializer.ParamInitialSeed, seed)
		for v := range store.IterVariables() {
			if err := v.SetValue(layers.Normal(store.Scope(v.Scope()), v.Name(), 1, v.DType(),
				v.Shape().Dimensions...)); err != nil {
				t.Fatal(err)
			}
		}
		k := values(nngp.MustCall(x)[0])
		theta, err := e.TraceMean(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, [2][]float64{k, values(theta)})
	}
	return all
}
