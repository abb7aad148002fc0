package ntk

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"gonum.org/v1/gonum/floats"
)

// TestSplits checks that every form of the kernel of random networks equals that of Jacobians computed example by
// example, however the examples are divided: all at once, in chunks of one or two, or with one call for each pair.
func TestSplits(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		random := rand.New(rand.NewPCG(11, 5))
		networks, inputs := 1, [][]int{{6}, {5, 4, 2}} // compilation by XLA takes long
		if onGo(backend) {
			networks, inputs = 25, append(inputs, []int{1}, []int{1, 1, 3}, []int{1, 5, 1})
		}
		for range networks {
			for _, input := range inputs {
				network := drawing{random, 4, true}.network(input)
				for !strings.Contains(network.String(), ",w=") { // until the network has parameters
					network = drawing{random, 4, true}.network(input)
				}
				t.Run(fmt.Sprint(network), func(t *testing.T) { splits(t, backend, network, input, random.Uint64()) })
			}
		}
	})
}

func splits(t *testing.T, backend compute.Backend, network Network, input []int, seed uint64) {
	x1 := normals(seed, dtypes.Float64, append([]int{4}, input...)...)
	x2 := normals(seed+1, dtypes.Float64, append([]int{3}, input...)...)
	want := naive(t, network, NTKParameterization, seeded(1), x1, x2)
	self := naive(t, network, NTKParameterization, seeded(1), x1, x1)
	outputs := want.Shape().Dimensions[2]
	size := max(floats.Norm(values(want), math.Inf(1)), floats.Norm(values(self), math.Inf(1)))
	e := network.Empirical(backend, seeded(1).RootScope(), NTKParameterization)
	check := func(what string, want, got *tensors.Tensor, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if off := floats.Distance(values(got), values(want), math.Inf(1)); !(off <= 1e-12*size) {
			t.Errorf("%s: off by %g, of a kernel of size %g", what, off, size)
		}
	}
	all := func(what string, x1, x2, want *tensors.Tensor) {
		t.Helper()
		got, err := e.Full(x1, x2)
		check(what+", full", want, got, err)
		got, err = e.TraceSum(x1, x2)
		check(what+", trace", outputsOf(want, traced), got, err)
		got, err = e.TraceMean(x1, x2)
		check(what+", mean", scaled(outputsOf(want, traced), 1/float64(outputs)), got, err)
		got, err = e.PerOutput(x1, x2)
		check(what+", per output", outputsOf(want, perOutput), got, err)
	}
	m, err := e.measure(x1.Shape())
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range []int64{4, 2, 1} {
		what := fmt.Sprint("chunks of ", chunk)
		e.MemoryBudget = chunk * m.bytes
		all(what, x1, x2, want)
		all(what+", symmetric", x1, nil, self)
		got, err := e.Diagonal(x1)
		check(what+", diagonal", outputsOf(self, diagonal), got, err)
	}
	e.MemoryBudget = 1 << 30
	for i := range 4 {
		for j := range 3 {
			all("a pair", rows(x1, i), rows(x2, j), pairOf(want, i, j))
		}
		got, err := e.Diagonal(rows(x1, i))
		check("an example", outputsOf(pairOf(self, i, i), diagonal), got, err)
	}
}

// pairOf returns the kernel of examples i and j, computed without the other examples.
func pairOf(kernel *tensors.Tensor, i, j int) *tensors.Tensor {
	dims := kernel.Shape().Dimensions
	block := dims[2] * dims[3]
	at := (i*dims[1] + j) * block
	return tensors.FromFlatDataAndDimensions(values(kernel)[at:at+block], 1, 1, dims[2], dims[3])
}

// TestImageSizes checks that a kernel for images of one size does not affect that of another size. Here, one has one
// position for each channel before flattening, and the other has four.
func TestImageSizes(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		network := Serial(Conv(3, 3).Std(1, 0.5), ReLU, Flatten)
		e := network.Empirical(backend, seeded(1).RootScope(), NTKParameterization)
		for _, side := range []int{3, 4, 3} {
			x := normals(uint64(side), dtypes.Float64, 3, side, side, 2)
			want := naive(t, network, NTKParameterization, seeded(1), x, x)
			for _, y := range []*tensors.Tensor{x, rows(x, 0, 1)} {
				got, err := e.Full(x, y)
				if err != nil {
					t.Fatalf("images of %d×%d: %v", side, side, err)
				}
				n := y.Shape().Dimensions[0]
				for i := range 3 {
					for j := range n {
						sameKernel(t, "full", pairOf(got, i, j), pairOf(want, i, j), 1e-12)
					}
				}
			}
		}
	})
}

// TestLonePairs checks that in float32, too, the kernel of one pair equals that of many examples, although its sums are
// then products of two long vectors.
func TestLonePairs(t *testing.T) {
	conv := func(channels int) Layer { return Conv(channels, 3).Same() }
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		x := normals(5, dtypes.Float32, 2, 10, 10, 3)
		for _, outputs := range []int{1, 3} {
			network := Serial(conv(32), ReLU, conv(128), ReLU, Flatten, Dense(outputs))
			e := network.Empirical(backend, seeded(1).RootScope(), NTKParameterization)
			whole, err := e.TraceSum(x, nil)
			if err != nil {
				t.Fatal(err)
			}
			lone, err := e.TraceSum(rows(x, 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "trace", values(lone)[0]/values(whole)[0], 1, 2e-6)
			blocks, err := e.Diagonal(x)
			if err != nil {
				t.Fatal(err)
			}
			trace := 0.0
			for c := range outputs {
				trace += values(blocks)[c*outputs+c]
			}
			near(t, "diagonal", trace/values(whole)[0], 1, 2e-6)
		}
	})
}
