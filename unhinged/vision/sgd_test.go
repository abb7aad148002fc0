package vision

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
)

// By hand, for loss = 3x + 2b (gradients 3 and 2), x0 = 1, b0 = −1, η = 0.1, μ = 0.5, λ = 0.2:
//
//	step  x: g = 3 + 0.2x       v = 0.5v + g   x − 0.1v     b: g = 2 + 0.2b     v           b − 0.1v
//	1        3.2                3.2            0.68            1.8              1.8         −1.18
//	2        3.136              4.736          0.2064          1.764            2.664       −1.4464
//	3        3.04128            5.40928        −0.334528       1.71072          3.04272     −1.750672
func TestSGDByHand(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		sgd := SGD{LearningRate: 0.1, Momentum: 0.5, WeightDecay: 0.2}
		step := model.MustNewExec(backend, store, func(scope *model.Scope, g *Graph) []*Node {
			x := scope.In("layer").VariableWithValue("x", 1.0).NodeValue(g)
			b := scope.In("other").VariableWithValue("x", -1.0).NodeValue(g) // another scope has the same name
			scope.VariableWithValue("frozen", 5.0).SetTrainable(false).NodeValue(g)
			loss := Add(MulScalar(x, 3), MulScalar(b, 2))
			sgd.UpdateGraph(scope, g, loss)
			return []*Node{loss}
		})
		for i, want := range [][2]float64{{0.68, -1.18}, {0.2064, -1.4464}, {-0.334528, -1.750672}} {
			step.MustCall()
			for k, path := range []string{"/layer/x", "/other/x"} {
				got := tensors.ToScalar[float64](store.GetVariable(path).MustValue())
				if math.Abs(got-want[k]) > 1e-15 {
					t.Errorf("step %d: %s is %.16g, by hand %.16g", i+1, path, got, want[k])
				}
			}
		}
		if frozen := tensors.ToScalar[float64](store.GetVariable("/frozen").MustValue()); frozen != 5 {
			t.Errorf("a variable that is not trainable became %g", frozen)
		}
		if err := sgd.Clear(store.RootScope()); err != nil {
			t.Fatal(err)
		}
		for v := range store.IterVariables() {
			if strings.Contains(v.Path(), velocities) {
				t.Errorf("Clear left %s", v.Path())
			}
		}
	})
}

// By hand, with Nesterov and a rate of shifts of 4, for the same loss of a variable x and of a shift b; the shift's
// rate is 0.4 and its decay 0.05:
//
//	step  x: g = 3 + 0.2x   v = 0.5v + g   x − 0.1(g + 0.5v)     b: g = 2 + 0.05b   v           b − 0.4(g + 0.5v)
//	1        3.2            3.2            0.52                     1.95              1.95        −2.17
//	2        3.104          4.704          −0.0256                  1.8915            2.8665      −3.4999
func TestNesterovByHand(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		sgd := SGD{LearningRate: 0.1, Momentum: 0.5, WeightDecay: 0.2, Nesterov: true, ShiftRate: 4}
		step := model.MustNewExec(backend, store, func(scope *model.Scope, g *Graph) []*Node {
			x := scope.VariableWithValue("x", 1.0).NodeValue(g)
			b := scope.VariableWithValue("shift", -1.0).NodeValue(g)
			loss := Add(MulScalar(x, 3), MulScalar(b, 2))
			sgd.UpdateGraph(scope, g, loss)
			return []*Node{loss}
		})
		for i, want := range [][2]float64{{0.52, -2.17}, {-0.0256, -3.4999}} {
			step.MustCall()
			for k, path := range []string{"/x", "/shift"} {
				got := tensors.ToScalar[float64](store.GetVariable(path).MustValue())
				if math.Abs(got-want[k]) > 1e-14 {
					t.Errorf("step %d: %s is %.16g, by hand %.16g", i+1, path, got, want[k])
				}
			}
		}
	})
}

// TestTriangle checks that the rate goes linearly from a fifth to the peak at 23 % of the steps, and then to 7 % at
// their end, and that the rate in the graph equals that on the host.
func TestTriangle(t *testing.T) {
	sgd := SGD{LearningRate: 2, Schedule: Triangle, Steps: 200}
	for step, want := range map[int64]float64{0: 0.4, 23: 0.4 + 1.6/2, 46: 2, 123: 2 - 1.86/2, 200: 0.14} {
		if got := sgd.Rate(step); math.Abs(got-want) > 1e-14 {
			t.Errorf("the rate of step %d is %g, should be %g", step, got, want)
		}
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, steps := range []int64{1, 2, 4, 5, 200} {
			sgd.Steps = steps
			for step := range min(steps, 60) {
				got := tensors.ToScalar[float64](MustExecOnce(backend, sgd.rate, float64(step)))
				if math.Abs(got-sgd.Rate(step)) > 1e-14 {
					t.Errorf("the graph's rate of step %d of %d is %g, the host's %g", step, steps, got, sgd.Rate(step))
				}
			}
		}
	})
}

// TestSGDAgainstFiniteDifferences compares SGD in a graph with the formulas in SGD's comment, with gradients by central
// differences of the loss.
func TestSGDAgainstFiniteDifferences(t *testing.T) {
	const n, steps = 4, 7
	random := rand.New(rand.NewPCG(3, 1))
	matrix, start := make([][]float64, n), make([]float64, n)
	for i := range matrix {
		start[i] = random.NormFloat64()
		for range n {
			matrix[i] = append(matrix[i], random.NormFloat64())
		}
	}
	lossAt := func(x []float64) (sum float64) { // Σ tanh(Ax)², written for the host
		for _, row := range matrix {
			dot := 0.0
			for j := range row {
				dot += row[j] * x[j]
			}
			sum += math.Pow(math.Tanh(dot), 2)
		}
		return sum
	}
	sgd := SGD{LearningRate: 0.3, Momentum: 0.9, WeightDecay: 0.05, Steps: steps}
	x, v := append([]float64(nil), start...), make([]float64, n)
	for k := range steps {
		gradient := make([]float64, n)
		for i := range x {
			const h = 1e-5
			plus, minus := append([]float64(nil), x...), append([]float64(nil), x...)
			plus[i] += h
			minus[i] -= h
			gradient[i] = (lossAt(plus) - lossAt(minus)) / (2 * h)
		}
		rate := 0.3 * (1 + math.Cos(math.Pi*float64(k)/steps)) / 2
		for i := range x {
			v[i] = 0.9*v[i] + gradient[i] + 0.05*x[i]
			x[i] -= rate * v[i]
		}
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		step := model.MustNewExec(backend, store, func(scope *model.Scope, g *Graph) []*Node {
			x := scope.VariableWithValue("x", start).NodeValue(g)
			loss := ReduceAllSum(Square(Tanh(ReduceSum(Mul(Const(g, matrix), InsertAxes(x, 0)), -1))))
			sgd.UpdateGraph(scope, g, loss)
			return []*Node{loss}
		})
		for range steps {
			step.MustCall()
		}
		got := tensors.MustCopyFlatData[float64](store.GetVariable("/x").MustValue())
		for i := range x {
			if math.Abs(got[i]-x[i]) > 1e-7 { // central differences err by h² and 1e-16/h in each step
				t.Errorf("x[%d] is %.10g after %d steps, with finite differences %.10g", i, got[i], steps, x[i])
			}
		}
	})
}

func TestCosineGoesFromTheFullRateToZero(t *testing.T) {
	sgd := SGD{LearningRate: 0.1, Steps: 1000}
	for _, c := range []struct {
		step int64
		rate float64
	}{{0, 0.1}, {250, 0.1 * (1 + math.Sqrt2/2) / 2}, {500, 0.05}, {1000, 0}} {
		if got := sgd.Rate(c.step); math.Abs(got-c.rate) > 1e-16 {
			t.Errorf("after %d steps the rate is %g, should be %g", c.step, got, c.rate)
		}
	}
	if rate := (SGD{LearningRate: 0.1}).Rate(12345); rate != 0.1 {
		t.Errorf("without Steps the rate should stay, it is %g", rate)
	}
}
