package ntk

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/numbers"
	"gonum.org/v1/gonum/mat"
)

// networks together have every kind of layer; their inputs are vectors or 6×5 images with 3 channels.
func networks() map[string]Network {
	conv := Conv(8, 3).Same().Std(1.4, 0.1)
	return map[string]Network{
		"dense": Serial(Dense(8).Std(1.5, 0.1), ReLU, Dense(8), Residual(Identity, Serial(Erf, Dense(8))), GELU,
			Dense(8)),
		"linear":   Serial(Dense(8), Dense(8).Std(2, 1)),
		"identity": Serial(Identity),
		"flat":     Serial(Flatten, Dense(8), Abs, Dense(8)),
		"conv":     Serial(conv, ReLU, Conv(8, 2).Stride(2), Sin, Flatten, Dense(8), LeakyReLU(0.1), Dense(8)),
		"strides":  Serial(conv.Stride(2), Residual(Identity, Serial(ReLU, conv), conv), Flatten),
		"pool": Serial(conv, ReLU, AveragePool(2), conv, ABReLU(-0.5, 2), GlobalAveragePool, Dense(8), ReLU,
			Dense(8)),
		"pools":  Serial(conv, AveragePool(2), Erf, AveragePool(2), Conv(8, 1), ReLU, Flatten, Dense(8)),
		"inputs": Serial(AveragePool(2), conv, Erf, GlobalAveragePool, Dense(8)),
	}
}

func dims(network string, n int) []int {
	switch network {
	case "dense", "linear", "identity":
		return []int{n, 7}
	}
	return []int{n, 6, 5, 3}
}

// both returns the values of the two kernels.
func both(t *testing.T, kernels *Kernels, err error) [2][]float64 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return [2][]float64{values(kernels.NNGP), values(kernels.NTK)}
}

// rows returns some examples of x.
func rows(x *tensors.Tensor, examples ...int) *tensors.Tensor {
	shape := x.Shape()
	size := shape.Size() / shape.Dimensions[0]
	all := values(x)
	var picked []float64
	for _, i := range examples {
		picked = append(picked, all[i*size:(i+1)*size]...)
	}
	dims := append([]int{len(examples)}, shape.Dimensions[1:]...)
	if shape.DType == dtypes.Float32 {
		return numbers.Tensor(dtypes.Float32, picked, dims...)
	}
	return tensors.FromFlatDataAndDimensions(picked, dims...)
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*(1+math.Abs(want))) {
		t.Errorf("%s: %.17g, want %.17g", what, got, want)
	}
}

// TestKernels checks properties that every kernel of every network has. The inputs include a zero vector, a copy and a
// multiple of another input.
func TestKernels(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		random := rand.New(rand.NewPCG(3, 3))
		for name, network := range networks() {
			n := 5 + random.IntN(3)
			x := normals(random.Uint64(), dtype, dims(name, n)...)
			size := x.Shape().Size() / n
			change(x, func(set func(i int, v float64), get func(i int) float64) {
				for i := range size {
					set(i, 0)
					set(2*size+i, get(size+i))
					set(3*size+i, 2*get(size+i))
				}
			})
			infinite := network.Infinite(backend)
			kernels, err := infinite.Kernels(x, nil)
			symmetric := both(t, kernels, err)
			kernels, err = infinite.Kernels(x, x)
			crossed := both(t, kernels, err)
			kernels, err = infinite.Diagonal(x)
			diagonal := both(t, kernels, err)
			order := random.Perm(n)
			kernels, err = infinite.Kernels(rows(x, order...), rows(x, 4, 1))
			permuted := both(t, kernels, err)
			kernels, err = infinite.Kernels(rows(x, 4), rows(x, 1))
			alone := both(t, kernels, err)
			for which, k := range symmetric {
				size := slices.Max(diagonal[which])
				if size == 0 {
					size = 1 // a network without parameters has no NTK
				}
				for i := range n {
					near(t, name+": diagonal", diagonal[which][i]/size, k[i*n+i]/size, tolerance)
					for j := range n {
						if k[i*n+j] != k[j*n+i] {
							t.Errorf("%s: [%d,%d] and [%d,%d] differ", name, i, j, j, i)
						}
						near(t, name+": x with x", crossed[which][i*n+j]/size, k[i*n+j]/size, tolerance)
					}
					for j, other := range []int{4, 1} {
						near(t, name+": permuted", permuted[which][i*2+j]/size, k[order[i]*n+other]/size, tolerance)
					}
				}
				near(t, name+": alone", alone[which][0]/size, k[4*n+1]/size, tolerance)
				var eigen mat.EigenSym
				if !eigen.Factorize(mat.NewSymDense(n, k), false) {
					t.Fatal("no eigenvalues")
				}
				if lowest := slices.Min(eigen.Values(nil)); lowest < -tolerance*size*float64(n) {
					t.Errorf("%s: eigenvalue %g of a kernel of size %g", name, lowest, size)
				}
			}
		}
	})
}

// change edits the numbers of a tensor.
func change(x *tensors.Tensor, edit func(set func(i int, v float64), get func(i int) float64)) {
	if x.DType() == dtypes.Float32 {
		tensors.MustMutableFlatData(x, func(flat []float32) {
			edit(func(i int, v float64) { flat[i] = float32(v) }, func(i int) float64 { return float64(flat[i]) })
		})
		return
	}
	tensors.MustMutableFlatData(x, func(flat []float64) {
		edit(func(i int, v float64) { flat[i] = v }, func(i int) float64 { return flat[i] })
	})
}

// TestMorePairsThanARow checks inputs whose rows are computed in pieces, of which the last is shorter.
func TestMorePairsThanARow(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		infinite := Serial(Dense(1), ReLU, Dense(1)).Infinite(backend)
		x := normals(1, dtypes.Float64, 600, 3)
		kernels, err := infinite.Kernels(x, nil)
		k := both(t, kernels, err)
		for _, pair := range [][2]int{{0, 0}, {599, 599}, {256, 255}, {599, 3}, {300, 511}, {300, 512}} {
			i, j := pair[0], pair[1]
			kernels, err := infinite.Kernels(rows(x, i), rows(x, j))
			for which, alone := range both(t, kernels, err) {
				near(t, "pair", k[which][i*600+j], alone[0], 1e-14)
				near(t, "pair, transposed", k[which][j*600+i], alone[0], 1e-14)
			}
		}
	})
}

// TestQuadrature compares Function with the closed forms, to the accuracy that 64 nodes reach for each of them.
func TestQuadrature(t *testing.T) {
	erf := func(x float64) float64 { return math.Erf(x) }
	density := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	for _, test := range []struct {
		name      string
		closed    Layer
		f, df     func(float64) float64
		tolerance float64
	}{
		{"sin", Sin, math.Sin, math.Cos, 1e-12},
		{"erf", Erf, erf, func(x float64) float64 { return 2 / math.Sqrt(math.Pi) * math.Exp(-x*x) }, 1e-8},
		{"GELU", GELU, func(x float64) float64 { return x * normal(x) }, func(x float64) float64 {
			return normal(x) +
				x*density(x)
		}, 1e-10},
		{"linear", LeakyReLU(1), func(x float64) float64 { return x }, func(float64) float64 { return 1 }, 1e-12},
		{"ReLU", ReLU, func(x float64) float64 { return max(x, 0) }, func(x float64) float64 {
			return math.Copysign(0.5,
				x) + 0.5
		}, 0.05},
	} {
		backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
			x := normals(8, dtypes.Float64, 3, 4)
			layer := Function(test.f, test.df, func(x *graph.Node) *graph.Node { return x })
			kernels, err := Serial(Dense(1), layer, Dense(1), layer, Dense(1)).Infinite(backend).Kernels(x, nil)
			got := both(t, kernels, err)
			kernels, err = Serial(Dense(1), test.closed, Dense(1), test.closed, Dense(1)).Infinite(backend).Kernels(x,
				nil)
			want := both(t, kernels, err)
			for which := range got {
				for i := range got[which] {
					near(t, test.name, got[which][i], want[which][i], test.tolerance)
				}
			}
		})
	}
}

func TestErrors(t *testing.T) {
	vectors, images := normals(1, dtypes.Float64, 2, 4), normals(1, dtypes.Float64, 2, 4, 4, 1)
	with := func(v float64) *tensors.Tensor {
		x := normals(1, dtypes.Float64, 2, 4)
		change(x, func(set func(int, float64), _ func(int) float64) { set(6, v) })
		return x
	}
	dense := Serial(Dense(1))
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, test := range []struct {
			network Network
			x1, x2  *tensors.Tensor
			message string
		}{
			{dense, nil, nil, "no inputs"},
			{dense, with(math.NaN()), nil, "example 1 has NaN among its inputs, number 2"},
			{dense, vectors, with(math.Inf(-1)), "example 1 has -Inf"},
			{dense, with(1e200), nil, "overflow float64"},
			{dense, vectors, normals(1, dtypes.Float64, 2, 5), "do not match"},
			{dense, vectors, normals(1, dtypes.Float32, 2, 4), "do not match"},
			{dense, vectors, images, "do not match"},
			{dense, tensors.FromValue([]float64{1, 2}), nil, "[examples, features]"},
			{dense, tensors.FromValue([][]int32{{1, 2}}), nil, "float32 or float64"},
			{dense, images, nil, "Dense(1) takes vectors"},
			{Serial(Conv(1, 3)), vectors, nil, "Conv(1, 3) takes images"},
			{Serial(Conv(1, 3), ReLU), images, nil, "end it with Flatten"},
			{Serial(Conv(1, 5), Flatten), images, nil, "does not fit"},
			{Serial(Conv(1, 0), Flatten), images, nil, "at least 1"},
			{Serial(Conv(1, 3).Stride(0), Flatten), images, nil, "at least 1"},
			{Serial(AveragePool(5), Flatten), images, nil, "AveragePool(5) takes images"},
			{Serial(GlobalAveragePool), vectors, nil, "GlobalAveragePool takes images"},
			{Serial(Residual()), vectors, nil, "no branches"},
			{Serial(Dense(1).Std(math.NaN(), 0)), vectors, nil, "σ_w = NaN"},
			{Serial(Dense(1).Std(1, 1e200)), vectors, nil, "σ_b = 1e+200"},
			{Serial(Dense(1), Residual(Identity, ReLU)), vectors, nil,
				"2 branches of the Residual at layer1 do not end"},
			{Serial(Dense(1), Residual(Identity, Serial(Dense(1), ReLU), ReLU)), vectors, nil,
				"3 branches of the Residual"},
			{Serial(Residual(Identity, Identity)), vectors, nil, "correlated"},
			{Serial(Residual(Identity, Conv(1, 3)), Flatten), images, nil,
				"branch 1 of a Residual ends with images of 2×2"},
		} {
			if _, err := test.network.Infinite(backend).Kernels(test.x1, test.x2); err == nil ||
				!strings.Contains(err.Error(), test.message) {
				t.Errorf("error %v, want one with %q", err, test.message)
			}
		}
	})
}
