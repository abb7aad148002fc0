package ntk

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// everything is a network with every kind of layer that can cause errors. It has three outputs and inputs of shape [N,
// 6, 5, 3].
var everything = finiteNetworks()["max pool, batch norm"]

// TestChunks checks that the kernel depends neither on the chunk size nor on the order of the examples, also if the
// last chunk is not full, and that the general method gives the same kernel.
func TestChunks(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		x1, x2 := normals(1, dtypes.Float64, 7, 6, 5, 3), normals(2, dtypes.Float64, 3, 6, 5, 3)
		store := seeded(1)
		e := everything.Empirical(backend, store.RootScope(), NTKParameterization)
		general := NewEmpirical(backend, store.RootScope(), func(scope *model.Scope, x *graph.Node) *graph.Node {
			return everything.Model(scope, NTKParameterization, x)
		})
		whole, err := e.Full(x1, x2)
		if err != nil {
			t.Fatal(err)
		}
		for _, kernel := range []*Empirical{e, general} {
			for _, examples := range []int64{1, 3} {
				if kernel == general && examples == 1 && !onGo(backend) {
					continue // each chunk size has to be compiled
				}
				m, err := kernel.measure(x1.Shape())
				if err != nil {
					t.Fatal(err)
				}
				kernel.MemoryBudget = examples * m.bytes
				check := func(what string, got *tensors.Tensor, err error, want *tensors.Tensor) {
					t.Helper()
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					sameKernel(t, what, got, want, 1e-12)
				}
				got, err := kernel.Full(x1, x2)
				check("full", got, err, whole)
				got, err = kernel.TraceSum(rows(x1, 6, 2, 0, 1), rows(x2, 2, 2, 0, 1, 0))
				permuted, _ := kernel.Full(rows(x1, 6, 2, 0, 1), rows(x2, 2, 2, 0, 1, 0))
				check("trace", got, err, outputsOf(permuted, traced))
				for i, n := range []int{6, 2, 0, 1} {
					for j, m := range []int{2, 2, 0, 1, 0} {
						near(t, "permuted", values(permuted)[(i*5+j)*9+5], values(whole)[(n*3+m)*9+5], 1e-10)
					}
				}
				symmetric, err := kernel.Full(x1, nil)
				if err != nil {
					t.Fatal(err)
				}
				exactlySymmetric(t, "full", symmetric)
				positive(t, symmetric, 1e-12)
				got, err = kernel.Full(x1, x1)
				check("x with x", got, err, symmetric)
				got, err = kernel.Diagonal(x1)
				check("diagonal", got, err, outputsOf(symmetric, diagonal))
				got, err = kernel.PerOutput(x1, nil)
				check("per output", got, err, outputsOf(symmetric, perOutput))
				got, err = kernel.TraceMean(x1, nil)
				check("mean", scaled(got, 3), err, outputsOf(symmetric, traced))

				v := normals(3, dtypes.Float64, 3, 3)
				got, err = kernel.Product(x1, x2, v)
				want := make([]float64, 7*3)
				for n := range 7 {
					for c := range 3 {
						for m := range 3 {
							for k := range 3 {
								want[n*3+c] += values(whole)[((n*3+m)*3+c)*3+k] * values(v)[m*3+k]
							}
						}
					}
				}
				check(fmt.Sprint("product ", examples, kernel == general), got, err,
					tensors.FromFlatDataAndDimensions(want, 7, 3))
			}
		}
	})
}

func scaled(t *tensors.Tensor, factor float64) *tensors.Tensor {
	if t == nil {
		return nil
	}
	v := values(t)
	for i := range v {
		v[i] *= factor
	}
	return tensors.FromFlatDataAndDimensions(v, t.Shape().Dimensions...)
}

func positive(t *testing.T, kernel *tensors.Tensor, tolerance float64) {
	t.Helper()
	matrix, err := asMatrix(kernel)
	if err != nil {
		t.Fatal(err)
	}
	values := eigenvalues(t, matrix)
	if lowest, highest := values[0], values[len(values)-1]; lowest < -tolerance*highest {
		t.Errorf("a kernel with eigenvalues from %g to %g", lowest, highest)
	}
}

// TestTranspose checks that forward mode, which needs no gradients, and reverse mode give the same u·J v. (gomlx's own
// gradients do not pass this test for filters of even size.)
func TestTranspose(t *testing.T) {
	backend, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	networks := finiteNetworks()
	for size := range 4 {
		for stride := range 3 {
			conv := Conv(3, size+1).Stride(stride + 1)
			networks[fmt.Sprint("filter ", size+1, " stride ", stride+1)] = Serial(Conv(2, 1), conv, Flatten)
			networks[fmt.Sprint("filter ", size+1, " stride ", stride+1, " same")] = Serial(Conv(2, 1), conv.Same(),
				Flatten)
		}
	}
	for name, network := range networks {
		store, x := seeded(1), normals(1, dtypes.Float64, dims(name, 2)...)
		s := newStructured(backend, store.RootScope(), network, NTKParameterization)
		m, err := newEmpirical(backend, store, s).measure(x.Shape())
		if err != nil {
			t.Fatal(err)
		}
		u, v := normals(2, dtypes.Float64, 2, m.outputs), normals(3, dtypes.Float64, m.parameters)
		back, err1 := s.pull(x, u, tensors.FromShape(v.Shape()))
		forward, err2 := s.push(x, v)
		if err1 != nil || err2 != nil {
			t.Fatal(name, err1, err2)
		}
		near(t, name, floats.Dot(values(back), values(v)), floats.Dot(values(u), values(forward)), 1e-11)
	}
}

// TestLinearized checks that at θ0 the linearised network equals the network, that its change away from θ0 equals the
// network's by finite differences of small steps, that its gradient by θ is the network's gradient at θ0, and that its
// kernel is Θ_0.
func TestLinearized(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		const step = 1e-4
		x := normals(1, dtypes.Float64, 3, 6, 5, 3)
		network := Serial(Residual(everything, Serial(Conv(2, 3).Std(1, 1), GELU, AveragePool(2), Sin, Flatten,
			Dense(3))))
		store := seeded(4)
		run := func(f func(scope *model.Scope, x *graph.Node) *graph.Node) []float64 {
			t.Helper()
			results, err := model.MustNewExec(backend, store, f).Call(x)
			if err != nil {
				t.Fatal(err)
			}
			return values(results[0])
		}
		f := func(scope *model.Scope, x *graph.Node) *graph.Node {
			return network.Model(scope, NTKParameterization, x)
		}
		linear := func(scope *model.Scope, x *graph.Node) *graph.Node {
			return network.Linearized(scope, NTKParameterization, x)
		}
		weighted := func(f func(*model.Scope, *graph.Node) *graph.Node) func(*model.Scope, *graph.Node) *graph.Node {
			return func(scope *model.Scope, x *graph.Node) *graph.Node {
				y := f(scope, x)
				weights := graph.OnePlus(graph.IotaFull(x.Graph(), y.Shape()))
				return gradient(graph.ReduceAllSum(graph.Mul(y, weights)), trainable(store, x.Graph()))
			}
		}
		at0 := run(linear)
		for i, y := range run(f) {
			near(t, "at θ0", at0[i], y, 1e-12)
		}
		kernel0, err := network.Empirical(backend, store.RootScope(), NTKParameterization).Full(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		gradient0 := run(weighted(f))
		start := map[string][]float64{}
		move := func(step float64) {
			for v := range store.IterVariables() {
				if !v.Trainable {
					continue
				}
				if start[v.Path()] == nil {
					start[v.Path()] = values(v.MustValue())
				}
				direction := values(normals(uint64(len(v.Path())), dtypes.Float64, v.Shape().Size()))
				for i := range direction {
					direction[i] = start[v.Path()][i] + step*direction[i]
				}
				if err := v.SetValue(tensors.FromFlatDataAndDimensions(direction,
					v.Shape().Dimensions...)); err != nil {
					t.Fatal(err)
				}
			}
		}
		move(step)
		up := run(f)
		move(-step)
		down := run(f)
		move(1)
		moved := run(linear)
		for i := range moved {
			near(t, "tangent", moved[i]-at0[i], (up[i]-down[i])/(2*step), 1e-5)
		}
		for i, g := range run(weighted(linear)) {
			near(t, "gradient", g, gradient0[i], 1e-10)
		}
		if !onGo(backend) {
			return
		}
		kernel, err := NewEmpirical(backend, store.RootScope(), linear).Full(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		sameKernel(t, "kernel", kernel, kernel0, 1e-10)
		moving, err := network.Empirical(backend, store.RootScope(), NTKParameterization).Full(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		if drift, err := Drift(kernel0, moving); err != nil || drift < 0.1 {
			t.Errorf("the network's own kernel drifts by %g, %v", drift, err)
		}
	})
}

// TestGomlxModel checks a model of gomlx's own layers in evaluation mode.
func TestGomlxModel(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		onXLA := !onGo(backend) // the Go backend cannot differentiate graph.MaxPool
		normalized := func(training bool) func(scope *model.Scope, x *graph.Node) *graph.Node {
			return func(scope *model.Scope, x *graph.Node) *graph.Node {
				if training {
					scope.Store().SetTraining(x.Graph(), true)
				}
				x = Conv(4, 3).forward(scope.In("conv"), NTKParameterization, x)
				x = norm.BatchNorm(scope, x, -1).UseBackendInference(false).Done()
				if onXLA {
					x = graph.MaxPool(x).Window(2).Done()
				}
				return Dense(2).forward(scope.In("dense"), NTKParameterization,
					graph.Tanh(graph.Reshape(x, x.Shape().Dimensions[0], -1)))
			}
		}
		store, x := seeded(1), normals(1, dtypes.Float64, 2, 4, 4, 2)
		got, err := NewEmpirical(backend, store.RootScope(), normalized(false)).Full(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !onXLA {
			sameKernel(t, "kernel", got, naiveKernel(t, seeded(1), normalized(false), x, x), 1e-12)
		}
		_, err = NewEmpirical(backend, seeded(1).RootScope(), normalized(true)).Full(x, nil)
		if err == nil || !strings.Contains(err.Error(), "evaluation mode") {
			t.Errorf("batch normalisation in training mode: error %v", err)
		}
		centred := func(scope *model.Scope, x *graph.Node) *graph.Node {
			x = Dense(2).forward(scope, NTKParameterization, graph.Reshape(x, x.Shape().Dimensions[0], -1))
			return graph.Sub(graph.OnePlus(x), graph.ReduceAndKeep(x, graph.ReduceMean, 0))
		}
		_, err = NewEmpirical(backend, seeded(1).RootScope(), centred).Full(x, nil)
		if err == nil || !strings.Contains(err.Error(), "must not mix examples") {
			t.Errorf("a model that mixes examples: error %v", err)
		}
	})
}

// smallEmpirical returns the tangent kernel of a small network with two outputs, and five inputs.
func smallEmpirical(t *testing.T) (e *Empirical, x *tensors.Tensor) {
	t.Helper()
	backend, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	network := Serial(Dense(30), Erf, Dense(2))
	return network.Empirical(backend, seeded(1).RootScope(), NTKParameterization), normals(1, dtypes.Float64, 5, 7)
}

// TestLargestEigenvalue compares the largest eigenvalue by products with that of the matrix. It also checks the largest
// rate at which gradient descent on a quadratic loss is stable.
func TestLargestEigenvalue(t *testing.T) {
	e, x := smallEmpirical(t)
	kernel, err := e.Full(x, nil)
	if err != nil {
		t.Fatal(err)
	}
	byMatrix, err1 := LargestEigenvalue(kernel)
	byProducts, err2 := e.LargestEigenvalue(x, 1e-10)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	near(t, "largest eigenvalue", byProducts, byMatrix, 1e-7)

	// Gradient descent on the mean over the examples of ½‖f − y‖² changes the outputs by −η/N Θ(f − y).
	for _, share := range []float64{0.99, 1.01} {
		rate := share * LargestStableRate(byMatrix, 1./5)
		matrix, _ := asMatrix(kernel)
		residual := eigenvalues(t, matrix)
		grows := math.Abs(1-rate/5*residual[len(residual)-1]) > 1
		if grows != (share > 1) {
			t.Errorf("at %g of the largest stable rate the residual grows: %v", share, grows)
		}
	}
	if rate := LargestStableRate(byMatrix, 0); !math.IsInf(rate, 1) {
		t.Errorf("a linear loss has a largest rate %g", rate)
	}
}

// TestDrift checks the drift, the alignment and the CKA of kernels that are multiples of each other, shifted or equal.
func TestDrift(t *testing.T) {
	e, x := smallEmpirical(t)
	kernel, err1 := e.Full(x, nil)
	trace, err2 := e.TraceMean(x, nil)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	shifted := values(trace)
	for i := range shifted {
		shifted[i] = 2*shifted[i] + 3
	}
	moved := tensors.FromFlatDataAndDimensions(shifted, 5, 5)
	doubled := scaled(trace, 2)
	for what, test := range map[string]struct {
		f    func(k, l *tensors.Tensor) (float64, error)
		l    *tensors.Tensor
		want float64
	}{
		"drift of nothing":          {Drift, trace, 0},
		"drift of the double":       {Drift, doubled, 1},
		"alignment with the double": {Alignment, doubled, 1},
		"CKA of a shifted kernel":   {CKA, moved, 1},
	} {
		got, err := test.f(trace, test.l)
		if err != nil {
			t.Fatal(err)
		}
		near(t, what, got, test.want, 1e-12)
	}
	if a, err := Alignment(trace, moved); err != nil || a > 1-1e-6 {
		t.Errorf("alignment with a shifted kernel %g, %v", a, err)
	}
	if a, err := CKA(kernel, kernel); err != nil || math.Abs(a-1) > 1e-12 {
		t.Errorf("CKA of a full kernel with itself %g, %v", a, err)
	}
	for _, f := range []func(k, l *tensors.Tensor) (float64, error){Drift, Alignment, CKA} {
		if _, err := f(trace, kernel); err == nil {
			t.Error("kernels of different shapes are compared")
		}
	}
}

// eigenvalues returns the eigenvalues in increasing order.
func eigenvalues(t *testing.T, matrix mat.Symmetric) []float64 {
	t.Helper()
	var eigen mat.EigenSym
	if !eigen.Factorize(matrix, false) {
		t.Fatal("no eigenvalues")
	}
	return eigen.Values(nil)
}

func TestEmpiricalErrors(t *testing.T) {
	backend, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	vectors, images := normals(1, dtypes.Float64, 2, 4), normals(1, dtypes.Float64, 2, 4, 4, 1)
	with := func(v float64) *tensors.Tensor {
		x := normals(1, dtypes.Float64, 2, 4)
		change(x, func(set func(int, float64), _ func(int) float64) { set(6, v) })
		return x
	}
	dense := Serial(Dense(1))
	for _, test := range []struct {
		network Network
		x1, x2  *tensors.Tensor
		message string
	}{
		{dense, nil, nil, "no inputs"},
		{dense, with(math.NaN()), nil, "example 1"},
		{dense, vectors, with(math.Inf(-1)), "example 1"},
		{dense, with(1e200), nil, "not finite"},
		{dense, vectors, normals(1, dtypes.Float64, 2, 5), "do not match"},
		{dense, vectors, normals(1, dtypes.Float32, 2, 4), "do not match"},
		{dense, vectors, images, "do not match"},
		{dense, tensors.FromValue([]float64{1, 2}), nil, "[examples, ...]"},
		{dense, tensors.FromValue([][]int32{{1, 2}}), nil, "float32 or float64, not Int32"},
		{dense, images, nil, "put Flatten"},
		{Serial(Conv(1, 3), ReLU), images, nil, "end the network with Flatten"},
		{Serial(MaxPool(5), Flatten), images, nil, "MaxPool(5) takes"},
		{Serial(Identity), vectors, nil, "no trainable variables"},
		{Serial(Residual()), vectors, nil, "no branches"},
	} {
		if _, err := test.network.Empirical(backend, seeded(1).RootScope(), NTKParameterization).Full(test.x1,
			test.x2); err == nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("error %v, want one with %q", err, test.message)
		}
	}
	for _, layer := range []Layer{MaxPool(2), BatchNorm} {
		if _, err := Serial(Conv(1, 3), layer, Flatten).Infinite(backend).Kernels(images, nil); err == nil ||
			!strings.Contains(err.Error(), "no infinite-width kernel") {
			t.Errorf("%v has an infinite kernel: %v", layer, err)
		}
	}
}
