package layers

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/numbers"
)

// sums has batch sizes that reach every branch of sumRows: multiples of 8, other numbers, and a prime.
var sums = []int{2, 3, 8, 10, 14, 17, 24, 50}

// TestSumRows checks that the sum in parts equals the plain sum.
func TestSumRows(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, n := range sums {
			x := random(n, 3)
			got := numbers.Of(graph.MustExecOnce(backend, sumRows, x))
			values := numbers.Of(x)
			for c := range 3 {
				want := 0.0
				for i := range n {
					want += values[3*i+c]
				}
				if math.Abs(got[c]-want) > 1e-12 {
					t.Errorf("%d rows: column %d sums to %g, should be %g", n, c, got[c], want)
				}
			}
		}
	})
}

func random(rows, columns int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(columns)))
	values := make([]float64, rows*columns)
	for i := range values {
		values[i] = 1 + 2*rng.NormFloat64()
	}
	return tensors.FromFlatDataAndDimensions(values, rows, columns)
}

// normalised returns values [n, p] normalised over their rows, with the means and variances, and Σ yᵢⱼ cⱼᵢ of the
// normalised ones, by the definition.
func normalised(values, c []float64, p int) (total float64, y, mean, variance []float64) {
	n := len(values) / p
	y, mean, variance = make([]float64, n*p), make([]float64, p), make([]float64, p)
	for k := range p {
		for i := range n {
			mean[k] += values[i*p+k] / float64(n)
		}
		for i := range n {
			variance[k] += (values[i*p+k] - mean[k]) * (values[i*p+k] - mean[k]) / float64(n)
		}
		for i := range n {
			y[i*p+k] = (values[i*p+k] - mean[k]) / math.Sqrt(variance[k]+Epsilon)
			total += y[i*p+k] * c[k*n+i]
		}
	}
	return total, y, mean, variance
}

// TestBatchNorm compares the output, the gradients and the running averages with the definition. The gradients are
// compared with finite differences of Σ yᵢⱼ cᵢⱼ, where c is random and fixed.
func TestBatchNorm(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, norm := range []BatchNorm{{}, {Momentum: 0.4, FixedScale: true}} {
			const n, p, shift = 10, 3, 0.3
			momentum := norm.Momentum
			if momentum == 0 {
				momentum = 0.1
			}
			x, weights := random(n, p), random(p, n)
			store := model.NewStore()
			exec := model.MustNewExec(backend, store, func(scope *model.Scope, x, weights *graph.Node) []*graph.Node {
				store.SetTraining(x.Graph(), true)
				y := norm.Apply(scope, x)
				_, shiftVariable, _, _ := norm.Variables(scope, x)
				loss := graph.ReduceAllSum(graph.Mul(y, graph.Transpose(weights, 0, 1)))
				return append([]*graph.Node{y}, graph.Gradient(loss, x, shiftVariable.NodeValue(x.Graph()))...)
			})
			out := exec.MustCall(x, weights)
			values, c := numbers.Of(x), numbers.Of(weights)
			_, y, mean, variance := normalised(values, c, p)
			for i, got := range numbers.Of(out[0]) {
				if math.Abs(got-y[i]) > 1e-12 {
					t.Fatalf("output %d is %g, should be %g", i, got, y[i])
				}
			}
			for i, got := range numbers.Of(out[1]) {
				const h = 1e-5
				moved := append([]float64{}, values...)
				moved[i] += h
				up, _, _, _ := normalised(moved, c, p)
				moved[i] -= 2 * h
				down, _, _, _ := normalised(moved, c, p)
				if want := (up - down) / (2 * h); math.Abs(got-want) > 1e-7 {
					t.Errorf("the gradient by input %d is %g, should be %g", i, got, want)
				}
			}
			for k, got := range numbers.Of(out[2]) {
				want := 0.0
				for i := range n {
					want += c[k*n+i]
				}
				if math.Abs(got-want) > 1e-12 {
					t.Errorf("the gradient by shift %d is %g, should be %g", k, got, want)
				}
			}
			for name, want := range map[string]func(k int) float64{
				"mean":     func(k int) float64 { return momentum * mean[k] },
				"variance": func(k int) float64 { return 1 - momentum + momentum*variance[k]*n/(n-1) },
			} {
				v, err := store.RootScope().GetVariable(name).Value()
				if err != nil {
					t.Fatal(err)
				}
				for k, got := range numbers.Of(v) {
					if math.Abs(got-want(k)) > 1e-12 {
						t.Errorf("the running %s %d is %g, should be %g", name, k, got, want(k))
					}
				}
			}
			if found := store.RootScope().GetVariable("scale") != nil; found == norm.FixedScale {
				t.Errorf("%+v: has a scale: %v", norm, found)
			}
		}
	})
}

// TestNormal checks that the random numbers depend only on the seed, the scope and the name.
func TestNormal(t *testing.T) {
	store := model.NewStore()
	first := Normal(store.RootScope().In("a"), "weights", 2, dtypes.Float64, 3, 4)
	again := Normal(store.RootScope().In("a"), "weights", 2, dtypes.Float64, 12)
	other := Normal(store.RootScope().In("a"), "bias", 2, dtypes.Float64, 12)
	for i, v := range numbers.Of(first) {
		if v != numbers.Of(again)[i] || v == numbers.Of(other)[i] {
			t.Fatalf("value %d: %g, %g, %g", i, v, numbers.Of(again)[i], numbers.Of(other)[i])
		}
	}
}
