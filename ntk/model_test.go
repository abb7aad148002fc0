package ntk

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/layers"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// seeded returns a store whose variables are drawn from the seed.
func seeded(seed int64) *model.Store {
	store := model.NewStore()
	store.RootScope().SetParam(initializer.ParamInitialSeed, seed)
	return store
}

// empirical returns a function of the seed that draws weights and returns f(x_i)·f(x_j)/outputs and the tangent kernel
// of the first output, from naive Jacobians of one example after the other.
func empirical(backend compute.Backend, network Network, x *tensors.Tensor) func(seed int64) [2][]float64 {
	store := seeded(0)
	exec := model.MustNewExec(backend, store, func(scope *model.Scope, x *graph.Node) []*graph.Node {
		y := network.Model(scope, NTKParameterization, x)
		n, outputs := y.Shape().Dimensions[0], y.Shape().Dimensions[1]
		nngp := graph.DivScalar(graph.Einsum("ic,jc->ij", y, y), float64(outputs))
		var weights []*graph.Node
		for v := range store.IterVariables() {
			if v.Trainable {
				weights = append(weights, v.NodeValue(x))
			}
		}
		jacobian := make([][]*graph.Node, n)
		for i := range n {
			output := graph.Reshape(graph.Slice(y, graph.AxisElem(i), graph.AxisElem(0)))
			jacobian[i] = graph.Gradient(output, weights...)
		}
		results := []*graph.Node{nngp}
		for i := range n {
			for j := range n {
				sum := graph.ScalarZero(x.Graph(), x.DType())
				for k := range weights {
					sum = graph.Add(sum, graph.ReduceAllSum(graph.Mul(jacobian[i][k], jacobian[j][k])))
				}
				results = append(results, sum)
			}
		}
		return results
	})
	return func(seed int64) [2][]float64 {
		store.RootScope().SetParam(initializer.ParamInitialSeed, seed)
		for v := range store.IterVariables() {
			if v.Trainable {
				must.M(v.SetValue(layers.Normal(store.Scope(v.Scope()), v.Name(), 1, v.DType(),
					v.Shape().Dimensions...)))
			}
		}
		results := exec.MustCall(x)
		kernels := [2][]float64{tensors.MustCopyFlatData[float64](results[0])}
		for _, r := range results[1:] {
			kernels[1] = append(kernels[1], tensors.ToScalar[float64](r))
		}
		return kernels
	}
}

// TestWideNetworks draws networks of finite width n. The mean over the draws of each entry of both kernels must be
// within five standard errors of the infinite-width kernel, plus 4/n of it for the bias of finite width. It runs on the
// Go backend only, because TestParameterizations checks that both backends compute the same functions.
func TestWideNetworks(t *testing.T) {
	const draws = 16
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	odd := Function(func(x float64) float64 { return x / (1 + x*x) },
		func(x float64) float64 { return (1 - x*x) / (1 + x*x) / (1 + x*x) },
		func(x *graph.Node) *graph.Node { return graph.Div(x, graph.OnePlus(graph.Square(x))) })
	dense := func(φ Layer) Network {
		return Serial(Dense(256).Std(1.5, 0.3), φ, Dense(256).Std(1.5, 0.3), φ, Dense(64).Std(1.2, 0.1))
	}
	conv := Conv(64, 3).Std(1.4, 0.2)
	for _, test := range []struct {
		name    string
		width   float64
		network Network
		input   []int
	}{
		{"ReLU", 256, dense(ReLU), []int{2, 5}},
		{"LeakyReLU", 256, dense(LeakyReLU(0.2)), []int{2, 5}},
		{"ABReLU", 256, dense(ABReLU(-0.5, 2)), []int{2, 5}},
		{"Abs", 256, dense(Abs), []int{2, 5}},
		{"Erf", 256, dense(Erf), []int{2, 5}},
		{"GELU", 256, dense(GELU), []int{2, 5}},
		{"Sin", 256, dense(Sin), []int{2, 5}},
		{"Function", 256, dense(odd), []int{2, 5}},
		{"Residual", 256, Serial(Dense(256), Residual(Identity, Serial(ReLU, Dense(256).Std(1, 1)), Dense(256)), Erf,
			Dense(64)), []int{2, 5}},
		{"same and stride", 64, Serial(conv.Same().Stride(2), ReLU, conv.Same(), ReLU, Flatten, Dense(64)),
			[]int{2, 6, 5, 2}},
		{"valid, even filter, same", 64, Serial(conv, Erf, Conv(64, 2).Same().Std(1, 0.5), ReLU, Flatten, Dense(64)),
			[]int{2, 5, 4, 2}},
		{"valid and stride", 64, Serial(Conv(64, 2).Stride(2), Abs, Flatten, Dense(64)), []int{2, 5, 4, 2}},
		{"average pooling", 64, Serial(conv.Same(), ReLU, AveragePool(2), conv.Same(), ReLU, Flatten, Dense(64)),
			[]int{2, 5, 4, 2}},
		{"global average pooling", 64, Serial(conv.Same(), ReLU, conv.Same().Stride(2), Erf, GlobalAveragePool,
			Dense(64)), []int{2, 5, 4, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := normals(17, dtypes.Float64, test.input...)
			kernels, err := test.network.Infinite(backend).Kernels(x, nil)
			want := both(t, kernels, err)
			var sum, squares [2][]float64
			for which := range want {
				sum[which], squares[which] = make([]float64, 4), make([]float64, 4)
			}
			draw := empirical(backend, test.network, x)
			for seed := range int64(draws) {
				for which, kernel := range draw(seed) {
					for i, v := range kernel {
						sum[which][i] += v / draws
						squares[which][i] += v * v / draws
					}
				}
			}
			for which, name := range []string{"NNGP", "NTK"} {
				size := slices.Max(want[which])
				for i, k := range want[which] {
					deviation := math.Sqrt((squares[which][i] - sum[which][i]*sum[which][i]) / (draws - 1))
					if off := math.Abs(sum[which][i] - k); !(off <= 5*deviation+4/test.width*size) {
						t.Errorf("%s: %s %d: mean %.4g ± %.2g of %d networks, infinite %.4g", test.name, name, i,
							sum[which][i], deviation, draws, k)
					}
					if deviation > 0.2*size {
						t.Errorf("%s: %s %d: a standard error of %g proves nothing about %g", test.name, name, i,
							deviation, k)
					}
				}
			}
		})
	}
}

// TestConvergence checks that the distance of a finite network's kernels from the infinite-width kernels falls as
// 1/√width. From width 16 to 256 it falls by a factor of four. The test accepts a factor between two and eight, because
// the networks are random.
func TestConvergence(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		x := normals(17, dtypes.Float64, 3, 5)
		distance := func(width int) (rms [2]float64) {
			network := Serial(Dense(width).Std(1.5, 0.3), ReLU, Dense(width), ReLU, Dense(width))
			kernels, err := network.Infinite(backend).Kernels(x, nil)
			want := both(t, kernels, err)
			draw := empirical(backend, network, x)
			for seed := range int64(12) {
				for which, kernel := range draw(seed) {
					for i, v := range kernel {
						rms[which] += (v - want[which][i]) * (v - want[which][i])
					}
				}
			}
			return [2]float64{math.Sqrt(rms[0]), math.Sqrt(rms[1])}
		}
		narrow, wide := distance(16), distance(256)
		for which, name := range []string{"NNGP", "NTK"} {
			if ratio := narrow[which] / wide[which]; ratio < 2 || ratio > 8 {
				t.Errorf("%s: width 16 is %.2f times as far from infinity as width 256", name, ratio)
			}
		}
	})
}

// TestParameterizations checks that both parameterisations compute the same function from the same random numbers, with
// weights of different scales, on all backends, and that there are no biases without σ_b.
func TestParameterizations(t *testing.T) {
	network := Serial(Conv(4, 3).Same().Std(1.5, 0.5), GELU, AveragePool(2),
		Residual(ReLU, Serial(Abs, Conv(4, 2).Same())), Erf, Conv(5, 2).Stride(2),
		Residual(Flatten, Serial(GlobalAveragePool, Dense(5))), Dense(3).Std(0.7, 2), Residual(Identity,
			Serial(Sin, Dense(3))))
	var first []float64
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		x := normals(2, dtype, 5, 5, 4, 2)
		for _, parameterization := range []Parameterization{NTKParameterization, StandardParameterization} {
			store := seeded(5)
			exec := model.MustNewExec(backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
				return network.Model(scope, parameterization, x)
			})
			y := values(exec.MustCall(x)[0])
			if again := values(exec.MustCall(rows(x, 0, 1, 2, 3, 4))[0]); !slices.Equal(again, y) {
				t.Error("a second call has other weights")
			}
			if dtype == dtypes.Float64 && first == nil {
				first = y
			}
			if first != nil {
				for i := range y {
					near(t, fmt.Sprint("output ", i), y[i], first[i], tolerance)
				}
			}
			variables := 0
			for range store.IterVariables() {
				variables++
			}
			if variables != 8 {
				t.Errorf("%d variables: want six weights and two biases", variables)
			}
			for name, scale := range map[string]float64{"weights": 1.5 / math.Sqrt(3*3*2), "bias": 0.5} {
				drawn := values(store.GetVariable("/layer0/" + name).MustValue())
				unit := values(layers.Normal(store.Scope("/layer0"), name, 1, dtypes.Float64, len(drawn)))
				if parameterization == NTKParameterization {
					scale = 1
				}
				for i, v := range drawn {
					near(t, name, v, scale*unit[i], tolerance)
				}
			}
		}
	})
}

func TestModelPanics(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, test := range []struct {
			network Network
			input   []int
		}{
			{Serial(Dense(1)), []int{1, 2, 2, 1}},
			{Serial(Conv(1, 1)), []int{1, 2}},
			{Serial(Conv(1, 3)), []int{1, 2, 2, 1}},
			{Serial(AveragePool(3)), []int{1, 2, 2, 1}},
			{Serial(GlobalAveragePool), []int{1, 2}},
			{Serial(Residual()), []int{1, 2}},
		} {
			exec := model.MustNewExec(backend, seeded(1), func(scope *model.Scope, x *graph.Node) *graph.Node {
				return test.network.Model(scope, NTKParameterization, x)
			})
			if _, err := exec.Call(normals(1, dtypes.Float64, test.input...)); err == nil {
				t.Errorf("%v on %v: no error", test.network, test.input)
			}
		}
		store := seeded(1)
		exec := model.MustNewExec(backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
			return Serial(Dense(2)).Model(scope, NTKParameterization, x)
		})
		exec.MustCall(normals(1, dtypes.Float64, 1, 3))
		for _, x := range []*tensors.Tensor{normals(1, dtypes.Float64, 1, 4), normals(1, dtypes.Float32, 1, 3)} {
			if _, err := exec.Call(x); err == nil || !strings.Contains(err.Error(), "/layer0/weights") {
				t.Errorf("weights for %s: %v", x.Shape(), err)
			}
		}
	})
}
